"""Linear models: scikit-learn's, or a pair (coefficients, intercept)."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from .._engine import Model
from ..errors import ModelError, ShapeError, UnsupportedError

#: Classes of scikit-learn whose prediction is their link of `coef_ · x + intercept_`.
CLASSIFIERS = {
    "LogisticRegression": "logistic",
    "LogisticRegressionCV": "logistic",
    "SGDClassifier": "decision function",
    "Perceptron": "decision function",
    "PassiveAggressiveClassifier": "decision function",
    "RidgeClassifier": "decision function",
    "RidgeClassifierCV": "decision function",
    "LinearSVC": "decision function",
    "LinearDiscriminantAnalysis": "decision function",
}

#: Classes of scikit-learn whose prediction is the exponential of their margin.
EXPONENTIAL = ("PoissonRegressor", "GammaRegressor")


@dataclasses.dataclass
class Linear:
    """A linear model as the engine reads it, and what its Python object knows beside."""

    model: Model
    task: str
    classes: list[Any] | None = None
    feature_names: list[str] | None = None


def linear(model) -> Linear:
    """The linear model in an object of scikit-learn or in a pair (coefficients, intercept).

    Raises UnsupportedError, with the model's class, if it is none.
    """
    if isinstance(model, (tuple, list)):
        if len(model) != 2:
            raise ShapeError(f"model: expected a pair (coefficients, intercept), got {len(model)} parts")
        return _linear("(coefficients, intercept)", "", *model, task="unknown")
    name = type(model).__name__
    if not type(model).__module__.startswith("sklearn.") or (name not in CLASSIFIERS and not _is_regressor(model)):
        raise UnsupportedError(
            f"{type(model).__module__}.{name} is no linear model that whylight knows; Linear SHAP explains "
            "scikit-learn's linear models and pairs (coefficients, intercept)"
        )
    if not hasattr(model, "coef_") or not hasattr(model, "intercept_"):
        raise ModelError(f"{name} is not fitted; call fit before it is explained")
    names = getattr(model, "feature_names_in_", None)
    names = None if names is None else [str(label) for label in names]
    coefficients = model.coef_.toarray() if hasattr(model.coef_, "toarray") else model.coef_
    if name in CLASSIFIERS:
        classes = list(model.classes_)
        titles = [
            str(label) for label in (classes if np.ndim(coefficients) == 2 and len(coefficients) > 1 else classes[-1:])
        ]
        objective = CLASSIFIERS[name]
        return _linear(name, objective, coefficients, model.intercept_, "classification", classes, names, titles)
    objective = "log margin" if name in EXPONENTIAL or getattr(model, "link", None) == "log" else "prediction"
    return _linear(name, objective, coefficients, model.intercept_, "regression", None, names)


def _is_regressor(model) -> bool:
    """Whether a class of scikit-learn's linear modules predicts its margin, or a log link of it."""
    module = type(model).__module__
    if not module.startswith(("sklearn.linear_model", "sklearn.svm")):
        return False
    name = type(model).__name__
    if name.startswith("sklearn.svm") or module.startswith("sklearn.svm"):
        return name == "LinearSVR"
    return hasattr(model, "predict") and not hasattr(model, "predict_proba") and name != "RANSACRegressor"


def _linear(name, objective, coefficients, intercept, task, classes=None, names=None, titles=None) -> Linear:
    coefficients = np.atleast_2d(np.asarray(coefficients, np.float64))
    intercepts = np.ravel(np.asarray(intercept, np.float64))
    if len(intercepts) == 1 and len(coefficients) > 1:
        intercepts = np.repeat(intercepts, len(coefficients))
    titles = titles or [f"output {k}" for k in range(len(coefficients))]
    coefficients = np.ascontiguousarray(coefficients)
    converted = Model.from_linear(f"<{name}>", objective, names, titles, coefficients, intercepts.tolist())
    return Linear(converted, task, classes, names)
