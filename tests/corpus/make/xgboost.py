"""Makes the XGBoost cases of the corpus: model files with their native margins, leaves and SHAP values.

Run it once per pinned environment; each writes the cases that belong to its version:

    pip install -r requirements-xgboost-3.4.1.txt
    python xgboost.py OUT            # OUT is tests/corpus/xgboost

A case's folder carries the version that wrote it (binary_1_0). rows.npy is exactly what the library was given.
Pinned versions: 1.0.2 (Python 3.8), 1.7.6 (3.9), 2.1.4, 3.0.5 and 3.2.0 (3.11), 3.4.1 (3.12).
Everything is seeded and single-threaded, so a second run writes the same bytes.

The script is called xgboost.py, hence the removal of its own folder from the import path.
"""

import csv
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path = [p for p in sys.path if os.path.abspath(p or ".") != HERE]

import numpy as np  # noqa: E402
import xgboost as xgb  # noqa: E402

VERSION = tuple(int(p) for p in xgb.__version__.split(".")[:3])
TAG = "_".join(str(p) for p in VERSION[:2])
NAN = np.float32("nan")


def training_data(rng, n=300, f=6):
    """Ordinary columns with a fifth of the cells missing, and a score that depends on interactions."""
    x = rng.normal(size=(n, f)).astype(np.float32)
    x[:, 1] = np.round(x[:, 1] * 2) / 2  # many ties
    x[:, 2] *= 1e-3
    score = x[:, 0] - 2 * (x[:, 1] > 0.5) * x[:, 3] + 800 * x[:, 2] + 0.3 * rng.normal(size=n)
    x[rng.random_sample((n, f)) < 0.2] = NAN
    return x, score


def splits(model_path):
    """(feature, threshold) of every numerical split, and the highest category of every categorical column."""
    with open(model_path) as handle:
        learner = json.load(handle)["learner"]
    booster = learner["gradient_booster"]
    booster = booster.get("gbtree", booster)
    found, highest = set(), {}
    for tree in booster.get("model", {}).get("trees", []):
        kinds = tree.get("split_type") or [0] * len(tree["left_children"])
        for node, left in enumerate(tree["left_children"]):
            if left == -1:
                continue
            column = tree["split_indices"][node]
            if kinds[node] == 1:
                highest.setdefault(column, 0)
            else:
                found.add((column, tree["split_conditions"][node]))
        for node, begin, size in zip(
            tree.get("categories_nodes", []), tree.get("categories_segments", []), tree.get("categories_sizes", [])
        ):
            column = tree["split_indices"][node]
            highest[column] = max([highest.get(column, 0)] + tree["categories"][begin : begin + size])
    return sorted(found), highest


def deleted_nodes(model_path):
    """How many nodes the pruner left in the file; the leaf ids count them."""
    with open(model_path) as handle:
        booster = json.load(handle)["learner"]["gradient_booster"]
    trees = booster.get("gbtree", booster)["model"]["trees"]
    return sum(index >= 2**31 - 1 for tree in trees for index in tree["split_indices"])


def hard_rows(rng, x, model_path, categorical, limit, infinities, dtype):
    """Random rows with missing cells, then one row per special value of one column."""
    thresholds, highest = splits(model_path)
    f = x.shape[1]

    def ordinary():
        row = x[rng.randint(len(x))].astype(np.float64)
        for column in range(f):
            if column not in categorical and np.isnan(row[column]):
                row[column] = rng.normal()
        return row

    rows = []
    for _ in range(30):
        row = ordinary()
        row[rng.random_sample(f) < 0.25] = np.nan
        rows.append(row)
    rows.append(np.full(f, np.nan))

    specials = []
    for column in range(f):
        if column in categorical:
            top = highest.get(column, 0)
            values = [0, 1, top, top + 1, top + 40, 1000000, 16777215, 16777216, 1e9, -1, -0.5, -0.0, 0.5, 1.5, top + 0.5]
        else:
            values = [0.0, -0.0, 1e-36, -1e-36, 1e-42, 3.4e38, -3.4e38]
        if infinities:
            values += [np.inf, -np.inf]
        specials += [(column, value) for value in values]
    rng.shuffle(thresholds)
    for column, threshold in thresholds[:limit]:
        threshold = np.float32(threshold)
        below, above = np.nextafter(threshold, np.float32(-np.inf)), np.nextafter(threshold, np.float32(np.inf))
        specials += [(column, float(v)) for v in (threshold, below, above)]
        if dtype == np.float64:
            # What decides here is how a float64 value is rounded to float32: the two halfway
            # points (ties to even) and their float64 neighbours.
            for middle in ((float(below) + float(threshold)) / 2, (float(above) + float(threshold)) / 2):
                specials += [(column, v) for v in (middle, np.nextafter(middle, -np.inf), np.nextafter(middle, np.inf))]
    for column, value in specials:
        row = ordinary()
        row[column] = value
        rows.append(row)
    return np.array(rows, dtype=dtype)


