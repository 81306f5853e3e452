"""The error of Kernel SHAP at equal model calls, beside shap and shapiq: mean squared, against exact values.

    pip install numpy scikit-learn==1.9.1 xgboost-cpu==3.4.1 lightgbm==4.7.0 shap==0.54.1 shapiq==1.8.0
    python benches/peers/calls.py [--rows 8] [--seeds 2] [--only svm]

The models are trees, whose exact values against a background Tree SHAP computes, and margins of support vector
machines, which have them in closed form. shapiq finds its interactions with LightGBM, where that is there. Every estimator asks a table of
answers for as many coalitions as `shap.KernelExplainer` takes by default (2048 and twice the number of features);
errors are divided by the mean squared exact value. The data sets are scikit-learn's own and two that it makes.
"""

import argparse
import sys
import warnings

import numpy as np
import shap
import shapiq.approximator as peers
import xgboost
from sklearn import datasets, ensemble, pipeline, preprocessing, svm

import whylight

warnings.simplefilter("ignore")

OURS = ["auto", "regression_adjusted", "shap_sampling", "permutation"]
PEERS = {
    "KernelSHAP": lambda n, seed: peers.KernelSHAP(n, pairing_trick=True, random_state=seed),
    "LeverageSHAP": lambda n, seed: peers.LeverageSHAP(n, random_state=seed),
    "OddSHAP": lambda n, seed: peers.OddSHAP(n, random_state=seed),
    "RegressionMSR": lambda n, seed: peers.RegressionMSR(n, "SV", random_state=seed),
    "ProxySHAP": lambda n, seed: peers.ProxySHAP(n, max_order=1, index="SV", adjustment=True, random_state=seed),
    "Permutation": lambda n, seed: peers.PermutationSamplingSV(n, random_state=seed),
}


def problems():
    """Names, models, the function that they are, and rows."""
    boosted = {"n_estimators": 100, "max_depth": 4, "learning_rate": 0.1, "random_state": 0, "n_jobs": 1}
    forest = {"n_estimators": 50, "max_depth": 8, "random_state": 0}
    friedman = datasets.make_friedman1(1500, 20, random_state=0)
    drawn = np.random.default_rng(0)
    wide = drawn.normal(size=(1500, 40)) @ (np.eye(40) + 0.2 * drawn.normal(size=(40, 40)))
    curved = (wide, np.sin(wide[:, 0]) * wide[:, 1] + np.tanh(wide[:, 2:20].sum(axis=1)) + wide[:, 20] * wide[:, 21])
    cancer = datasets.load_breast_cancer(return_X_y=True)
    wine = datasets.load_wine(return_X_y=True)
    digits = datasets.load_digits(return_X_y=True)
    tasks = [
        ("cancer, boosted", cancer, "classifier"),
        ("cancer, forest", cancer, "forest"),
        ("wine, forest", (wine[0], wine[1] == 1), "forest"),
        ("diabetes, boosted", datasets.load_diabetes(return_X_y=True), "regressor"),
        ("digits, boosted", (digits[0], digits[1] < 5), "classifier"),
        ("digits, forest", (digits[0], digits[1] == 8), "forest"),
        ("friedman, boosted", friedman, "regressor"),
        ("correlated, boosted", curved, "regressor"),
        ("cancer, svm", cancer, "svm"),
        ("digits, svm", (digits[0], digits[1] < 5), "svm"),
    ]
    for name, (x, y), kind in tasks:
        x = np.ascontiguousarray(x, np.float64)
        if kind == "forest":
            model = ensemble.RandomForestClassifier(**forest).fit(x, y)
            yield name, model, lambda rows, model=model: model.predict_proba(rows)[:, 1], x
        elif kind == "svm":
            model = pipeline.make_pipeline(preprocessing.StandardScaler(), svm.SVC()).fit(x, y)
            yield name, model, model.decision_function, x
        elif kind == "classifier":
            model = xgboost.XGBClassifier(**boosted).fit(x, y)
            yield name, model, lambda rows, model=model: model.predict(rows, output_margin=True).astype(np.float64), x
        else:
            model = xgboost.XGBRegressor(**boosted).fit(x, y)
            yield name, model, lambda rows, model=model: model.predict(rows).astype(np.float64), x


def last(values):
    return values if values.ndim == 2 else values[:, :, -1]


def game(function, row, background):
    """What coalitions, given as rows of booleans, are worth beside none."""
    base = function(background).mean()

    def worth(coalitions):
        coalitions = np.atleast_2d(coalitions).astype(bool)
        mixed = np.where(coalitions[:, None, :], row, background[None])
        return function(mixed.reshape(-1, len(row))).reshape(len(coalitions), -1).mean(axis=1) - base

    return worth


def errors(model, function, x, rows, seeds):
    """By estimator: the mean squared error, over the mean squared value."""
    order = np.random.default_rng(1).permutation(len(x))
    background, rows = x[order[:25]], x[order[25 : 25 + rows]]
    n = x.shape[1]
    calls = 2048 + 2 * n if n > 12 else 512
    if isinstance(model, pipeline.Pipeline):
        found = whylight.KernelExplainer(function, background)(rows)
        assert found.exact
    else:
        found = whylight.TreeExplainer(model, background, value_function="interventional")(rows)
    exact = last(np.asarray(found.values))
    found = {}

    def add(name, values):
        found.setdefault(name, []).append(((values - exact) ** 2).mean() / (exact**2).mean())

    for seed in range(seeds):
        for estimator in OURS:
            # A function that is asked, whatever the engine knows of the model.
            asked = lambda rows: function(rows)  # noqa: E731
            explainer = whylight.KernelExplainer(asked, background, nsamples=calls, seed=seed, estimator=estimator)
            add(f"whylight {estimator}", explainer(rows).values)
        np.random.seed(seed)
        explainer = shap.KernelExplainer(function, background)
        add("shap", explainer.shap_values(rows, nsamples=calls, l1_reg=False, silent=True))
        for name, make in PEERS.items():
            try:
                values = []
                for row in rows:
                    estimate = make(n, seed).approximate(calls + 2, game(function, row, background))
                    values.append(estimate.get_n_order_values(1))
                add(f"shapiq {name}", np.array(values))
            except Exception as error:  # noqa: BLE001
                print(f"shapiq {name}: {error}", file=sys.stderr)
    return {name: np.mean(of) for name, of in found.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=8)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--only", default="", help="a part of the names of the problems")
    wanted = parser.parse_args()
    table, names = {}, ["shap"]
    for problem, model, function, x in problems():
        if wanted.only not in problem:
            continue
        table[problem] = errors(model, function, x, wanted.rows, wanted.seeds)
        names += [name for name in table[problem] if name not in names]
        print(problem, {name: f"{error:.2e}" for name, error in table[problem].items()}, file=sys.stderr)
    print("| mean squared error / shap's | " + " | ".join(table) + " | median |")
    print("|---" * (len(table) + 2) + "|")
    for name in names:
        ratios = [of.get(name, np.nan) / of["shap"] for of in table.values()]
        print(f"| {name} | " + " | ".join(f"{ratio:.3f}" for ratio in ratios) + f" | {np.nanmedian(ratios):.3f} |")


if __name__ == "__main__":
    main()
