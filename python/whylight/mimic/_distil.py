"""What a surrogate is taught: a teacher's answers as margins, and margins as its answers."""

from __future__ import annotations

import dataclasses

import numpy as np

from .._parameters import text
from .._table import held, is_a, with_rows
from ..errors import ModelError, ParameterError
from ..models.function import asked, numbers
from ..models.native import is_file, of_file

#: Log-odds beyond which two answers are taught as one: probabilities of 0.0067 and 0.9933.
MOST = 5.0

#: The least probability that is taught.
LEAST = 1.0 / (1.0 + np.exp(MOST))

#: How far probabilities may be from adding up to 1: those of float32 networks.
SLACK = 1e-3


@dataclasses.dataclass
class Space:
    """What a teacher's answers are, and the margins that stand for them.

    `kind` is "probability", "margin" (of a classifier that has no probabilities) or "number"; `width` is how many
    numbers an answer has. Probabilities of two classes are one margin, the log-odds of the second, within ±5;
    those of more are a margin each, the logarithm of the probability (at least 0.0067) less the mean over the classes.
    """

    kind: str
    width: int

    @property
    def is_classes(self) -> bool:
        return self.kind != "number"

    @property
    def is_probability(self) -> bool:
        return self.kind == "probability"

    @property
    def outputs(self) -> int:
        """How many margins there are."""
        return 1 if self.is_probability and self.width == 2 else self.width

    def margins(self, answers) -> np.ndarray:
        """Answers (rows, width) as what a surrogate learns, (rows, outputs)."""
        if not self.is_probability:
            return answers
        logs = np.log(np.clip(answers, LEAST, 1.0))
        if self.width == 2:
            second = np.clip(answers[:, 1:], LEAST, 1.0 - LEAST)
            return np.log(second / (1.0 - second))
        return logs - logs.mean(axis=1, keepdims=True)

    def answers(self, margins) -> np.ndarray:
        """Margins (rows, outputs) in the units of the teacher, (rows, width)."""
        if not self.is_probability:
            return margins
        if self.width == 2:
            second = 1.0 / (1.0 + np.exp(-margins))
            return np.hstack([1.0 - second, second])
        powers = np.exp(margins - margins.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)

    def labels(self, answers) -> np.ndarray:
        """The numbers of the classes that answers (rows, width) are for."""
        return (answers[:, 0] > 0).astype(np.intp) if answers.shape[1] == 1 else answers.argmax(axis=1)


