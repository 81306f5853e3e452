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
LIBRARIES = {"xgboost": "xgboost", "lightgbm": "lightgbm", "catboost": "catboost", "sklearn": "sklearn"}


def trees(model) -> Trees:
    """The tree ensemble in a model: an object of a library, the path of a model file, or its bytes.

    Raises UnsupportedError, with the model's class, if it is none.
    """
    if isinstance(model, Model):
        return _file(model)
    if isinstance(model, (str, os.PathLike)):
        return _file(Model.load(os.fspath(model)))
    if isinstance(model, (bytes, bytearray)):
        return _file(Model.parse(bytes(model), "<memory>"))
    if hasattr(model, "SerializeToString"):
        return _file(Model.parse(model.SerializeToString(), "<ONNX model>"))
    for base in type(model).__mro__:
        library = LIBRARIES.get(base.__module__.partition(".")[0])
        if library is not None:
            return importlib.import_module(f".{library}", __name__).trees(model)
    raise refused(model, "is no tree ensemble that whylight knows")


def _file(model: Model) -> Trees:
    classifiers = ("binary:", "multi:", "binary", "multiclass", "Logloss", "MultiClass", "classif")
    task = "classification" if len(model.outputs) > 1 or model.objective.startswith(classifiers) else "unknown"
    return Trees(model, task)


def refused(model, reason) -> UnsupportedError:
    """The error for a model that has no exact translation."""
    kind = type(model)
    return UnsupportedError(
        f"{kind.__module__}.{kind.__qualname__} {reason}; Tree SHAP explains XGBoost, LightGBM, CatBoost, ONNX and "
        "scikit-learn tree ensembles"
    )
