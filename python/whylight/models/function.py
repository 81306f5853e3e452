"""Models of which nothing is known but what they answer."""

from __future__ import annotations

import sys

import numpy as np

from .._engine import Model
from .._table import Table, held, is_a, table, with_rows
from ..errors import DataError, ModelError, ParameterError, ShapeError, UnsupportedError


class Function:
    """A function of rows, or an object that predicts, as the engine asks it; and the rows as it takes them.

    The engine knows numbers alone. Columns of a DataFrame that hold something else are numbered by their values, and
    the model gets a DataFrame of the same columns back.
    """

    def __init__(self, model, background, before=None, names=None, output="auto"):
        """`before` takes raw rows to those of the model, `names` are those of columns that have none."""
        self._ask, self.task, self.classes = asked(model, output)
        self._name = getattr(model, "__qualname__", type(model).__qualname__)
        self._before = before
        background = with_rows(held(background))
        self._columns, self._dtypes, self._values = None, [], []
        if is_a(background, "pandas", "DataFrame"):
            self._columns = list(background.columns)
            self._dtypes = list(background.dtypes)
            self._values = [None if dtype.kind in "biuf" else _Values() for dtype in self._dtypes]
        elif getattr(model, "feature_names_in_", None) is not None and "pandas" in sys.modules and before is None:
            # A model that was fitted to a DataFrame warns of an array.
            self._columns = list(model.feature_names_in_)
        known = self._columns if self._columns is not None else names
        self.feature_names = None if known is None else [str(name) for name in known]
        rows = self.table(background)
        if rows.rows == 0:
            raise DataError("the background: no rows; expected the training rows, or a sample of them")
        if isinstance(rows.data, np.ndarray):
            columns = rows.data.shape[1]
        else:
            columns = rows.data[3] if isinstance(rows.data, tuple) else len(rows.data)
        if self.feature_names is not None and len(self.feature_names) != columns:
            raise ShapeError(f"the background: expected {len(self.feature_names)} columns, got {columns}")
        first = rows.data[:1] if isinstance(rows.data, np.ndarray) else np.zeros((1, columns))
        outputs = self.answer(np.ascontiguousarray(first, np.float64)).shape[1]
        if self.classes is not None and len(self.classes) != max(2, outputs):
            self.classes = None
        titles = [str(label) for label in self.classes] if self.classes and outputs > 1 else None
        titles = titles or [f"output {k}" for k in range(outputs)]
        features = self.feature_names or [None] * columns
        self.model = Model.from_function(features, titles, self.answer)

    @property
    def categories(self) -> list[int]:
        """The positions of the columns that hold no numbers."""
        return [place for place, values in enumerate(self._values) if values is not None]

    def table(self, x) -> Table:
        """Rows for the engine."""
        x = with_rows(held(x))
        has_labels = any(values is not None for values in self._values)
        if has_labels and isinstance(x, np.ndarray) and x.dtype == object:
            # What a transformer of scikit-learn makes of a DataFrame with texts.
            if x.ndim != 2 or x.shape[1] != len(self._columns):
                raise ShapeError(f"the rows to explain: expected {len(self._columns)} columns, got {x.shape}")
            x = sys.modules["pandas"].DataFrame(x, columns=self._columns)
        if not self._dtypes or not is_a(x, "pandas", "DataFrame"):
            if has_labels:
                raise DataError("the rows to explain: expected a DataFrame, as the background is")
            return table(x, features=self.feature_names)
        missing = [name for name in self._columns if name not in x.columns]
        if missing:
            raise ShapeError(f"the rows to explain: expected the background's columns; {missing[0]!r} is not there")
        cells = np.empty((len(x), len(self._columns)))
        for i, (name, values) in enumerate(zip(self._columns, self._values, strict=True)):
            column = x[name]
            try:
                numbers = values.numbers(column) if values else column.to_numpy(dtype=np.float64, na_value=np.nan)
            except (TypeError, ValueError) as error:
                raise DataError(f"the rows to explain: column {name!r}: {error}; the background has numbers") from None
            cells[:, i] = numbers
        return Table(cells, self.feature_names, len(x), [str(name) for name in self._columns])

    def answer(self, rows):
        """The answer to rows of numbers: float64 (rows, outputs)."""
        asked = rows if self._columns is None else self._rows(rows)
        answer = self._ask(asked if self._before is None else self._before(asked))
        return numbers(answer, len(rows), self._name)

    def _rows(self, rows):
        pandas = sys.modules["pandas"]
        if not self._dtypes:
            return pandas.DataFrame(rows, columns=self._columns)
        if all(
            values is None and dtype == np.float64 for dtype, values in zip(self._dtypes, self._values, strict=True)
        ):
            return pandas.DataFrame(rows, columns=self._columns, copy=False)
        columns = {}
        for i, (name, dtype, values) in enumerate(zip(self._columns, self._dtypes, self._values, strict=True)):
            cells = rows[:, i] if values is None else values.cells(rows[:, i])
            whole = dtype.kind == "f" or values is not None or not np.isnan(cells).any()
            columns[name] = pandas.Series(cells, dtype=dtype if whole else np.float64)
        return pandas.DataFrame(columns)


