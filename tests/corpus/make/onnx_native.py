"""Makes the cases of ONNX files without trees: tests/corpus/onnx_native/<case>/.

    python onnx_native.py OUT   # requirements-onnx_native-1.23.txt (Python 3.11)

The answers are ONNX Runtime's: `probability.npy` where the file answers probabilities, else `raw.npy`. Beside
probabilities, `raw.npy` is scikit-learn's decision function, or the graph's own value before its last activation.
A case with `refused` has no answers: nothing that whylight can translate exactly. Where columns are text, `rows.csv`
has the rows, and `rows.npy` the numbers of their categories, -1 for those that the model has not seen.
"""

import json
import os
import sys
import warnings

# A file beside this one has the name of the library that it imports.
sys.path = [p for p in sys.path if os.path.abspath(p) != os.path.dirname(os.path.abspath(__file__))]

import numpy as np
import onnx
import onnxruntime as ort
import skl2onnx
import sklearn
from onnx import helper, numpy_helper
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, SGDClassifier
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import MinMaxScaler, Normalizer, OneHotEncoder, OrdinalEncoder, PolynomialFeatures, RobustScaler, StandardScaler
from sklearn.svm import SVC, SVR, LinearSVC, NuSVC, OneClassSVM

warnings.filterwarnings("ignore")
ort.set_default_logger_severity(4)
FEATURES = 4
RNG = np.random.default_rng(5)
X = (RNG.normal(size=(40, FEATURES)) * [1, 2, 0.5, 1] + [0, 1, -2, 0.5]).astype(np.float32)
SCORE = X[:, 0] + (X[:, 1] - 1) * (X[:, 2] + 2) - 0.5 * X[:, 3]
TWO = (SCORE > np.median(SCORE)).astype(int)
THREE = np.array(["high", "low", "mid"])[np.digitize(SCORE, np.quantile(SCORE, [0.3, 0.6]))]
FOUR = np.digitize(SCORE, np.quantile(SCORE, [0.2, 0.5, 0.8]))
ROWS = np.concatenate([X[:6], (RNG.normal(size=(10, FEATURES)) * 2).astype(np.float32)])
ROWS[6] = 0
TENSOR = {"zipmap": False}


