"""Make the treelite cases of the corpus: checkpoints, and what treelite's own predictor (GTIL) says of them.

    pip install -r requirements-treelite-4.8.1.txt
    python treelite.py OUT        # OUT is tests/corpus/treelite

Python 3.12. The models are trained by XGBoost, LightGBM and scikit-learn, or built by hand where these leave a
comparison out. Seeds are fixed and training is single-threaded, so that a rerun gives the same files.
"""
import json
import os
import sys
import warnings

# The script has the library's name: without this line Python would import the script itself.
sys.path = [p for p in sys.path if os.path.abspath(p or ".") != os.path.dirname(os.path.abspath(__file__))]
import lightgbm as lgb  # noqa: E402
import numpy as np  # noqa: E402
import treelite  # noqa: E402
import xgboost as xgb  # noqa: E402
from sklearn import ensemble  # noqa: E402
from treelite.model_builder import Metadata, ModelBuilder, PostProcessorFunc, TreeAnnotation  # noqa: E402

warnings.simplefilter("ignore")
ROWS = 12  # rows of a case before the special rows
THRESHOLDS = 6  # thresholds of a case that get their three rows
CATEGORIES = (0, 1, 5, 6, 31, 32, 0.5, 1.999, -0.5, -1, 1e9, 2.0**24, 2.0**32)


def table(seed, n=300):
    """Three numbers and a category of 40, cells missing, and a target that uses them all."""
    r = np.random.RandomState(seed)
    x = r.normal(size=(n, 4))
    x[:, 3] = r.randint(0, 40, n)
    y = x[:, 0] + np.sin(3 * x[:, 1]) * (x[:, 3] % 3) + 0.5 * x[:, 2]
    x[r.rand(n, 4) < 0.1] = np.nan
    return x, y


def special_rows(model, x, categorical, missing, seed):
    """Ordinary rows, then some that have a single special cell: a threshold or one ulp beside it, and the like."""
    r = np.random.RandomState(seed)
    found = set()
    for tree in json.loads(model.dump_as_json())["trees"]:
        for node in tree["nodes"]:
            if "threshold" in node:
                found.add((node["split_feature_id"], node["threshold"]))
    found = sorted(found)
    chosen = [found[i] for i in sorted(r.permutation(len(found))[:THRESHOLDS])]
    kind = np.dtype(model.input_type).type
    cells = []
    for column, threshold in chosen:
        t = kind(threshold)
        cells += [(column, v) for v in (t, np.nextafter(t, kind(-np.inf)), np.nextafter(t, kind(np.inf)))]
    for column in range(x.shape[1]):
        values = CATEGORIES if column in categorical else (0.0, -0.0, 1e-36, np.inf, -np.inf)
        cells += [(column, v) for v in values] + ([(column, np.nan)] if missing else [])
    ordinary = x[:ROWS].astype(kind)
    rows = ordinary[r.randint(len(ordinary), size=len(cells))].copy()
    for row, (column, value) in zip(rows, cells):
        row[column] = value
    return np.ascontiguousarray(np.concatenate([ordinary, rows]))


def write(out, name, model, x, about, categorical=(), missing=True, extra=None):
    """One case: the checkpoint, the rows, and GTIL's margins and leaves."""
    folder = os.path.join(out, name + "_4_8")
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, "model.tl")
    model.serialize(path)
    facts = {"library": "treelite", "version": treelite.__version__, "script": "make/treelite.py", "about": about,
             "categorical": list(categorical)}
    facts.update(extra or {})
    with open(os.path.join(folder, "case.json"), "w") as f:
        json.dump(facts, f, indent=1, sort_keys=True)
        f.write("\n")
    if facts.get("refused"):
        return
    model = treelite.Model.deserialize(path)
    rows = special_rows(model, x, categorical, missing, 11)
    header = json.loads(model.dump_as_json())
    margin = treelite.gtil.predict(model, rows, nthread=1, pred_margin=True)
    margin = np.asarray(margin, np.float64).reshape(len(rows), len(header["num_class"]), -1)
    # Targets with fewer classes than the others leave cells without a meaning.
    margin = np.concatenate([margin[:, t, :size] for t, size in enumerate(header["num_class"])], axis=1)
    leaves = np.asarray(treelite.gtil.predict_leaf(model, rows, nthread=1)).reshape(len(rows), -1)
    np.save(os.path.join(folder, "rows.npy"), rows)
    np.save(os.path.join(folder, "margin.npy"), np.ascontiguousarray(margin))
    np.save(os.path.join(folder, "leaves.npy"), np.ascontiguousarray(leaves, np.int32))
    print(name, "rows", len(rows), "outputs", margin.shape[1])


def from_xgboost(out):
    x, y = table(1)
    types = ["q", "q", "q", "c"]
    more = {"nthread": 1, "seed": 7, "max_depth": 3, "eta": 0.5, "tree_method": "hist"}
    data = xgb.DMatrix(x, label=y > 0.3, nthread=1, feature_types=types, enable_categorical=True)
    booster = xgb.train(dict(more, objective="binary:logistic", max_cat_to_onehot=1), data, 3)
    write(out, "xgboost", treelite.frontend.from_xgboost(booster), x, "float32, <, category sets, sums of hessians", [3])
    data = xgb.DMatrix(x[:, :3], label=np.digitize(y, [-0.5, 0.5]), nthread=1)
    booster = xgb.train(dict(more, objective="multi:softprob", num_class=3, max_depth=2), data, 2)
    write(out, "xgboost_classes", treelite.frontend.from_xgboost(booster), x[:, :3], "three classes, a tree each")
    data = xgb.DMatrix(x[:, :3], label=np.stack([y, -y + 1], 1), nthread=1)
    booster = xgb.train(dict(more, multi_strategy="multi_output_tree", max_depth=2), data, 2)
    write(out, "xgboost_vector", treelite.frontend.from_xgboost(booster), x[:, :3], "two targets, vector leaves")
    booster = xgb.train(dict(more, objective="survival:cox", base_score=0.7), xgb.DMatrix(x[:, :3], label=np.exp(y / 3)), 2)
    write(out, "xgboost_cox", treelite.frontend.from_xgboost(booster), x[:, :3], "survival: the base score is a margin")


