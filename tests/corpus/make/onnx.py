"""Makes the ONNX cases of the corpus: tests/corpus/onnx/<case>/.

Run it once per environment, each pinned beside this file, the newest last:

    PYTHONHASHSEED=0 python onnx.py OUT   # requirements-onnx-1_11.txt (Python 3.8): trains the older cases
    PYTHONHASHSEED=0 python onnx.py OUT   # requirements-onnx-1_23.txt (Python 3.12): trains the others,
                                          # adds rows, margins, leaves, values to all in OUT

ONNX Runtime is the reference for routing and margins: leaf ids come from the same nodes run with
each leaf's weight replaced by its number, margins from the graph's score node without its final
transform. Values are shap's path-dependent TreeExplainer on the same arrays, checked here against
an enumeration of all subsets; where a node mode is unknown to shap, the enumeration itself.
"""

import itertools
import json
import math
import os
import sys
import warnings

# This file has the name of the library that it imports.
sys.path = [p for p in sys.path if os.path.abspath(p) != os.path.dirname(os.path.abspath(__file__))]

import numpy as np
import onnx
import onnxruntime as ort
import sklearn
import skl2onnx
from onnx import helper, numpy_helper
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.tree import DecisionTreeRegressor

warnings.filterwarnings("ignore")
ort.set_default_logger_severity(4)
OLD = skl2onnx.__version__.startswith("1.11.")
ML = "ai.onnx.ml"
MODES = ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ", "BRANCH_MEMBER"]
FEATURES = 5


# --- training data ------------------------------------------------------------------------------


def training(missing=0.0, categories=0):
    rng = np.random.default_rng(7)
    x = rng.normal(size=(200, FEATURES)).astype(np.float32)
    if categories:
        x[:, 4] = rng.integers(0, categories, 200)
    score = 2 * x[:, 0] + x[:, 1] * x[:, 2] + np.where(x[:, 4] % 3 == 1, 1.5, 0) + 0.2 * x[:, 3]
    if missing:
        x[rng.random(x.shape) < missing] = np.nan
    return x, score


def binary(score):
    return (score > 0).astype(int)


def multi(score):
    return np.digitize(score, [-1.2, 0.8])


# --- cases --------------------------------------------------------------------------------------

CASES = {}


def case(about, margin="scores", **more):
    def note(make):
        CASES[make.__name__] = (make, about, margin, more)
        return make

    return note


def to_onnx(model, dtype=np.float32, **options):
    return skl2onnx.to_onnx(model, np.zeros((1, FEATURES), dtype), **options)


def plain_integers():
    """The HistGradientBoosting converter passes NumPy integers that onnx refuses."""
    from skl2onnx.common import _container

    make_node = _container.make_node

    def coerced(*args, **attributes):
        for key, value in attributes.items():
            if isinstance(value, (list, np.ndarray)):
                attributes[key] = [v.item() if isinstance(v, np.generic) else v for v in value]
        return make_node(*args, **attributes)

    _container.make_node = coerced


if OLD:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    HIST = dict(max_iter=4, max_leaf_nodes=6, min_samples_leaf=10, random_state=0)

    @case("HistGradientBoostingRegressor with missing values: missing_value_tracks_true")
    def hist_reg_1_11():
        x, s = training(missing=0.2)
        return to_onnx(HistGradientBoostingRegressor(**HIST).fit(x, s)), x

    @case("HistGradientBoostingClassifier, two classes, LOGISTIC")
    def hist_bin_1_11():
        x, s = training(missing=0.2)
        return to_onnx(HistGradientBoostingClassifier(**HIST).fit(x, binary(s))), x

    @case("HistGradientBoostingClassifier, three classes, SOFTMAX")
    def hist_multi_1_11():
        x, s = training(missing=0.2)
        return to_onnx(HistGradientBoostingClassifier(**HIST).fit(x, multi(s))), x

    @case("RandomForestClassifier as skl2onnx 1.11 writes it")
    def forest_bin_1_11():
        x, s = training()
        m = RandomForestClassifier(4, max_depth=4, bootstrap=False, max_features=2, random_state=0)
        return to_onnx(m.fit(x, binary(s))), x

    @case("XGBClassifier as onnxmltools 1.11 writes it")
    def xgboost_bin_1_11():
        x, s = training(missing=0.2)
        m = xgboost.XGBClassifier(n_estimators=4, max_depth=3, use_label_encoder=False, eval_metric="logloss")
        return onnxmltools.convert_xgboost(m.fit(x, binary(s)), initial_types=any_input()), x

    @case("LGBMRegressor as onnxmltools 1.11 writes it", margin="output")
    def lightgbm_reg_1_11():
        x, s = training(missing=0.2)
        m = lightgbm.LGBMRegressor(n_estimators=4, num_leaves=6, verbose=-1)
        return onnxmltools.convert_lightgbm(m.fit(x, s), initial_types=any_input()), x

