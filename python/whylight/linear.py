"""Linear SHAP: exact values of linear models."""

from __future__ import annotations

import numpy as np

from ._base import no_probability, unwrap, wants_probability
from .errors import ParameterError
from .models.linear import linear
from .tree import EngineExplainer


class LinearExplainer(EngineExplainer):
    """Exact Shapley values of a linear model's margin (Lundberg & Lee 2017; Aas, Jullum & Løland 2021).

    `model` is a linear model of scikit-learn, a pair (coefficients, intercept), or a Pipeline that ends in one.
    `background` are rows, a `Background` of weighted rows, or a pair (mean, covariance).

    `value_function` is "interventional" (features are taken from the background as if they were independent:
    coefficient times deviation from the mean) or "conditional" (features outside a coalition follow those in it, as in
    a normal distribution with the background's moments): exact in blocks of up to 16 correlated features, beyond an
    estimate, whose standard error the notes give. `groups` of features are for trees: here they are refused.
    """

    def __init__(
        self,
        model,
        background=None,
        *,
        value_function="interventional",
        groups=None,
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
        if wants_probability(shap_values_output):
            raise no_probability(model)
        if background is None:
            raise ParameterError(
                "background: None is not allowed: a linear model is explained against training rows, or a sample of "
                "them, or their (mean, covariance)"
            )
        self._make(
            found.model,
            **self._distribution(background),
            value_function=value_function,
            allowed='"interventional" or "conditional"',
            groups=groups,
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
        return self._background(background)