def numbers(answer, rows, name):
    """What a model of this name answers to so many rows, as float64 (rows, outputs)."""
    if type(answer) is np.ndarray and answer.dtype == np.float64 and answer.ndim in (1, 2) and len(answer) == rows:
        # What most functions give costs nothing more.
        return answer[:, None] if answer.ndim == 1 else answer
    if is_a(answer, "torch", "Tensor"):
        answer = answer.detach().cpu().double().numpy()
    if hasattr(answer, "toarray"):
        answer = answer.toarray()
    try:
        answer = np.asarray(answer, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ModelError(
            f"{name}: its answer is no array of numbers ({error}); give a function that returns one number, "
            "or a list of them, for each row"
        ) from None
    if answer.ndim == 1 and len(answer) == rows:
        answer = answer[:, None]
    if answer.ndim != 2:
        raise ModelError(
            f"{name}: its answer to {rows} rows has the shape {answer.shape}; expected ({rows},) or ({rows}, outputs)"
        )
    return answer


class _Values:
    """The values of a column that are no numbers, each with a number of its own."""

    def __init__(self):
        self._values, self._numbers = [], {}

    def numbers(self, column):
        present = column.notna().to_numpy()
        numbers = np.full(len(column), np.nan)
        for row in np.flatnonzero(present):
            value = column.iloc[row]
            if value not in self._numbers:
                self._numbers[value] = len(self._values)
                self._values.append(value)
            numbers[row] = self._numbers[value]
        return numbers

    def cells(self, numbers):
        missing = np.isnan(numbers)
        values = np.array([*self._values, None], dtype=object)
        return values[np.where(missing, len(self._values), numbers).astype(np.int64)]


def asked(model, output="auto"):
    """What is asked of a model, its task, and its classes; `output` is "auto", "probability" or "raw"."""
    if is_a(model, "torch.nn", "Module"):
        return _module(model), "unknown", None
    if is_a(model, "fastai.learner", "Learner"):
        # A target that is a number has no vocabulary.
        labels = list(getattr(model.dls, "vocab", None) or ())
        return _learner(model), "classification" if labels else "unknown", labels or None
    classes = getattr(model, "classes_", None)
    classes = None if classes is None or np.ndim(classes) != 1 else list(classes)
    methods = {"auto": ("predict_proba", "decision_function"), "probability": ("predict_proba",)}
    for name in methods.get(output, ("decision_function",)):
        if hasattr(model, name) and (classes is not None or output != "auto"):
            return getattr(model, name), "unknown" if classes is None else "classification", classes
    if output == "probability":
        raise UnsupportedError(
            f'{type(model).__qualname__}: it has no predict_proba; take output="raw", or give a function'
        )
    if output == "auto" and hasattr(model, "predict_proba"):
        return model.predict_proba, "classification", None
    if hasattr(model, "predict"):
        if classes is not None:
            raise UnsupportedError(
                f"{type(model).__qualname__}: a classifier that gives labels alone has no output that could be shared "
                "among features; give a function that returns numbers"
            )
        return model.predict, "regression", None
    if callable(model):
        return model, "unknown", None
    raise ParameterError(
        f"model: {type(model).__qualname__} is not allowed: a function of rows, or an object with predict_proba or "
        "predict"
    )


def _module(module):
    def ask(rows):
        torch = sys.modules["torch"]
        first = next(module.parameters(), None)
        options = {} if first is None else {"dtype": first.dtype, "device": first.device}
        with torch.no_grad():
            return module(torch.as_tensor(np.asarray(rows), **options))

    return ask


def _learner(learner):
    """The answers of a fastai learner to rows of a DataFrame, which its `predict` takes one by one."""

    def ask(rows):
        with learner.no_bar(), learner.no_logging():
            return learner.get_preds(dl=learner.dls.test_dl(rows.copy()))[0]

    return ask
