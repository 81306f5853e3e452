"""True labels, as the engine takes them."""

from __future__ import annotations

import numpy as np

from ..errors import DataError, ModelError


def is_missing(label) -> bool:
    """Whether a label is None or NaN."""
    return label is None or label != label


def numbers(labels) -> np.ndarray:
    """Labels that are finite numbers, as float64."""
    try:
        made = np.ascontiguousarray(labels, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"true_labels: {error}; expected a number for each row") from None
    bad = np.flatnonzero(~np.isfinite(made))
    if len(bad):
        raise DataError(f"true_labels: row {bad[0] + 1} has {made[bad[0]]}; expected a finite number")
    return made


class Classes:
    """Labels of classes, by number."""

    def __init__(self, labels, known=None, extra=()):
        """`known` are all classes in the order of the model's outputs; without them, they are those of the labels and
        `extra`, in ascending order."""
        listed = [label.item() if isinstance(label, np.generic) else label for label in labels]
        for row, label in enumerate(listed):
            if is_missing(label):
                raise DataError(f"true_labels: row {row + 1} has none ({label}); expected a class for each row")
        if known is None:
            found = set(listed) | {label.item() if isinstance(label, np.generic) else label for label in extra}
            try:
                known = sorted(found)
            except TypeError:
                known = sorted(found, key=str)
        #: By number.
        self.labels = [label.item() if isinstance(label, np.generic) else label for label in known]
        self._places = {label: place for place, label in enumerate(self.labels)}
        wrong = next((row for row, label in enumerate(listed) if label not in self._places), None)
        if wrong is not None:
            some = ", ".join(map(str, self.labels[:8])) + (", …" if len(self.labels) > 8 else "")
            raise DataError(f"true_labels: row {wrong + 1} has {listed[wrong]!r}; expected one of the classes: {some}")
        self.given = np.asarray(labels)
        self.of = np.array([self._places[label] for label in listed], np.uint32)
        if len(set(self.of.tolist())) < 2:
            raise DataError(
                f"true_labels: all {len(self.of)} rows are of one class ({listed[0]!r}): nothing could be told apart; "
                "expected rows of at least two"
            )

    @property
    def count(self):
        return max(2, len(self.labels))

    @property
    def positive(self):
        """The number of the class that metrics of one class are of: 1 where that is a class, else the second."""
        return self._places.get(1, 1)

    def place(self, label) -> int:
        """The number of a class."""
        if label not in self._places:
            some = ", ".join(map(str, self.labels[:8]))
            raise ModelError(f"metric_args: pos_label {label!r} is none of the classes: {some}")
        return self._places[label]

    def numbers(self, predicted) -> np.ndarray:
        """Predicted classes, by number."""
        values, inverse = np.unique(np.asarray(predicted), return_inverse=True)
        places = []
        for value in values:
            value = value.item() if isinstance(value, np.generic) else value
            if value not in self._places:
                some = ", ".join(map(str, self.labels[:8]))
                raise ModelError(
                    f"the model predicts {value!r}, which is none of the classes: {some}; give true labels of the same "
                    "kind, or a metric of numbers"
                )
            places.append(self._places[value])
        return np.array(places, np.uint32)[inverse.ravel()]