else:
    FOREST = dict(bootstrap=False, max_features=3, random_state=0)

    @case("DecisionTreeRegressor")
    def tree_reg():
        x, s = training()
        m = DecisionTreeRegressor(max_depth=5, random_state=0).fit(x, s)
        return to_onnx(m), x, m

    @case("RandomForestRegressor: the averaged leaves are in the file")
    def forest_reg():
        x, s = training()
        m = RandomForestRegressor(5, max_depth=4, **FOREST).fit(x, s)
        return to_onnx(m), x, m

    @case("RandomForestRegressor with two targets: vector leaves")
    def forest_two_targets():
        x, s = training()
        m = RandomForestRegressor(4, max_depth=3, **FOREST).fit(x, np.c_[s, np.sin(s)])
        return to_onnx(m), x

    @case("RandomForestClassifier, two classes: the margin is the probability of the second; ZipMap")
    def forest_bin():
        x, s = training()
        m = RandomForestClassifier(5, max_depth=4, **FOREST).fit(x, binary(s))
        return to_onnx(m), x, m

    @case("RandomForestClassifier on float64 input: float32 thresholds compared in float64")
    def forest_bin_double():
        x, s = training()
        x = x.astype(np.float64) + 1e-9
        m = RandomForestClassifier(4, max_depth=4, **FOREST).fit(x, binary(s))
        return to_onnx(m, np.float64, options={"zipmap": False}), x

    @case("RandomForestClassifier, three classes with names: vector leaves")
    def forest_multi():
        x, s = training()
        m = RandomForestClassifier(4, max_depth=3, **FOREST)
        m.fit(x, np.array(["high", "low", "mid"])[multi(s)])
        return to_onnx(m, options={"zipmap": "columns"}), x, m

    @case("ExtraTreesClassifier, three classes")
    def extra_multi():
        x, s = training()
        m = ExtraTreesClassifier(4, max_depth=3, random_state=0).fit(x, multi(s))
        return to_onnx(m), x, m

    @case("GradientBoostingRegressor")
    def boosting_reg():
        x, s = training()
        m = GradientBoostingRegressor(n_estimators=6, max_depth=3, random_state=0).fit(x, s)
        return to_onnx(m), x, m

    @case("GradientBoostingClassifier, two classes, LOGISTIC")
    def boosting_bin():
        x, s = training()
        m = GradientBoostingClassifier(n_estimators=6, max_depth=3, random_state=0).fit(x, binary(s))
        return to_onnx(m), x, m

    @case("GradientBoostingClassifier, three classes, SOFTMAX")
    def boosting_multi():
        x, s = training()
        m = GradientBoostingClassifier(n_estimators=3, max_depth=3, random_state=0).fit(x, multi(s))
        return to_onnx(m), x

    @case("RandomForestRegressor, columns as inputs of their own, joined by Concat")
    def forest_columns():
        x, s = training()
        m = RandomForestRegressor(3, max_depth=3, **FOREST).fit(x, s)
        return joined(to_onnx(m), ["age", "size", "dose", "rate", "zone"]), x

    @case("RandomForestRegressor: float64 rows, a Cast to float32 before the ensemble")
    def forest_cast():
        x, s = training()
        m = RandomForestRegressor(3, max_depth=4, **FOREST).fit(x, s)
        return cast_before(to_onnx(m)), x.astype(np.float64) + 1e-9

    @case("RandomForestRegressor with bootstrap: node weights in nodes_hitrates", cover="file")
    def forest_hitrates():
        x, s = training()
        m = RandomForestRegressor(3, max_depth=4, max_features=3, random_state=0).fit(x, s)
        model = to_onnx(m)
        weight = np.concatenate([e.tree_.weighted_n_node_samples for e in m.estimators_])
        set_attribute(score_node(model), "nodes_hitrates", [float(w) for w in weight])
        return model, x

    @case("GradientBoostingRegressor in opset 3 with float64 thresholds and weights as tensors")
    def boosting_double_3():
        x, s = training()
        x = x.astype(np.float64) + 1e-9
        m = GradientBoostingRegressor(n_estimators=4, max_depth=3, random_state=0).fit(x, s)
        return as_double(m), x

    @case("XGBRegressor, BRANCH_LT")
    def xgboost_reg():
        x, s = training()
        m = xgboost.XGBRegressor(n_estimators=5, max_depth=3).fit(x, s)
        return onnxmltools.convert_xgboost(m, initial_types=any_input()), x

    @case("XGBClassifier, three classes")
    def xgboost_multi():
        x, s = training()
        m = xgboost.XGBClassifier(n_estimators=3, max_depth=3).fit(x, multi(s))
        return onnxmltools.convert_xgboost(m, initial_types=any_input()), x

    @case("XGBRegressor, count:poisson: the margin is before Exp and Mul")
    def xgboost_poisson():
        x, s = training()
        m = xgboost.XGBRegressor(n_estimators=4, max_depth=3, objective="count:poisson")
        return onnxmltools.convert_xgboost(m.fit(x, np.abs(s).round()), initial_types=any_input()), x

    @case("LGBMClassifier, two classes, Identity and ZipMap after the ensemble")
    def lightgbm_bin():
        x, s = training(missing=0.2)
        m = lightgbm.LGBMClassifier(n_estimators=5, num_leaves=6, verbose=-1).fit(x, binary(s))
        return onnxmltools.convert_lightgbm(m, initial_types=any_input()), x

    @case("LGBMClassifier, three classes")
    def lightgbm_multi():
        x, s = training(missing=0.2)
        m = lightgbm.LGBMClassifier(n_estimators=3, num_leaves=5, verbose=-1).fit(x, multi(s))
        return onnxmltools.convert_lightgbm(m, initial_types=any_input()), x

    @case("LGBMRegressor in random forest mode: a Div by a constant after the ensemble", margin="output")
    def lightgbm_forest():
        x, s = training()
        m = lightgbm.LGBMRegressor(
            boosting_type="rf", bagging_freq=1, bagging_fraction=0.7, n_estimators=4, num_leaves=6, verbose=-1
        )
        return onnxmltools.convert_lightgbm(m.fit(x, s), initial_types=any_input()), x

    @case("LGBMRegressor written as three ensembles, cast to float64 and summed", margin="output")
    def lightgbm_split():
        x, s = training(missing=0.2)
        m = lightgbm.LGBMRegressor(n_estimators=6, num_leaves=5, verbose=-1).fit(x, s)
        return onnxmltools.convert_lightgbm(m, initial_types=any_input(), split=2), x

    @case("LGBMRegressor with a categorical feature: chains of BRANCH_EQ", margin="output")
    def lightgbm_categories():
        x, s = training(categories=8)
        m = lightgbm.LGBMRegressor(
            n_estimators=4, num_leaves=6, verbose=-1, min_data_per_group=1, cat_smooth=1, max_cat_to_onehot=1
        )
        m.fit(x, s, categorical_feature=[4])
        return onnxmltools.convert_lightgbm(m, initial_types=any_input()), x

    @case("Every node mode of opset 3, with and without missing_value_tracks_true; AVERAGE and base")
    def modes_3():
        x, _ = training(missing=0.1, categories=12)
        return modes(x, members=False), x

    @case("Every node mode of opset 5, small and large sets, a tree that is one leaf, shared leaves")
    def modes_5():
        x, _ = training(missing=0.1, categories=40)
        return modes(x, members=True), x

    @case("TreeEnsemble of opset 5 in float64, AVERAGE, from a RandomForestRegressor")
    def forest_double_5():
        x, s = training()
        x = x.astype(np.float64) + 1e-9
        m = RandomForestRegressor(4, max_depth=4, **FOREST).fit(x, s)
        trees = [from_sklearn(e.tree_, 1.0, 0) for e in m.estimators_]
        return ensemble_5(trees, np.float64, 1, aggregate=0), x

    @case("TreeEnsemble of opset 5, SOFTMAX, from a GradientBoostingClassifier with three classes")
    def boosting_multi_5():
        x, s = training()
        m = GradientBoostingClassifier(n_estimators=3, max_depth=3, random_state=0).fit(x, multi(s))
        trees = [from_sklearn(e.tree_, 0.1, k) for step in m.estimators_ for k, e in enumerate(step)]
        return ensemble_5(trees, np.float32, 3, aggregate=1, post=1), x


