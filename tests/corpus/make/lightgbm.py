"""Make the LightGBM cases of the corpus.

    python lightgbm.py OUT        # once per version, each in its own environment

Environments: requirements-lightgbm-{2.3.1,3.3.5}.txt on Python 3.8, requirements-lightgbm-4.7.0.txt on Python 3.12.
Every version writes the core cases; only the newest writes the others. A case's folder is named after the case and
the version (`regression_nan_4_7`). Seeds are fixed and training is single-threaded, so that a rerun gives the same files.
"""
import json
import os
import sys

# The script has the library's name: without this line Python would import the script itself.
sys.path = [p for p in sys.path if os.path.abspath(p or ".") != os.path.dirname(os.path.abspath(__file__))]
import lightgbm as lgb  # noqa: E402
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402

VERSION = lgb.__version__
SHORT = "_".join(VERSION.split(".")[:2])
NEWEST = VERSION.startswith("4.")
ROWS = 120  # rows of a case before the special rows
THRESHOLDS = 20  # thresholds of a case that get their three rows
ZERO = float(np.float32(1e-35))  # LightGBM's kZeroThreshold: |x| up to here is zero
BASE = dict(num_leaves=12, min_data_in_leaf=5, learning_rate=0.3, num_threads=1, verbose=-1, seed=7,
            deterministic=True, force_row_wise=True)


def table(seed, n=500, f=6, missing=0.25, zeros=0.1):
    """Ordinary columns with missing cells and exact zeros, and a target that uses most of them."""
    r = np.random.RandomState(seed)
    x = r.normal(size=(n, f))
    signal = 2 * x[:, 0] + np.sin(3 * x[:, 1]) + x[:, 2] * x[:, 3] + 0.3 * r.normal(size=n)
    x[r.rand(n, f) < zeros] = 0.0
    gone = r.rand(n, f) < missing
    signal = signal + 1.5 * gone[:, 0] - 1.2 * gone[:, 1] + gone[:, 2]
    x[gone] = np.nan
    return x, signal


def numeric_thresholds(booster):
    """(feature, threshold) of every numerical split, in the order of the file."""
    found = []
    fields = {}
    for line in booster.model_to_string().splitlines():
        key, _, value = line.partition("=")
        if key == "Tree":
            fields = {}
        fields[key] = value
        if key == "decision_type":
            for feature, threshold, kind in zip(fields["split_feature"].split(), fields["threshold"].split(),
                                                value.split()):
                if not int(kind) & 1:
                    found.append((int(feature), float(threshold)))
    return sorted(set(found))


def special_rows(booster, ordinary, categorical, seed, limit):
    """Rows that differ from ordinary ones in a single special cell."""
    r = np.random.RandomState(seed)
    dtype = ordinary.dtype.type
    cells = []
    thresholds = numeric_thresholds(booster)
    if limit and len(thresholds) > limit:
        thresholds = [thresholds[i] for i in sorted(r.choice(len(thresholds), limit, replace=False))]
    for feature, threshold in thresholds:
        t = dtype(threshold)
        for value in (t, np.nextafter(t, dtype(-np.inf)), np.nextafter(t, dtype(np.inf))):
            cells.append((feature, value))
    for feature in range(ordinary.shape[1]):
        for value in (np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-36, -1e-36, ZERO, -ZERO,
                      np.nextafter(ZERO, 1), -np.nextafter(ZERO, 1)):
            cells.append((feature, value))
        if feature in categorical:
            for value in (-1, -0.5, -1.5, 0.5, 1.999, 2, 31, 32, 33, 63, 64, 999, 1023, 1024, 5000, 1e10,
                          2.0 ** 31 - 1, 2.0 ** 31, 2.0 ** 32 + 1, -2.0 ** 31, -2.0 ** 33):
                cells.append((feature, value))
    rows = ordinary[r.randint(len(ordinary), size=len(cells))].copy()
    for row, (feature, value) in zip(rows, cells):
        row[feature] = value
    return np.concatenate([ordinary, rows])


