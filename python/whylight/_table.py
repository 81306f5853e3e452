"""Tables as people hold them, for the engine: arrays stay where they are, frames become columns.

Nothing here imports pandas, polars, SciPy or torch: an object of theirs can only come from someone who has.
"""

from __future__ import annotations

import dataclasses
import sys
from typing import Any

import numpy as np

from .errors import DataError, ShapeError, UnsupportedError


@dataclasses.dataclass
class Table:
    """Rows for the engine."""

    #: A float32 or float64 matrix, or a list of columns: arrays, or (codes, labels).
    data: Any
    names: list[str] | None
    rows: int
    #: The names that the table has of its own.
    given: list[str] | None = None


def is_a(value, module, name):
    """Whether a value is an instance of a class of a module, which is not imported for it."""
    found = sys.modules.get(module)
    return found is not None and isinstance(value, getattr(found, name))


def single(x) -> bool:
    """Whether this is one row, given as such."""
    if is_a(x, "pandas", "Series"):
        return True
    if isinstance(x, (list, tuple)):
        return bool(x) and not isinstance(x[0], (list, tuple, np.ndarray))
    return getattr(x, "ndim", 2) == 1


def row_count(x) -> int:
    """Rows of any table."""
    if single(x):
        return 1
    shape = getattr(x, "shape", None)
    return int(shape[0]) if shape is not None else len(x)


def held(x):
    """A table that is there: a LazyFrame collected, a tensor as an array."""
    if is_a(x, "polars", "LazyFrame"):
        return x.collect()
    if is_a(x, "torch", "Tensor"):
        x = x.detach().cpu()
        # NumPy has no bfloat16.
        return (x.float() if x.is_floating_point() and x.element_size() < 4 else x).numpy()
    return x


def with_rows(x):
    """A table whose one row, if it is given as such, has an axis of rows."""
    if is_a(x, "pandas", "Series"):
        return x.to_frame().T.infer_objects()
    if not single(x):
        return x
    row = np.asarray(x)
    return row.reshape(1, -1) if row.ndim == 1 else row


def table(x, *, features=None, absent=0.0) -> Table:
    """Any table as the engine takes it; one row may come as a 1-D array, list or Series.

    `features` are names for a table that has none of its own; `absent` is what a sparse matrix leaves out.
    """
    x = with_rows(held(x))
    if is_a(x, "pandas", "DataFrame"):
        return _frame(x)
    if is_a(x, "polars", "DataFrame"):
        return _polars(x)
    if hasattr(x, "__arrow_c_stream__") and not isinstance(x, np.ndarray):
        return _arrow(x)
    if hasattr(x, "tocsr"):
        return _sparse(x, features, absent)
    matrix = _matrix(x)
    names = list(map(str, features)) if features is not None and len(features) == matrix.shape[1] else None
    return Table(matrix, names, len(matrix))


def _sparse(x, features, absent) -> Table:
    """A sparse matrix as (entries, indices, row starts, columns, absent), where it lies if it is CSR of floats."""
    x = x.tocsr()
    if x.ndim != 2:
        raise ShapeError(f"the rows to explain: expected two dimensions of a sparse array, got {x.ndim}")
    if not x.has_canonical_format:
        x = x.copy()
        x.sum_duplicates()
    entries = x.data if x.dtype in (np.float32, np.float64) else x.data.astype(np.float64)
    names = list(map(str, features)) if features is not None and len(features) == x.shape[1] else None
    return Table((entries, x.indices, x.indptr, x.shape[1], absent), names, x.shape[0])


def _matrix(x):
    try:
        matrix = np.asarray(x)
    except ValueError as error:
        raise DataError(f"the rows to explain: expected rows of one length ({error})") from None
    if matrix.ndim == 1 and matrix.dtype != object:
        matrix = matrix.reshape(1, -1)
    if matrix.dtype not in (np.float32, np.float64):
        try:
            matrix = matrix.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise DataError(
                f"the rows to explain: {error}; expected numbers, or a DataFrame whose columns have types"
            ) from None
    if matrix.ndim != 2:
        raise ShapeError(
            f"the rows to explain: expected one row or a table (rows, features), got an array of shape {matrix.shape}"
        )
    return np.ascontiguousarray(matrix) if not matrix.dtype.isnative else matrix


