"""Models that the engine evaluates itself, once it answers some rows as they do."""

from __future__ import annotations

import dataclasses

import numpy as np

from .. import _engine
from .._table import Table, is_a, table
from ..errors import ShapeError, UnsupportedError, WhylightError
from ..models import trees
from ..models.native import is_file, native
from ._asked import largest
from ._labels import Classes
from ._metrics import TIE

#: Rows that the engine's answers are compared of, and how far they may be off: as far as float32 sums are.
CHECKED, TOLERANCE = 1000, 1e-5

#: Classifiers whose prediction is made of their decision function.
BY_DECISION = ("SVC", "NuSVC", "LinearSVC", "RidgeClassifier", "RidgeClassifierCV", "SGDClassifier", "Perceptron")


@dataclasses.dataclass
class Native:
    """A model as the engine evaluates it, and how its answers become classes."""

    model: _engine.Model
    #: "raw", "probability" or "response".
    output: str
    #: "above", "largest" or "votes".
    decide: str = "largest"
    above: float = 0.5
    #: What the model takes the cells for that sparse rows leave out.
    absent: float = 0.0

    def table(self, x) -> Table:
        """Rows for the engine."""
        names = self.model.features
        made = table(x, features=None if any(name is None for name in names) else names, absent=self.absent)
        if any(name is None for name in names):
            made.names = None
        elif made.given is not None and [name.replace(" ", "_") for name in made.given] != [
            name.replace(" ", "_") for name in names
        ]:
            # Importances, and permutations, go by position.
            raise ShapeError(f"evaluation_examples: expected the model's columns in its order: {', '.join(names[:8])}")
        return made

    def answers(self, x):
        rows = self.table(x)
        return _engine.answers(self.model, rows.data, rows.names, self.output)

    def classes(self, answers):
        """By row the number of a class."""
        if self.decide == "above":
            return (answers[:, 0] > self.above + TIE).astype(np.int64)
        return largest(np.round(answers) if self.decide == "votes" else answers)


def find(model, is_function, metric, truth, x, asked) -> Native | None:
    """A model as the engine evaluates it for a metric; None where the model is asked."""
    if metric.takes == "model" or is_a(x, "polars", "DataFrame"):
        return None
    method = None
    if hasattr(model, "__self__"):
        # A method of a model is what it is of.
        model, method = model.__self__, model.__name__
    elif is_function:
        return None
    classes = truth.labels if isinstance(truth, Classes) else None
    for one in _candidates(model, metric.takes, method):
        try:
            known, made = one()
            if made is None or (classes is not None and known is not None and known != classes):
                continue
            if is_file(model) or _is_alike(made, model, metric.takes, method, x, classes):
                return made
        except (WhylightError, AttributeError, LookupError, TypeError, ValueError):
            # What is wrong with the model or the rows is said when it is asked.
            if is_file(model):
                raise
    return None


def _candidates(model, takes, method):
    if method is None or method in ("predict", "predict_proba"):
        yield lambda: _of_trees(model, takes)
    if is_file(model) or not type(model).__module__.startswith("sklearn."):
        return
    methods = {
        "classes": ("predict_proba", "decision_function"),
        "scores": ("predict_proba", "decision_function"),
        "probabilities": ("predict_proba",),
        "numbers": ("predict",),
    }[takes]
    if takes == "classes" and type(model).__name__ in BY_DECISION and method != "predict_proba":
        methods = ("decision_function",)
    if method is not None and method != "predict":
        methods = tuple(name for name in methods if name == method)
    for name in methods:
        if hasattr(model, name):
            yield lambda name=name: _of_kernels(model, name)


def _of_trees(model, takes):
    found = trees(model)
    absent = np.nan if found.model.format.startswith("XGBoost") else 0.0
    outputs = ("response", "raw") if takes == "numbers" else ("probability", "raw")
    for output in outputs if takes != "probabilities" else outputs[:1]:
        made = Native(found.model, output, absent=absent)
        try:
            # A row of zeros says whether there is such an output.
            width = _engine.answers(found.model, np.zeros((1, len(found.model.features))), None, output).shape[1]
        except UnsupportedError:
            continue
        if width == 1 and takes != "numbers":
            made.decide, made.above = "above", 0.5 if output == "probability" else 0.0
        known = found.classes if found.classes is None else [_plain(label) for label in found.classes]
        return known, made
    return None, None


def _of_kernels(model, method):
    found = native(model, method)
    if found is None:
        return None, None
    made = Native(found.model, found.output)
    is_probability = found.output == "probability"
    if found.outputs == 1 and found.classes is not None:
        made.decide, made.above = "above", 0.5 if is_probability else 0.0
    elif not is_probability and type(model).__name__ in ("SVC", "NuSVC"):
        made.decide = "votes"
    return None if found.classes is None else [_plain(label) for label in found.classes], made


def _plain(label):
    return label.item() if isinstance(label, np.generic) else label


def _is_alike(made, model, takes, method, x, classes) -> bool:
    """Whether the engine answers some rows as the model does."""
    count = x.shape[0]
    rows = np.unique(np.linspace(0, count - 1, min(count, CHECKED)).astype(np.int64))
    some = x.iloc[rows] if is_a(x, "pandas", "DataFrame") else x[rows]
    answers = made.answers(some)
    if takes == "classes":
        if method not in (None, "predict"):
            return True
        told = np.asarray(classes, dtype=object)[made.classes(answers)]
        expected = np.asarray(model.predict(some), dtype=object)
        off = told != expected
        # A row between two classes may be rounded to either.
        if made.decide == "above":
            gaps = np.abs(answers[:, 0] - made.above)
        else:
            ordered = np.sort(answers, axis=1)
            gaps = ordered[:, -1] - ordered[:, -2]
        return not (off & (gaps > TOLERANCE)).any()
    methods = {"numbers": "predict", "probabilities": "predict_proba"}
    name = methods.get(takes) or ("predict_proba" if hasattr(model, "predict_proba") else "decision_function")
    expected = np.asarray(getattr(model, method or name)(some), np.float64).reshape(len(rows), -1)
    if expected.shape[1] == 2 and answers.shape[1] == 1:
        expected = expected[:, 1:]
    if takes == "scores" and made.output != "probability" and expected.shape[1] == 1:
        # Of a score, the order alone matters; margins stand for probabilities.
        return bool((np.diff(expected[np.argsort(answers[:, 0]), 0]) >= -TOLERANCE).all())
    return answers.shape == expected.shape and np.allclose(answers, expected, rtol=TOLERANCE, atol=TOLERANCE)
