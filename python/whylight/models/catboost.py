"""CatBoost: its models are saved as JSON, into memory where the system can make a file there."""

from __future__ import annotations

import os
import tempfile

from .._engine import Model
from ..errors import ModelError
from . import Trees


def trees(model) -> Trees:
    import catboost

    if not model.is_fitted():
        raise ModelError(f"{type(model).__name__} is not fitted; call fit before it is explained")
    converted = Model.parse(_json(model), "<CatBoost model>")
    classes = list(model.classes_) if len(model.classes_) else None
    if isinstance(model, catboost.CatBoostClassifier) or classes:
        task = "classification"
    else:
        task = "regression" if isinstance(model, catboost.CatBoostRegressor) else "unknown"
    return Trees(converted, task, classes, model.feature_names_)


def _json(model) -> bytes:
    """The model's own JSON. CatBoost writes it to paths alone."""
    if hasattr(os, "memfd_create"):
        file = os.memfd_create("whylight")
        try:
            model.save_model(f"/proc/self/fd/{file}", format="json")
            with os.fdopen(os.dup(file), "rb") as saved:
                saved.seek(0)
                return saved.read()
        finally:
            os.close(file)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.json")
        model.save_model(path, format="json")
        with open(path, "rb") as saved:
            return saved.read()
