"""Tree SHAP: exact values of tree ensembles."""

from __future__ import annotations

import json

import numpy as np

from . import _parameters, models
from ._base import Explainer, check_output, unwrap
from ._engine import Explainer as Engine
from ._progress import bar
from ._table import held, is_a
from .errors import ParameterError, UnsupportedError
from .summarise import Background

#: shap's names of the value functions.
VALUE_FUNCTIONS = {"tree_path_dependent": "path_dependent", "correlation_dependent": "conditional"}


class EngineExplainer(Explainer):
    """An explainer whose method runs in the engine, as `_engine`."""

    def _make(self, model, *, device, seed, threads, memory_limit, value_function, allowed, **more):
        """Makes the engine's explainer of a model."""
        value_function = _parameters.text("value_function", value_function, allowed)
        self._seed = _parameters.count("seed", seed)
        self._memory_limit = None if memory_limit is None else _parameters.count("memory_limit", memory_limit)
        self._made_with = {
            "device": _parameters.device(device),
            "seed": self._seed,
            "threads": _parameters.count("threads", threads),
            "memory_limit": self._memory_limit,
            "value_function": VALUE_FUNCTIONS.get(value_function, value_function),
            **more,
        }
        self._engine_model = model
        self._engine = Engine(model, **self._made_with)

    def _background(self, background) -> dict:
        """Background rows, with weights if they have some, as the engine takes them."""
        if background is None:
            return {}
        weights = None
        if isinstance(background, Background) or is_a(background, "shap.utils._legacy", "DenseData"):
            background, weights = background.data, np.ascontiguousarray(background.weights, np.float64)
        if self._transformations is not None:
            background = self._transformations.transform(background)
        given = self._table(background)
        return {"background": given.data, "background_names": given.names, "weights": weights}

    def _compute(self, rows, include_local, progress):
        explain = self._engine.explain if include_local else self._engine.summarise
        values, trailer = explain(rows.data, rows.names, progress)
        details = {**json.loads(self._engine.header()), **json.loads(trailer)}
        base = details.pop("base_values")
        one = len(base) == 1
        computed = {"base_values": base[0] if one else base, "details": details}
        if include_local:
            return {**computed, "values": values[:, :, 0] if one else values}
        means = values[:, 0] if one else values.T
        if one and self._task == "classification":
            means = np.stack([means, means])
        return {**computed, "means": means, "is_local": False}


class TreeExplainer(EngineExplainer):
    """Exact Shapley values (Lundberg et al. 2020) of a tree ensemble's raw output.

    `model` is an XGBoost, LightGBM, CatBoost or scikit-learn model, an ONNX or treelite model, or the path of a model
    file. The values of a row and the base value add up to the model's raw margin, of forests of classifiers to the
    probability.

    `value_function` says what the features outside a coalition do: "path_dependent" (they follow the training rows'
    cover at every split), "interventional" (they take the values of the rows of `background`), or "auto":
    interventional where there is a background. `background` are rows, or a `Background` of weighted rows; a model that
    stores no cover (ONNX) needs one. `feature_perturbation` is shap's name of the same, with its words.
    `e.details["value_function"]` says which one it was.

    `features` and `classes` are names; `transformations` takes raw rows to the model's columns, and the values are
    then those of the raw features. `explain_subset` keeps some features, by position. `device` is "auto", "cpu",
    "gpu" or "gpu:N"; `memory_limit` in bytes bounds the batches.
    """

    #: The engine's explainer of interactions, made when first needed.
    _pairs = None

    def __init__(
        self,
        model,
        background=None,
        *,
        value_function="auto",
        feature_perturbation=None,
        explain_subset=None,
        features=None,
        classes=None,
        shap_values_output="default",
        transformations=None,
        allow_all_transformations=False,
        device="auto",
        seed=0,
        threads=0,
        memory_limit=None,
        show_progress=None,
    ):
        whole, (model, transformations) = model, unwrap(model, transformations, allow_all_transformations)
        trees = models.trees(model)
        self._task = trees.task
        self._outputs = len(trees.model.outputs)
        self._known_classes = trees.classes
        self._known_features = trees.feature_names or trees.model.features
        self._begin(
            model,
            background,
            features=features,
            classes=classes,
            explain_subset=explain_subset,
            transformations=transformations,
            allow_all_transformations=allow_all_transformations,
            show_progress=show_progress,
        )
        check_output(shap_values_output, trees.model.objective == "probability", model)
        self._model_type = str(type(whole))
        if trees.model.format.startswith("XGBoost"):
            self._absent = np.nan
        if feature_perturbation is not None:
            if value_function != "auto":
                raise ParameterError("feature_perturbation: not allowed together with value_function: give one of them")
            value_function = feature_perturbation
        self._make(
            trees.model,
            **self._background(background),
            value_function=value_function,
            allowed='"auto", "path_dependent" or "interventional"',
            device=device,
            seed=seed,
            threads=threads,
            memory_limit=memory_limit,
        )

    def interactions(self, x) -> np.ndarray:
        """The interactions (rows, features, features), of several outputs (rows, features, features, outputs).

        Symmetric; the interactions of a feature, with its own on the diagonal, add up to its value. As shap and
        XGBoost have them: the effect of a pair is divided between its two cells. For trees whose paths have up to eight
        different tests; UnsupportedError for others, and together with `transformations`.
        """
        if self._transformations is not None:
            raise UnsupportedError(
                "interactions: not together with transformations; explain the model on the columns that it takes"
            )
        if self._pairs is None:
            self._pairs = Engine(self._engine_model, interactions=True, **self._made_with)
        rows = self._table(held(x))
        with bar(rows.rows, self._show_progress) as progress:
            values, _ = self._pairs.explain(rows.data, rows.names, progress)
        features = len(self._known_features)
        values = values.reshape(rows.rows, features, features, -1)
        if self._subset is not None:
            values = values[:, self._subset][:, :, self._subset]
        return values[..., 0] if values.shape[-1] == 1 else values

    #: shap's name of it.
    shap_interaction_values = interactions