def any_input():
    from onnxmltools.convert.common.data_types import FloatTensorType

    return [("input", FloatTensorType([None, FEATURES]))]


# --- graphs made or changed here ----------------------------------------------------------------


def score_nodes(model):
    return [n for n in model.graph.node if n.op_type.startswith("TreeEnsemble")]


def score_node(model):
    return score_nodes(model)[0]


def set_attribute(node, name, value):
    for a in list(node.attribute):
        if a.name == name:
            node.attribute.remove(a)
    if value is not None:
        node.attribute.append(helper.make_attribute(name, value))


def graph_of(nodes, inputs, outputs, opset):
    graph = helper.make_graph(nodes, "ensemble", inputs, outputs)
    imports = [helper.make_opsetid("", 17), helper.make_opsetid(ML, opset)]
    model = helper.make_model(graph, opset_imports=imports, ir_version=8, producer_name="onnx.helper")
    return model


def joined(model, names):
    node = score_node(model)
    x = node.input[0]
    concat = helper.make_node("Concat", names, [x], name="join", axis=1)
    inputs = [helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, [None, 1]) for n in names]
    return graph_of([concat, node], inputs, list(model.graph.output), 1)


def cast_before(model):
    node = score_node(model)
    cast = helper.make_node("Cast", ["double"], [node.input[0]], name="narrow", to=onnx.TensorProto.FLOAT)
    inputs = [helper.make_tensor_value_info("double", onnx.TensorProto.DOUBLE, [None, FEATURES])]
    return graph_of([cast, node], inputs, list(model.graph.output), 1)


def tensor(name, values, dtype):
    return numpy_helper.from_array(np.asarray(values, dtype), name)


def as_double(m):
    """A GradientBoostingRegressor as a TreeEnsembleRegressor of opset 3 in float64."""
    a = {k: [] for k in "treeids nodeids featureids modes truenodeids falsenodeids".split()}
    values, leaf_tree, leaf_node, leaf_weight = [], [], [], []
    for t, e in enumerate(m.estimators_[:, 0]):
        tree = e.tree_
        for n in range(tree.node_count):
            leaf = tree.children_left[n] < 0
            a["treeids"].append(t)
            a["nodeids"].append(n)
            a["featureids"].append(0 if leaf else int(tree.feature[n]))
            a["modes"].append("LEAF" if leaf else "BRANCH_LEQ")
            a["truenodeids"].append(0 if leaf else int(tree.children_left[n]))
            a["falsenodeids"].append(0 if leaf else int(tree.children_right[n]))
            values.append(0.0 if leaf else tree.threshold[n] + 1e-10)
            if leaf:
                leaf_tree.append(t)
                leaf_node.append(n)
                leaf_weight.append(m.learning_rate * tree.value[n, 0, 0])
    node = helper.make_node(
        "TreeEnsembleRegressor", ["x"], ["y"], name="ensemble", domain=ML,
        n_targets=1, post_transform="NONE", aggregate_function="SUM",
        base_values_as_tensor=tensor("base", [float(m.init_.constant_[0, 0])], np.float64),
        nodes_values_as_tensor=tensor("values", values, np.float64),
        target_ids=[0] * len(leaf_tree), target_treeids=leaf_tree, target_nodeids=leaf_node,
        target_weights_as_tensor=tensor("weights", leaf_weight, np.float64),
        **{"nodes_" + k: v for k, v in a.items()},
    )  # fmt: skip
    x = helper.make_tensor_value_info("x", onnx.TensorProto.DOUBLE, [None, FEATURES])
    y = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [None, 1])
    return graph_of([node], [x], [y], 3)


