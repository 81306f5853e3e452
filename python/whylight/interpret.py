"""The kinds of explanation as interpret-community tells them apart: by what an object answers to, not by its class.

`X._does_quack(explanation)` says whether an explanation, of whatever library, has the attributes of X.
"""

from __future__ import annotations

from typing import ClassVar


class _Kind:
    """What has some attributes, which are not None where `_needs` names them."""

    #: Attributes that must be there → the types that they may have, or None for any.
    _attributes: ClassVar[dict] = {}
    _needs: ClassVar[tuple] = ()

    @classmethod
    def _does_quack(cls, explanation) -> bool:
        for kind in cls.__mro__:
            for name, types in vars(kind).get("_attributes", {}).items():
                if not hasattr(explanation, name):
                    return False
                if types is not None and not isinstance(getattr(explanation, name), types):
                    return False
            if any(getattr(explanation, name) is None for name in vars(kind).get("_needs", ())):
                return False
        return cls._fits(explanation)

    @classmethod
    def _fits(cls, explanation) -> bool:
        return True


class BaseExplanation(_Kind):
    """Answers to `method`, `id`, `model_task` and `model_type`."""

    _attributes: ClassVar[dict] = {"method": (str,), "id": (str,), "model_task": (str,), "model_type": None}


class FeatureImportanceExplanation(BaseExplanation):
    """Names its features and says whether they are raw or engineered."""

    _attributes: ClassVar[dict] = {"features": None, "num_features": None, "is_raw": (bool,), "is_engineered": (bool,)}


class LocalExplanation(FeatureImportanceExplanation):
    """Has values by row."""

    _attributes: ClassVar[dict] = {"local_importance_values": None, "num_examples": None, "is_local_sparse": None}

    @classmethod
    def _fits(cls, explanation) -> bool:
        values = explanation.local_importance_values
        return isinstance(values, list) or hasattr(values, "tocsr")


class GlobalExplanation(FeatureImportanceExplanation):
    """Has values by feature."""

    _attributes: ClassVar[dict] = {"global_importance_values": None, "global_importance_rank": None}
    _needs: ClassVar[tuple] = ("global_importance_values", "global_importance_rank")


class ExpectedValuesMixin(_Kind):
    """Has base values."""

    _attributes: ClassVar[dict] = {"expected_values": None}
    _needs: ClassVar[tuple] = ("expected_values",)


class ClassesMixin(_Kind):
    """Is of a classifier."""

    _attributes: ClassVar[dict] = {"classes": None, "num_classes": None}


class PerClassMixin(ClassesMixin):
    """Has global values by class."""

    _attributes: ClassVar[dict] = {"per_class_values": None, "per_class_rank": None}
    _needs: ClassVar[tuple] = ("per_class_values", "per_class_rank")


class _DatasetsMixin(_Kind):
    """Holds the data that it came from."""

    _attributes: ClassVar[dict] = {
        "init_data": None,
        "eval_data": None,
        "eval_y_predicted": None,
        "eval_y_predicted_proba": None,
    }


class _ModelIdMixin(_Kind):
    """Names its model."""

    _attributes: ClassVar[dict] = {"model_id": None}
