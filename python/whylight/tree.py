"""Tree SHAP: exact values of tree ensembles."""

from __future__ import annotations

import json

import numpy as np

from . import _parameters, models
from ._base import Explainer, check_output, unwrap
from ._engine import Explainer as Engine
from ._table import table


class EngineExplainer(Explainer):
    """An explainer whose method runs in the engine, as `_engine`."""

    def _make(self, model, *, device, seed, threads, memory_limit, **more):
        """Makes the engine's explainer of a model."""
        self._seed = _parameters.count("seed", seed)
        self._memory_limit = None if memory_limit is None else _parameters.count("memory_limit", memory_limit)
        self._engine = Engine(
            model,
            device=_parameters.device(device),
            seed=self._seed,
            threads=_parameters.count("threads", threads),
            memory_limit=self._memory_limit,
            **more,
        )

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
    """Exact path-dependent Shapley values (Lundberg et al. 2020) of a tree ensemble's raw output.

    `model` is an XGBoost, LightGBM, CatBoost or scikit-learn model, an ONNX model, or the path of a model file.
    `background` is needed only where the model stores no cover (ONNX). The values of a row and the base value add up
    to the model's raw margin, of forests of classifiers to the probability.

    `features` and `classes` are names; `transformations` takes raw rows to the model's columns, and the values are
    then those of the raw features. `explain_subset` keeps some features, by position. `device` is "auto", "cpu",
    "gpu" or "gpu:N"; `memory_limit` in bytes bounds the batches.
    """

    def __init__(
        self,
        model,
        background=None,
        *,
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
        given = None
        if background is not None:
            rows = background if self._transformations is None else self._transformations.transform(background)
            given = table(rows, features=self._known_names(), absent=self._absent)
        self._make(
            trees.model,
            background=None if given is None else given.data,
            background_names=None if given is None else given.names,
            device=device,
            seed=seed,
            threads=threads,
            memory_limit=memory_limit,
        )