def path_dependent(model_path, rows):
    """Path-dependent SHAP values by their definition as an integral, leaf by leaf, in float64.

    For models with one output, numerical splits and the identity link only; the library's own values
    are the reference everywhere else.
    """
    with open(model_path) as handle:
        learner = json.load(handle)["learner"]
    base = learner["learner_model_param"]["base_score"].strip("[]")
    f = rows.shape[1]
    points, weights = np.polynomial.legendre.leggauss(f // 2 + 2)
    points, weights = (points + 1) / 2, weights / 2
    values = np.zeros((len(rows), 1, f + 1))
    values[:, 0, f] = float(np.float32(base))
    for tree in learner["gradient_booster"]["model"]["trees"]:
        left, right = tree["left_children"], tree["right_children"]
        cover = np.array(tree["sum_hessian"], np.float32).astype(np.float64)
        stack = [(0, {})]
        while stack:
            node, path = stack.pop()
            if left[node] == -1:
                value = float(np.float32(tree["split_conditions"][node]))
                share = np.prod([z for _, z in path.values()] + [1.0])
                values[:, 0, f] += value * share
                # factors[q, j, row] = (1 - u) z + u e
                e = np.array([ok for ok, _ in path.values()], dtype=np.float64).reshape(len(path), len(rows))
                z = np.array([z for _, z in path.values()]).reshape(-1, 1)
                factors = (1 - points)[:, None, None] * z + points[:, None, None] * e
                for j, column in enumerate(path):
                    others = np.prod(np.delete(factors, j, axis=1), axis=1)
                    values[:, 0, column] += value * (e[j] - z[j]) * (weights @ others)
                continue
            column, threshold = tree["split_indices"][node], np.float32(tree["split_conditions"][node])
            cell = rows[:, column]
            goes_left = np.where(np.isnan(cell), bool(tree["default_left"][node]), cell < threshold)
            for child, ok in ((left[node], goes_left), (right[node], ~goes_left)):
                old_ok, old_z = path.get(column, (np.ones(len(rows), bool), 1.0))
                merged = dict(path)
                merged[column] = (old_ok & ok, old_z * cover[child] / cover[node])
                stack.append((child, merged))
    return values


def feature_args(types):
    return {} if types is None else {"feature_types": types, "enable_categorical": True}


def save(out, name, booster, rng, x, about, ubj=False, types=None, limit=30, values="native", dtype=np.float32,
         rounds=None, extra=None, frame=None, sample=None):
    """Writes one case. `rounds` is the number of boosting rounds to predict with (None: all of them)."""
    folder = os.path.join(out, name)
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, "model.json")
    booster.save_model(path)
    categorical = [i for i, t in enumerate(types or []) if t == "c"]
    # From 1.5 on the library refuses infinite input; 1.0 takes it as an ordinary value.
    deleted = deleted_nodes(path)
    rows = hard_rows(rng, x, path, categorical, limit, VERSION < (1, 5, 0), dtype)
    if sample is not None:
        rows = rows[np.sort(rng.permutation(len(rows))[:sample])]
    exact = path_dependent(path, rows) if values == "quadrature" else None
    if ubj:
        os.remove(path)
        booster.save_model(os.path.join(folder, "model.ubj"))

    data = xgb.DMatrix(rows, nthread=1, feature_names=booster.feature_names, **feature_args(types))
    if rounds is None:
        cut = {}
    elif VERSION < (1, 4, 0):
        cut = {"ntree_limit": rounds}
    else:
        cut = {"iteration_range": (0, rounds)}
    n = len(rows)
    margin = np.asarray(booster.predict(data, output_margin=True, **cut), np.float32).reshape(n, -1)
    np.save(os.path.join(folder, "rows.npy"), rows)
    np.save(os.path.join(folder, "margin.npy"), margin)
    facts = {
        "library": "xgboost",
        "version": xgb.__version__,
        "script": "make/xgboost.py",
        "about": about,
        "categorical": categorical,
        "deleted_nodes": deleted,
    }
    if values != "none":
        leaves = np.asarray(booster.predict(data, pred_leaf=True, **cut)).reshape(n, -1).astype(np.int32)
        np.save(os.path.join(folder, "leaves.npy"), leaves)
    if values == "native":
        shap = np.asarray(booster.predict(data, pred_contribs=True, **cut), np.float32).reshape(n, margin.shape[1], x.shape[1] + 1)
        assert np.isfinite(shap).all(), name
        np.save(os.path.join(folder, "values.npy"), shap)
        facts["value_source"] = "xgboost pred_contribs"
    if values == "quadrature":
        np.save(os.path.join(folder, "values.npy"), exact)
        facts["value_source"] = "path_dependent of make/xgboost.py, float64"
    facts.update(extra or {})
    with open(os.path.join(folder, "case.json"), "w") as handle:
        json.dump(facts, handle, indent=1, sort_keys=True)
        handle.write("\n")
    if frame is not None:
        write_frame(folder, rows, frame)
    print(name, "rows", n, "outputs", margin.shape[1])