def from_sklearn(tree, scale, target):
    """A tree as nested tuples: ("leaf", target, weight) or (mode, feature, split, track, yes, no)."""

    def build(n):
        if tree.children_left[n] < 0:
            return ("leaf", target, scale * tree.value[n, 0, 0])
        yes, no = build(tree.children_left[n]), build(tree.children_right[n])
        return (0, int(tree.feature[n]), tree.threshold[n], 0, yes, no)

    return build(0)


def ensemble_5(trees, dtype, targets, aggregate, post=0, share=False):
    nodes, leaves, members, roots = [], [], [], []

    def leaf_index(leaf):
        if share and leaf in leaves:
            return leaves.index(leaf)
        leaves.append(leaf)
        return len(leaves) - 1

    def place(tree):
        here = len(nodes)
        nodes.append(None)
        if tree[0] == "leaf":  # a tree that is one leaf: a node both of whose branches are that leaf
            i = leaf_index(tree)
            nodes[here] = (0, 0, 0.0, 0, i, 1, i, 1)
            return here
        mode, feature, split, track, yes, no = tree
        if mode == 6:
            # Sets are told apart by their order among the member nodes.
            members.append((here, list(split)))
            split = 0.0
        children = []
        for child in (yes, no):
            children += [leaf_index(child), 1] if child[0] == "leaf" else [place(child), 0]
        nodes[here] = (mode, feature, split, track, *children)
        return here

    for tree in trees:
        roots.append(place(tree))
    column = list(zip(*nodes))
    sets = [v for _, s in sorted(members) for v in [*s, math.nan]]
    more = {"membership_values": tensor("members", sets, dtype)} if sets else {}
    node = helper.make_node(
        "TreeEnsemble", ["x"], ["y"], name="ensemble", domain=ML,
        n_targets=targets, aggregate_function=aggregate, post_transform=post, tree_roots=roots,
        nodes_modes=tensor("modes", column[0], np.uint8), nodes_featureids=column[1],
        nodes_splits=tensor("splits", column[2], dtype), nodes_missing_value_tracks_true=column[3],
        nodes_truenodeids=column[4], nodes_trueleafs=column[5],
        nodes_falsenodeids=column[6], nodes_falseleafs=column[7],
        leaf_targetids=[leaf[1] for leaf in leaves],
        leaf_weights=tensor("weights", [leaf[2] for leaf in leaves], dtype), **more,
    )  # fmt: skip
    kind = onnx.TensorProto.DOUBLE if dtype == np.float64 else onnx.TensorProto.FLOAT
    x = helper.make_tensor_value_info("x", kind, [None, FEATURES])
    y = helper.make_tensor_value_info("y", kind, [None, targets])
    return graph_of([node], [x], [y], 5)


