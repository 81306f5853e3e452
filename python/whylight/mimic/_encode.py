"""Columns of any kind as the numbers that surrogates are trained on, and back to the columns that they came from."""

from __future__ import annotations

import datetime

import numpy as np

from .._base import table_names
from .._table import is_a
from ..errors import DataError, ParameterError, ShapeError, UnsupportedError

#: What a moment is taken apart into, after the seconds since the first one.
PARTS = ("year", "month", "day", "hour", "minute", "second")


class Encoder:
    """How the columns of a table become numbers, learned from the rows that a surrogate is trained on.

    Numbers stay. Categories (text, what pandas calls categorical, and `categorical` columns) are numbered in their
    order; those that were never seen share the number after the last one; with `one_hot` each has a column instead,
    and those never seen have none. Moments become the seconds since the first one, and year to second.
    """

    def __init__(self, columns, names, one_hot):
        self._columns = columns
        #: Names of the raw columns, or None.
        self.names = names
        self._one_hot = one_hot
        widths = [column.width(one_hot) for column in columns]
        #: By encoded column, the raw one that it came from.
        self.parents = np.repeat(np.arange(len(columns)), widths)
        starts = np.cumsum([0, *widths])
        #: Encoded columns that hold numbers of categories.
        self.categorical = [
            int(start)
            for start, column in zip(starts, columns, strict=False)
            if isinstance(column, Categories) and not one_hot
        ]

    @classmethod
    def of(cls, rows, categorical=(), one_hot=False) -> Encoder:
        """Learned from rows. Raises ParameterError for a column that is not there, DataError for cells of a kind that
        has no numbers."""
        names = table_names(rows)
        count = width(rows)
        chosen = _positions(categorical, names, count)
        if hasattr(rows, "tocsr"):
            if chosen:
                raise UnsupportedError(
                    "categorical_features: not with sparse rows, whose absent cells are zeros; give dense ones"
                )
            return cls([Number()] * count, names, one_hot)
        if not chosen and isinstance(rows, np.ndarray) and rows.dtype.kind in "biuf":
            return cls([Number()] * count, names, one_hot)
        columns = [_learned(cells(rows, i), _title(names, i), i in chosen) for i in range(count)]
        return cls(columns, names, one_hot)

    @property
    def is_identity(self) -> bool:
        return all(isinstance(column, Number) for column in self._columns)

    def encode(self, rows):
        """Rows as numbers (rows, encoded), float64 or CSR, and by raw column how many cells hold categories never seen.

        Raises ShapeError for rows without the columns that were learned from.
        """
        if hasattr(rows, "tocsr") or isinstance(rows, np.ndarray):
            self._check_width(width(rows))
            if self.is_identity and (hasattr(rows, "tocsr") or rows.dtype.kind in "biuf"):
                return (rows.tocsr() if hasattr(rows, "tocsr") else np.ascontiguousarray(rows)), {}
        given = table_names(rows)
        places = range(len(self._columns))
        if given is not None and self.names is not None:
            position = {name: i for i, name in enumerate(given)}
            missing = [name for name in self.names if name not in position]
            if missing:
                raise ShapeError(f"the rows to explain: expected the column {missing[0]!r}, which is not there")
            places = [position[name] for name in self.names]
        else:
            self._check_width(width(rows))
        parts, unseen = [], {}
        for i, (column, place) in enumerate(zip(self._columns, places, strict=True)):
            part, strange = column.encode(cells(rows, place), _title(self.names, i), self._one_hot)
            parts.append(part)
            if strange:
                unseen[i] = strange
        return np.ascontiguousarray(np.column_stack(parts)), unseen

    def _check_width(self, count):
        if count != len(self._columns):
            raise ShapeError(f"the rows to explain: expected {len(self._columns)} columns, got {count}")

    def to_raw(self, values):
        """Values (rows, encoded, …) as those of the raw columns: the sums over what each became."""
        if len(self.parents) == len(self._columns):
            return values
        starts = np.searchsorted(self.parents, np.arange(len(self._columns)))
        return np.add.reduceat(values, starts, axis=1)

    def to_json(self) -> dict:
        columns = [column.to_json(_title(self.names, i)) for i, column in enumerate(self._columns)]
        return {"columns": columns, "names": self.names, "one_hot": self._one_hot}

    @classmethod
    def from_json(cls, said) -> Encoder:
        kinds = {"number": Number, "categories": Categories, "moment": Moment}
        columns = [kinds[column["kind"]].from_json(column) for column in said["columns"]]
        return cls(columns, said["names"], said["one_hot"])


class Number:
    """A column of numbers."""

    def width(self, one_hot):
        return 1

    def encode(self, column, title, one_hot):
        try:
            return column.astype(np.float64), 0
        except (TypeError, ValueError):
            pass
        try:
            missing = _missing(column)
            return np.where(missing, np.nan, np.where(missing, 0, column)).astype(np.float64), 0
        except (TypeError, ValueError) as error:
            raise DataError(f"column {title}: {error}; the training rows have numbers there") from None

    def to_json(self, title):
        return {"kind": "number"}

    @classmethod
    def from_json(cls, said):
        return cls()


