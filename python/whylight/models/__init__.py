"""Models as people hold them → the engine's. One file per library, named in `LIBRARIES`; nothing here imports
one of them before a model of it is seen.
"""

from __future__ import annotations

import dataclasses
import importlib
import os
from typing import Any

from .._engine import Model
from ..errors import UnsupportedError


@dataclasses.dataclass
class Trees:
    """A tree ensemble as the engine reads it, and what its Python object knows beside."""

    model: Model
    #: "classification", "regression" or "unknown".
    task: str
    #: The classes, in the order of their numbers; one output stands for the second of two.
    classes: list[Any] | None = None
    feature_names: list[str] | None = None


#: The first module of a class's origin → the file here that reads it.
LIBRARIES = {
    "xgboost": "xgboost",
    "lightgbm": "lightgbm",
    "catboost": "catboost",
    "treelite": "treelite",
    "sklearn": "sklearn",
}

#: How the objectives of classifiers begin, in the words of XGBoost, LightGBM, CatBoost, ONNX and treelite.
CLASSIFIERS = (
    *("binary", "multi:", "multiclass", "cross_entropy"),
    *("Logloss", "CrossEntropy", "MultiClass", "MultiLogloss", "MultiCrossEntropy"),
    *("classif", "sigmoid", "softmax", "hinge", "identity_multiclass"),
)

#: How objectives begin that may have several outputs without being classifiers'.
SEVERAL = ("reg:", "count:", "MultiRMSE", "MultiQuantile", "RMSEWithUncertainty", "identity")


def trees(model) -> Trees:
    """The tree ensemble in a model: an object of a library, the path of a model file, or its bytes.

    Raises UnsupportedError, with the model's class, if it is none.
    """
    if isinstance(model, Model):
        return told(model)
    if isinstance(model, (str, os.PathLike)):
        return told(Model.load(os.fspath(model)))
    if isinstance(model, (bytes, bytearray)):
        return told(Model.parse(bytes(model), "<memory>"))
    if hasattr(model, "SerializeToString"):
        return told(Model.parse(model.SerializeToString(), "<ONNX model>"))
    for base in type(model).__mro__:
        library = LIBRARIES.get(base.__module__.partition(".")[0])
        if library is not None:
            return importlib.import_module(f".{library}", __name__).trees(model)
    raise refused(model, "is no tree ensemble that whylight knows")


def told(model: Model) -> Trees:
    """A model of a file, with the task that its objective and its outputs tell."""
    several = len(model.outputs) > 1 and not model.objective.startswith(SEVERAL)
    task = "classification" if several or model.objective.startswith(CLASSIFIERS) else "unknown"
    return Trees(model, task)


def refused(model, reason) -> UnsupportedError:
    """The error for a model that has no exact translation."""
    kind = type(model)
    return UnsupportedError(
        f"{kind.__module__}.{kind.__qualname__} {reason}; Tree SHAP explains XGBoost, LightGBM, CatBoost, ONNX, "
        "treelite and scikit-learn tree ensembles"
    )