def write_frame(folder, rows, categories):
    """rows.csv: the same rows with category names in the place of codes (only rows whose codes have a name)."""
    kept = []
    with open(os.path.join(folder, "rows.csv"), "w") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(["f%d" % i for i in range(rows.shape[1])])
        for number, row in enumerate(rows):
            cells = []
            for column, value in enumerate(row):
                if np.isnan(value):
                    cells.append("")
                elif column in categories:
                    names = categories[column]
                    if value < 0 or value >= len(names) or value != int(value) or (value == 0 and np.signbit(value)):
                        break
                    cells.append(str(names[int(value)]))
                else:
                    cells.append(repr(float(value)))
            else:
                kept.append(number)
                writer.writerow(cells)
    np.save(os.path.join(folder, "rows_csv_index.npy"), np.array(kept, np.int32))


def train(params, x, y, rounds=5, types=None, **more):
    base = {"nthread": 1, "seed": 7, "max_depth": 4, "eta": 0.5}
    base.update(params)
    if base.get("booster") != "gblinear":
        base.setdefault("tree_method", "hist" if VERSION >= (1, 7, 0) else "exact")
    names = more.pop("names", None)
    data = xgb.DMatrix(x, label=y, nthread=1, feature_names=names, **feature_args(types))
    for field in ("group", "label_lower_bound", "label_upper_bound"):
        if field in more:
            value = more.pop(field)
            data.set_group(value) if field == "group" else data.set_float_info(field, value)
    if more.pop("stop", False):
        half = len(x) // 2
        a = xgb.DMatrix(x[:half], label=y[:half], nthread=1)
        b = xgb.DMatrix(x[half:], label=y[half:], nthread=1)
        return xgb.train(base, a, 40, evals=[(b, "valid")], early_stopping_rounds=3, verbose_eval=False)
    return xgb.train(base, data, rounds)


def classes(score, k=3):
    return np.digitize(score, np.quantile(score, np.linspace(0, 1, k + 1)[1:-1])).astype(np.float32)


