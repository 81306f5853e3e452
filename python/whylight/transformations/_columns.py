"""Raw tables and the ways in which transformers name columns of them.

Nothing here imports pandas or SciPy: an object of theirs can only come from someone who has.
"""

from __future__ import annotations

import sys

import numpy as np

from .._table import held, with_rows
from ..errors import DataError, ShapeError
from ._maps import is_sparse


def is_frame(x) -> bool:
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(x, pandas.DataFrame)


def is_series(x) -> bool:
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(x, pandas.Series)


def as_table(x):
    """Raw rows as a DataFrame, a 2-D array or a CSR matrix; a Series, a 1-D array or a flat list is one row."""
    x = held(x)
    if is_series(x):
        x = with_rows(x)
    elif is_sparse(x):
        x = x.tocsr()
    elif not is_frame(x) and not isinstance(x, np.ndarray):
        x = x.to_pandas() if hasattr(x, "to_pandas") else _from_list(x)
    if isinstance(x, np.ndarray) and x.ndim == 1:
        x = x.reshape(1, -1)
    if x.ndim != 2:
        raise ShapeError(f"the raw rows: expected one row or a table (rows, features), got an array of shape {x.shape}")
    if x.shape[0] == 0:
        raise DataError("the raw rows: expected at least one, found none")
    return x


def _from_list(x):
    rows = x if isinstance(x, (list, tuple)) else []
    lengths = {len(row) for row in rows if isinstance(row, (list, tuple, np.ndarray))}
    # Told here, since older versions of NumPy make one row of lists of it.
    if len(lengths) > 1:
        raise ShapeError(f"the raw rows: expected rows of the same length, found lengths {sorted(lengths)}")
    try:
        array = np.asarray(x)
    except ValueError as error:
        raise ShapeError(f"the raw rows: expected a table; {error}") from None
    # NumPy would turn the numbers beside a text into texts.
    return np.asarray(x, dtype=object) if array.dtype.kind in "US" else array


def labels_of(table) -> list | None:
    """The column labels of a DataFrame, None for what has positions only."""
    return list(table.columns) if is_frame(table) else None


def cut(table, start, stop):
    """Rows of a table, by position."""
    return table.iloc[start:stop] if is_frame(table) else table[start:stop]


def is_bare(spec) -> bool:
    """Whether a specification is one column without brackets, which asks for a vector."""
    return isinstance(spec, (str, bytes, int, np.integer)) and not isinstance(spec, (bool, np.bool_))


def positions(spec, labels, count, *, what, integers_are_labels=False) -> np.ndarray:
    """The positions of the columns that a specification names: labels, integers, slices, masks, or one bare column.

    With `integers_are_labels`, an integer is a label of a table that has integer labels, as in `frame[[3]]`; else
    a position, as scikit-learn has it. Raises DataError for what is not there, ShapeError for a mask of another length.
    """
    if isinstance(spec, slice):
        return np.arange(count)[_slice(spec, labels, count, what)]
    items = [spec] if is_bare(spec) else list(spec)
    if items and all(isinstance(item, (bool, np.bool_)) for item in items):
        if len(items) != count:
            raise ShapeError(f"{what}: a mask of {len(items)} columns does not fit a table of {count}")
        return np.flatnonzero(items)
    by_label = labels is not None and integers_are_labels and any(_is_integer(label) for label in labels)
    places = None
    found = []
    for item in items:
        if _is_integer(item) and not by_label:
            if not -count <= item < count:
                raise DataError(f"{what}: there is no column {item} in a table of {count} columns")
            found.append(int(item) % count)
            continue
        if labels is None:
            raise DataError(
                f"{what}: columns are named ({item!r}), but the rows are an array without names: "
                "pass a DataFrame, or name columns by position"
            )
        if places is None:
            places = {}
            for place, label in enumerate(labels):
                places.setdefault(label, []).append(place)
        here = places.get(item, [])
        if len(here) != 1:
            problem = f"there is no column {item!r}" if not here else f"{len(here)} columns are named {item!r}"
            raise DataError(f"{what}: {problem} in a table with the columns {shorten(labels)}")
        found.append(here[0])
    return np.array(found, dtype=np.intp)


def _is_integer(x):
    return isinstance(x, (int, np.integer)) and not isinstance(x, (bool, np.bool_))


def _slice(spec, labels, count, what):
    """A slice of positions; one of labels includes its end, as in pandas."""
    ends = []
    for end, inclusive in ((spec.start, 0), (spec.stop, 1)):
        if isinstance(end, str):
            end = int(positions(end, labels, count, what=what)[0]) + inclusive
        ends.append(end)
    return slice(*ends, spec.step)


def select(table, places, *, form):
    """Columns of a table: as "matrix" (an array), "vector" (1-D), "frame" or "series" (of a DataFrame), or "same"."""
    if is_frame(table):
        if form in ("series", "vector"):
            series = table.iloc[:, int(places[0])]
            return series if form == "series" else series.to_numpy()
        part = table.iloc[:, places]
        return part.to_numpy() if form == "matrix" else part
    if form in ("series", "vector") and not is_sparse(table):
        return table[:, int(places[0])]
    return table[:, places]


def matrix(x, names=None):
    """What transformers gave, as a 2-D array of float32 or float64 or a CSR matrix of those.

    Raises DataError that names the column which holds something other than numbers.
    """
    if is_sparse(x):
        x = x.tocsr()
        return x if x.dtype in (np.float32, np.float64) else x.astype(np.float64)
    if is_frame(x) or is_series(x):
        frame = x if is_frame(x) else x.to_frame()
        kinds = set(frame.dtypes)
        if kinds and kinds <= {np.dtype(np.float32), np.dtype(np.float64)}:
            return frame.to_numpy()
        columns = [_numbers(frame.iloc[:, j].to_numpy(), _name(names, j, label)) for j, label in enumerate(frame)]
        return np.column_stack(columns) if columns else np.zeros(frame.shape)
    x = np.asarray(x)
    if x.ndim == 1:
        x = x.reshape(-1, 1)
    if x.dtype in (np.float32, np.float64):
        return x
    if x.dtype.kind in "biuf":
        return x.astype(np.float64)
    columns = [_numbers(x[:, j], _name(names, j, j)) for j in range(x.shape[1])]
    return np.column_stack(columns) if columns else np.zeros(x.shape)


def _name(names, j, otherwise):
    return names[j] if names is not None and j < len(names) else otherwise


def _numbers(column, name):
    if column.dtype.kind == "O":
        pandas = sys.modules.get("pandas")
        if pandas is not None:
            column = np.array([np.nan if value is pandas.NA else value for value in column], dtype=object)
        wrong = next((value for value in column if isinstance(value, (str, bytes))), None)
    else:
        wrong = column[0] if column.dtype.kind not in "biuf" and column.size else None
    if wrong is None:
        try:
            return column.astype(np.float64)
        except (TypeError, ValueError):
            wrong = next(value for value in column if not isinstance(value, (int, float, np.number)))
    raise DataError(
        f'engineered column "{name}": expected numbers, found {wrong!r}; encode it with a transformer before the model'
    )


def shorten(labels) -> str:
    """Labels for a message: the first few and how many there are."""
    shown = ", ".join(repr(label.item() if isinstance(label, np.generic) else label) for label in labels[:5])
    return shown if len(labels) <= 5 else f"{shown}, … ({len(labels)} in all)"