def sklearn_cases():
    """(name, model, target, options, what is refused)"""
    for kernel in ("rbf", "poly", "sigmoid", "linear"):
        args = {"kernel": kernel, "random_state": 0, "coef0": 0.3, "gamma": 0.2}
        yield f"svc_{kernel}_two", SVC(probability=True, **args), TWO, TENSOR, None
        yield f"svc_{kernel}_three", SVC(probability=True, **args), THREE, TENSOR, None
        yield f"svc_{kernel}_margin", SVC(**args), TWO, TENSOR | {"raw_scores": True}, None
        yield f"svr_{kernel}", SVR(kernel=kernel, coef0=0.3, gamma=0.2), SCORE, {}, None
    yield "svc_four_maps", SVC(probability=True, random_state=0), FOUR, {}, None
    yield "svc_swapped", SVC(), TWO, TENSOR, None
    yield "svc_votes", SVC(), THREE, TENSOR, "(Neg)"
    yield "nusvc_scaled", make_pipeline(StandardScaler(), NuSVC(probability=True, random_state=0)), TWO, TENSOR, None
    linear = SVC(kernel="linear", probability=True, random_state=0)
    yield "svc_linear_scaled", make_pipeline(StandardScaler(), linear), THREE, TENSOR, None
    poly = make_pipeline(StandardScaler(with_mean=False), SVC(kernel="poly", probability=True, random_state=0))
    yield "svc_poly_scaled", poly, TWO, TENSOR, None
    shifted = make_pipeline(StandardScaler(), SVC(kernel="poly", probability=True, random_state=0))
    yield "svc_poly_shifted", shifted, TWO, TENSOR, None
    yield "svr_minmax", make_pipeline(MinMaxScaler(), SVR()), SCORE, {}, None
    yield "one_class", OneClassSVM(nu=0.2), None, {}, None
    yield "logistic_two", LogisticRegression(), TWO, {}, None
    yield "logistic_three", make_pipeline(RobustScaler(), LogisticRegression()), THREE, TENSOR, None
    yield "logistic_margin", LogisticRegression(), TWO, TENSOR | {"raw_scores": True}, None
    yield "linear_svc", LinearSVC(), TWO, {}, None
    yield "linear_svc_three", LinearSVC(), THREE, {}, None
    yield "sgd_two", SGDClassifier(loss="log_loss", random_state=0), TWO, TENSOR, None
    yield "sgd_three", SGDClassifier(loss="log_loss", random_state=0), THREE, TENSOR, "(Exp)"
    yield "ridge", make_pipeline(StandardScaler(), Ridge()), SCORE, {}, None
    yield "linear_targets", LinearRegression(), np.c_[SCORE, SCORE**2], {}, None
    for activation in ("identity", "relu", "logistic", "tanh"):
        args = {"activation": activation, "max_iter": 100, "random_state": 0}
        yield f"mlp_{activation}_two", MLPClassifier((5, 4), **args), TWO, TENSOR, None
        scaled = make_pipeline(MinMaxScaler(), MLPClassifier((6,), **args))
        yield f"mlp_{activation}_three", scaled, THREE, {}, None
    yield "mlp_regressor", make_pipeline(StandardScaler(), MLPRegressor(hidden_layer_sizes=(5,), max_iter=100, random_state=0)), SCORE, {}, None
    clipped = make_pipeline(MinMaxScaler(clip=True), MLPRegressor(hidden_layer_sizes=(5,), max_iter=20, random_state=0))
    yield "mlp_clipped", clipped, SCORE, {}, "(Clip)"


