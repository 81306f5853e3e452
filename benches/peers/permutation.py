"""Permutation importance beside scikit-learn's `permutation_importance`, of the same model, rows and metric.

    pip install numpy scikit-learn xgboost lightgbm
    RAYON_NUM_THREADS=1 OMP_NUM_THREADS=1 taskset -c 0 python benches/peers/permutation.py machine|trees [--out FILE.json]

`machine` is an SVC with an RBF kernel on 114 rows of the breast cancer data, with 30 repeats of 30 columns. `trees` are 500
trees of depth 6 of XGBoost and LightGBM on 50,000 rows of 28 columns, with 5 repeats. Medians of calls on one thread, of
both alike; the largest difference of the two rankings' means is that of other permutations, beside its standard error.
"""

import argparse
import json
import statistics
import time

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.inspection import permutation_importance
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler


def seconds(call, repeats):
    """The median of some calls, and what the last one gives."""
    taken = []
    for _ in range(repeats):
        begun = time.perf_counter()
        found = call()
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken), found


def compared(name, model, x, y, scoring, repeats, calls):
    import whylight

    explainer = whylight.PFIExplainer(model, metric=scoring, n_repeats=repeats, device="cpu", threads=1)
    ours, e = seconds(lambda: explainer.explain_global(x, y), calls[0])
    theirs, found = seconds(
        lambda: permutation_importance(model, x, y, scoring=scoring, n_repeats=repeats, n_jobs=1, random_state=0), calls[1]
    )
    errors = np.hypot(e.standard_errors, found.importances_std / np.sqrt(repeats))
    row = {
        "case": name,
        "rows": len(x),
        "features": x.shape[1],
        "repeats": repeats,
        "metric": scoring,
        "engine": e.details["engine"],
        "seconds": ours,
        "scikit_learn_seconds": theirs,
        "ratio": theirs / ours,
        "base_score_difference": abs(e.base_score - model_score(model, x, y, scoring)),
        "largest_difference": float(np.abs(np.array(e.global_importance_values) - found.importances_mean).max()),
        "largest_standard_error": float(errors.max()),
    }
    print(f"| {name} | {ours:.3f} s | {theirs:.2f} s | {row['ratio']:.1f} |", flush=True)
    return row


def model_score(model, x, y, scoring):
    from sklearn.metrics import get_scorer

    return get_scorer(scoring)(model, x, y)


def machine():
    from sklearn.svm import SVC

    x, y = load_breast_cancer(return_X_y=True)
    x, held, y, labels = train_test_split(x, y, test_size=114, random_state=0)
    scale = StandardScaler().fit(x)
    model = SVC().fit(scale.transform(x), y)
    return [compared("SVC", model, scale.transform(held), labels, "f1_micro", 30, (9, 3))]


def trees():
    import lightgbm
    import xgboost

    random = np.random.default_rng(0)
    x = random.normal(size=(50_000, 28))
    weights = random.normal(size=28)
    margin = x @ weights / 3 + x[:, 0] * x[:, 1] + np.sin(2 * x[:, 2]) * x[:, 3]
    y = (margin + random.logistic(size=len(x)) > 0).astype(int)
    made = {
        "XGBoost": xgboost.XGBClassifier(n_estimators=500, max_depth=6, learning_rate=0.1, n_jobs=1, random_state=0),
        "LightGBM": lightgbm.LGBMClassifier(
            n_estimators=500, max_depth=6, num_leaves=64, n_jobs=1, random_state=0, verbose=-1
        ),
    }
    return [compared(name, model.fit(x, y), x, y, "accuracy", 5, (3, 1)) for name, model in made.items()]


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("case", choices=["machine", "trees"])
    arguments.add_argument("--out", help="JSON file of the measurements")
    given = arguments.parse_args()
    print("| model | whylight | scikit-learn | ratio |\n|---|---|---|---|")
    rows = {"machine": machine, "trees": trees}[given.case]()
    if given.out:
        with open(given.out, "w") as file:
            json.dump(rows, file, indent=1)


if __name__ == "__main__":
    main()