class Teacher:
    """A model or function that is asked for rows."""

    def __init__(self, model, rows, is_function=False, model_task="unknown", has_classes=False):
        """`rows` are those that it is asked for first; `has_classes` is whether the user names classes of it."""
        given = text("model_task", model_task, TASKS)
        if given not in ("unknown", "classification", "regression"):
            raise ParameterError(f"model_task: {given!r} is not allowed: {TASKS}")
        self.name = getattr(model, "__qualname__", type(model).__qualname__)
        task, self.classes = "unknown", None
        #: The class of a model that knows one alone.
        self.only = None
        self._ask, task, self.classes = _asked(model, is_function, np.shape(with_rows(held(rows)))[-1])
        if task == "unknown" and has_classes:
            task = "classification"
        self.task = task if given == "unknown" else given
        self.answers = self.ask(rows)
        self.space = self._space()
        self.task = "classification" if self.space.is_classes else self.task
        if self.space.is_probability and self.space.width == 2 and self.answers.shape[1] == 1:
            self.answers = np.hstack([1.0 - self.answers, self.answers])

    @classmethod
    def known(cls, model, space) -> Teacher:
        """One whose answers are known to be of a space; it is not asked before someone needs an answer."""
        made = cls.__new__(cls)
        made.name = getattr(model, "__qualname__", type(model).__qualname__)
        is_function = not any(hasattr(model, name) for name in ("predict_proba", "decision_function", "predict"))
        made._ask, made.task, made.classes = _asked(model, is_function and callable(model), None)
        made.space = space
        return made

    def ask(self, rows) -> np.ndarray:
        """Its answers to rows, float64 (rows, width)."""
        count = rows.shape[0] if hasattr(rows, "shape") else len(rows)
        answers = numbers(self._ask(rows), count, self.name)
        if len(answers) != count:
            raise ModelError(f"{self.name}: expected {count} answers, one per row, got {len(answers)}")
        bad = np.argwhere(~np.isfinite(answers))
        if len(bad):
            row, output = bad[0]
            raise ModelError(
                f"{self.name}: its answer to row {row}, output {output}, is {answers[row, output]}; expected a finite "
                "number: a surrogate cannot be taught it. Leave such rows out, or give a function that fills them"
            )
        space = getattr(self, "space", None)
        if space is not None and space.is_probability and answers.shape[1] == 1:
            answers = np.hstack([1.0 - answers, answers])
        return answers

    def _space(self) -> Space:
        answers = self.answers
        if self.classes is not None and len(self.classes) == 1:
            # Its probability has no other class to be against.
            self.only, self.classes, self.task = self.classes[0], None, "regression"
        count = answers.shape[1]
        within = answers.min() >= 0.0 and answers.max() <= 1.0 + SLACK
        sums = count > 1 and np.abs(answers.sum(axis=1) - 1.0).max() <= SLACK
        if self.task == "regression" or (self.task == "unknown" and not (within and sums)):
            return Space("number", count)
        if within and (sums or count == 1):
            return Space("probability", max(2, count))
        return Space("margin", count)

    @property
    def notes(self) -> list[str]:
        """What is to be said of a teacher that answers all rows alike: a surrogate learns it, and has values of 0."""
        if len(self.answers) == 0 or np.ptp(self.answers, axis=0).max() > 1e-12:
            return []
        alone = [] if self.only is None else [f"{self.name} knows one class alone, {str(self.only)!r}"]
        return [
            *alone,
            f"{self.name} answers all {len(self.answers):,} rows alike: there is nothing to learn, and every value is "
            "0; give rows of different kinds as initialization_examples if it should tell them apart",
        ]


def _asked(model, is_function, columns):
    """What is asked of a model, its task, and its classes."""
    if model is None:
        raise ParameterError("model: None is not allowed: a function of rows, or an object that predicts")
    if is_file(model):
        made = of_file(model, "auto", columns)
        return (lambda x: made.model.answers(_cells(x), made.output == "probability")), made.task, made.classes
    return (model, "unknown", None) if is_function else asked(model)


#: The tasks that a user may say a model has.
TASKS = '"unknown", "classification" or "regression"'


def _cells(x):
    x = x.toarray() if hasattr(x, "toarray") else x
    return np.ascontiguousarray(x, np.float64)


def augmented(rows, most, generator):
    """Rows and copies of them whose columns are shuffled, each by itself; None where there are enough rows.

    There are cols // rows − 1 copies, and `most` of them at most: about as many rows as columns.
    """
    count, columns = rows.shape
    copies = min(columns // max(1, count) - 1, most)
    if copies < 1:
        return None
    return [_shuffled(rows, generator) for _ in range(copies)]


def _shuffled(rows, generator):
    if is_a(rows, "pandas", "DataFrame"):
        made = rows.copy()
        for i in range(rows.shape[1]):
            made.isetitem(i, rows.iloc[generator.permutation(len(rows)), i].array)
        return made
    if hasattr(rows, "tocsr"):
        made = rows.tocsc(copy=True)
        for i in range(made.shape[1]):
            own = slice(made.indptr[i], made.indptr[i + 1])
            made.indices[own] = generator.permutation(made.shape[0])[made.indices[own]]
        made.has_sorted_indices = False
        return made.tocsr()
    return np.column_stack([rows[generator.permutation(len(rows)), i] for i in range(rows.shape[1])])


def stacked(parts):
    """Tables of the same kind, one below the other."""
    if is_a(parts[0], "pandas", "DataFrame"):
        import pandas

        return pandas.concat(parts)
    if hasattr(parts[0], "tocsr"):
        from scipy.sparse import vstack

        return vstack(parts, format="csr")
    return np.concatenate(parts)
