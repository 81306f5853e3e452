"""The surrogates by their names."""

from __future__ import annotations

from ..errors import ParameterError
from ._base import ExplainableModel
from ._linear import LinearExplainableModel, SGDExplainableModel
from ._trees import DecisionTreeExplainableModel, LGBMExplainableModel

#: By interpret's names.
SURROGATES = {
    model.__name__: model
    for model in (LinearExplainableModel, SGDExplainableModel, DecisionTreeExplainableModel, LGBMExplainableModel)
}

#: What "auto" chooses among, the simpler ones first.
CANDIDATES = (LinearExplainableModel, DecisionTreeExplainableModel, LGBMExplainableModel)

#: What a custom surrogate has to have.
INTERFACE = ("fit", "predict", "explain_local", "explain_global", "expected_values", "explainable_model_type")


def surrogate(explainable_model):
    """The class that a user names. Raises ParameterError for what is none."""
    known = ", ".join(SURROGATES)
    if isinstance(explainable_model, str):
        if explainable_model in SURROGATES:
            return SURROGATES[explainable_model]
        raise ParameterError(f'explainable_model: "{explainable_model}" is not allowed: "auto", or one of {known}')
    if not isinstance(explainable_model, type):
        raise ParameterError(
            f"explainable_model: {explainable_model!r} is not allowed: a class ({known}, or your own), not an object "
            "of it; its parameters go into explainable_model_args"
        )
    if issubclass(explainable_model, ExplainableModel):
        return explainable_model
    missing = [name for name in INTERFACE if not hasattr(explainable_model, name)]
    if missing:
        raise ParameterError(
            f"explainable_model: {explainable_model.__name__} is not allowed: it has no {missing[0]}; expected one of "
            f"{known}, or a class with {', '.join(INTERFACE)}"
        )
    return explainable_model
