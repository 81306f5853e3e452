"""Tables of any kind with some columns shuffled, in the kind that they are."""

from __future__ import annotations

import sys

import numpy as np

from .._table import is_a
from ..errors import ParameterError, ShapeError


def width(x) -> int:
    """Columns of a table."""
    shape = getattr(x, "shape", None)
    if shape is None or len(shape) != 2:
        raise ShapeError(f"evaluation_examples: expected rows of columns, got {type(x).__qualname__} of shape {shape}")
    return int(shape[1])


def column(x, place) -> np.ndarray:
    """The cells of a column."""
    if is_a(x, "pandas", "DataFrame"):
        return x.iloc[:, place].to_numpy()
    if is_a(x, "polars", "DataFrame"):
        return x.to_series(place).to_numpy()
    if hasattr(x, "tocsc"):
        return x[:, [place]].toarray().ravel()
    return np.asarray(x)[:, place]


def is_constant(x, place) -> bool:
    """Whether a column has the same cell in all rows."""
    return len(np.unique(factors(column(x, place)))) <= 1


def factors(cells) -> np.ndarray:
    """A number for each cell, the same for equal ones; all missing ones are equal."""
    cells = np.asarray(cells)
    if cells.dtype.kind in "biuf":
        return np.unique(cells, return_inverse=True)[1].ravel().astype(np.uint32)
    places, made = {}, np.empty(len(cells), np.uint32)
    for row, cell in enumerate(cells):
        key = None if cell is None or cell != cell else cell
        made[row] = places.setdefault(key, len(places))
    return made


def strata_of(strata, x, names, rows) -> np.ndarray:
    """A number for each row, the same within a stratum: of columns by name or position, or of a label for each row."""

    def position(of):
        if isinstance(of, (int, np.integer)) and not isinstance(of, bool) and 0 <= of < width(x):
            return int(of)
        known = [str(name) for name in names or []]
        if isinstance(of, str) and of in known:
            return known.index(of)
        raise ParameterError(
            f"strata: {of!r} is not allowed: a column's name or position, a list of them, or a label for each row"
        )

    if isinstance(strata, (str, int, np.integer)):
        return factors(column(x, position(strata)))
    listed = list(strata)
    if len(listed) == rows and not (names and all(isinstance(of, str) and of in names for of in listed)):
        return factors(np.asarray(strata))
    if not listed or not all(isinstance(of, (str, int, np.integer)) for of in listed) or len(listed) > width(x):
        raise ShapeError(f"strata: expected a label for each of {rows} rows, or columns, got {len(listed)}")
    parts = np.stack([factors(column(x, position(of))) for of in listed], axis=1)
    return np.unique(parts, axis=0, return_inverse=True)[1].ravel().astype(np.uint32)


def shuffled(x, columns, order):
    """The table, whose rows take their cells of some columns from others: row r from `order[r]`."""
    if is_a(x, "pandas", "DataFrame"):
        made = x.copy(deep=False)
        for place in columns:
            made.isetitem(place, x.iloc[:, place].array.take(order))
        return made
    if is_a(x, "polars", "DataFrame"):
        return x.with_columns([x.to_series(place).gather(order) for place in columns])
    if hasattr(x, "tocsc"):
        return _sparse(x, columns, order)
    made = np.array(x)
    made[:, columns] = x[order][:, columns] if len(columns) > 1 else x[order, columns[0]][:, None]
    return made


def _sparse(x, columns, order):
    """Entries move to other rows of their column: there are as many as before, and none becomes dense."""
    columns_of = x.tocsc()
    columns_of.sum_duplicates()
    indices, data = columns_of.indices.copy(), columns_of.data.copy()
    to = np.empty(len(order), indices.dtype)
    to[order] = np.arange(len(order), dtype=indices.dtype)
    for place in columns:
        part = slice(columns_of.indptr[place], columns_of.indptr[place + 1])
        rows = to[indices[part]]
        sorted_rows = np.argsort(rows, kind="stable")
        indices[part], data[part] = rows[sorted_rows], data[part][sorted_rows]
    made = type(columns_of)((data, indices, columns_of.indptr), shape=x.shape)
    return made.asformat(x.format)


def stacked(tables):
    """Tables one below the other."""
    first = tables[0]
    if len(tables) == 1:
        return first
    if is_a(first, "pandas", "DataFrame"):
        return sys.modules["pandas"].concat(tables, ignore_index=True)
    if is_a(first, "polars", "DataFrame"):
        return sys.modules["polars"].concat(tables)
    if hasattr(first, "tocsc"):
        from scipy.sparse import vstack

        return vstack(tables, format=first.format)
    return np.concatenate(tables)


def size(x) -> int:
    """Bytes of a table."""
    if is_a(x, "pandas", "DataFrame"):
        return int(x.memory_usage(index=True).sum())
    if is_a(x, "polars", "DataFrame"):
        return int(x.estimated_size())
    if hasattr(x, "tocsc"):
        return int(x.data.nbytes * 2 + 8 * x.shape[0])
    return int(x.nbytes)