def simple_cases(out, ubj, which):
    """Objectives, one after the other: each has its own way from base_score to the margin."""
    rng = np.random.RandomState(11)
    x, score = training_data(rng)
    binary = (score > 0.4).astype(np.float32)
    positive = np.exp(0.3 * score).astype(np.float32)
    counts = rng.poisson(positive).astype(np.float32)
    unit = (1 / (1 + np.exp(-score))).astype(np.float32)
    table = {
        "binary": ({"objective": "binary:logistic"}, binary, {}),
        "binary_base": ({"objective": "binary:logistic", "base_score": 0.3}, binary, {}),
        "logistic_regression": ({"objective": "reg:logistic"}, unit, {}),
        "logitraw": ({"objective": "binary:logitraw", "base_score": 0.25}, binary, {}),
        "hinge": ({"objective": "binary:hinge"}, binary, {}),
        "regression": ({"objective": "reg:squarederror"}, score, {}),
        "regression_base": ({"objective": "reg:squarederror", "base_score": 2.5}, score, {}),
        "absolute": ({"objective": "reg:absoluteerror"}, score, {}),
        "pseudohuber": ({"objective": "reg:pseudohubererror"}, score, {}),
        "poisson": ({"objective": "count:poisson"}, counts, {}),
        "gamma": ({"objective": "reg:gamma"}, positive, {}),
        "tweedie": ({"objective": "reg:tweedie", "tweedie_variance_power": 1.3}, counts, {}),
        "cox": ({"objective": "survival:cox"}, np.where(binary > 0, positive, -positive), {}),
        "aft": ({"objective": "survival:aft"}, None, {"label_lower_bound": positive, "label_upper_bound": positive * 1.5}),
        "rank": ({"objective": "rank:pairwise"}, classes(score, 4), {"group": [50] * 6}),
        "ndcg": ({"objective": "rank:ndcg"}, classes(score, 4), {"group": [50] * 6}),
        "softprob": ({"objective": "multi:softprob", "num_class": 3}, classes(score), {}),
        "softmax": ({"objective": "multi:softmax", "num_class": 4}, classes(score, 4), {}),
        "quantile": ({"objective": "reg:quantileerror", "quantile_alpha": [0.2, 0.5, 0.9]}, score, {}),
        "expectile": ({"objective": "reg:expectileerror", "expectile_alpha": [0.2, 0.5, 0.9]}, score, {}),
        "forest": ({"objective": "multi:softprob", "num_class": 3, "num_parallel_tree": 2, "subsample": 0.7, "colsample_bynode": 0.6}, classes(score), {}),
        "dart": ({"objective": "binary:logistic", "booster": "dart", "rate_drop": 0.5, "one_drop": 1}, binary, {}),
        "dart_multi": ({"objective": "multi:softprob", "num_class": 3, "booster": "dart", "rate_drop": 0.5, "one_drop": 1}, classes(score), {}),
    }
    rows_of = {"softprob": 3, "softmax": 3, "forest": 2, "dart_multi": 3, "quantile": 3, "expectile": 3}
    for name in which:
        params, label, more = table[name]
        booster = train(params, x, label, rounds=rows_of.get(name, 5), **dict(more))
        save(out, "%s_%s" % (name, TAG), booster, rng, x, "objective %s" % params["objective"], ubj=ubj, limit=18)


def objective_cases(out, which):
    """Survival, ranking and quantiles, on few rows: what matters is where the margin begins and which output a tree adds to."""
    rng = np.random.RandomState(16)
    x, score = training_data(rng)
    positive = np.exp(0.3 * score).astype(np.float32)
    open_above, open_below = positive * 1.5, positive.copy()
    open_above[::5], open_below[1::7] = np.inf, 0.0
    quantiles = {"objective": "reg:quantileerror", "quantile_alpha": [0.2, 0.5, 0.9]}
    targets = np.stack([score, score**2 - 1, -score + 3], axis=1).astype(np.float32)
    vector = {"multi_strategy": "multi_output_tree"}
    censored = {"label_lower_bound": open_below, "label_upper_bound": open_above}
    table = {
        "cox_base": ({"objective": "survival:cox", "base_score": 0.7}, np.where(score > 0.4, positive, -positive), {}),
        "aft_censored": ({"objective": "survival:aft", "aft_loss_distribution": "extreme"}, None, censored),
        "rank_map": ({"objective": "rank:map", "base_score": 0.7}, (score > 0.4).astype(np.float32), {"group": [50] * 6}),
        "quantiles": (quantiles, score, {}),
        "quantiles_vector": (dict(quantiles, **vector), score, {}),
        "forest_vector": (dict(vector, num_parallel_tree=2, subsample=0.7), targets, {}),
        "dart_vector": (dict(vector, booster="dart", rate_drop=0.5, one_drop=1), targets, {}),
        "labels_vector": (dict(vector, objective="binary:logistic"), (targets > 0.4).astype(np.float32), {}),
    }
    for name in which:
        params, label, more = table[name]
        booster = train(dict(params, max_depth=3), x, label, rounds=2, **dict(more))
        about = "objective %s" % params.get("objective", "reg:squarederror")
        values = "leaves" if VERSION < (3, 3, 0) and "multi_strategy" in params else "native"
        save(out, "%s_%s" % (name, TAG), booster, rng, x, about, limit=6, sample=30, values=values)