def network(layers, dtype=np.float32):
    """A graph as torch.onnx writes it, of (operator, output width or None) steps."""
    nodes, tensors, name, width = [], [], "x", FEATURES
    for at, (operator, neurons) in enumerate(layers):
        inputs, more = [name], {}
        if operator == "Gemm":
            weights = RNG.normal(size=(neurons, width)) / np.sqrt(width)
            tensors.append(numpy_helper.from_array(weights.astype(dtype), f"{at}.weight"))
            tensors.append(numpy_helper.from_array(RNG.normal(size=neurons).astype(dtype), f"{at}.bias"))
            inputs += [f"{at}.weight", f"{at}.bias"]
            width, more = neurons, {"alpha": 1.0, "beta": 1.0, "transB": 1}
        elif operator == "Softmax":
            more = {"axis": 1}
        name = "y" if at + 1 == len(layers) else f"/{at}/{operator}_output_0"
        nodes.append(helper.make_node(operator, inputs, [name], name=f"/{at}/{operator}", **more))
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    x = helper.make_tensor_value_info("x", kind, ["batch", FEATURES])
    y = helper.make_tensor_value_info("y", kind, ["batch", width])
    graph = helper.make_graph(nodes, "main_graph", [x], [y], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def network_cases():
    yield "net_softmax", network([("Gemm", 8), ("Relu", None), ("Gemm", 5), ("Relu", None), ("Gemm", 3), ("Softmax", None)])
    yield "net_sigmoid", network([("Gemm", 7), ("Tanh", None), ("Gemm", 1), ("Sigmoid", None)])
    yield "net_regression", network([("Gemm", 6), ("Sigmoid", None), ("Gemm", 2)], np.float64)
    yield "net_labels", network([("Gemm", 6), ("Sigmoid", None), ("Gemm", 3), ("Sigmoid", None)])
    yield "net_joined", network([("Gemm", 6), ("Identity", None), ("Gemm", 5), ("Relu", None), ("Gemm", 1), ("Relu", None)])


def columns():
    """Columns that are inputs of their own, whole numbers among them."""
    from skl2onnx.common.data_types import FloatTensorType, Int64TensorType

    kinds = [FloatTensorType, FloatTensorType, Int64TensorType, FloatTensorType]
    x = X.copy()
    x[:, 2] = np.round(x[:, 2])
    model = make_pipeline(StandardScaler(), MLPRegressor(hidden_layer_sizes=(4,), max_iter=50, random_state=0)).fit(x, SCORE)
    types = [(name, kind([None, 1])) for name, kind in zip(["age", "size", "count", "rate"], kinds)]
    return skl2onnx.to_onnx(model, initial_types=types)


#: Whole numbers in two columns, that no encoder has seen among the rows; and cells that are no whole numbers.
WHOLE = X.copy()
WHOLE[:, 2] = np.digitize(X[:, 2], [-2.4, -1.8]) - 1
WHOLE[:, 3] = np.digitize(X[:, 3], [-0.3, 0.4, 1.2]) * 3
WHOLE_ROWS = ROWS.copy()
WHOLE_ROWS[:, 2] = np.array([-1, 0, 1])[np.arange(16) % 3]
WHOLE_ROWS[:, 3] = np.array([0, 3, 6, 9])[np.arange(16) % 4]
UNSEEN = WHOLE_ROWS.copy()
UNSEEN[:8, 2] = [7, -0.5, 0.75, -1.5, 1e30, -3, 1.9999999, 0]
UNSEEN[2:9, 3] = [4, 3.5, 5.999, 9.25, -2, 8.9999999, 6]
COLOURS = np.array(["green", "blue", "1", "red"])
TEXT = np.c_[X[:, :2].astype(object), COLOURS[WHOLE[:, 2].astype(int) + 1], np.array(["no", "yes"])[(X[:, 3] > 0.5).astype(int)]]
NAMES = ["age", "size", "colour", "is_it"]


def text_rows(unseen):
    """Rows with text, and the same with the numbers of categories, in the order in which files name them."""
    rows = np.c_[ROWS[:, :2].astype(object), np.sort(COLOURS[:3])[np.arange(16) % 3], np.array(["no", "yes"])[np.arange(16) % 2]]
    if unseen:
        rows[3:6, 2] = ["violet", "RED", "1.0"]
        rows[5:7, 3] = ["maybe", "Yes"]
    codes = rows.copy()
    for column, known in [(2, ["1", "blue", "green"]), (3, ["no", "yes"])]:
        codes[:, column] = [known.index(text) if text in known else -1 for text in rows[:, column]]
    return rows, codes.astype(np.float32)


def encoded_cases():
    """(name, model, rows to train on, target, rows, codes, options, what is refused)"""
    ignore = OneHotEncoder(handle_unknown="ignore")
    unknown = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-2)
    seen, unseen = text_rows(False), text_rows(True)

    def parts(*of, **more):
        return ColumnTransformer([(str(k), model, columns) for k, (model, columns) in enumerate(of)], **more)

    made = make_pipeline(parts((StandardScaler(), [0, 1]), (ignore, [2, 3])), LogisticRegression())
    yield "encoded_logistic", made, TEXT, THREE, *unseen, TENSOR, None
    made = make_pipeline(parts((OneHotEncoder(drop="first"), [3, 2]), (MinMaxScaler(), [1]), remainder="passthrough"),
                         MLPClassifier((5,), max_iter=100, random_state=0))
    yield "encoded_mlp", made, TEXT, FOUR, *seen, TENSOR, None
    made = make_pipeline(parts((unknown, [2, 3]), (MinMaxScaler(), [0, 1])), Ridge())
    yield "encoded_ridge", made, TEXT, SCORE, *unseen, {}, None
    made = make_pipeline(parts((StandardScaler(), [0, 1]), (ignore, [2, 3])), SVC(probability=True, random_state=0))
    yield "encoded_svc", made, WHOLE, TWO, UNSEEN, UNSEEN, TENSOR, None
    yield "encoded_svc_text", made, TEXT, THREE, *unseen, TENSOR, None
    made = make_pipeline(parts((ignore, [2, 3])), SVC(kernel="sigmoid", gamma=0.3, random_state=0))
    yield "encoded_dropped", made, WHOLE, TWO, UNSEEN, UNSEEN, TENSOR | {"raw_scores": True}, None
    made = make_pipeline(OrdinalEncoder(), StandardScaler(), SVR())
    few, known = (np.c_[x[:, 2:] / 2, x[:, 2:]] for x in (WHOLE, WHOLE_ROWS))
    rows = known.copy()
    rows[1:4] += 0.25
    yield "encoded_ordinal", made, few, SCORE, rows, rows, {}, None
    made = make_pipeline(make_union(StandardScaler(), MinMaxScaler()), SVC(kernel="poly", probability=True, random_state=0))
    yield "encoded_twice", made, X, TWO, ROWS, ROWS, TENSOR, None
    few, known = (2 * few).astype(np.int64), (2 * known).astype(np.int64)
    yield "encoded_strict", make_pipeline(OneHotEncoder(), Ridge()), few, SCORE, known, known.astype(np.int32), {}, None
    made = make_pipeline(StandardScaler(), Normalizer(), LogisticRegression())
    yield "normalised_logistic", made, X, THREE, ROWS, ROWS, TENSOR, None
    yield "normalised_ridge", make_pipeline(Normalizer("l1"), StandardScaler(), Ridge()), X, SCORE, ROWS, ROWS, {}, None
    made = make_pipeline(Normalizer(), MLPClassifier((5,), max_iter=100, random_state=0))
    yield "normalised_mlp", made, X, FOUR, ROWS, ROWS, TENSOR, None
    for kernel in ("poly", "sigmoid"):
        made = make_pipeline(Normalizer("l1"), SVC(kernel=kernel, coef0=0.3, probability=True, random_state=0))
        yield f"normalised_{kernel}", made, X, TWO, ROWS, ROWS, TENSOR, None
    made = make_pipeline(parts((StandardScaler(), [0, 1]), (ignore, [2, 3])), Normalizer(), LogisticRegression())
    yield "normalised_text", made, TEXT, TWO, *unseen, TENSOR, None
    made = make_pipeline(Normalizer(), MinMaxScaler((-1, 1)), SVR())
    yield "normalised_uneven", made, X, SCORE, ROWS, ROWS, {}, "distances of rows that are normalised"
    yield "normalised_svr", make_pipeline(StandardScaler(), Normalizer(), SVR()), X, SCORE, ROWS, ROWS, {}, None
    made = make_pipeline(Normalizer(), SVC(probability=True, random_state=0))
    yield "normalised_rbf", made, X, THREE, ROWS, ROWS, TENSOR, None
    yield "normalised_most", make_pipeline(Normalizer("max"), Ridge()), X, SCORE, ROWS, ROWS, {}, "the norm MAX"
    yield "encoded_missing", make_pipeline(SimpleImputer(), Ridge()), X, SCORE, ROWS, ROWS, {}, "(Imputer)"
    crossed = make_pipeline(PolynomialFeatures(2, interaction_only=True), Ridge())
    yield "encoded_crossed", crossed, X, SCORE, ROWS, ROWS, {}, "(ReduceProd)"


