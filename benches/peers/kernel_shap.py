"""Kernel SHAP of scikit-learn's models and of a free function, beside shap: rows per second on one core.

    pip install numpy scikit-learn==1.9.1 shap==0.54.1 shapiq==1.8.0
    OMP_NUM_THREADS=1 taskset -c 0 python benches/peers/kernel_shap.py [--rounds 3] [--only svc] [--out FILE.json]

The breast-cancer data, standardised: 455 training rows of 30 features, 114 rows to explain. shap takes as many
coalitions as whylight does by default, 2108, without its selection of features (`l1_reg=False`), and explains the
first few of the rows, as it takes seconds for each; so does shapiq, beside the free function. All run in turn in one
process, and what is counted is its processor time, which does not tell what else the machine does. The values are
compared on shap's rows.
"""

import argparse
import json
import os
import statistics
import time
import warnings

import numpy as np
import shap
import shapiq
import sklearn
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import whylight

warnings.simplefilter("ignore")

#: Seconds that a round of whylight should take at the least.
ROUND = 0.5


def cases():
    """Names, functions, backgrounds, rows, and how many of them shap explains."""
    x, y = load_breast_cancer(return_X_y=True)
    train, rows, labels, _ = train_test_split(x, y, test_size=114, random_state=0)
    scaler = StandardScaler().fit(train)
    train, rows = scaler.transform(train), scaler.transform(rows)
    svc = SVC(probability=True, random_state=0).fit(train, labels)
    for background, few in ((10, 6), (100, 2), (455, 1)):
        yield f"svc probability, background {background}", svc.predict_proba, train[:background], rows, few
    for background, few in ((10, 6), (100, 2), (455, 1)):
        yield f"svc margin, background {background}", svc.decision_function, train[:background], rows, few
    for layers in ((100,), (64, 32)):
        mlp = MLPClassifier(layers, max_iter=300, random_state=0).fit(train, labels)
        name = "-".join(map(str, (30, *layers, 2)))
        yield f"mlp {name}, background 100", mlp.predict_proba, train[:100], rows, 10
    weights = np.linspace(1, 2, 30)
    yield "free function, background 100", lambda x: x @ weights, train[:100], rows, 20


def seconds(call):
    begun = time.process_time()
    result = call()
    return time.process_time() - begun, result


def measure(name, function, background, rows, few, rounds):
    """Rows per second of each, by round, and how far shap's values are from whylight's."""
    ours = whylight.KernelExplainer(function, background, threads=1, device="cpu", show_progress=False)
    theirs = shap.KernelExplainer(function, background)
    once, explained = seconds(lambda: ours(rows))
    repeats = max(1, round(ROUND / max(once, 1e-3)))
    rates = {"whylight": [], "shap": []}
    if name.startswith("free"):
        rates["shapiq"] = []
        imputer = shapiq.MarginalImputer(function, background, sample_size=len(background), random_state=0)
        explainer = shapiq.TabularExplainer(
            model=function, data=background, imputer=imputer, index="SV", max_order=1, random_state=0
        )
    for _ in range(rounds):
        taken, _ = seconds(lambda: [ours(rows) for _ in range(repeats)])
        rates["whylight"].append(repeats * len(rows) / taken)
        taken, values = seconds(lambda: theirs.shap_values(rows[:few], silent=True, l1_reg=False))
        rates["shap"].append(few / taken)
        if "shapiq" in rates:
            # As many coalitions, and none and all players.
            budget = 2048 + 2 * rows.shape[1] + 2
            taken, _ = seconds(lambda budget=budget: [explainer.explain(row, budget=budget) for row in rows[:few]])
            rates["shapiq"].append(few / taken)
    off = np.abs(np.asarray(values) - explained.values[:few]).max()
    return rates, float(off / np.abs(explained.values[:few]).max()), explained


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="a part of the names of the cases")
    parser.add_argument("--out", help="a JSON file for the record")
    arguments = parser.parse_args()
    record = {
        "versions": {module.__name__: module.__version__ for module in (whylight, shap, shapiq, sklearn)},
        "cores": sorted(os.sched_getaffinity(0)),
        "cases": [],
    }
    print("| case | whylight, rows/s | shap, rows/s | ratio | spread | shapiq | engine | largest difference |")
    print("|---|---|---|---|---|---|---|---|")
    for name, function, background, rows, few in cases():
        if arguments.only not in name:
            continue
        rates, off, explained = measure(name, function, background, rows, few, arguments.rounds)
        ours, theirs = (statistics.median(rates[who]) for who in ("whylight", "shap"))
        ratios = [a / b for a, b in zip(rates["whylight"], rates["shap"], strict=True)]
        engine = explained.details["engines"][0][0] if explained.details["engines"] else "asked"
        exact = ", exact" if explained.exact else ""
        others = [a / b for a, b in zip(rates["whylight"], rates.get("shapiq", []), strict=False)]
        shapiqs = f"{statistics.median(others):.3g}×" if others else "–"
        spread = (max(ratios) - min(ratios)) / statistics.median(ratios)
        print(
            f"| {name} | {ours:.4g} | {theirs:.3g} | {statistics.median(ratios):.3g}× | {100 * spread:.0f} % "
            f"| {shapiqs} | {engine}{exact} | {off:.1e} |",
            flush=True,
        )
        record["cases"].append({"name": name, "rates": rates, "engine": engine, "difference": off})
    if arguments.out:
        with open(arguments.out, "w") as file:
            json.dump(record, file, indent=1)


if __name__ == "__main__":
    main()
