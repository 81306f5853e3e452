"""scikit-learn's models that the engine evaluates itself: support vectors, Gaussian processes, kernel ridge, naive
Bayes, nearest neighbours, perceptrons, and linear models where the method is Kernel SHAP.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import os
from collections.abc import Callable
from typing import Any

import numpy as np

from .._engine import Model
from ..errors import UnsupportedError, WhylightError
from .linear import CLASSIFIERS, EXPONENTIAL, _is_regressor

#: Rows on which the engine has to answer as the library does, and how far it may be off.
CHECKED, TOLERANCE = 8, 1e-6

#: The methods of naive Bayes, and the outputs that they are.
OF_BAYES = {"predict_proba": "probability", "predict_joint_log_proba": "raw"}


@dataclasses.dataclass
class Native:
    """A model as the engine evaluates it."""

    model: Model
    #: "raw" or "probability".
    output: str
    task: str
    classes: list[Any] | None
    #: The library's own answer; None of a file, which has none.
    ask: Callable | None

    @property
    def outputs(self) -> int:
        """Numbers of an answer."""
        return self.model.width(self.output == "probability")

    def answers_alike(self, rows) -> bool:
        """Whether the engine answers some rows as the library does."""
        rows = np.ascontiguousarray(rows[:CHECKED], np.float64)
        if not np.isfinite(rows).all():
            return True
        expected = np.asarray(self.ask(rows), np.float64)
        expected = expected.reshape(len(rows), -1)
        got = self.model.answers(rows, self.output == "probability")
        return got.shape == expected.shape and np.allclose(got, expected, rtol=TOLERANCE, atol=TOLERANCE)


def is_file(model) -> bool:
    """Whether it is the path of a model file, its bytes, or an ONNX model."""
    return isinstance(model, (str, os.PathLike, bytes, bytearray)) or hasattr(model, "SerializeToString")


def of_file(model, output, cells=None) -> Native:
    """The model of a file; of trees, as one that answers with its margins.

    `cells` is the number of columns of its rows, for ONNX files that leave it open. Raises UnsupportedError for a file
    that the engine does not read, and for a probability that a model has not.
    """
    if isinstance(model, (str, os.PathLike)):
        source, name, read = os.fspath(model), "<memory>", Model.load
    else:
        content = bytes(model) if isinstance(model, (bytes, bytearray)) else model.SerializeToString()
        source, name = content, "<memory>" if isinstance(model, (bytes, bytearray)) else "<ONNX model>"
        read = functools.partial(Model.parse, name=name)
    try:
        made = read(source, any=True)
    except UnsupportedError as refused:
        # Whatever else is in an ONNX file is asked, if the engine can run it.
        try:
            made = Model.network(source, name, cells=cells).as_black_box()
        except WhylightError:
            raise refused from None
    has_probability = made.width(True) > 0
    if output == "probability" and not has_probability:
        raise UnsupportedError('output: the model has no "probability"; explain "raw"')
    output = "probability" if has_probability and output != "raw" else "raw"
    classes = list(made.outputs) if has_probability else None
    return Native(made, output, "classification" if has_probability else "unknown", classes, None)


def native(model, method) -> Native | None:
    """A fitted object of scikit-learn, and the method of it that is explained, as a model of the engine's.

    None where the engine has no kernels for it.
    """
    if not type(model).__module__.startswith("sklearn."):
        return None
    reader = READERS.get(type(model).__name__)
    if reader is None and (type(model).__name__ in CLASSIFIERS or _is_regressor(model)):
        reader = _linear
    read = None if reader is None else reader(model, method)
    if read is None:
        return None
    made, output = read
    classes = getattr(model, "classes_", None)
    task = "regression" if classes is None else "classification"
    # The margins of pairs of classes are those of no class.
    is_of_classes = classes is not None and not (method == "decision_function" and _is_of_pairs(model))
    return Native(made, output, task, list(classes) if is_of_classes else None, getattr(model, method))


def _names(model, width):
    names = getattr(model, "feature_names_in_", None)
    return [None] * width if names is None else [str(name) for name in names]


def _outputs(model, count):
    classes = getattr(model, "classes_", None)
    return [f"output {k}" for k in range(count)] if classes is None else [str(label) for label in classes]


def _dense(x):
    return np.ascontiguousarray(x.toarray() if hasattr(x, "toarray") else x, np.float64)


def _machine(model, kernel, vectors, coefficients, intercepts, raw=("margins", 0), probability=None, outputs=None):
    """A kernel machine; `kernel` is (name, gamma, coef0, degree), whose degree of Matérn's is ν - ½."""
    name, gamma, coef0, degree = kernel
    vectors, coefficients = _dense(vectors), np.ascontiguousarray(np.atleast_2d(coefficients), np.float64)
    intercepts = np.asarray(intercepts, np.float64).ravel().tolist()
    gamma = np.broadcast_to(np.asarray(gamma, np.float64).ravel(), vectors.shape[1] if name in ("rbf", "matern") else 1)
    if float(degree) != int(degree) or not 0 <= degree <= 64:
        return None
    if name == "linear":
        # As many vectors as machines: the weights of each.
        name, gamma, coef0, degree = "polynomial", np.ones(1), 0.0, 1
        vectors, coefficients = np.ascontiguousarray(coefficients @ vectors), np.eye(len(coefficients))
    parts = {
        "features": _names(model, vectors.shape[1]),
        "outputs": _outputs(model, len(intercepts)) if outputs is None else outputs,
        "kernel": name,
        "gamma": gamma.tolist(),
        "coef0": float(coef0),
        "degree": int(degree),
        "vectors": vectors,
        "coefficients": coefficients,
        "intercepts": intercepts,
        "raw": raw,
        "probability": probability,
    }
    return Model.from_kernel_machine(f"<{type(model).__name__}>", parts)