def write(out, name, booster, x, about, categorical=(), rows=None, extra=None, limit=THRESHOLDS, **predict):
    """One case: the model, the rows, and what LightGBM itself says of them. `rows` replaces the made-up rows; a model
    that has to be refused needs none."""
    folder = os.path.join(out, "%s_%s" % (name, SHORT))
    os.makedirs(folder, exist_ok=True)
    booster.save_model(os.path.join(folder, "model.txt"), **predict)
    booster = lgb.Booster(model_file=os.path.join(folder, "model.txt"))
    if rows is None:
        rows = special_rows(booster, np.ascontiguousarray(x[:ROWS]), set(categorical), 11, limit)
    case = {"library": "lightgbm", "version": VERSION, "script": "make/lightgbm.py", "about": about,
            "categorical": list(categorical), "value_source": "lightgbm predict(pred_contrib=True)"}
    case.update(extra or {})
    if case.get("refused"):
        write_case(folder, case)
        return
    if "\naverage_output\n" in booster.model_to_string():
        # predict() is the mean over the iterations; raw_score and pred_contrib are their sum.
        case["native_is_sum_of"] = booster.current_iteration()
    n = len(rows)
    if isinstance(rows, pd.DataFrame):
        # As strings for who reads labels, and as the category numbers that LightGBM makes of them.
        rows.to_csv(os.path.join(folder, "rows.csv"), index=False)
        lists = iter(booster.pandas_categorical)
        codes = [rows[c].cat.set_categories(next(lists)).cat.codes.replace(-1, np.nan).to_numpy(float)
                 if rows[c].dtype.name == "category" else rows[c].to_numpy(float) for c in rows.columns]
        np.save(os.path.join(folder, "rows.npy"), np.ascontiguousarray(np.stack(codes, 1)))
    else:
        np.save(os.path.join(folder, "rows.npy"), np.ascontiguousarray(rows))
    width = rows.shape[1]
    margin = np.asarray(booster.predict(rows, raw_score=True), np.float64).reshape(n, -1)
    np.save(os.path.join(folder, "margin.npy"), np.ascontiguousarray(margin))
    leaves = np.asarray(booster.predict(rows, pred_leaf=True)).reshape(n, -1)
    np.save(os.path.join(folder, "leaves.npy"), np.ascontiguousarray(leaves, np.int32))
    if case["value_source"]:
        values = np.asarray(booster.predict(rows, pred_contrib=True), np.float64).reshape(n, -1, width + 1)
        np.save(os.path.join(folder, "values.npy"), np.ascontiguousarray(values))
    write_case(folder, case)


def write_case(folder, case):
    with open(os.path.join(folder, "case.json"), "w") as f:
        json.dump(case, f, indent=1, sort_keys=True)
        f.write("\n")


def train(params, x, y, rounds, categorical="auto", **more):
    data = lgb.Dataset(x, y, categorical_feature=list(categorical) if categorical != "auto" else "auto",
                       params={"verbose": -1, "min_data_in_bin": 1}, free_raw_data=False, **more)
    return lgb.train(dict(BASE, **params), data, num_boost_round=rounds)


def category_table(seed, n=3000):
    """Numbers, and category columns of 4 (one-hot splits), 60 and 1,500 categories, some cells missing or negative."""
    r = np.random.RandomState(seed)
    sizes = (4, 60, 1500)
    x = r.normal(size=(n, 5))
    y = x[:, 0].copy()
    for column, size in zip((1, 2, 4), sizes):
        codes = np.floor(size * r.rand(n) ** 1.3)
        y += np.cos(codes * 2.1) * 1.5
        x[:, column] = codes
    x[r.rand(n, 5) < 0.2] = np.nan
    x[r.rand(n) < 0.03, 2] = -3
    return x, y


