"""A surrogate class of the user's own."""

from __future__ import annotations

import inspect

import numpy as np

from .._table import table
from ..errors import ModelError, ShapeError, UnsupportedError, WhylightError
from ._base import TREES, ExplainableModel


class Custom(ExplainableModel):
    """What asks an object of the user's class, which takes the same numbers as the other surrogates."""

    kind = "custom"

    def __init__(self, made_by, multiclass, random_state, classification, options):
        super().__init__(multiclass, random_state, "default", classification)
        self._class = made_by
        self._features = None
        known = {"multiclass": multiclass, "random_state": random_state, "classification": classification}
        parameters = inspect.signature(made_by).parameters
        takes_all = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
        given = {name: value for name, value in known.items() if takes_all or name in parameters}
        #: The object of the user's class.
        self.model = made_by(**{**given, **options})

    @property
    def _name(self):
        return self._class.__name__

    def _fit(self, x, margins, probabilities, categorical, threads):
        self._features = x.shape[1]
        try:
            self.model.fit(x, margins[:, 0] if margins.shape[1] == 1 else margins)
        except (WhylightError, ImportError):
            raise
        except Exception as error:
            raise self._unfit(error) from error

    def answers(self, dataset):
        ask = self.model.predict_proba if self._space.is_probability else self.model.predict
        answers = np.asarray(ask(dataset), np.float64).reshape(dataset.shape[0], -1)
        if self._space.is_probability and self._space.width == 2 and answers.shape[1] == 1:
            answers = np.hstack([1.0 - answers, answers])
        if answers.shape[1] != self._space.width:
            raise ShapeError(f"{self._name}: expected {self._space.width} numbers for each row, got {answers.shape[1]}")
        return answers

    def explainer(self, background, output="raw", **options):
        if output != "raw":
            raise UnsupportedError(
                f'shap_values_output: "{output}" is not allowed with {self._name}, whose values are its own; take '
                '"default", or one of whylight\'s surrogates'
            )
        return _Own(self)

    def to_json(self):
        raise UnsupportedError(
            f"{self._name}: a surrogate of your own cannot be saved; take one of whylight's surrogates"
        )

    def explainable_model_type(self):
        return self._class.explainable_model_type() if callable(self._class.explainable_model_type) else TREES


class _Own:
    """The values that an object of the user's class gives."""

    def __init__(self, custom):
        self._custom = custom

    def _table(self, rows):
        made = table(rows)
        made.rows_given = rows
        return made

    def _compute(self, rows, include_local, progress):
        custom, space = self._custom, self._custom._space
        given = rows.rows_given
        values = checked_values(
            custom._name, custom.model.explain_local(given), rows.rows, custom._features, space.outputs
        )
        expected = custom.model.expected_values
        expected = np.ravel(np.asarray(expected() if callable(expected) else expected, np.float64))
        if len(expected) == 2 and space.outputs == 1:
            expected = expected[1:]
        if len(expected) != space.outputs:
            raise ModelError(f"{custom._name}.expected_values: expected {space.outputs} numbers, got {len(expected)}")
        details = {
            "value_function": "that of the surrogate",
            "output": "raw",
            "exact": False,
            "estimator": "that of the surrogate",
            "device": "cpu",
            "device_reason": "the surrogate explains itself",
            "rows": rows.rows,
            "additivity_error": None,
            "additivity_rows": 0,
            "standard_error": 0.0,
            "approximation_error": 0.0,
            "engines": [],
            "notes": [],
            "output_names": [f"output {k}" for k in range(space.outputs)],
        }
        base = expected[0] if space.outputs == 1 else expected.tolist()
        return {"values": values, "base_values": base, "details": details}


def checked_values(name, values, rows, features, outputs):
    """What a custom surrogate's `explain_local` gives, as (rows, features) or (rows, features, outputs)."""
    if isinstance(values, (list, tuple)) and any(hasattr(part, "toarray") for part in values):
        values = [part.toarray() for part in values]
    values = np.asarray(values.toarray() if hasattr(values, "toarray") else values, np.float64)
    if values.ndim == 3:
        # interpret's order is classes, rows, features.
        values = np.moveaxis(values, 0, 2) if values.shape[1:] == (rows, features) else values
        if values.shape[2] == 2 and outputs == 1:
            values = values[:, :, 1]
        elif values.shape[2] == 1:
            values = values[:, :, 0]
    expected = (rows, features) if outputs == 1 else (rows, features, outputs)
    if values.shape != expected:
        raise ShapeError(f"{name}.explain_local: expected values of the shape {expected}, got {values.shape}")
    return values