def _sums(model, coefficients, intercepts, probability=None):
    """Margins that are sums over the features, and what probabilities are of them."""
    coefficients = np.ascontiguousarray(np.atleast_2d(_dense(coefficients)))
    intercepts = np.ravel(np.asarray(intercepts, np.float64))
    if len(intercepts) != len(coefficients):
        intercepts = np.repeat(intercepts, len(coefficients))
    outputs = _outputs(model, len(coefficients))
    if probability is None and len(outputs) != len(coefficients):
        outputs = outputs[-len(coefficients) :]
    return _perceptron(model, "identity", [(coefficients, np.ascontiguousarray(intercepts))], outputs, probability)


def _perceptron(model, activation, layers, outputs, probability):
    parts = {
        "features": _names(model, layers[0][0].shape[1]),
        "outputs": outputs,
        "activation": activation,
        "layers": layers,
        "probability": probability,
    }
    return Model.from_mlp(f"<{type(model).__name__}>", parts)


def _kernel(model):
    """The kernel of support vectors; None for one that is a function or a matrix."""
    kernels = {"rbf": "rbf", "poly": "polynomial", "sigmoid": "sigmoid", "linear": "linear"}
    if not isinstance(model.kernel, str) or model.kernel not in kernels:
        return None
    return kernels[model.kernel], model._gamma, model.coef0, model.degree


def _support_vectors(model, method):
    kernel = _kernel(model)
    if kernel is None:
        return None
    classes = getattr(model, "classes_", None)
    dual, intercepts = _dense(model.dual_coef_), np.asarray(model.intercept_, np.float64)
    if classes is None:
        # One class, or a target.
        if method not in ("predict", "decision_function") or (method == "predict" and _is_one_class(model)):
            return None
        made = _raw_or_sums(model, kernel, dual, intercepts)
        return None if made is None else (made, "raw")
    count = len(classes)
    if count > 2:
        dual = _pairs(dual, model.n_support_)
    if method == "decision_function":
        if count == 2:
            made = _raw_or_sums(model, kernel, dual, intercepts)
            return None if made is None else (made, "raw")
        raw, outputs = ("votes", count), None
        if _is_of_pairs(model):
            raw = ("margins", 0)
            outputs = [f"{a} against {b}" for a, b in itertools.combinations(classes, 2)]
        made = _machine(model, kernel, model.support_vectors_, dual, intercepts, raw, outputs=outputs)
        return None if made is None else (made, "raw")
    # The names without an underscore warn.
    a, b = (np.asarray(getattr(model, name, ()), np.float64) for name in ("_probA", "_probB"))
    if method != "predict_proba" or not len(a):
        return None
    # The sigmoid is of LIBSVM's margin, for the first class of a pair; of two classes, scikit-learn's is the opposite.
    platt = np.ascontiguousarray(np.column_stack([a if count == 2 else -a, -b]))
    raw = ("margins", 0) if count == 2 else ("votes", count)
    made = _machine(model, kernel, model.support_vectors_, dual, intercepts, raw, (("coupled", count), platt))
    return None if made is None else (made, "probability")


def _calibrated(model, method):
    """Two classes by one sigmoid over the margin of support vectors or a linear model, as `ensemble=False` has it."""
    fitted = model.calibrated_classifiers_
    if method != "predict_proba" or len(fitted) != 1 or len(model.classes_) != 2 or fitted[0].method != "sigmoid":
        return None
    inner, (sigmoid,) = fitted[0].estimator, fitted[0].calibrators
    a, b = -float(sigmoid.a_), -float(sigmoid.b_)
    if type(inner).__name__ in ("SVC", "NuSVC"):
        kernel, platt = _kernel(inner), np.array([[a, b]])
        if kernel is None:
            return None
        dual, pair = _dense(inner.dual_coef_), (("pair", 0), platt)
        made = _machine(model, kernel, inner.support_vectors_, dual, inner.intercept_, probability=pair)
        return None if made is None else (made, "probability")
    if type(inner).__name__ not in CLASSIFIERS:
        return None
    return _sums(model, a * inner.coef_, a * inner.intercept_ + b, ("pair", 0)), "probability"