def modes(x, members):
    """Random trees over all node modes, grown so that every node holds rows of `x`."""
    rng = np.random.default_rng(3)
    numeric, exact = [0, 1, 2, 3], 4

    def grow(rows, depth, target):
        leaf = ("leaf", target, float(np.float32(rng.integers(-40, 40) / 16)))
        if depth == 0:
            return leaf
        for _ in range(200):
            mode = int(rng.integers(0, 7 if members else 6))
            track = int(rng.integers(0, 2))
            feature = int(rng.choice(numeric) if mode < 4 else exact)
            cells = x[rows, feature]
            cells = cells[~np.isnan(cells)]
            if len(cells) == 0:
                continue
            if mode == 6:
                pool = np.arange(0, 20) if rng.random() < 0.5 else np.arange(0, 40)
                split = tuple(float(v) for v in sorted(rng.choice(pool, len(pool) // 2, replace=False)))
            else:
                split = float(rng.choice(cells))
            yes = holds(mode, x[rows, feature], np.float32(0) if mode == 6 else np.float32(split), split, track)
            if yes.any() and not yes.all():
                args = depth - 1, target
                return (mode, feature, split, track, grow(rows[yes], *args), grow(rows[~yes], *args))
        return leaf

    trees = [grow(np.arange(len(x)), 4, t % 2 if members else 0) for t in range(6)]
    if members:
        return ensemble_5([*trees, ("leaf", 1, 0.5)], np.float32, 2, aggregate=1, share=True)
    a = {k: [] for k in "treeids nodeids featureids modes truenodeids falsenodeids values missing_value_tracks_true".split()}
    leaves = []

    def place(t, tree, ids):
        here = next(ids)
        row = len(a["treeids"])
        for k in a:
            a[k].append(0)
        a["treeids"][row], a["nodeids"][row], a["values"][row] = t, here, 0.0
        if tree[0] == "leaf":
            a["modes"][row] = "LEAF"
            leaves.append((t, here, tree[2]))
            return here
        mode, feature, split, track, yes, no = tree
        a["modes"][row], a["featureids"][row], a["values"][row] = MODES[mode], feature, split
        a["missing_value_tracks_true"][row] = track
        a["truenodeids"][row] = place(t, yes, ids)
        a["falsenodeids"][row] = place(t, no, ids)
        return here

    for t, tree in enumerate(trees):
        place(t, tree, itertools.count())
    node = helper.make_node(
        "TreeEnsembleRegressor", ["x"], ["y"], name="ensemble", domain=ML,
        n_targets=1, aggregate_function="AVERAGE", base_values=[0.25],
        target_ids=[0] * len(leaves), target_treeids=[v[0] for v in leaves],
        target_nodeids=[v[1] for v in leaves], target_weights=[v[2] for v in leaves],
        **{"nodes_" + k: v for k, v in a.items()},
    )  # fmt: skip
    x_info = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [None, FEATURES])
    y_info = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [None, 1])
    return graph_of([node], [x_info], [y_info], 3)


def holds(mode, cells, threshold, members, track):
    """Whether the true branch is taken, as ONNX Runtime does it."""
    if mode == 4 and members:
        yes = np.isin(cells, np.asarray(members, cells.dtype))
    elif mode == 6:
        # Sets that fit in a word are tested exactly; others after a truncation to an integer.
        small = len(members) < 31 and min(members) >= 0 and max(members) <= 30
        key = cells if small else np.trunc(cells)
        yes = np.isin(key, np.asarray(members, cells.dtype))
    else:
        ops = [np.less_equal, np.less, np.greater_equal, np.greater, np.equal, np.not_equal]
        yes = ops[mode](cells, threshold)
    return yes | (np.isnan(cells) & bool(track))


# --- reading an ensemble back -------------------------------------------------------------------


class Tree:
    """Nodes by number: (mode, feature, threshold, members, track, yes, no) or (None, leaf id, vector)."""

    def __init__(self):
        self.nodes = []


def attributes(node):
    out = {}
    for a in node.attribute:
        v = helper.get_attribute_value(a)
        if isinstance(v, onnx.TensorProto):
            v = numpy_helper.to_array(v)
        elif isinstance(v, (list, tuple)) and v and isinstance(v[0], bytes):
            v = [s.decode() for s in v]
        out[a.name] = v
    return out


def read_3(node, dtype):
    a = attributes(node)
    kind = "target" if "Regressor" in node.op_type else "class"
    values = np.asarray(a.get("nodes_values_as_tensor", a.get("nodes_values")), dtype)
    weights = np.asarray(a.get(kind + "_weights_as_tensor", a.get(kind + "_weights")), dtype)
    labels = a.get("classlabels_int64s") or a.get("classlabels_strings") or []
    outputs = a.get("n_targets") or len(labels)
    single = kind == "class" and outputs == 2 and len(set(a["class_ids"])) == 1
    if single:
        outputs = 1
    vectors = {}
    for t, n, k, w in zip(a[kind + "_treeids"], a[kind + "_nodeids"], a[kind + "_ids"], weights):
        vectors.setdefault((t, n), np.zeros(outputs))[0 if single else k] += w
    average = len(set(a["nodes_treeids"])) if a.get("aggregate_function") == b"AVERAGE" else 1
    trees, hit = {}, a.get("nodes_hitrates")
    tracks = a.get("nodes_missing_value_tracks_true") or [0] * len(values)
    for i, (t, n) in enumerate(zip(a["nodes_treeids"], a["nodes_nodeids"])):
        tree = trees.setdefault(t, Tree())
        assert n == len(tree.nodes), "the cases number their nodes in order"
        if a["nodes_modes"][i] == "LEAF":
            rank = sum(node[0] is None for node in tree.nodes)
            tree.nodes.append((None, rank, vectors.get((t, n), np.zeros(outputs)) / average))
        else:
            mode = MODES.index(a["nodes_modes"][i])
            yes, no = a["nodes_truenodeids"][i], a["nodes_falsenodeids"][i]
            tree.nodes.append((mode, a["nodes_featureids"][i], values[i], None, tracks[i], yes, no))
    trees = list(trees.values())
    for tree in trees:
        join_equals(tree)
    base = a.get("base_values_as_tensor", a.get("base_values"))
    base = np.zeros(outputs) if base is None or len(base) == 0 else np.asarray(base, float)
    if hit is not None and len(set(hit)) > 1:
        at = 0
        for tree in trees:
            tree.hit = np.asarray(hit[at : at + len(tree.nodes)])
            at += len(tree.nodes)
    return trees, base[:outputs]


def join_equals(tree):
    """Chains of BRANCH_EQ on one feature with one true child are sets: LightGBM's categorical splits."""
    for i, n in enumerate(tree.nodes):
        if n[0] != 4:
            continue
        values, last = [n[2]], n
        while tree.nodes[last[6]][0] == 4 and (tree.nodes[last[6]][1], tree.nodes[last[6]][5]) == (n[1], n[5]):
            last = tree.nodes[last[6]]
            values.append(last[2])
        tree.nodes[i] = (4, n[1], None, values, n[4], n[5], last[6])


def read_5(node, dtype):
    a = attributes(node)
    sets, members = [], {}
    for v in a.get("membership_values", []):
        if not sets or sets[-1] is None:
            sets.append([])
        if np.isnan(v):
            sets.append(None)
        else:
            sets[-1].append(float(v))
    sets = iter([s for s in sets if s is not None])
    for i, mode in enumerate(a["nodes_modes"]):
        if mode == 6:
            members[i] = next(sets)
    outputs = a["n_targets"]
    average = len(a["tree_roots"]) if a["aggregate_function"] == 0 else 1
    trees = []
    for root in a["tree_roots"]:
        tree = Tree()

        def place(i, leaf, tree=tree):
            here = len(tree.nodes)
            tree.nodes.append(None)
            if leaf:
                vector = np.zeros(outputs)
                vector[a["leaf_targetids"][i]] = a["leaf_weights"][i] / average
                tree.nodes[here] = (None, i, vector)
                return here
            yes = place(a["nodes_truenodeids"][i], a["nodes_trueleafs"][i])
            no = place(a["nodes_falsenodeids"][i], a["nodes_falseleafs"][i])
            track = a["nodes_missing_value_tracks_true"][i]
            tree.nodes[here] = (
                int(a["nodes_modes"][i]), a["nodes_featureids"][i], a["nodes_splits"][i], members.get(i), track, yes, no,
            )  # fmt: skip
            return here

        one = a["nodes_truenodeids"][root] == a["nodes_falsenodeids"][root]
        if one and a["nodes_trueleafs"][root] and a["nodes_falseleafs"][root]:
            place(a["nodes_truenodeids"][root], 1)
        else:
            place(root, 0)
        # Leaf ids of a tree: the rank of the leaf among those that the tree uses.
        used = sorted({n[1] for n in tree.nodes if n[0] is None})
        tree.nodes = [n if n[0] is not None else (None, used.index(n[1]), n[2]) for n in tree.nodes]
        tree.used = used
        trees.append(tree)
    return trees, np.zeros(outputs)


# --- the reference: ONNX Runtime ----------------------------------------------------------------


def run(model, feeds):
    return ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, feeds)