def core(out):
    """The cases that every version writes."""
    x, y = table(1)
    write(out, "regression_nan", train({"objective": "regression"}, x, y, 8), x,
          "regression; missing type NaN, defaults both ways")
    write(out, "regression_zero", train({"objective": "regression", "zero_as_missing": True}, x, y, 8), x,
          "regression; zero_as_missing: zeros and NaN take the default direction")
    write(out, "regression_none", train({"objective": "regression", "use_missing": False}, x, y, 8), x,
          "regression; use_missing=false: NaN is read as zero")
    cx, cy = category_table(2)
    write(out, "binary_categorical",
          train({"objective": "binary", "max_cat_threshold": 64, "min_data_per_group": 5, "cat_smooth": 1, "cat_l2": 1},
                cx, (cy > np.median(cy)).astype(float), 4, categorical=[1, 2, 4]), cx,
          "binary; bitsets of 4, 60 and 1,500 categories, one-hot splits on the first", categorical=[1, 2, 4])
    mx, my = table(3, f=5)
    classes = np.digitize(my, np.quantile(my, [0.33, 0.66]))
    write(out, "multiclass",
          train({"objective": "multiclass", "num_class": 3, "num_leaves": 7}, mx, classes, 3), mx[:140],
          "softmax of 3 classes: one tree per class and round")
    fx, fy = table(4)
    write(out, "forest",
          train({"boosting": "rf", "objective": "regression", "bagging_fraction": 0.6, "bagging_freq": 1}, fx, fy, 5), fx,
          "boosting=rf: the header's average_output line")


def newest(out):
    """The cases that only the newest version writes."""
    x, y = table(5)
    write(out, "binary_float32", train({"objective": "binary"}, x.astype(np.float32), (y > 0).astype(float), 5),
          x.astype(np.float32), "binary; trained on and asked with float32 rows")
    mx, my = table(6, f=5)
    classes = np.digitize(my, np.quantile(my, [0.3, 0.5]))
    write(out, "multiclass_ova",
          train({"objective": "multiclassova", "num_class": 3, "num_leaves": 6}, mx, classes, 3), mx[:140],
          "one-versus-all of 3 classes")
    write(out, "multiclass_absent",
          train({"objective": "multiclass", "num_class": 3, "num_leaves": 6}, mx, np.minimum(classes, 1), 3), mx[:60],
          "softmax of 3 classes of which one has no rows: its trees are single leaves")
    x, y = table(7)
    counts = np.random.RandomState(7).poisson(np.exp(np.clip(y / 3, -3, 2)))
    write(out, "poisson", train({"objective": "poisson"}, x, counts, 5), x, "poisson, raw margin (log of the mean)")
    write(out, "dart",
          train({"objective": "regression", "boosting": "dart", "drop_rate": 0.5, "skip_drop": 0.2}, x, y, 8), x,
          "dart: the weights are already in the leaves")
    write(out, "forest_binary",
          train({"boosting": "rf", "objective": "binary", "bagging_fraction": 0.6, "bagging_freq": 1}, x,
                (y > 0).astype(float), 4), x, "boosting=rf of a binary target")
    write(out, "bagged_weighted",
          train({"objective": "regression", "bagging_fraction": 0.5, "bagging_freq": 1, "feature_fraction": 0.7},
                x, y, 5, weight=np.random.RandomState(8).randint(0, 4, size=len(y)).astype(float)), x,
          "row weights (some 0) and bagging: the counts are rows in the bag, the weights are hessians")
    write(out, "goss",
          train({"objective": "binary", "data_sample_strategy": "goss", "learning_rate": 0.5}, x,
                (y > 0).astype(float), 6), x, "gradient-based one-side sampling: counts of the sample")
    write(out, "deep", train({"objective": "regression", "num_leaves": 60, "min_data_in_leaf": 2}, x[:, :3].copy(), y, 3),
          x[:, :3].copy(), "60 leaves on 3 features: features many times on a path")
    booster = train({"objective": "regression"}, x, y, 5)
    write(out, "refit", booster.refit(*table(9)), x, "refitted to other data: the counts are those of the first fit")
    write(out, "constant", train({"objective": "regression"}, x, np.full(len(y), 2.5), 3), x[:40],
          "a constant target: single-leaf trees only")
    tiny = np.random.RandomState(10).choice([-1.0, -1e-34, -ZERO, -1e-36, 0.0, 1e-36, ZERO, 1e-34, 1.0], size=(600, 4))
    target = np.sign(tiny[:, 0]) * (np.abs(tiny[:, 0]) > ZERO) + 2 * (tiny[:, 1] > ZERO) - 2 * (tiny[:, 2] < -ZERO)
    for name, params in (("tiny_none", {"use_missing": False}), ("tiny_zero", {"zero_as_missing": True})):
        write(out, name, train(dict(params, objective="regression"), tiny, target, 3), tiny[:60],
              "values around 1e-35, below which LightGBM reads a zero: thresholds at its edges")
    objective_cases(out)
    linear_cases(out)
    frame_case(out)
    x, y = table(13)
    write(out, "every_threshold", train({"objective": "regression"}, x, y, 4), x,
          "rows at every threshold and its neighbours", limit=None)


