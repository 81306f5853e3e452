"""Make the CatBoost cases of the corpus.

    python catboost.py OUT        # once per version, each in its own environment

Environments: requirements-catboost-{0.26,1.0.6}.txt on Python 3.8, requirements-catboost-1.2.10.txt on Python 3.12.
Every version writes the core cases; only the newest writes the others. A case's folder is named after the case and
the version (`oblivious_1_2`). Seeds are fixed and training is single-threaded, so that a rerun gives the same numbers
(the files also hold a random model id and the time of training, which this script blanks).
"""
import json
import os
import sys
import warnings

# The script has the library's name: without this line Python would import the script itself.
sys.path = [p for p in sys.path if os.path.abspath(p or ".") != os.path.dirname(os.path.abspath(__file__))]
import catboost as cb  # noqa: E402
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402

warnings.simplefilter("ignore")
VERSION = cb.__version__
SHORT = "_".join(VERSION.split(".")[:2])
NEWEST = VERSION.startswith("1.2")
ROWS = 100  # rows of a case before the special rows
BORDERS = 24  # borders of a case that get their three rows
BASE = dict(loss_function="RMSE", iterations=6, depth=4, learning_rate=0.4, thread_count=1, verbose=False, random_seed=7,
            allow_writing_files=False)


def table(seed, n=600, f=6, missing=0.25):
    """Ordinary float32 columns with missing cells, and a target that uses most of them."""
    r = np.random.RandomState(seed)
    x = r.normal(size=(n, f)).astype(np.float32)
    signal = 2 * x[:, 0] + np.sin(3 * x[:, 1]) + x[:, 2] * x[:, 3] + 0.3 * r.normal(size=n)
    gone = r.rand(n, f) < missing
    signal = signal + 1.5 * gone[:, 0] - 1.2 * gone[:, 1] + gone[:, 2]
    x[gone] = np.nan
    return x, signal


def borders(model):
    """(flat column, border) of every numerical split of a saved model."""
    columns = {f["feature_index"]: f["flat_feature_index"] for f in model["features_info"].get("float_features") or []}
    found = set()

    def visit(node):
        if "split" in node:
            split = node["split"]
            if split["split_type"] == "FloatFeature":
                found.add((columns[split["float_feature_index"]], split["border"]))
            visit(node["left"])
            visit(node["right"])

    for tree in model.get("trees") or []:
        visit(tree)
    for tree in model.get("oblivious_trees") or []:
        for split in tree.get("splits") or []:
            if split["split_type"] == "FloatFeature":
                found.add((columns[split["float_feature_index"]], split["border"]))
    return sorted(found)


def special_rows(model, ordinary, categorical, allow_nan, seed, limit):
    """Rows that differ from ordinary ones in a single special cell."""
    r = np.random.RandomState(seed)
    found = borders(model)
    if limit and len(found) > limit:
        found = [found[i] for i in sorted(r.choice(len(found), limit, replace=False))]
    cells = []
    for column, border in found:
        t = np.float32(border)
        for value in (t, np.nextafter(t, np.float32(-np.inf)), np.nextafter(t, np.float32(np.inf))):
            cells.append((column, value))
    for column in range(ordinary.shape[1]):
        if column in categorical:
            cells += [(column, value) for value in ("unseen", "", "-1", "nan", "0", "1.5")]
        else:
            values = [np.inf, -np.inf, 0.0, -0.0, 1e-36, -1e-36, 1e-45, 3e38] + ([np.nan] if allow_nan else [])
            cells += [(column, np.float32(value)) for value in values]
    picks = r.randint(len(ordinary), size=len(cells))
    if isinstance(ordinary, pd.DataFrame):
        rows = ordinary.iloc[picks].reset_index(drop=True)
        for row, (column, value) in enumerate(cells):
            rows.iat[row, column] = value
        return pd.concat([ordinary, rows], ignore_index=True)
    rows = ordinary[picks].copy()
    for row, (column, value) in zip(rows, cells):
        row[column] = value
    return np.concatenate([ordinary, rows])