def alone(node, dtype, opset, width):
    kind = onnx.TensorProto.DOUBLE if dtype == np.float64 else onnx.TensorProto.FLOAT
    x = helper.make_tensor_value_info(node.input[0], kind, [None, FEATURES])
    out = kind if node.op_type == "TreeEnsemble" else onnx.TensorProto.FLOAT
    return graph_of([node], [x], [helper.make_tensor_value_info(node.output[-1], out, [None, width])], opset)


def raw_scores(node, rows, dtype, opset, outputs):
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    set_attribute(copy, "post_transform", 0 if node.op_type == "TreeEnsemble" else "NONE")
    scores = run(alone(copy, dtype, opset, None), {node.input[0]: rows})[0]
    return scores[:, -outputs:]


def leaf_ids(node, rows, dtype, opset, trees):
    """Each tree's leaf, by running the same nodes with leaf numbers as weights."""
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    set_attribute(copy, "n_targets", len(trees))
    for name in ("base_values", "base_values_as_tensor"):
        set_attribute(copy, name, None)
    a = attributes(node)
    if node.op_type == "TreeEnsemble":
        set_attribute(copy, "post_transform", 0)
        set_attribute(copy, "aggregate_function", 1)
        columns = []
        # A leaf may be shared between trees, so each tree is asked alone.
        for t, tree in enumerate(trees):
            set_attribute(copy, "n_targets", 1)
            set_attribute(copy, "tree_roots", [a["tree_roots"][t]])
            set_attribute(copy, "leaf_targetids", [0] * len(a["leaf_targetids"]))
            set_attribute(copy, "leaf_weights", tensor("weights", np.arange(len(a["leaf_targetids"])), dtype))
            index = run(alone(copy, dtype, opset, 1), {node.input[0]: rows})[0][:, 0]
            columns.append([tree.used.index(int(i)) for i in index])
        return np.array(columns, np.int32).T
    for k in list(copy.attribute):
        if k.name.startswith(("class", "target_", "post_transform", "aggregate_function")):
            copy.attribute.remove(k)
    copy.op_type = "TreeEnsembleRegressor"
    del copy.output[:]
    copy.output.append("leaf")
    ranks = {t: i for i, t in enumerate(dict.fromkeys(a["nodes_treeids"]))}
    leaf = [i for i, m in enumerate(a["nodes_modes"]) if m == "LEAF"]
    set_attribute(copy, "target_ids", [ranks[a["nodes_treeids"][i]] for i in leaf])
    set_attribute(copy, "target_treeids", [a["nodes_treeids"][i] for i in leaf])
    set_attribute(copy, "target_nodeids", [a["nodes_nodeids"][i] for i in leaf])
    numbers, seen = [], {}
    for i in leaf:
        t = a["nodes_treeids"][i]
        numbers.append(float(seen.get(t, 0)))
        seen[t] = seen.get(t, 0) + 1
    if "nodes_values_as_tensor" in a:
        set_attribute(copy, "target_weights_as_tensor", tensor("weights", numbers, dtype))
    else:
        set_attribute(copy, "target_weights", numbers)
    return run(alone(copy, dtype, opset, len(trees)), {node.input[0]: rows})[0].astype(np.int32)


# --- rows, covers, values -----------------------------------------------------------------------


def special_rows(trees, background, dtype, compare):
    rng = np.random.default_rng(11)
    ordinary = background[rng.permutation(len(background))[:70]].astype(dtype)
    ordinary[rng.random(ordinary.shape) < 0.25] = np.nan
    splits = []
    for tree in trees:
        for n in tree.nodes:
            if n[0] is not None:
                splits += [(n[1], v) for v in (n[3] or [n[2]])]
    splits = sorted(set(splits))
    splits = [splits[i] for i in sorted(rng.permutation(len(splits))[:45])]
    placed = []
    for feature, threshold in splits:
        t = np.asarray(threshold, compare)
        around = [dtype(t), dtype(np.nextafter(t, compare(np.inf))), dtype(np.nextafter(t, compare(-np.inf)))]
        if dtype != compare:  # float64 rows before a Cast: half way to the next float32, and its ulps
            half = (dtype(around[0]) + dtype(around[1])) / 2
            around += [half, np.nextafter(half, dtype(np.inf)), np.nextafter(half, dtype(-np.inf))]
        placed += [(feature, v) for v in around]
    edge = [np.inf, -np.inf, 0.0, -0.0, 1e-36, -1e-36, 1.5, -1.0, -0.5, 39.5, 1e9]
    placed += [(f, dtype(v)) for f in range(FEATURES) for v in edge]
    rows = background[rng.integers(0, len(background), len(placed))].astype(dtype)
    for row, (feature, value) in zip(rows, placed):
        row[feature] = value
    blank = np.full((1, FEATURES), np.nan, dtype)
    return np.ascontiguousarray(np.concatenate([ordinary, rows, blank]))


