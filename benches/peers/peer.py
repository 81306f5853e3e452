"""One peer in a process of its own, on one thread, driven over stdin.

    python peer.py PEER MODEL DATA [BACKGROUND | interactions]

It loads the model, prints one JSON line with its version, then answers each
line `{"rows": N, "repeats": K, "values": PATH or null}` with the seconds of K
timed calls, each from the table in memory to the values in memory. With a
background, values are interventional; with `interactions`, those of pairs.
Loading the model is not timed; building the library's own table (DMatrix, Pool,
DataFrame) is. `values` asks for the values without the bias column, as .npy.

Written for Python 3.9 as well: fasttreeshap runs in an old environment.
"""

import json
import os
import resource
import sys
import time

import numpy as np


#: In place of a background.
INTERACTIONS = "interactions"


def is_interactions(background):
    return isinstance(background, str)


def xgboost(model, background):
    import xgboost as library

    booster = library.Booster({"nthread": 1}, model_file=model)
    booster.set_param({"nthread": 1})

    def explain(x):
        rows = library.DMatrix(x, nthread=1)
        if is_interactions(background):
            return booster.predict(rows, pred_interactions=True)[:, :-1, :-1]
        return booster.predict(rows, pred_contribs=True)[:, :-1]

    return library.__version__, explain


def lightgbm(model, background):
    import lightgbm as library

    booster = library.Booster(model_file=model)
    return library.__version__, lambda x: booster.predict(x, pred_contrib=True, num_threads=1)[:, :-1]


def catboost(model, background):
    import catboost as library

    booster = library.CatBoost().load_model(model, format="json")

    def explain(x):
        pool = library.Pool(x, thread_count=1)
        return booster.get_feature_importance(pool, type="ShapValues", thread_count=1)[:, :-1]

    return library.__version__, explain


def native(model):
    """The model as the object of its own library, for the explainers that take one."""
    if model.endswith(".treelite"):
        import joblib

        return joblib.load(model.replace(".treelite", ".joblib"))
    if model.endswith(".txt"):
        import lightgbm as library

        return library.Booster(model_file=model)
    with open(model) as file:
        is_xgboost = "learner" in file.read(4096)
    if is_xgboost:
        import xgboost as library

        return library.Booster({"nthread": 1}, model_file=model)
    import catboost as library

    return library.CatBoostRegressor().load_model(model, format="json")


def shap(model, background):
    import shap as library

    if background is not None:
        # By default shap takes 100 of the rows.
        masker = library.maskers.Independent(background, max_samples=len(background))
        explainer = library.TreeExplainer(native(model), masker, feature_perturbation="interventional")
        return library.__version__, lambda x: explainer.shap_values(x, check_additivity=False)
    explainer = library.TreeExplainer(native(model), feature_perturbation="tree_path_dependent")
    if explainer.model.trees is None:
        raise ValueError("shap does not read this model's trees, it hands over to the model's library")
    # Otherwise shap hands the work over to the model's own library.
    explainer.model.model_type = "internal"
    return library.__version__, lambda x: explainer.shap_values(x, check_additivity=False)


def woodelf(model, background):
    from importlib.metadata import version

    import pandas
    from woodelf.core.trees.parse_models import load_decision_tree_ensemble_model
    from woodelf.explainer import WoodelfExplainer

    model = native(model)
    if hasattr(model, "feature_name"):
        columns = model.feature_name()
    else:
        columns = ["f%d" % column for column in range(model.num_features())]
    # Read here rather than by the first call, so that no call pays for it.
    trees = load_decision_tree_ensemble_model(model, columns)
    if isinstance(background, np.ndarray):
        frame = pandas.DataFrame(background, columns=columns)
        explainer = WoodelfExplainer(trees, frame, feature_perturbation="interventional")
    else:
        explainer = WoodelfExplainer(trees, feature_perturbation="tree_path_dependent")

    def explain(x):
        frame = pandas.DataFrame(x, columns=columns)
        if is_interactions(background):
            return explainer.shap_interaction_values(frame, verbose=False)
        return explainer.shap_values(frame, verbose=False)

    return version("woodelf-explainer"), explain


def fasttreeshap(model, background):
    from importlib.metadata import version

    from fasttreeshap import TreeExplainer

    arrays = sklearn_arrays(model) if model.endswith(".treelite") else xgboost_arrays(model)
    explainer = TreeExplainer(arrays, algorithm="auto", n_jobs=1)
    explain = explainer.shap_values
    return version("fasttreeshap"), lambda x: explain(x, check_additivity=False)


