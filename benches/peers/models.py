"""Train the models of the peer benchmark, and make their rows.

Everything is seeded and cached: a model that is already under
`target/peers/models` is kept unless `--force` is given. Each model is saved in
its library's native format, and `models.json` records leaves, depth and the
library version.

    python models.py [--out DIR] [--only NAME] [--force]
"""

import argparse
import json
import pathlib

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODELS = ROOT / "target" / "peers" / "models"

# name: (library, trees, depth, features, training rows, learning rate)
SPECS = {
    "xgb_100x3": ("xgboost", 100, 3, 12, 20_000, 0.10),
    "xgb_500x6": ("xgboost", 500, 6, 12, 50_000, 0.05),
    "xgb_1000x8": ("xgboost", 1000, 8, 12, 50_000, 0.03),
    "xgb_20x10": ("xgboost", 20, 10, 28, 100_000, 0.10),
    "xgb_100x16": ("xgboost", 100, 16, 28, 50_000, 0.10),
    "cat_500x6": ("catboost", 500, 6, 12, 50_000, 0.05),
    "lgb_500x6": ("lightgbm", 500, 6, 12, 50_000, 0.05),
    # A classifier, whose probabilities are explained.
    "xgb_logit_500x6": ("xgboost", 500, 6, 12, 50_000, 0.05),
    # A random forest of trees of any depth, which has no learning rate.
    "forest_100": ("sklearn", 100, None, 12, 20_000, None),
}

# Rows to explain, by number of features: the largest case of the table.
ROWS = {12: 100_000, 28: 10_000}


def rows_file(features):
    return f"rows_{features}.npy"


def model_file(name):
    suffix = {"lightgbm": "txt", "sklearn": "treelite"}.get(SPECS[name][0], "json")
    return f"{name}.{suffix}"