def encoded(out):
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType

    for name, model, x, target, rows, codes, options, refused in encoded_cases():
        types = None
        if x.dtype == object:
            types = [(column, (FloatTensorType if k < 2 else StringTensorType)([None, 1])) for k, column in enumerate(NAMES)]
        model.fit(x, target)
        last = model.steps[-1][1]
        made = skl2onnx.to_onnx(model, None if types else x[:1], initial_types=types,
                                options={type(last): options} if options else None)
        if refused:
            save(out, name, made, {}, refused=refused)
            continue
        got = answers(made, rows)
        arrays = {"rows": codes}
        if options == TENSOR:
            arrays["probability"] = got
            # scikit-learn does not take fractions off as the graph does.
            if not isinstance(last, MLPClassifier) and rows is not UNSEEN:
                arrays["raw"] = model.decision_function(rows).astype(np.float32)
        else:
            arrays["raw"] = got[:, -1] if hasattr(last, "classes_") else got
        save(out, name, made, arrays, classes=[str(label) for label in getattr(last, "classes_", [])])
        if types:
            with open(os.path.join(out, name, "rows.csv"), "w") as file:
                file.write("\n".join(",".join(map(str, row)) for row in [NAMES, *rows]) + "\n")


def answers(model, rows):
    """The last output: scores, not labels."""
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    kinds = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(int64)": np.int64, "tensor(string)": object}
    inputs = session.get_inputs()
    if len(inputs) == 1:
        feed = {inputs[0].name: rows.astype(kinds[inputs[0].type])}
    else:
        feed = {one.name: rows[:, [k]].astype(kinds[one.type]) for k, one in enumerate(inputs)}
    last = session.run(None, feed)[-1]
    if isinstance(last, list):
        last = [list(row.values()) for row in last]
    return np.asarray(last, np.float32).reshape(len(rows), -1)