def _is_of_pairs(model):
    """Whether margins are those of pairs of classes, where there are more than two."""
    return getattr(model, "decision_function_shape", None) == "ovo" and len(model.classes_) > 2


def _is_one_class(model):
    return type(model).__name__ == "OneClassSVM"


def _raw_or_sums(model, kernel, dual, intercepts):
    if kernel[0] == "linear":
        return _sums(model, dual @ _dense(model.support_vectors_), intercepts)
    return _machine(model, kernel, model.support_vectors_, dual, intercepts)


def _pairs(dual, counts):
    """The coefficients of the machine of each pair of classes, from LIBSVM's, in which a vector has one for each class
    but its own."""
    ends = np.cumsum(counts)
    starts = ends - counts
    machines = []
    for i in range(len(counts)):
        for j in range(i + 1, len(counts)):
            machine = np.zeros(dual.shape[1])
            machine[starts[i] : ends[i]] = dual[j - 1, starts[i] : ends[i]]
            machine[starts[j] : ends[j]] = dual[i, starts[j] : ends[j]]
            machines.append(machine)
    return np.array(machines)


def _kernel_ridge(model, method):
    kernels = {"rbf": "rbf", "poly": "polynomial", "polynomial": "polynomial", "sigmoid": "sigmoid"}
    kernels |= {"laplacian": "laplacian", "linear": "linear"}
    if method != "predict" or not isinstance(model.kernel, str) or model.kernel not in kernels:
        return None
    vectors = _dense(model.X_fit_)
    gamma = 1 / vectors.shape[1] if model.gamma is None else model.gamma
    coefficients = np.asarray(model.dual_coef_, np.float64)
    coefficients = coefficients.reshape(len(vectors), -1).T
    zeros = np.zeros(len(coefficients))
    if model.kernel == "linear":
        return _sums(model, coefficients @ vectors, zeros), "raw"
    made = _machine(model, (kernels[model.kernel], gamma, model.coef0, model.degree), vectors, coefficients, zeros)
    return None if made is None else (made, "raw")


def _gaussian_process(model, method):
    if method != "predict" or not hasattr(model, "alpha_"):
        return None
    covariance = _covariance(model.kernel_)
    if covariance is None or covariance[1] is None:
        return None
    scale, lengths, nu = covariance
    kernels = {np.inf: ("rbf", 0.5, 1), 0.5: ("matern", 1.0, 0), 1.5: ("matern", 1.0, 1), 2.5: ("matern", 1.0, 2)}
    if nu not in kernels:
        return None
    name, factor, order = kernels[nu]
    coefficients = np.asarray(model.alpha_, np.float64).reshape(len(model.X_train_), -1).T
    spread, mean = np.ravel(model._y_train_std), np.ravel(model._y_train_mean)
    coefficients = coefficients * scale * spread[:, np.newaxis]
    intercepts = np.broadcast_to(mean, len(coefficients))
    gamma = factor / np.asarray(lengths, np.float64) ** 2
    return _machine(model, (name, gamma, 0.0, order), model.X_train_, coefficients, intercepts), "raw"


def _covariance(kernel):
    """A covariance between different rows as (factor, lengths, ν): a factor times Matérn's, of ν = ∞ an RBF.

    The lengths of a constant are None; None where it is of no such form.
    """
    name = type(kernel).__name__
    if name in ("RBF", "Matern"):
        return 1.0, kernel.length_scale, getattr(kernel, "nu", np.inf)
    if name == "ConstantKernel":
        return kernel.constant_value, None, None
    if name == "WhiteKernel":
        return 0.0, None, None
    parts = [_covariance(part) for part in (getattr(kernel, "k1", None), getattr(kernel, "k2", None)) if part]
    if len(parts) != 2 or None in parts:
        return None
    (a, *lengths), (b, *others) = parts
    if name == "Sum" and (a == 0 or b == 0):
        return parts[1] if a == 0 else parts[0]
    if name == "Product" and None in (lengths[0], others[0]):
        return a * b, *(others if lengths[0] is None else lengths)
    return None


def _gaussian_bayes(model, method):
    if method not in OF_BAYES:
        return None
    parts = {
        "features": _names(model, model.theta_.shape[1]),
        "outputs": _outputs(model, 0),
        "means": _dense(model.theta_),
        "variances": _dense(model.var_),
        "priors": np.log(model.class_prior_).tolist(),
    }
    return Model.from_naive_bayes(f"<{type(model).__name__}>", parts), OF_BAYES[method]


