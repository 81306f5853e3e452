"""LightGBM: a Booster or a model of its scikit-learn interface, through the text that it saves."""

from __future__ import annotations

from .._engine import Model
from ..errors import ModelError
from . import CLASSIFIERS, Trees


def trees(model) -> Trees:
    import lightgbm

    classes, task = None, "unknown"
    booster = model
    if not isinstance(model, lightgbm.Booster):
        if not model.__sklearn_is_fitted__():
            raise ModelError(f"{type(model).__name__} is not fitted; call fit before it is explained")
        booster = model.booster_
        if isinstance(model, lightgbm.LGBMClassifier):
            task, classes = "classification", list(model.classes_)
        elif isinstance(model, lightgbm.LGBMRegressor):
            task = "regression"
    # Up to the best iteration, where early stopping chose one, as its own predictions are.
    converted = Model.parse(booster.model_to_string().encode(), "<LightGBM model>")
    if task == "unknown" and converted.objective.startswith(CLASSIFIERS):
        task = "classification"
    return Trees(converted, task, classes, booster.feature_name())
