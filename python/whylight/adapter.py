"""Values that another library computed, as an `Explanation`."""

from __future__ import annotations

import numpy as np

from .errors import ShapeError
from .explanation import Explanation


class ExplanationAdapter:
    """Turns any attribution array (shap's, captum's, your own) into an `Explanation`.

    Values come as (rows, features), as (rows, features, classes), or as a list with (rows, features) for each class.
    For a classifier, values of one class are those of the second of two.
    """

    def __init__(self, features=None, classification=False, method="Adapter"):
        self.features = features
        self.classification = classification
        self.method = method

    def create_local(self, local_importance_values, evaluation_examples=None, expected_values=None) -> Explanation:
        """The explanation of rows."""
        return self._made(local_importance_values, evaluation_examples, expected_values, is_global=False)

    def create_global(
        self,
        local_importance_values,
        evaluation_examples=None,
        expected_values=None,
        include_local=True,
        batch_size=100,
    ) -> Explanation:
        """The explanation over rows; without local values with `include_local=False`. `batch_size` changes nothing:
        the values are in memory already.
        """
        full = self._made(local_importance_values, evaluation_examples, expected_values)
        if include_local:
            return full
        return full._like(None, means=full._class_means, spread=full._class_spread, is_local=False)

    def _made(self, values, rows, base, is_global=True):
        if isinstance(values, (list, tuple)):
            if values and all(hasattr(part, "tocsr") for part in values):
                values = [part.tocsr() for part in values]
            else:
                values = [_array(part) for part in values]
                values = np.stack(values, axis=-1) if values[0].ndim == 2 else np.asarray(values)
        elif hasattr(values, "tocsr"):
            values = values.tocsr()
        else:
            values = _array(values)
        one_row = getattr(values, "ndim", 2) == 1
        if one_row:
            values = values.reshape(1, -1)
        if not isinstance(values, list) and values.ndim not in (2, 3):
            raise ShapeError(f"local_importance_values: expected 2 or 3 dimensions, got {values.ndim}")
        if base is not None:
            base = np.ravel(_array(base)).tolist()
            outputs = values.shape[2] if getattr(values, "ndim", 2) == 3 else 1
            # Both classes' base values beside the values of the second.
            if self.classification and outputs == 1 and len(base) == 2 and not isinstance(values, list):
                base = base[1:]
            base = base[0] if len(base) == 1 else base
        return Explanation(
            values,
            base_values=base,
            data=rows,
            feature_names=self.features,
            model_task="classification" if self.classification else "regression",
            details={"method": self.method},
            is_global=is_global,
            one_row=one_row,
        )


def _array(values):
    if hasattr(values, "detach"):
        values = values.detach().cpu()
    return np.asarray(values)