def table(rows, features, seed):
    """A float32 table: skewed, uniform, integer and correlated columns, some missing."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(rows, features))
    for column in range(features):
        kind = column % 4
        if kind == 1:
            x[:, column] = random.uniform(-2.0, 2.0, rows)
        elif kind == 2:
            x[:, column] = random.integers(0, 10 + 5 * column, rows)
        elif kind == 3:
            x[:, column] = 0.6 * x[:, column - 3] + 0.8 * np.exp(0.5 * x[:, column])
    # The last two columns have gaps, so that every engine pays for missing values.
    for column in (features - 2, features - 1):
        x[random.random(rows) < 0.05, column] = np.nan
    return x.astype(np.float32)


def target(x, seed):
    """A response with interactions in every column, and noise so that deep trees keep splitting."""
    random = np.random.default_rng(seed)
    z = np.nan_to_num(x.astype(np.float64), nan=-1.0)
    z = (z - z.mean(axis=0)) / z.std(axis=0)
    features = z.shape[1]
    weight = random.normal(size=features)
    y = z @ weight
    for column in range(features):
        other = (column * 5 + 1) % features
        y += np.sin(2.0 * z[:, column]) * z[:, other] + 0.7 * (z[:, column] > 0.3) * (z[:, other] < 0.1)
    return y + random.normal(scale=0.5, size=len(y))


def is_classifier(path):
    return "logit" in pathlib.Path(path).name


def train_xgboost(x, y, trees, depth, rate, path):
    import xgboost

    if is_classifier(path):
        y = y > np.median(y)
    booster = xgboost.train(
        {
            "objective": "binary:logistic" if is_classifier(path) else "reg:squarederror",
            "tree_method": "hist",
            "max_depth": depth,
            "eta": rate,
            "min_child_weight": 1,
            "nthread": 1,
            "seed": 7,
        },
        xgboost.DMatrix(x, label=y, nthread=1),
        num_boost_round=trees,
    )
    booster.save_model(path)
    frame = booster.trees_to_dataframe()
    leaves = int((frame["Feature"] == "Leaf").sum())
    return leaves, xgboost_depth(path), xgboost.__version__


def xgboost_depth(path):
    """(deepest tree, shallowest tree) in levels, read from the saved file."""
    document = json.loads(pathlib.Path(path).read_text())
    depths = []
    for tree in document["learner"]["gradient_booster"]["model"]["trees"]:
        left, right = tree["left_children"], tree["right_children"]
        deepest, stack = 0, [(0, 0)]
        while stack:
            node, level = stack.pop()
            deepest = max(deepest, level)
            if left[node] >= 0:
                stack += [(left[node], level + 1), (right[node], level + 1)]
        depths.append(deepest)
    return max(depths), min(depths)


def train_lightgbm(x, y, trees, depth, rate, path):
    import lightgbm

    booster = lightgbm.train(
        {
            "objective": "regression",
            "max_depth": depth,
            "num_leaves": 2**depth,
            "learning_rate": rate,
            "min_data_in_leaf": 5,
            "num_threads": 1,
            "deterministic": True,
            "force_row_wise": True,
            "seed": 7,
            "verbose": -1,
        },
        lightgbm.Dataset(x, label=y),
        num_boost_round=trees,
    )
    booster.save_model(path)
    frame = booster.trees_to_dataframe()
    leaves = int(frame["left_child"].isna().sum())
    by_tree = frame.groupby("tree_index")["node_depth"].max() - 1
    return leaves, (int(by_tree.max()), int(by_tree.min())), lightgbm.__version__


def train_catboost(x, y, trees, depth, rate, path):
    import catboost

    model = catboost.CatBoostRegressor(
        iterations=trees,
        depth=depth,
        learning_rate=rate,
        thread_count=1,
        random_seed=7,
        allow_writing_files=False,
        verbose=False,
    )
    model.fit(x, y)
    model.save_model(str(path), format="json")
    return int(model.tree_count_) * 2**depth, (depth, depth), catboost.__version__


def train_sklearn(x, y, trees, depth, rate, path):
    """A forest as a treelite checkpoint, and beside it as its own library has it and as plain arrays."""
    import joblib
    import sklearn
    import treelite
    from sklearn.ensemble import RandomForestRegressor

    forest = RandomForestRegressor(trees, max_depth=depth, random_state=7, n_jobs=1).fit(np.nan_to_num(x), y)
    joblib.dump(forest, path.with_suffix(".joblib"))
    treelite.sklearn.import_model(forest).serialize(path)
    arrays = {}
    for number, estimator in enumerate(forest.estimators_):
        tree = estimator.tree_
        for key, array in {
            "children_left": tree.children_left.astype(np.int32),
            "children_right": tree.children_right.astype(np.int32),
            "features": tree.feature.astype(np.int32),
            "thresholds": tree.threshold.astype(np.float64),
            "values": tree.value[:, :, 0] / trees,
            "node_sample_weight": tree.weighted_n_node_samples.astype(np.float64),
        }.items():
            arrays[f"{number}/{key}"] = array
    np.savez(path.with_suffix(".npz"), **arrays)
    depths = [tree.get_depth() for tree in forest.estimators_]
    leaves = sum(int(tree.get_n_leaves()) for tree in forest.estimators_)
    return leaves, (max(depths), min(depths)), sklearn.__version__


TRAINERS = {"sklearn": train_sklearn, "xgboost": train_xgboost, "lightgbm": train_lightgbm, "catboost": train_catboost}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, default=MODELS)
    parser.add_argument("--only", choices=SPECS, action="append", help="may be given several times")
    parser.add_argument("--force", action="store_true", help="train again what is cached")
    arguments = parser.parse_args()
    out = arguments.out
    out.mkdir(parents=True, exist_ok=True)

    for features, rows in ROWS.items():
        path = out / rows_file(features)
        if arguments.force or not path.exists():
            np.save(path, table(rows, features, seed=1000 + features))

    index = out / "models.json"
    records = json.loads(index.read_text()) if index.exists() else {}
    for name in arguments.only or SPECS:
        library, trees, depth, features, rows, rate = SPECS[name]
        path = out / model_file(name)
        if not arguments.force and path.exists() and name in records:
            continue
        print(f"training {name}", flush=True)
        x = table(rows, features, seed=features)
        leaves, (deepest, shallowest), version = TRAINERS[library](x, target(x, seed=5), trees, depth, rate, path)
        records[name] = {
            "library": library,
            "version": version,
            "trees": trees,
            "features": features,
            "leaves": leaves,
            "deepest": deepest,
            "shallowest": shallowest,
            "bytes": path.stat().st_size,
        }
        index.write_text(json.dumps(records, indent=1) + "\n")
    for name in SPECS:
        if name in records:
            record = records[name]
            print(
                f"{name}: {record['library']} {record['version']}, {record['trees']} trees, "
                f"{record['leaves']} leaves, depth {record['shallowest']}..{record['deepest']}, "
                f"{record['features']} features, {record['bytes'] / 1e6:.1f} MB"
            )


if __name__ == "__main__":
    main()