def save(out, name, model, arrays, **about):
    folder = os.path.join(out, name)
    os.makedirs(folder, exist_ok=True)
    model.graph.name = name
    onnx.save(model, os.path.join(folder, "model.onnx"))
    for array, cells in arrays.items():
        cells = np.asarray(cells)
        np.save(os.path.join(folder, f"{array}.npy"), np.ascontiguousarray(cells.reshape(len(cells), -1), cells.dtype))
    about["versions"] = {m.__name__: m.__version__ for m in (onnx, ort, skl2onnx, sklearn)}
    with open(os.path.join(folder, "case.json"), "w") as file:
        json.dump({"case": name, "script": "onnx_native.py", **about}, file, indent=1)
        file.write("\n")


def main():
    out = sys.argv[1]
    for name, model, target, options, refused in sklearn_cases():
        model.fit(X, target)
        last = model.steps[-1][1] if hasattr(model, "steps") else model
        options = {type(last): options} if options else None
        made = skl2onnx.to_onnx(model, X[:1], options=options)
        if refused:
            save(out, name, made, {}, refused=refused)
            continue
        got = answers(made, ROWS)
        arrays = {"rows": ROWS}
        classes = [str(label) for label in getattr(last, "classes_", [])]
        if got.shape[1] > 1 and np.allclose(got.sum(axis=1), 1, atol=1e-5) and (got >= 0).all():
            arrays["probability"] = got
            if hasattr(model, "decision_function"):
                arrays["raw"] = model.decision_function(ROWS).astype(np.float32)
        else:
            # Of two opposite columns the margin of the second class; ONNX Runtime's SVMClassifier has it first.
            column = 0 if name == "svc_swapped" else -1
            arrays["raw"] = got[:, column] if len(classes) == 2 else got
        save(out, name, made, arrays, classes=classes)
    for name, made in network_cases():
        got = answers(made, ROWS)
        arrays = {"rows": ROWS}
        if name == "net_softmax":
            arrays["probability"] = got
        elif name == "net_sigmoid":
            arrays["probability"] = np.c_[1 - got, got]
        else:
            arrays["raw"] = got
        save(out, name, made, arrays, classes=[])
    encoded(out)
    rows = ROWS.copy()
    rows[:, 2] = np.round(rows[:, 2])
    made = columns()
    save(out, "columns", made, {"rows": rows, "raw": answers(made, rows)}, classes=[])


if __name__ == "__main__":
    main()