def structure_cases(out, which):
    """Trees of unusual shape, and ranges of iterations."""
    rng = np.random.RandomState(12)
    x, score = training_data(rng)
    binary = (score > 0.4).astype(np.float32)
    if "float64" in which:
        booster = train({"objective": "reg:squarederror"}, x, score, names=["a", "b", "c d", "é", "e_1", "f"] if VERSION >= (1, 7, 0) else None)
        save(out, "float64_%s" % TAG, booster, rng, x, "float64 rows, which the library rounds to float32; column names", limit=16, dtype=np.float64)
    if "early_stopping" in which:
        booster = train({"objective": "binary:logistic", "num_parallel_tree": 2, "subsample": 0.8}, x, binary, stop=True)
        best = int(booster.best_iteration)
        rounds = best + 1 if VERSION >= (1, 4, 0) else (best + 1) * 2
        if VERSION >= (1, 6, 0):  # older files do not say how many trees a round has
            save(out, "early_stopping_%s" % TAG, booster, rng, x, "margin, leaves and values of the first best_iteration + 1 rounds", rounds=rounds, limit=18, extra={"best_iteration": best, "use_best_iteration": True})
        save(out, "early_stopping_all_%s" % TAG, booster, rng, x, "the same model with every round", limit=18, extra={"best_iteration": best})
    if "single_leaf" in which:
        booster = train({"objective": "binary:logistic", "gamma": 1e9}, x, binary, rounds=3)
        save(out, "single_leaf_%s" % TAG, booster, rng, x, "trees without a split, whose pruned nodes stay in the file", sample=40)
    if "pruned" in which:
        booster = train({"objective": "reg:squarederror", "tree_method": "exact", "gamma": 20.0, "max_depth": 5}, x, score)
        save(out, "pruned_%s" % TAG, booster, rng, x, "exact tree method with gamma: nodes deleted by the pruner stay in the file", limit=18)
    if "zero_trees" in which:
        booster = train({"objective": "count:poisson", "base_score": 1.7}, x, np.abs(score), rounds=0)
        save(out, "zero_trees_%s" % TAG, booster, rng, x, "no boosting round at all", values="none", sample=20)
    if "deep" in which:
        wide = rng.normal(size=(64, 16)).astype(np.float32)
        y = rng.normal(size=64)
        booster = train({"objective": "reg:squarederror", "max_depth": 60, "eta": 0.7, "lambda": 0.0, "min_child_weight": 0.0, "tree_method": "exact"}, wide, y, rounds=2)
        save(out, "deep_%s" % TAG, booster, rng, wide, "trees grown until every row has its own leaf", limit=20, sample=140)
    if "chain" in which:
        # Column i is 1 in row i alone, so every split cuts one row off: one path with 48 unique features.
        wide = (np.eye(50, 48) * 2 - 1).astype(np.float32)
        wide += (0.01 * rng.normal(size=wide.shape)).astype(np.float32)
        y = np.arange(50) * 0.1 + rng.normal(size=50)
        booster = train({"objective": "reg:squarederror", "max_depth": 80, "eta": 0.7, "lambda": 0.0, "min_child_weight": 0.0, "tree_method": "exact"}, wide, y, rounds=2)
        save(out, "chain_%s" % TAG, booster, rng, wide, "a path with 48 unique features, beyond what the library's own values can resolve", limit=10, sample=80, values="quadrature")
    if "refreshed" in which:
        booster = train({"objective": "binary:logistic"}, x, binary, rounds=3)
        few = xgb.DMatrix(x[:12], label=binary[:12], nthread=1)
        booster = xgb.train({"objective": "binary:logistic", "process_type": "update", "updater": "refresh", "refresh_leaf": False, "nthread": 1}, few, 3, xgb_model=booster)
        save(out, "zero_covers_%s" % TAG, booster, rng, x, "covers refreshed on 12 rows, so many are zero", limit=18,
             extra={"tolerance_note": "a branch of zero cover counts with weight 1e-12, and with 0.5 where the parent's cover is zero too"})
    if "gblinear" in which:
        booster = train({"objective": "reg:squarederror", "booster": "gblinear"}, np.nan_to_num(x), score)
        folder = os.path.join(out, "gblinear_%s" % TAG)
        os.makedirs(folder, exist_ok=True)
        booster.save_model(os.path.join(folder, "model.json"))
        with open(os.path.join(folder, "case.json"), "w") as handle:
            json.dump({"library": "xgboost", "version": xgb.__version__, "script": "make/xgboost.py", "about": "a linear booster, to be refused by its name", "refused": "gblinear"}, handle, indent=1, sort_keys=True)
            handle.write("\n")
        print("gblinear")