def decide(n, cells):
    mode, feature, threshold, members, track = n[:5]
    return holds(mode, cells[:, feature], threshold, members, track)


def count(tree, cells):
    # Nodes that are joined into another have no cover.
    cover = np.full(len(tree.nodes), np.nan)

    def walk(i, at):
        cover[i] = len(at)
        n = tree.nodes[i]
        if n[0] is not None:
            yes = decide(n, cells[at])
            walk(n[5], at[yes])
            walk(n[6], at[~yes])

    walk(0, np.arange(len(cells)))
    return cover


def enumerate_subsets(trees, covers, base, cells):
    """Shapley values of the path-dependent game by its definition, (rows, outputs, features + 1)."""
    outputs = len(base)
    v = np.zeros((1 << FEATURES, len(cells), outputs)) + base
    for tree, cover in zip(trees, covers):
        for subset in range(1 << FEATURES):

            def expect(i):
                n = tree.nodes[i]
                if n[0] is None:
                    return n[2][None, :]
                yes, no = expect(n[5]), expect(n[6])
                if subset >> n[1] & 1:
                    return np.where(decide(n, cells)[:, None], yes, no)
                return (cover[n[5]] * yes + cover[n[6]] * no) / cover[i]

            v[subset] += expect(0)
    out = np.zeros((len(cells), outputs, FEATURES + 1))
    out[:, :, FEATURES] = v[0]
    for f in range(FEATURES):
        for subset in range(1 << FEATURES):
            if not subset >> f & 1:
                size = bin(subset).count("1")
                weight = math.factorial(size) * math.factorial(FEATURES - size - 1) / math.factorial(FEATURES)
                out[:, :, f] += weight * (v[subset | 1 << f] - v[subset])
    return out


def from_shap(trees, covers, base, rows, compare):
    """shap's TreeExplainer on the same arrays; None where a node mode is unknown to it."""
    import shap

    if any(n[0] not in (None, 0, 1) for t in trees for n in t.nodes):
        return None
    if any(n[0] is not None and np.isinf(n[2]) for t in trees for n in t.nodes):
        return None
    described = []
    for tree, cover in zip(trees, covers):
        left, right, default, feature, threshold, value = [], [], [], [], [], []
        for n in tree.nodes:
            leaf = n[0] is None
            left.append(-1 if leaf else n[5])
            right.append(-1 if leaf else n[6])
            default.append(-1 if leaf else (n[5] if n[4] else n[6]))
            feature.append(-1 if leaf else n[1])
            t = -1.0 if leaf else (n[2] if n[0] == 0 else np.nextafter(compare(n[2]), compare(-np.inf)))
            threshold.append(float(t))
            value.append(n[2] if leaf else np.zeros(len(base)))
        described.append({
            "children_left": np.array(left, np.int32), "children_right": np.array(right, np.int32),
            "children_default": np.array(default, np.int32), "features": np.array(feature, np.int32),
            "thresholds": np.array(threshold, np.float64), "values": np.array(value, np.float64),
            "node_sample_weight": cover,
        })  # fmt: skip
    model = {"trees": described, "base_offset": np.zeros(len(base)) if len(base) > 1 else 0.0,
             "internal_dtype": np.float64, "input_dtype": np.float64, "tree_output": "raw_value"}  # fmt: skip
    explainer = shap.TreeExplainer(model, feature_perturbation="tree_path_dependent")
    phi = np.asarray(explainer.shap_values(rows.astype(np.float64), check_additivity=False), float)
    phi = phi.reshape(len(rows), FEATURES, len(base)).transpose(0, 2, 1)
    bias = np.broadcast_to(np.asarray(explainer.expected_value, float).reshape(-1) + base, (len(rows), len(base)))
    return np.concatenate([phi, bias[:, :, None]], axis=2)


def versions():
    names = [np, onnx, ort, sklearn, skl2onnx, onnxmltools, xgboost, lightgbm]
    return {m.__name__: m.__version__ for m in names}


