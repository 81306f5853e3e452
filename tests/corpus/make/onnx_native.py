"""Makes the cases of ONNX files without trees: tests/corpus/onnx_native/<case>/.

    python onnx_native.py OUT   # requirements-onnx_native-1.23.txt (Python 3.11)

The answers are ONNX Runtime's: `probability.npy` where the file answers probabilities, else `raw.npy`. Beside
probabilities, `raw.npy` is scikit-learn's decision function, or the graph's own value before its last activation.
A case with `refused` has no answers: nothing that whylight can translate exactly.
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
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, SGDClassifier
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler
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
    yield "svc_poly_shifted", shifted, TWO, TENSOR, "(SVMClassifier)"
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


def answers(model, rows):
    """The last output: scores, not labels."""
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    kinds = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(int64)": np.int64}
    inputs = session.get_inputs()
    feed = {inputs[0].name: rows.astype(kinds[inputs[0].type])}
    if len(inputs) > 1:
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
    rows = ROWS.copy()
    rows[:, 2] = np.round(rows[:, 2])
    made = columns()
    save(out, "columns", made, {"rows": rows, "raw": answers(made, rows)}, classes=[])


if __name__ == "__main__":
    main()
