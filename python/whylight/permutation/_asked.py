"""Models that are asked for what they answer to shuffled rows."""

from __future__ import annotations

import numpy as np

from .._table import is_a
from ..errors import ModelError, UnsupportedError
from ..models.function import asked as asked_of
from ..models.native import is_file
from ._labels import Classes, is_missing
from ._metrics import TIE, unstackable
from ._shuffled import shuffled, size, stacked

#: Bytes of the rows that are asked for at a time where nobody says.
LIMIT = 1 << 28


class Asked:
    """A model, whatever it is, and what it answers."""

    def __init__(self, model, is_function, before, task):
        """`before` takes raw rows to those of the model; `task` is "unknown" where nobody says."""
        self.model, self._before, self._task = model, before, task
        is_module = is_a(model, "torch.nn", "Module") or is_a(model, "fastai.learner", "Learner")
        self._is_file = is_file(model) and not is_function
        self._function = None
        if is_function or is_module or not hasattr(model, "predict") and not self._is_file:
            if is_module and not is_function:
                self._function = asked_of(model)[0]
            elif callable(model):
                self._function = model
            else:
                raise ModelError(
                    f"model: {type(model).__qualname__} is not allowed: a function of rows, or an object with predict"
                )
        classes = getattr(model, "classes_", None)
        #: In the order of the model's outputs; None where it does not say.
        self.known_classes = None if classes is None or np.ndim(classes) != 1 else list(classes)
        self._name = getattr(model, "__qualname__", type(model).__qualname__)
        self._base = None

    @property
    def may_classify(self):
        """Whether the model could have classes."""
        has = self.known_classes is not None or hasattr(self.model, "predict_proba")
        return self._function is not None or self._is_file or has or self._task == "classification"

    def task_of(self, x, labels, metric):
        """ "classification" or "regression"."""
        if self._task != "unknown":
            return self._task
        if metric.takes is not None:
            return "regression" if metric.takes == "numbers" else "classification"
        if self.known_classes is not None or (self._function is None and hasattr(self.model, "predict_proba")):
            return "classification"
        present = [label for label in labels.tolist() if not is_missing(label)]
        if any(isinstance(label, (str, bool)) for label in present):
            return "classification"
        if self._function is not None:
            return "classification" if self._first(x).ndim == 2 and self._first(x).shape[1] > 1 else "regression"
        if self._is_file:
            from ..models import trees

            return "classification" if trees(self.model).task == "classification" else "regression"
        return "regression"

    def extra_classes(self, x, metric):
        """Classes that a model predicts which does not say which it has."""
        if self.known_classes is not None or metric.takes not in ("classes", "model") or self._is_file:
            return ()
        if self._function is None:
            return np.unique(np.asarray(self._ask("predict", x))) if hasattr(self.model, "predict") else ()
        first = self._first(x)
        if first.ndim == 2 and first.shape[1] > 1:
            return ()
        # Of probabilities, none is a class.
        return np.unique(first) if first.dtype.kind not in "f" or (first == np.floor(first)).all() else ()

    def _first(self, x):
        """The function's answer to the rows as they are."""
        if self._base is None or self._base[0] is not x:
            self._base = x, self._array(self._ask(None, x), len(x) if not hasattr(x, "shape") else x.shape[0])
        return self._base[1]

    def _ask(self, method, x):
        rows = x if self._before is None else self._before(x)
        return self._function(rows) if self._function is not None else getattr(self.model, method)(rows)

    def _array(self, answer, rows):
        if is_a(answer, "torch", "Tensor"):
            answer = answer.detach().cpu().numpy()
        if hasattr(answer, "toarray"):
            answer = answer.toarray()
        answer = np.asarray(answer)
        answer = answer[:, 0] if answer.ndim == 2 and answer.shape[1] == 1 else answer
        if answer.ndim not in (1, 2) or len(answer) != rows:
            raise ModelError(
                f"{self._name}: its answer to {rows} rows has the shape {answer.shape}; expected ({rows},) or "
                f"({rows}, outputs)"
            )
        return answer

    def _method(self, takes):
        """The method that a metric takes the answers of."""
        if self._function is not None:
            return None
        if self._is_file:
            raise UnsupportedError(
                "the model file is not supported by permutation importance with this metric and these rows: give a "
                "metric by name and rows that the file's model takes, or an object with predict"
            )
        methods = {
            "classes": ("predict",),
            "numbers": ("predict",),
            "probabilities": ("predict_proba",),
            "scores": ("predict_proba", "decision_function"),
        }[takes]
        found = next((name for name in methods if hasattr(self.model, name)), None)
        if found is None:
            raise UnsupportedError(
                f"{self._name}: it has no {' nor '.join(methods)}, which the metric is taken of; take another metric"
            )
        return found

    def variants_at_once(self, x, limit):
        """Tables of shuffled rows in a call."""
        return max(1, (limit or LIMIT) // max(1, size(x)))

    def answers(self, x, takes, orders):
        """What the model answers to rows as they are (for 1), or shuffled by some (columns, order); of a metric that
        asks the model itself, the rows."""
        rows = x.shape[0]
        tables = [x] if orders == 1 else [shuffled(x, columns, order) for columns, order in orders]
        if takes == "model":
            return tables
        if orders == 1 and self._function is not None:
            return [self._first(x)]
        answer = self._array(self._ask(self._method(takes), stacked(tables)), rows * len(tables))
        return [answer[start : start + rows] for start in range(0, rows * len(tables), rows)]

    def scored_by(self, metric, labels):
        """What a scorer says of rows."""
        if self._function is not None or self._is_file:
            raise unstackable(metric.name)

        def one(rows):
            return metric.number(
                metric.metric.scorer(self.model, rows if self._before is None else self._before(rows), labels)
            )

        return one

    def class_numbers(self, answers, truth: Classes):
        """Classes by number, of predicted ones, or of a number for each class."""
        if answers.ndim == 2:
            if answers.shape[1] != len(truth.labels):
                raise ModelError(
                    f"{self._name}: it answers with {answers.shape[1]} numbers for a row; expected one for each of "
                    f"{len(truth.labels)} classes: {', '.join(map(str, truth.labels[:8]))}"
                )
            return largest(answers).astype(np.uint32)
        is_whole = answers.dtype.kind != "f" or (answers == np.floor(answers)).all()
        if self._function is not None and not is_whole and len(truth.labels) == 2:
            # The probability of the second class.
            return (answers > 0.5 + TIE).astype(np.uint32)
        return truth.numbers(answers)

    def matrix(self, answers):
        """float64 (rows, outputs)."""
        try:
            answers = np.asarray(answers, np.float64)
        except (TypeError, ValueError) as error:
            raise ModelError(f"{self._name}: its answer is no array of numbers ({error})") from None
        bad = np.argwhere(~np.isfinite(answers))
        if len(bad):
            raise ModelError(f"{self._name}: it answers {answers[tuple(bad[0])]}; expected finite numbers")
        return np.ascontiguousarray(answers[:, None] if answers.ndim == 1 else answers)

    def predicted(self, answers, takes, truth):
        """What a function of labels and predictions is given."""
        if takes == "classes" and self._function is not None and isinstance(truth, Classes):
            return np.asarray(truth.labels)[self.class_numbers(answers, truth)]
        return answers


def largest(answers):
    """The number of the largest column, of those that differ by rounding alone the first."""
    best = answers.max(axis=1, keepdims=True)
    return (answers >= best - TIE * np.maximum(1.0, np.abs(best))).argmax(axis=1)