def xgboost_arrays(model):
    """An XGBoost JSON model as plain arrays: fasttreeshap knows no XGBoost of today."""
    with open(model) as file:
        document = json.load(file)
    trees = []
    for tree in document["learner"]["gradient_booster"]["model"]["trees"]:
        left = np.array(tree["left_children"], dtype=np.int32)
        right = np.array(tree["right_children"], dtype=np.int32)
        leaf = left < 0
        condition = np.array(tree["split_conditions"], dtype=np.float32)
        # XGBoost goes left for x < t, fasttreeshap for x <= t: the float32 just below t says the same.
        below = np.nextafter(condition, np.float32(-np.inf))
        trees.append(
            {
                "children_left": left,
                "children_right": right,
                "children_default": np.where(np.array(tree["default_left"]) != 0, left, right),
                "features": np.where(leaf, -2, np.array(tree["split_indices"], dtype=np.int32)),
                "thresholds": below.astype(np.float64),
                "values": np.where(leaf, condition, 0.0).astype(np.float64)[:, None],
                "node_sample_weight": np.array(tree["sum_hessian"], dtype=np.float64),
            }
        )
    return as_arrays(trees)


def sklearn_arrays(model):
    """A forest of scikit-learn as plain arrays: fasttreeshap knows none of today."""
    stored = np.load(model.replace(".treelite", ".npz"))
    trees = []
    for number in range(len({name.split("/")[0] for name in stored.files})):
        tree = {name.split("/")[1]: stored[name] for name in stored.files if name.startswith("%d/" % number)}
        trees.append({**tree, "children_default": tree["children_left"]})
    return as_arrays(trees)


def as_arrays(trees):
    return {
        "trees": trees,
        "input_dtype": np.float32,
        "internal_dtype": np.float64,
        "objective": "squared_error",
        "tree_output": "raw_value",
    }


def brute_force(model, background):
    """Exact values of a probability: every coalition of every row, predicted by the model's own library in batches."""
    import xgboost as library

    booster = library.Booster({"nthread": 1}, model_file=model)

    def explain(x):
        features = x.shape[1]
        players = 2 ** np.arange(features)
        coalitions = np.arange(2**features)
        member = (coalitions[:, None] & players) > 0
        size = member.sum(axis=1)
        factorial = np.cumprod([1.0, *range(1, features + 1)])
        weight = factorial[:-1] * factorial[features - 1 :: -1] / factorial[features]
        values = np.zeros(x.shape)
        for row, out in zip(x, values):
            worth = np.empty(len(coalitions))
            for start in range(0, len(coalitions), 512):
                inside = member[start : start + 512, None, :]
                rows = np.where(inside, row, background).reshape(-1, features)
                answers = booster.predict(library.DMatrix(rows, nthread=1))
                worth[start : start + 512] = answers.reshape(-1, len(background)).mean(axis=1)
            for feature in range(features):
                without = coalitions[~member[:, feature]]
                gains = worth[without | players[feature]] - worth[without]
                out[feature] = (weight[size[without]] * gains).sum()
        return values

    return library.__version__, explain


def whylight(model, background):
    """A new explainer for every call, made before it: that its tables are built is within the time."""
    import whylight as library
    from whylight._engine import Model

    loaded = Model.load(model)
    output = "probability" if "logit" in model else "raw"

    class Explain:
        def prepare(self):
            # Against a background, what is made before the rows come is part of the work.
            if background is None or is_interactions(background):
                self.explainer = library.TreeExplainer(loaded, device="cpu", threads=1)

        def __call__(self, x):
            if is_interactions(background):
                return self.explainer.interactions(x)
            if background is not None:
                self.explainer = library.TreeExplainer(
                    loaded, background, output=output, device="cpu", threads=1
                )
            return self.explainer(x).values

    return library.__version__, Explain()


PEERS = (whylight, xgboost, lightgbm, catboost, shap, woodelf, fasttreeshap, brute_force)
PEERS = {peer.__name__: peer for peer in PEERS}


def main():
    name, model, data, *background = sys.argv[1:]
    # Libraries may print: keep the answers' channel apart.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)

    x = np.load(data)
    start = time.perf_counter()
    against = background[0] if background else None
    version, explain = PEERS[name](model, against if against in (None, INTERACTIONS) else np.load(against))
    answers.write(
        json.dumps({"version": version, "numpy": np.__version__, "load_seconds": time.perf_counter() - start}) + "\n"
    )
    for line in sys.stdin:
        request = json.loads(line)
        table = np.ascontiguousarray(x[: request["rows"]])
        seconds, values = [], None
        for _ in range(request["repeats"]):
            if hasattr(explain, "prepare"):
                explain.prepare()
            start = time.perf_counter()
            values = explain(table)
            seconds.append(time.perf_counter() - start)
        if request["values"]:
            np.save(request["values"], np.asarray(values).reshape(len(table), -1))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        answers.write(json.dumps({"seconds": seconds, "peak_rss_bytes": peak}) + "\n")


if __name__ == "__main__":
    main()
