"""Linear SHAP: exact values of linear models."""

from __future__ import annotations

import numpy as np

from . import _parameters
from ._base import check_output, unwrap
from ._table import is_a, table
from .errors import ParameterError
from .models.linear import linear
from .summarise import Background
from .tree import EngineExplainer

#: shap's names of the value functions.
VALUE_FUNCTIONS = {"correlation_dependent": "conditional"}


class LinearExplainer(EngineExplainer):
    """Exact Shapley values of a linear model's margin (Lundberg & Lee 2017; Aas, Jullum & Løland 2021).

    `model` is a linear model of scikit-learn, a pair (coefficients, intercept), or a Pipeline that ends in one.
    `background` are rows, a `Background` of weighted rows, or a pair (mean, covariance).

    `value_function` is "interventional" (features are taken from the background as if they were independent:
    coefficient times deviation from the mean) or "conditional" (features outside a coalition follow those in it, as in
    a normal distribution with the background's moments): exact in blocks of up to 16 correlated features, beyond an
    estimate, whose standard error the notes give.
    """

    def __init__(
        self,
        model,
        background=None,
        *,
        value_function="interventional",
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
        found = linear(model)
        self._task = found.task
        self._outputs = len(found.model.outputs)
        self._known_classes = found.classes
        self._known_features = found.feature_names or found.model.features
        self._model_type = str(type(whole))
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
        check_output(shap_values_output, False, model)
        value_function = _parameters.text("value_function", value_function, '"interventional" or "conditional"')
        if background is None:
            raise ParameterError(
                "background: None is not allowed: a linear model is explained against training rows, or a sample of "
                "them, or their (mean, covariance)"
            )
        self._make(
            found.model,
            **self._distribution(background),
            value_function=VALUE_FUNCTIONS.get(value_function, value_function),
            device=device,
            seed=seed,
            threads=threads,
            memory_limit=memory_limit,
        )

    def _distribution(self, background):
        """The background as the engine takes it."""
        if isinstance(background, tuple) and len(background) == 2 and np.ndim(background[0]) == 1:
            mean, covariance = background
            if self._transformations is not None:
                raise ParameterError("background: (mean, covariance) is not allowed together with transformations")
            covariance = None if covariance is None else np.ascontiguousarray(covariance, np.float64)
            return {"mean": np.ascontiguousarray(mean, np.float64), "covariance": covariance}
        weights = None
        if isinstance(background, Background):
            background, weights = background.data, np.ascontiguousarray(background.weights, np.float64)
        elif is_a(background, "shap.utils._legacy", "DenseData"):
            background, weights = background.data, np.ascontiguousarray(background.weights, np.float64)
        if self._transformations is not None:
            background = self._transformations.transform(background)
        given = table(background, features=self._known_names())
        return {"background": given.data, "background_names": given.names, "weights": weights}