def categorical_cases(out, which):
    rng = np.random.RandomState(13)
    n = 400
    x = rng.normal(size=(n, 4)).astype(np.float32)
    x[:, 1] = rng.randint(0, 7, n)
    x[:, 3] = rng.randint(0, 70, n)
    effect7, effect70 = rng.normal(size=7), rng.normal(size=70)
    score = effect7[x[:, 1].astype(int)] * 2 + effect70[x[:, 3].astype(int)] + x[:, 0] * (x[:, 1] == 2)
    x[rng.random_sample(x.shape) < 0.15] = NAN
    types = ["q", "c", "q", "c"]
    onehot = {"objective": "reg:squarederror", "max_cat_to_onehot": 100}
    partition = {"objective": "binary:logistic", "max_cat_to_onehot": 1, "max_cat_threshold": 64}
    label = (score > 0).astype(np.float32)
    if "onehot" in which:
        booster = train(onehot, x, score, types=types, rounds=6)
        save(out, "cat_onehot_%s" % TAG, booster, rng, x, "categorical splits, one category against the rest", types=types, limit=18)
    if "partition" in which:
        booster = train(partition, x, label, types=types, rounds=6)
        save(out, "cat_partition_%s" % TAG, booster, rng, x, "categorical splits by sets of categories", types=types, limit=18)
    if "partition_ubj" in which:
        booster = train(partition, x, label, types=types, rounds=6)
        save(out, "cat_partition_ubj_%s" % TAG, booster, rng, x, "categorical splits by sets of categories", types=types, limit=18, ubj=True)
    if "names" in which:
        import pandas as pd

        colours = ["red", "green", "blue", "été", "a,b", "x y", "zz"]
        levels = [int(v) for v in range(100, 170)]

        def frame(part):
            columns = {"f0": part[:, 0], "f2": part[:, 2]}
            for name, column, values in (("f1", 1, colours), ("f3", 3, levels)):
                codes = np.where(np.isnan(part[:, column]), -1, part[:, column]).astype(int)
                columns[name] = pd.Categorical.from_codes(codes, categories=values)
            return pd.DataFrame(columns)[["f0", "f1", "f2", "f3"]]

        for ubj in (False, True):
            data = xgb.DMatrix(frame(x), label=label, nthread=1, enable_categorical=True)
            booster = xgb.train(dict(partition, nthread=1, seed=7, max_depth=4, tree_method="hist"), data, 5)
            save(out, "cat_names_%s%s" % ("ubj_" if ubj else "", TAG), booster, rng, x,
                 "the model keeps the categories' names (strings in f1, integers in f3); rows.npy has codes, rows.csv names, rows_csv_index.npy the csv rows' numbers",
                 types=types, limit=12, ubj=ubj, frame={1: colours, 3: levels}, extra={"category_names": {"1": colours, "3": levels}})