def natives(folder, margin_from, estimator=None):
    about = json.load(open(folder + "/case.json"))
    model = onnx.load(folder + "/model.onnx")
    background = np.load(folder + "/background.npy")
    dtype = background.dtype.type
    ml = max(o.version for o in model.opset_import if o.domain == ML)
    kind = model.graph.input[0].type.tensor_type.elem_type
    cast = any(n.op_type == "Cast" and n.input[0] == model.graph.input[0].name for n in model.graph.node)
    compare = np.float64 if kind == onnx.TensorProto.DOUBLE and not cast else np.float32
    read = read_5 if score_node(model).op_type == "TreeEnsemble" else read_3
    parts = [read(n, compare) for n in score_nodes(model)]
    trees = [t for part in parts for t in part[0]]
    base = sum(part[1] for part in parts)

    rows = special_rows(trees, background, dtype, compare)
    cells = rows.astype(compare)
    leaves = np.concatenate([leaf_ids(n, cells, compare, ml, p[0]) for n, p in zip(score_nodes(model), parts)], axis=1)
    if margin_from == "output":
        margin = run(model, {model.graph.input[0].name: rows})[0]
    else:
        margin = sum(raw_scores(n, cells, compare, ml, len(base)) for n in score_nodes(model))

    # This script's own reading of the file must route as ONNX Runtime does.
    for t, tree in enumerate(trees):
        mine = np.empty(len(cells), np.int32)

        def walk(i, at):
            n = tree.nodes[i]
            if n[0] is None:
                mine[at] = n[1]
            else:
                yes = decide(n, cells[at])
                walk(n[5], at[yes])
                walk(n[6], at[~yes])

        walk(0, np.arange(len(cells)))
        wrong = np.flatnonzero(mine != leaves[:, t])
        assert len(wrong) == 0, (folder, t, len(wrong), cells[wrong[:3]])

    scale = 1.0
    if about["case"] == "lightgbm_forest":
        scale = 1.0 / float(numpy_helper.to_array(model.graph.initializer[0]))
        for tree in trees:
            tree.nodes = [n if n[0] is not None else (None, n[1], n[2] * scale) for n in tree.nodes]
    if about.get("cover") == "file":
        covers = [t.hit for t in trees]
    else:
        covers = [count(t, background.astype(compare)) for t in trees]
    zero = sum(int((c == 0).sum()) for c in covers)
    if zero:
        # Rows of the training data miss a node that the file's float32 thresholds cut off.
        raise AssertionError(f"{folder}: {zero} nodes without cover")
    values = enumerate_subsets(trees, covers, base, cells)
    total = values.sum(axis=2)
    size = sum(max(abs(n[2]).max() for n in t.nodes if n[0] is None) for t in trees) + abs(base).max()
    assert np.abs(total - margin).max() < 1e-5 * max(size, 1), (folder, np.abs(total - margin).max())
    source = "enumeration of all feature subsets"
    native = from_shap(trees, covers, base, cells, compare)
    if native is not None:
        worst = np.abs(native - values).max()
        assert worst < 1e-12 * max(size, 1), (folder, worst)
        values, source = native, "shap TreeExplainer, tree_path_dependent"
    if estimator is not None:
        check_against_sklearn(estimator, rows, leaves, covers, values, about["case"])
    np.save(folder + "/rows.npy", rows)
    np.save(folder + "/margin.npy", margin)
    np.save(folder + "/leaves.npy", np.ascontiguousarray(leaves, np.int32))
    np.save(folder + "/values.npy", values)
    about.update(value_source=source, runtime="onnxruntime " + ort.__version__)
    about["leaf_ids"] = "rank among the leaves of the tree, in the order of the file"
    about.setdefault("cover", "background")
    about["tolerance_note"] = "the reference sums float32 leaves in float32" if compare == np.float32 else "float64 sums, float32 out"
    json.dump(about, open(folder + "/case.json", "w"), indent=1)
    print(about["case"], rows.shape, "trees", len(trees), "outputs", len(base), source)


def check_against_sklearn(m, rows, leaves, covers, values, name):
    """scikit-learn's own counts, leaves and shap's reading of it, where rounding the thresholds to float32 leaves a row alone."""
    import shap

    flat = m.estimators_.ravel() if hasattr(m, "estimators_") and isinstance(m.estimators_, np.ndarray) else getattr(m, "estimators_", [m])
    for e, cover in zip(flat, covers):
        assert (e.tree_.n_node_samples == cover).all(), name
    good = np.isfinite(rows).all(axis=1)
    applied = np.stack([np.cumsum(e.tree_.children_left < 0)[e.apply(rows[good].astype(np.float32))] - 1 for e in flat], axis=1)
    same = np.flatnonzero(good)[(applied == leaves[good]).all(axis=1)]
    assert len(same) > 0.8 * good.sum(), name
    phi = np.asarray(shap.TreeExplainer(m, feature_perturbation="tree_path_dependent").shap_values(rows[same], check_additivity=False))
    phi = phi.reshape(len(same), FEATURES, -1).transpose(0, 2, 1)
    worst = np.abs(phi[:, -values.shape[1] :] - values[same][:, :, :FEATURES]).max()
    assert worst < 1e-5, (name, worst)


def main():
    out = sys.argv[1]
    made = {}
    for name, (make, about, margin, more) in CASES.items():
        model, background, *estimator = make()
        folder = os.path.join(out, name)
        os.makedirs(folder, exist_ok=True)
        model.graph.name = name  # onnxmltools draws one at random
        onnx.save(model, folder + "/model.onnx")
        np.save(folder + "/background.npy", np.ascontiguousarray(background))
        info = {"case": name, "library": "onnx", "version": onnx.__version__, "versions": versions(), "script": "onnx.py"}
        info.update(about=about, producer=f"{model.producer_name} {model.producer_version}".strip(), margin=margin, **more)
        json.dump(info, open(folder + "/case.json", "w"), indent=1)
        made[name] = estimator[0] if estimator else None
    if not OLD:
        for name in sorted(os.listdir(out)):
            folder = os.path.join(out, name)
            margin = json.load(open(folder + "/case.json"))["margin"]
            natives(folder, margin, made.get(name))


if __name__ == "__main__":
    import lightgbm
    import onnxmltools
    import xgboost

    print(versions())
    main()