def _multinomial_bayes(model, method):
    if method not in OF_BAYES:
        return None
    return _sums(model, model.feature_log_prob_, model.class_log_prior_, ("softmax", 0)), OF_BAYES[method]


def _complement_bayes(model, method):
    if method not in OF_BAYES or len(model.classes_) < 2:
        return None
    return _sums(model, model.feature_log_prob_, 0.0, ("softmax", 0)), OF_BAYES[method]


def _bernoulli_bayes(model, method):
    """Of features that are 0 or 1 already: a threshold is no sum."""
    if method not in OF_BAYES or model.binarize is not None:
        return None
    absent = np.log1p(-np.exp(model.feature_log_prob_))
    intercepts = model.class_log_prior_ + absent.sum(axis=1)
    return _sums(model, model.feature_log_prob_ - absent, intercepts, ("softmax", 0)), OF_BAYES[method]


def _neighbours(model, method):
    """Neighbours by Euclidean or Manhattan distance; of those that are equally far, the first are nearest."""
    classes = getattr(model, "classes_", None)
    is_classifier = classes is not None
    if method != ("predict_proba" if is_classifier else "predict") or isinstance(classes, list):
        return None
    if model.effective_metric_ not in ("euclidean", "manhattan") or model.weights not in ("uniform", "distance"):
        return None
    targets = np.eye(len(classes))[model._y] if is_classifier else np.asarray(model._y, np.float64)
    targets = np.ascontiguousarray(targets.reshape(len(targets), -1), np.float64)
    rows = _dense(model._fit_X)
    parts = {
        "features": _names(model, rows.shape[1]),
        "outputs": _outputs(model, targets.shape[1]),
        "rows": rows,
        "targets": targets,
        "count": int(model.n_neighbors),
        "metric": model.effective_metric_,
        "by_distance": model.weights == "distance",
        "is_classifier": is_classifier,
    }
    made = Model.from_neighbours(f"<{type(model).__name__}>", parts)
    return made, "probability" if is_classifier else "raw"


def _mlp(model, method):
    known = {"logistic": ("pair", 0), "softmax": ("softmax", 0), "identity": None}
    if model.out_activation_ not in known:
        return None
    decided = known[model.out_activation_]
    width = len(model.intercepts_[-1])
    if (method == "predict_proba") != (decided is not None) or (decided == ("pair", 0) and width != 1):
        return None
    if method not in ("predict_proba", "predict"):
        return None
    layers = [
        (np.ascontiguousarray(weights.T, np.float64), np.ascontiguousarray(biases, np.float64))
        for weights, biases in zip(model.coefs_, model.intercepts_, strict=True)
    ]
    made = _perceptron(model, model.activation, layers, _outputs(model, width), decided)
    return made, "probability" if decided else "raw"


def _linear(model, method):
    """Linear classifiers' margins and logistic probabilities, and regressors."""
    name = type(model).__name__
    if method == "predict_proba":
        count = len(model.classes_)
        is_softmax = name in ("LogisticRegression", "LogisticRegressionCV", "LinearDiscriminantAnalysis")
        is_ovr = getattr(model, "solver", None) == "liblinear" or getattr(model, "multi_class", None) == "ovr"
        if count == 2 and (is_softmax or (name == "SGDClassifier" and model.loss == "log_loss")):
            return _sums(model, model.coef_, model.intercept_, ("pair", 0)), "probability"
        if count > 2 and is_softmax and not is_ovr:
            return _sums(model, model.coef_, model.intercept_, ("softmax", 0)), "probability"
        return None
    is_margin = method == "decision_function" and name in CLASSIFIERS
    is_log = name in EXPONENTIAL or getattr(model, "link", None) == "log"
    is_prediction = method == "predict" and name not in CLASSIFIERS and not is_log
    return (_sums(model, model.coef_, model.intercept_), "raw") if is_margin or is_prediction else None


#: The classes that there is a reader for.
READERS = {
    **dict.fromkeys(("SVC", "NuSVC", "SVR", "NuSVR", "OneClassSVM"), _support_vectors),
    "CalibratedClassifierCV": _calibrated,
    "KernelRidge": _kernel_ridge,
    "GaussianProcessRegressor": _gaussian_process,
    "GaussianNB": _gaussian_bayes,
    "MultinomialNB": _multinomial_bayes,
    "ComplementNB": _complement_bayes,
    "BernoulliNB": _bernoulli_bayes,
    **dict.fromkeys(("MLPClassifier", "MLPRegressor"), _mlp),
    **dict.fromkeys(("KNeighborsClassifier", "KNeighborsRegressor"), _neighbours),
}