def write(out, name, params, x, y, about, categorical=(), rows=None, allow_nan=True, extra=None, edit=None,
          pass_pool=True, weight=None, limit=BORDERS, group=None):
    """One case: the model, the rows, and what CatBoost itself says of them."""
    folder = os.path.join(out, "%s_%s" % (name, SHORT))
    os.makedirs(folder, exist_ok=True)
    categorical = list(categorical)
    pool = cb.Pool(x, y, cat_features=categorical or None, weight=weight, group_id=group)
    model = cb.CatBoost(dict(BASE, **params))
    model.fit(pool)
    if edit:
        edit(model)
    path = os.path.join(folder, "model.json")
    model.save_model(path, format="json", pool=pool if pass_pool else None)
    with open(path) as f:
        saved = json.load(f)
    if "training" in saved["model_info"]:
        del saved["model_info"]["training"]
    saved["model_info"]["model_guid"] = "0-0-0-0"
    saved["model_info"]["train_finish_time"] = ""
    with open(path, "w") as f:
        json.dump(saved, f, indent=1)
        f.write("\n")
    case = {"library": "catboost", "version": VERSION, "script": "make/catboost.py", "about": about,
            "categorical": categorical, "value_source": "catboost get_feature_importance(type='ShapValues')"}
    case.update(extra or {})
    if case.get("refused"):
        write_case(folder, case)
        return
    if rows is None:
        rows = special_rows(saved, x[:ROWS], categorical, allow_nan, 11, limit)
    # Asked of the file, not of the model in memory: a non-symmetric model that was just trained numbers its leaves in
    # another order and gives ShapValues that do not add up to its prediction; read back from the file, they do.
    model = cb.CatBoost()
    model.load_model(path, format="json")
    asked = cb.Pool(rows, cat_features=categorical or None)
    n, width = rows.shape
    if isinstance(rows, pd.DataFrame):
        written = rows.copy()
        for column in written.columns:
            if written[column].dtype.kind == "f":
                written[column] = written[column].astype(np.float64)
        written.to_csv(os.path.join(folder, "rows.csv"), index=False)
    else:
        np.save(os.path.join(folder, "rows.npy"), np.ascontiguousarray(rows))
    margin = np.asarray(model.predict(asked, prediction_type="RawFormulaVal"), np.float64).reshape(n, -1)
    np.save(os.path.join(folder, "margin.npy"), np.ascontiguousarray(margin))
    leaves = np.asarray(model.calc_leaf_indexes(asked)).reshape(n, -1)
    np.save(os.path.join(folder, "leaves.npy"), np.ascontiguousarray(leaves, np.int32))
    if case["value_source"]:
        values = model.get_feature_importance(type="ShapValues", data=asked)
        np.save(os.path.join(folder, "values.npy"), np.ascontiguousarray(values, np.float64).reshape(n, -1, width + 1))
    write_case(folder, case)


def write_case(folder, case):
    with open(os.path.join(folder, "case.json"), "w") as f:
        json.dump(case, f, indent=1, sort_keys=True)
        f.write("\n")


def category_frame(seed, n=600):
    """Numbers, and string and integer categories; labels of many lengths, some not ASCII."""
    r = np.random.RandomState(seed)
    colours = ["red", "green", "räd", "a, \"quoted\" label", "", "a label of exactly thirty-two by",
               "a label that is longer than sixty-four bytes, so that its hash is computed in blocks of that size"]
    frame = pd.DataFrame({
        "size": r.normal(size=n).astype(np.float32),
        "colour": r.choice(colours, size=n),
        "kind": r.choice([10, 20, -30, 40, 50], size=n),
        "weight": r.normal(size=n).astype(np.float32),
    })
    y = (frame["size"] + 2.0 * (frame.colour == "red") - 1.5 * (frame.colour == colours[5]) + frame.colour.str.len() % 5
         + (frame.kind == 20) * 1.5 - (frame.kind == -30) + 0.5 * frame.weight)
    frame.loc[r.rand(n) < 0.2, "size"] = np.nan
    frame["kind"] = frame.kind.astype(str)
    return frame, y.to_numpy(float)


def core(out):
    """The cases that every version writes."""
    x, y = table(1)
    write(out, "oblivious", {"nan_mode": "Min"}, x, y, "oblivious trees; nan_mode=Min: NaN is below every border")
    write(out, "oblivious_max", {"nan_mode": "Max"}, x, y, "oblivious trees; nan_mode=Max: NaN is above every border")
    write(out, "lossguide", {"grow_policy": "Lossguide", "max_leaves": 12, "depth": 8}, x, y,
          "non-symmetric trees grown leaf by leaf")
    mx, my = table(3, f=5)
    classes = np.digitize(my, np.quantile(my, [0.33, 0.66]))
    write(out, "multiclass", {"loss_function": "MultiClass", "depth": 3, "iterations": 4}, mx[:, :5], classes,
          "softmax of 3 classes: every leaf holds a vector")
    frame, fy = category_frame(4)
    write(out, "one_hot", {"one_hot_max_size": 20, "depth": 5}, frame, fy, "one-hot splits of string categories",
          categorical=[1, 2])


