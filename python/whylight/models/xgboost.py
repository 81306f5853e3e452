"""XGBoost: a Booster or a model of its scikit-learn interface, through the bytes that it saves."""

from __future__ import annotations

from .._engine import Model
from ..errors import ModelError
from . import CLASSIFIERS, Trees


def trees(model) -> Trees:
    import xgboost

    classes, task = None, "unknown"
    booster = model
    if not isinstance(model, xgboost.Booster):
        if not model.__sklearn_is_fitted__():
            raise ModelError(f"{type(model).__name__} is not fitted; call fit before it is explained")
        booster = model.get_booster()
        best = getattr(model, "best_iteration", None) if getattr(model, "early_stopping_rounds", None) else None
        # Its own predictions stop there, too.
        if best is not None:
            booster = booster[: best + 1]
        if isinstance(model, xgboost.XGBClassifier):
            task, classes = "classification", list(model.classes_)
        elif isinstance(model, xgboost.XGBRegressor):
            task = "regression"
    converted = Model.parse(bytes(booster.save_raw("ubj")), "<XGBoost model>")
    if task == "unknown" and converted.objective.startswith(CLASSIFIERS):
        task = "classification"
    return Trees(converted, task, classes, booster.feature_names)