def _frame(frame) -> Table:
    names = [str(name) for name in frame.columns]
    columns = [_column(name, frame.iloc[:, i]) for i, name in enumerate(names)]
    kinds = {column.dtype for column in columns if isinstance(column, np.ndarray)}
    if columns and len(kinds) == 1 and all(isinstance(column, np.ndarray) for column in columns):
        return Table(frame.to_numpy(dtype=kinds.pop()), names, len(frame), names)
    return Table(columns, names, len(frame), names)


def _column(name, series):
    """A column as numbers, or as codes of labels."""
    dtype = series.dtype
    if hasattr(dtype, "categories"):
        return series.cat.codes.to_numpy(dtype=np.int32), [str(label) for label in dtype.categories]
    if dtype == np.float32:
        return series.to_numpy()
    if dtype.kind in "biuf":
        return series.to_numpy(dtype=np.float64, na_value=np.nan)
    if dtype.kind in "OUT" or str(dtype).startswith("str"):
        present = series.notna().to_numpy()
        values = series.to_numpy(dtype=object)
        if all(isinstance(value, (int, float, np.number)) for value in values[present]):
            return series.to_numpy(dtype=np.float64, na_value=np.nan)
        codes, labels = np.full(len(values), -1, dtype=np.int32), {}
        for row in np.flatnonzero(present):
            codes[row] = labels.setdefault(str(values[row]), len(labels))
        return codes, list(labels)
    raise DataError(f'column "{name}": its type {dtype} is neither numbers nor labels; convert it before')


def _polars(frame) -> Table:
    """A frame of polars, which needs no pyarrow for this."""
    columns = []
    for name, series in zip(frame.columns, frame.get_columns(), strict=True):
        kind = str(series.dtype).partition("(")[0]
        if series.dtype.is_numeric() or kind == "Boolean":
            width = "Float32" if kind == "Float32" else "Float64"
            cells = series.cast(getattr(sys.modules["polars"], width)).to_numpy()
            columns.append(np.ascontiguousarray(cells))
        elif kind in ("String", "Categorical", "Enum"):
            columns.append(_labels(series.cast(sys.modules["polars"].String).to_list()))
        else:
            raise DataError(
                f'column "{name}": its type {series.dtype} is neither numbers nor strings; convert it before'
            )
    return Table(columns, list(frame.columns), frame.height, list(frame.columns))


def _labels(values):
    """Texts as (codes, labels); None is missing."""
    codes, labels = np.full(len(values), -1, dtype=np.int32), {}
    for row, value in enumerate(values):
        if value is not None:
            codes[row] = labels.setdefault(value, len(labels))
    return codes, list(labels)


def _arrow(x) -> Table:
    """A table that speaks Arrow's C interface, through pyarrow."""
    try:
        import pyarrow
    except ImportError as error:
        raise UnsupportedError(
            f"{type(x).__module__}.{type(x).__name__}: to read it takes pyarrow: pip install pyarrow, or give an array"
        ) from error

    arrow = pyarrow.table(x)
    columns = []
    for name, column in zip(arrow.column_names, arrow.columns, strict=True):
        column = column.combine_chunks()
        kind = column.type
        if pyarrow.types.is_dictionary(kind):
            column = column.cast(kind.value_type)
            kind = column.type
        if pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind):
            encoded = column.dictionary_encode()
            codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int32)
            columns.append((codes, encoded.dictionary.to_pylist()))
        elif pyarrow.types.is_floating(kind) or pyarrow.types.is_integer(kind) or pyarrow.types.is_boolean(kind):
            width = np.float32 if kind == pyarrow.float32() else np.float64
            numbers = column.to_numpy(zero_copy_only=False)
            columns.append(
                np.array([np.nan if v is None else v for v in numbers], width)
                if numbers.dtype == object
                else numbers.astype(width, copy=False)
            )
        else:
            raise DataError(f'column "{name}": its type {kind} is neither numbers nor strings; convert it before')
    names = list(arrow.column_names)
    return Table(columns, names, arrow.num_rows, names)