def objective_cases(out):
    """Ranking and quantiles, on few rows."""
    x, y = table(14, n=300)
    grades = np.digitize(y, np.quantile(y, [0.25, 0.5, 0.75]))
    rows = x[:40]
    for name in ("lambdarank", "rank_xendcg"):
        write(out, name, train({"objective": name, "num_leaves": 6}, x, grades, 3, group=[50] * 6), x, name, rows=rows)
    write(out, "quantile", train({"objective": "quantile", "alpha": 0.8, "num_leaves": 6}, x, y, 3), x, "the 0.8 quantile", rows=rows)
    write(out, "quantile_forest",
          train({"objective": "quantile", "alpha": 0.2, "num_leaves": 6, "boosting": "rf", "bagging_fraction": 0.6,
                 "bagging_freq": 1}, x, y, 3), x, "boosting=rf of the 0.2 quantile", rows=rows)


def linear_cases(out):
    """Leaves that are linear in features: LightGBM predicts with them, but computes no values."""
    x, y = table(15, n=400, f=4)
    target = y + 1.5 * np.nan_to_num(x[:, 1])
    classes = np.digitize(target, np.quantile(target, [0.33, 0.66]))
    for name, params, labels, rounds, about in (
        ("linear", {"objective": "regression", "num_leaves": 6}, target, 4, "regression"),
        ("linear_none", {"objective": "regression", "use_missing": False}, target, 3,
         "use_missing=false: NaN is zero to splits, and missing to leaves"),
        ("linear_binary", {"objective": "binary"}, (target > 0).astype(float), 3, "binary"),
        ("linear_multiclass", {"objective": "multiclass", "num_class": 3, "num_leaves": 3}, classes, 2,
         "softmax of 3 classes"),
        ("linear_forest", {"objective": "regression", "boosting": "rf", "bagging_fraction": 0.6, "bagging_freq": 1},
         target, 3, "boosting=rf: the mean of linear trees"),
    ):
        booster = train(dict({"num_leaves": 4, "linear_tree": True}, **params), x, labels, rounds)
        rows = special_rows(booster, np.ascontiguousarray(x[:24]), set(), 11, 4)
        write(out, name, booster, x, "linear_tree=true; " + about, rows=rows[~np.isinf(rows).any(1)],
              extra={"linear": True, "value_source": None})


def frame_case(out):
    """A data frame with string and integer categories: the file's last line lists them."""
    r = np.random.RandomState(12)
    n = 600
    frame = pd.DataFrame({
        "size": r.normal(size=n),
        "colour": pd.Categorical(r.choice(["red", "green", "blue", "räd, \"quoted\""], size=n)),
        "kind": pd.Categorical(r.choice([10, 20, 30, 40, 50, 70], size=n)),
        "weight": r.normal(size=n),
    })
    y = frame["size"] + 2.0 * (frame.colour == "red") - frame.kind.astype(int) % 3 + 0.5 * frame.weight
    frame.loc[r.rand(n) < 0.2, "size"] = np.nan
    frame.loc[r.rand(n) < 0.1, "colour"] = None
    booster = train({"objective": "regression", "min_data_per_group": 5, "cat_smooth": 1}, frame, y, 5)
    rows = frame[:120].copy()
    rows["colour"] = rows.colour.cat.add_categories(["unseen"])
    rows.loc[rows.index[:10], "colour"] = "unseen"
    write(out, "pandas", booster, None, "a data frame with string and integer categories, missing and unseen ones",
          categorical=[1, 2], rows=rows)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    core(sys.argv[1])
    if NEWEST:
        newest(sys.argv[1])
    print("lightgbm", VERSION, "wrote its cases to", sys.argv[1])