def vector_cases(out, which):
    rng = np.random.RandomState(14)
    x, score = training_data(rng)
    y = np.stack([score, score**2 - 1, -score + 3], axis=1).astype(np.float32)
    if "targets" in which:
        booster = train({"objective": "reg:squarederror"}, x, y, rounds=3)
        save(out, "targets_%s" % TAG, booster, rng, x, "three targets, one tree per target and round", limit=18)
    values = "native" if VERSION >= (3, 3, 0) else "leaves"
    if "vector_leaf" in which:
        booster = train({"objective": "reg:squarederror", "multi_strategy": "multi_output_tree"}, x, y, rounds=5)
        save(out, "vector_leaf_%s" % TAG, booster, rng, x, "three targets, trees with a vector in each leaf", limit=18, values=values)
    if "vector_single" in which:
        booster = train({"objective": "reg:squarederror", "multi_strategy": "multi_output_tree", "gamma": 1e9}, x, y, rounds=2)
        save(out, "vector_single_leaf_%s" % TAG, booster, rng, x, "vector leaves, trees without a split", values=values, sample=40)
    if "vector_leaf_ubj" in which:
        booster = train({"objective": "multi:softprob", "num_class": 3, "multi_strategy": "multi_output_tree"}, x, classes(score), rounds=4)
        save(out, "vector_leaf_ubj_%s" % TAG, booster, rng, x, "three classes, trees with a vector in each leaf", limit=18, values=values, ubj=True)


def every_threshold(out):
    """A few trees whose every threshold, and its two neighbours, some row has."""
    rng = np.random.RandomState(15)
    x, score = training_data(rng)
    booster = train({"objective": "binary:logistic"}, x, (score > 0.4).astype(np.float32), rounds=6)
    save(out, "every_threshold_%s" % TAG, booster, rng, x, "rows at every threshold and its neighbours", limit=None)


def main(out):
    if TAG == "1_0":
        simple_cases(out, False, ["binary", "softprob", "regression_base", "poisson", "dart", "forest"])
        structure_cases(out, ["early_stopping", "single_leaf", "pruned"])
    elif TAG == "1_7":
        simple_cases(out, False, ["binary_base", "tweedie", "aft", "rank", "dart_multi"])
        simple_cases(out, True, ["softprob"])
        structure_cases(out, ["gblinear", "float64"])
        categorical_cases(out, ["onehot", "partition"])
    elif TAG == "2_1":
        simple_cases(out, True, ["binary", "quantile"])
        simple_cases(out, False, ["absolute"])
        categorical_cases(out, ["partition_ubj"])
        vector_cases(out, ["targets", "vector_leaf"])
    elif TAG == "3_0":
        simple_cases(out, True, ["softmax", "forest"])
        simple_cases(out, False, ["binary"])
    elif TAG == "3_2":
        simple_cases(out, True, ["softprob"])
        structure_cases(out, ["deep", "chain"])
        categorical_cases(out, ["names"])
        vector_cases(out, ["vector_leaf"])
    elif TAG == "3_4":
        simple_cases(out, False, ["binary", "logistic_regression", "logitraw", "hinge", "regression", "pseudohuber", "gamma", "cox", "ndcg", "softprob", "expectile", "dart"])
        simple_cases(out, True, ["binary_base", "dart_multi"])
        structure_cases(out, ["early_stopping", "zero_trees", "refreshed", "float64", "pruned", "gblinear"])
        categorical_cases(out, ["onehot", "partition", "names"])
        vector_cases(out, ["targets", "vector_leaf", "vector_leaf_ubj", "vector_single"])
        objective_cases(out, ["cox_base", "aft_censored", "rank_map", "quantiles", "quantiles_vector", "forest_vector", "dart_vector", "labels_vector"])
        every_threshold(out)
    else:
        sys.exit("no cases belong to xgboost %s" % xgb.__version__)


if __name__ == "__main__":
    main(sys.argv[1])