class Categories:
    """A column of categories, in the order of their numbers."""

    def __init__(self, values):
        self.values = values
        self._numbers = {value: number for number, value in enumerate(values)}

    def width(self, one_hot):
        return max(1, len(self.values)) if one_hot else 1

    def encode(self, column, title, one_hot):
        missing, strange = _missing(column), len(self.values)
        numbers = np.array([self._numbers.get(value, strange) for value in column.tolist()], np.float64)
        unseen = int((numbers[~missing] == strange).sum())
        if not one_hot:
            numbers[missing] = np.nan
            return numbers, unseen
        numbers[missing] = strange
        hot = np.zeros((len(column), self.width(True)))
        rows = np.flatnonzero(numbers < strange)
        hot[rows, numbers[rows].astype(np.intp)] = 1.0
        return hot, unseen

    def to_json(self, title):
        strange = [value for value in self.values if not isinstance(value, (str, int, float, bool))]
        if strange:
            raise UnsupportedError(
                f"column {title}: its category {strange[0]!r} cannot be saved; expected text or a number"
            )
        return {"kind": "categories", "values": self.values}

    @classmethod
    def from_json(cls, said):
        return cls(said["values"])


class Moment:
    """A column of moments; `first` is the first one."""

    def __init__(self, first):
        self.first = first

    def width(self, one_hot):
        return 1 + len(PARTS)

    def encode(self, column, title, one_hot):
        try:
            moments = column.astype("datetime64[ns]")
        except (TypeError, ValueError) as error:
            raise DataError(f"column {title}: {error}; the training rows have moments there") from None
        days, seconds = moments.astype("datetime64[D]"), moments.astype("datetime64[s]")
        months, years = moments.astype("datetime64[M]"), moments.astype("datetime64[Y]")
        of_day = (seconds - days).astype(np.int64)
        parts = [
            (moments - self.first) / np.timedelta64(1, "s"),
            years.astype(np.int64) + 1970,
            months.astype(np.int64) % 12 + 1,
            (days - months).astype(np.int64) + 1,
            of_day // 3600,
            of_day // 60 % 60,
            of_day % 60,
        ]
        cells = np.column_stack(parts).astype(np.float64)
        cells[np.isnat(moments)] = np.nan
        return cells, 0

    def to_json(self, title):
        return {"kind": "moment", "first": str(self.first)}

    @classmethod
    def from_json(cls, said):
        return cls(np.datetime64(said["first"], "ns"))


def width(rows) -> int:
    """Columns of any table."""
    return int(rows.shape[1]) if hasattr(rows, "shape") else rows.num_columns


def cells(rows, i) -> np.ndarray:
    """A column of any table, as an array of numbers, moments or objects."""
    if is_a(rows, "pandas", "DataFrame"):
        series = rows.iloc[:, i]
        if getattr(series.dtype, "tz", None) is not None:
            return series.dt.tz_convert(None).to_numpy()
        if hasattr(series.dtype, "categories"):
            return series.to_numpy(dtype=object)
        if series.dtype.kind in "biuf":
            return series.to_numpy(dtype=np.float64, na_value=np.nan)
        return series.to_numpy() if series.dtype.kind in "mM" else series.to_numpy(dtype=object)
    if isinstance(rows, np.ndarray):
        return rows[:, i]
    if hasattr(rows, "tocsr"):
        return rows[:, i].toarray().ravel()
    # Of polars and Arrow.
    column = rows.column(i) if hasattr(rows, "num_columns") else rows.get_columns()[i]
    listed = column.to_pylist() if hasattr(column, "to_pylist") else column.to_list()
    made = np.empty(len(listed), object)
    made[:] = listed
    return made


def _learned(column, title, is_categorical):
    """What a column is."""
    kind = column.dtype.kind
    if kind == "M" and not is_categorical:
        return _moment(column, title)
    if kind == "m" and not is_categorical:
        raise DataError(f"column {title}: lengths of time are no numbers; convert them, to seconds for example")
    if kind in "biuf" and not is_categorical:
        return Number()
    known = column[~_missing(column)]
    if kind == "O" and not is_categorical and len(known):
        if all(isinstance(value, (int, float, np.number)) for value in known):
            return Number()
        if all(isinstance(value, (datetime.datetime, np.datetime64)) for value in known):
            return _moment(column.astype("datetime64[ns]"), title)
    values = list(dict.fromkeys(known.tolist()))
    try:
        values.sort()
    except TypeError:
        # Of several types: as they come.
        pass
    return Categories(values)


def _moment(column, title):
    known = column[~np.isnat(column)]
    if not len(known):
        raise DataError(f"column {title}: no moment is there; expected one at least")
    return Moment(known.min().astype("datetime64[ns]"))


def _missing(column) -> np.ndarray:
    if column.dtype.kind in "fmM":
        return np.isnan(column) if column.dtype.kind == "f" else np.isnat(column)
    if column.dtype.kind != "O":
        return np.zeros(len(column), bool)
    return np.array([_is_missing(value) for value in column.tolist()], bool)


def _is_missing(value) -> bool:
    try:
        return value is None or bool(value != value)
    except (TypeError, ValueError):
        # pandas' NA is neither equal to itself nor not.
        return True


def _positions(categorical, names, count) -> set[int]:
    """Columns by name or position."""
    found = set()
    for column in categorical or ():
        if isinstance(column, (int, np.integer)) and not isinstance(column, bool):
            place = int(column) if 0 <= column < count else None
        else:
            place = names.index(column) if names is not None and column in names else None
        if place is None:
            known = f"positions from 0 to {count - 1}" + ("" if names is None else f", or {', '.join(names[:8])}")
            raise ParameterError(f"categorical_features: {column!r} is not allowed: {known}")
        found.add(place)
    return found


def _title(names, i) -> str:
    return f'"{names[i]}"' if names is not None else str(i)