def objectives(out):
    """Quantiles, ranking and survival, on few rows."""
    x, y = table(14, n=300)
    rows, small = x[:40], {"depth": 3, "iterations": 3}
    write(out, "multi_quantile", dict(small, loss_function="MultiQuantile:alpha=0.2,0.5,0.9"), x, y,
          "three quantiles: a bias for each", rows=rows)
    write(out, "uncertainty", dict(small, loss_function="RMSEWithUncertainty"), x, y, "a mean and a log deviation", rows=rows,
          extra={"value_source": None})  # CatBoost's ShapValues are those of the mean alone
    write(out, "yeti_rank", dict(small, loss_function="YetiRank"), x, np.digitize(y, [-1, 0, 1]) / 3,
          "learning to rank", rows=rows, group=np.repeat(np.arange(6), 50))
    write(out, "cox", dict(small, loss_function="Cox"), x, np.where(y > 0, np.exp(y / 3), -np.exp(y / 3)),
          "survival: negative labels are censored", rows=rows)


def newest(out):
    """The cases that only the newest version writes."""
    x, y = table(5)
    write(out, "depthwise", {"grow_policy": "Depthwise", "depth": 5, "iterations": 4}, x, y,
          "non-symmetric trees grown level by level")
    write(out, "depthwise_max", {"grow_policy": "Depthwise", "depth": 3, "nan_mode": "Max"}, x, y,
          "non-symmetric trees; NaN is above every border")
    mx, my = table(6, f=4)
    names = np.array(["low", "middle", "high"])[np.digitize(my, np.quantile(my, [0.33, 0.66]))]
    write(out, "multiclass_lossguide",
          {"loss_function": "MultiClass", "grow_policy": "Lossguide", "max_leaves": 6, "iterations": 3}, mx, names,
          "softmax of 3 named classes on non-symmetric trees")
    write(out, "one_versus_all", {"loss_function": "MultiClassOneVsAll", "depth": 3, "iterations": 3}, mx, names,
          "one-versus-all of 3 named classes")
    write(out, "logloss", {"loss_function": "Logloss"}, x, (y > 0).astype(int), "binary, raw margin")
    write(out, "poisson", {"loss_function": "Poisson", "depth": 3}, x,
          np.random.RandomState(7).poisson(np.exp(np.clip(y / 3, -3, 2))), "poisson, raw margin (log of the mean)")
    write(out, "multi_regression", {"loss_function": "MultiRMSE", "depth": 3, "iterations": 3}, mx,
          np.stack([my, -my + mx[:, 1]], 1) if not np.isnan(mx[:, 1]).any() else np.stack([my, np.abs(my)], 1),
          "two targets: a bias for each")
    write(out, "scaled", {"depth": 3}, x, y, "a scale and a bias set by hand", edit=lambda m: m.set_scale_and_bias(-2.5, 0.75),
          extra={"value_source": None})  # CatBoost has no ShapValues for a scale other than 1
    write(out, "weighted", {"depth": 6, "iterations": 3, "bootstrap_type": "Bernoulli", "subsample": 0.5}, x[:200], y[:200],
          "row weights (some 0) and subsampling on few rows: many empty leaves",
          weight=np.random.RandomState(8).choice([0.0, 0.25, 1.0, 2.5], size=200))
    nx = np.nan_to_num(x)
    write(out, "no_missing", {"depth": 4, "iterations": 4}, nx, y, "no missing cell in training", allow_nan=False)
    write(out, "repeated", {"depth": 6, "iterations": 3}, x[:, :2], y, "depth 6 on 2 features: features many times on a path")
    write(out, "repeated_lossguide", {"depth": 12, "iterations": 3, "grow_policy": "Lossguide", "max_leaves": 40}, x[:, :2], y,
          "40 leaves on 2 features: features many times on a path")
    write(out, "constant", {"iterations": 2, "allow_const_label": True, "bootstrap_type": "No"}, x, np.full(len(y), 2.5), "a constant target", rows=x[:20])
    frame, fy = category_frame(9)
    write(out, "one_hot_lossguide", {"one_hot_max_size": 20, "grow_policy": "Lossguide", "max_leaves": 16, "depth": 8}, frame, fy,
          "one-hot splits in non-symmetric trees", categorical=[1, 2])
    write(out, "one_hot_hashes", {"one_hot_max_size": 20}, frame, fy,
          "saved without its pool: the file has the hashes of the categories but not their labels", categorical=[1, 2],
          pass_pool=False)
    objectives(out)
    x, y = table(13)
    write(out, "every_border", {"grow_policy": "Lossguide", "max_leaves": 16, "depth": 8}, x, y,
          "rows at every border and its neighbours", limit=None)
    write(out, "counter", {"one_hot_max_size": 1}, frame, fy, "category statistics (CTR)", categorical=[1, 2],
          extra={"refused": "CTR"})


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    core(sys.argv[1])
    if NEWEST:
        newest(sys.argv[1])
    print("catboost", VERSION, "wrote its cases to", sys.argv[1])