def from_lightgbm(out):
    x, y = table(2)
    more = dict(num_leaves=7, min_data_in_leaf=5, learning_rate=0.3, num_threads=1, verbose=-1, seed=7, deterministic=True,
                force_row_wise=True, min_data_per_group=5, cat_smooth=1)
    data = lgb.Dataset(x, y, categorical_feature=[3], params={"verbose": -1}, free_raw_data=False)
    booster = lgb.train(dict(more, objective="quantile", alpha=0.8), data, 3)
    write(out, "lightgbm", treelite.frontend.from_lightgbm(booster), x, "float64, <=, category sets, counts of rows", [3])
    booster = lgb.train(dict(more, objective="regression", boosting="rf", bagging_fraction=0.6, bagging_freq=1), data, 3)
    write(out, "lightgbm_forest", treelite.frontend.from_lightgbm(booster), x, "an average of trees", [3])


def from_sklearn(out):
    x, y = table(3)
    x = np.nan_to_num(x).astype(np.float32).astype(np.float64)
    few = {"n_estimators": 3, "max_depth": 3, "random_state": 0}
    classes, weights = np.digitize(y, [-0.5, 0.5]), 1.0 + np.arange(len(y)) % 3

    def save(name, model, about, target, **fit):
        write(out, name, treelite.sklearn.import_model(model.fit(x, target, **fit)), x, about, missing=False)

    save("forest", ensemble.RandomForestRegressor(**few), "a forest of weighted rows", y, sample_weight=weights)
    save("forest_targets", ensemble.ExtraTreesRegressor(**few), "two targets", np.stack([y, -y], 1))
    save("forest_classes", ensemble.RandomForestClassifier(**few), "three classes", classes)
    save("forest_ragged", ensemble.RandomForestClassifier(**few), "targets of three and of two classes",
         np.stack([classes, classes > 1], 1))
    save("boosting", ensemble.GradientBoostingClassifier(**few), "boosting that starts from the log odds", classes > 1)
    save("isolation", ensemble.IsolationForest(n_estimators=2, max_samples=32, random_state=0), "path lengths", None)


def by_hand(out):
    """Every comparison, at thresholds of one precision, with a default to either side."""
    x = np.random.RandomState(4).randint(-2, 3, size=(60, 3)) / 10.0

    def build(trees, kind="float32", **more):
        about = dict(num_tree=trees, target_id=[0] * trees, class_id=[0] * trees)
        about.update(more.pop("annotation", {}))
        settings = dict(num_feature=3, task_type="kRegressor", average_tree_output=False, num_target=1, num_class=[1],
                        leaf_vector_shape=(1, 1))
        settings.update(more)
        return ModelBuilder(threshold_type=kind, leaf_output_type=kind, metadata=Metadata(**settings),
                            tree_annotation=TreeAnnotation(**about), postprocessor=PostProcessorFunc(name="identity"),
                            base_scores=[0.25] * (settings["num_target"] * max(settings["num_class"])))

    def tree(builder, comparison, default, leaves=(1.0, 2.0, 4.0)):
        builder.start_tree()
        for node, feature in ((0, 0), (1, 1)):
            builder.start_node(node)
            builder.numerical_test(feature, 0.1, default, comparison, 2 * node + 1 if node else 1, 2 * node + 2 if node else 2)
            builder.end_node()
        for node, leaf in zip((2, 3, 4), leaves):
            builder.start_node(node)
            builder.leaf(leaf)
            builder.end_node()
        builder.end_tree()

    comparisons = ["==", "<", "<=", ">", ">="]
    for kind in ("float32", "float64"):
        builder = build(10, kind)
        for comparison in comparisons:
            for default in (False, True):
                tree(builder, comparison, default)
        write(out, "comparisons_" + kind, builder.commit(), x, "every comparison, no covers")
    builder = build(2, num_target=2, num_class=[1, 1], leaf_vector_shape=(1, 1), average_tree_output=True,
                    annotation={"target_id": [1, 0]})
    tree(builder, "<", True)
    tree(builder, ">", True)
    write(out, "average_of_targets", builder.commit(), x, "each target is the average of its own trees")
    builder = build(1, num_target=2, num_class=[2, 2], leaf_vector_shape=(1, 2), task_type="kMultiClf",
                    annotation={"target_id": [1], "class_id": [-1]})
    tree(builder, "<", True, leaves=([1.0, 2.0], [3.0, 4.0], [5.0, 6.0]))
    write(out, "part_of_outputs", builder.commit(), x, "a vector for the classes of one of two targets",
          extra={"refused": "a vector for some of the model's outputs"})


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    from_xgboost(sys.argv[1])
    from_lightgbm(sys.argv[1])
    from_sklearn(sys.argv[1])
    by_hand(sys.argv[1])
    print("treelite", treelite.__version__, "wrote its cases to", sys.argv[1])
