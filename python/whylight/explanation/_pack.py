"""Values as JSON that gives them back bit for bit: what JSON does not tell apart is described beside it."""

from __future__ import annotations

import datetime
import json
import re

import numpy as np

from .._table import is_a
from ..errors import UnsupportedError
from ._cells import as_array

#: Cells that are text at a time while a file is written.
BLOCK = 1 << 17
#: An empty array has no cell that would prove its size.
EMPTY = 1 << 24
TAG = "$"
DTYPE = re.compile(r"[<>|=]?(?:[biuf]\d{1,2}|[mM]8(?:\[\w{1,8}\])?|U\d*|O)")


# Small values of any type ---------------------------------------------------------------------------------------------


def encode(value, lost):
    """A value of Python or NumPy; the names of types that become text are added to `lost`."""
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, np.generic) and value.dtype.kind in "biufmMU":
        return {TAG: "scalar", "dtype": value.dtype.str, "data": _lists(np.asarray(value), lost)}
    if isinstance(value, np.ndarray):
        return {TAG: "array", **describe(value), "data": _lists(value, lost)}
    if isinstance(value, list):
        return [encode(item, lost) for item in value]
    if isinstance(value, tuple):
        return {TAG: "tuple", "items": [encode(item, lost) for item in value]}
    if isinstance(value, dict):
        if TAG not in value and all(type(key) is str for key in value):
            return {key: encode(item, lost) for key, item in value.items()}
        return {TAG: "dict", "items": [[encode(key, lost), encode(item, lost)] for key, item in value.items()]}
    lost.append(type(value).__name__)
    return str(value)


def decode(value):
    """What `encode` was given; raises ValueError, TypeError or KeyError for what it never gave."""
    if isinstance(value, list):
        return [decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    tag = value.get(TAG)
    if tag is None:
        return {key: decode(item) for key, item in value.items()}
    if tag == "tuple":
        return tuple(decode(item) for item in value["items"])
    if tag == "dict":
        return {decode(key): decode(item) for key, item in value["items"]}
    if tag == "scalar":
        return array(value["data"], value["dtype"], [])[()]
    if tag == "array":
        return array(value["data"], value["dtype"], value["shape"])
    raise ValueError(f"a value of the unknown kind {tag!r}")


# Arrays ---------------------------------------------------------------------------------------------------------------


def describe(given):
    """What the lists of an array do not tell."""
    kept = given.dtype.kind in "biumMUO" or given.dtype.kind == "f" and given.dtype.itemsize <= 8
    return {"dtype": given.dtype.str if kept else "O", "shape": list(given.shape)}


def array(data, dtype, shape):
    """The array of these lists, a type and a shape, all of which come from a file."""
    if not isinstance(dtype, str) or not DTYPE.fullmatch(dtype):
        raise ValueError(f"the type {dtype!r}")
    kind = np.dtype(dtype)
    # The longest text gives the width; a width of the file's own could be any.
    made = np.array(data, dtype="U" if kind.kind == "U" else kind)
    if list(made.shape) == shape:
        return made
    if not isinstance(shape, list) or not all(type(n) is int and n >= 0 for n in shape):
        raise ValueError(f"the shape {shape!r}")
    if made.size == 0 and max(shape, default=0) > EMPTY:
        raise ValueError(f"the shape {shape}, of which no cell is there")
    return made.reshape(shape)


def matrix(data):
    """Lists of numbers as an array of numbers, and of anything else of objects: text would make text of all."""
    try:
        numbers = np.array(data)
    except (ValueError, OverflowError):
        numbers = None
    return numbers if numbers is not None and numbers.dtype.kind in "biuf" else np.array(data, dtype=object)


def _lists(given, lost):
    if given.dtype.kind in "mM":
        return given.astype(str).tolist()
    if given.dtype.kind in "biuU" or given.dtype.kind == "f" and given.dtype.itemsize <= 8:
        return given.tolist()
    return plain(given.tolist(), lost)


def plain(value, lost):
    """A cell, or lists of them, as JSON has them."""
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, (list, tuple)):
        return [plain(item, lost) for item in value]
    if isinstance(value, np.ndarray):
        return _lists(value, lost)
    if isinstance(value, np.generic) and value.dtype.kind in "biufU":
        return value.item() if value.dtype.itemsize <= 8 or value.dtype.kind == "U" else float(value)
    if type(value).__name__ in ("NAType", "NaTType"):
        return None
    lost.append(type(value).__name__)
    return value.isoformat() if isinstance(value, (datetime.date, datetime.time)) else str(value)


# Datasets -------------------------------------------------------------------------------------------------------------


def pack(data, name, lost):
    """A dataset as interpret-community's name of its type, what is written, and what that does not tell."""
    if hasattr(data, "tocsr"):
        return "sparse", sparse_lists(data), {"kind": "sparse", **describe_sparse(data)}
    if is_a(data, "pandas", "DataFrame"):
        described = {
            "kind": "frame",
            "columns": index(data.columns, lost),
            "dtypes": [_dtype(data.iloc[:, i].dtype, lost) for i in range(data.shape[1])],
            "index": index(data.index, lost),
        }
        return "DataFrame", Rows(data, lost), described
    if is_a(data, "pandas", "Series"):
        described = {"kind": "series", "index": index(data.index, lost), "dtype": _dtype(data.dtype, lost)}
        return "list", _cells(data, lost), {**described, "name": encode(data.name, lost)}
    if isinstance(data, (list, tuple)):
        return "list", plain(data, lost), {"kind": "list"}
    if isinstance(data, (str, bytes, dict)):
        kind = type(data).__name__
        raise UnsupportedError(f"{name}: {kind} is not supported by save_explanation: give it as an array")
    data = data if isinstance(data, np.ndarray) else as_array(data)
    numbers = data.dtype.kind in "biu" or data.dtype.kind == "f" and data.dtype.itemsize <= 8
    return "ndarray", data if numbers else _lists(data, lost), {"kind": "array", **describe(data)}


def unpack(data, described):
    """The dataset that was packed."""
    kind = described["kind"]
    if kind == "sparse":
        return sparse(data, described)
    if kind == "array":
        return array(data, described["dtype"], described["shape"])
    if kind == "frame":
        return frame(list(zip(*data, strict=True)), described)
    if kind == "series":
        pandas = _pandas()
        return pandas.Series(
            column(data, described["dtype"]), index=index_of(described["index"]), name=decode(described["name"])
        )
    if kind == "list" and isinstance(data, list):
        return data
    raise ValueError(f"the kind {kind!r}")


def write(file, data):
    """Writes lists, an array or `Rows` as JSON, some rows at a time."""
    if isinstance(data, (np.ndarray, Rows)) and data.ndim > 1 and data.size > BLOCK:
        step = max(1, BLOCK * len(data) // data.size)
        file.write("[")
        for start in range(0, len(data), step):
            if start:
                file.write(", ")
            part = data[start : start + step]
            if step == 1 and isinstance(part, np.ndarray):
                write(file, part[0])
            else:
                file.write(json.dumps(part.tolist())[1:-1])
        file.write("]")
    else:
        file.write(json.dumps(data if isinstance(data, list) else data.tolist()))


class Rows:
    """The rows of a DataFrame, whose cells keep the types of their columns."""

    ndim = 2

    def __init__(self, frame, lost):
        self._frame, self._lost = frame, lost
        self.size = frame.size

    def __len__(self):
        return len(self._frame)

    def __getitem__(self, rows):
        return Rows(self._frame.iloc[rows], self._lost)

    def tolist(self):
        if self._frame.shape[1] == 0:
            return [[] for _ in range(len(self))]
        columns = [_cells(self._frame.iloc[:, i], self._lost) for i in range(self._frame.shape[1])]
        return [list(row) for row in zip(*columns, strict=True)]


# pandas ---------------------------------------------------------------------------------------------------------------


def _pandas():
    try:
        import pandas
    except ImportError:
        raise UnsupportedError(
            "a DataFrame is not supported by an installation without pandas: install pandas"
        ) from None
    return pandas


def _cells(series, lost):
    """The cells of a column, or of an index, as JSON has them."""
    kind = getattr(series.dtype, "kind", "O")
    if isinstance(series.dtype, np.dtype) and kind in "biuf":
        return series.tolist()
    # Times are text here, and the type of their column makes them times again.
    typed = [] if kind in "mM" or hasattr(series.dtype, "categories") else lost
    cells = series.astype(object).tolist()
    if kind in "mM":
        return [None if cell != cell else cell.isoformat() for cell in cells]
    return plain(cells, typed)


def _dtype(dtype, lost):
    if hasattr(dtype, "categories") and hasattr(dtype, "ordered"):
        return {"categories": index(dtype.categories, lost, tagged=False), "ordered": bool(dtype.ordered)}
    return str(dtype)


def index(given, lost, tagged=True):
    """An index of pandas as JSON; its labels may have types of their own where it is `tagged`."""
    if is_a(given, "pandas", "RangeIndex"):
        return {"range": [given.start, given.stop, given.step], "name": encode(given.name, lost)}
    if is_a(given, "pandas", "MultiIndex"):
        return {"tuples": encode(given.tolist(), lost), "names": encode(list(given.names), lost)}
    if tagged and given.dtype == object:
        return {"labels": encode(given.tolist(), lost), "name": encode(given.name, lost)}
    return {"cells": _cells(given, lost), "dtype": _dtype(given.dtype, lost), "name": encode(given.name, lost)}


def index_of(described):
    pandas = _pandas()
    if "range" in described:
        start, stop, step = described["range"]
        return pandas.RangeIndex(start, stop, step, name=decode(described["name"]))
    if "tuples" in described:
        return pandas.MultiIndex.from_tuples(decode(described["tuples"]), names=decode(described["names"]))
    if "labels" in described:
        labels = _objects(decode(described["labels"]))
        return pandas.Index(labels, dtype=object, name=decode(described["name"]), tupleize_cols=False)
    cells = column(described["cells"], described["dtype"])
    return pandas.Index(cells, dtype=cells.dtype, name=decode(described["name"]))


def _objects(cells):
    """A list as an array of what it holds, be that lists."""
    made = np.empty(len(cells), dtype=object)
    for i, cell in enumerate(cells):
        made[i] = cell
    return made


def column(cells, dtype):
    """A column of a type, from cells as JSON has them or from an array of numbers."""
    pandas = _pandas()
    cells = cells if isinstance(cells, np.ndarray) else list(cells)
    if isinstance(dtype, dict):
        labels = dtype["categories"]["cells"] if "cells" in dtype["categories"] else None
        categories = index_of(dtype["categories"])
        codes = {label: code for code, label in enumerate(labels if labels is not None else categories.tolist())}
        kind = pandas.CategoricalDtype(categories, ordered=dtype["ordered"] is True)
        return pandas.Categorical.from_codes([codes.get(cell, -1) for cell in cells], dtype=kind)
    if not isinstance(dtype, str):
        raise ValueError(f"the type {dtype!r}")
    kind = pandas.api.types.pandas_dtype(dtype)
    if isinstance(kind, np.dtype) and kind.kind in "biuf":
        return np.asarray(cells, dtype=kind)
    if kind.kind == "M":
        has_zone = getattr(kind, "tz", None) is not None
        return pandas.to_datetime(pandas.Index(cells, dtype=object), format="ISO8601", utc=has_zone).astype(kind)
    if kind.kind == "m":
        return pandas.to_timedelta(pandas.Index(cells, dtype=object)).astype(kind)
    if isinstance(kind, np.dtype):
        if kind.kind != "O":
            raise ValueError(f"the type {dtype!r}")
        # An array of NumPy's would be looked through for a better type.
        return pandas.Series(_objects(cells), dtype=object).array
    if isinstance(cells, np.ndarray):
        return pandas.Series(cells).astype(kind).array
    return pandas.array(cells, dtype=kind)


def frame(columns, described):
    """A DataFrame of columns whose cells JSON, or a table of numbers, gave."""
    pandas = _pandas()
    dtypes, names, rows = described["dtypes"], index_of(described["columns"]), index_of(described["index"])
    # No row says how many columns there are.
    columns = columns or [[] for _ in dtypes]
    if not len(columns) == len(dtypes) == len(names):
        raise ValueError(f"{len(columns)} columns, {len(names)} names and {len(dtypes)} types")
    if any(len(cells) != len(rows) for cells in columns):
        raise ValueError(f"{len(columns[0])} rows, of which the index has {len(rows)}")
    made = {i: column(cells, dtype) for i, (cells, dtype) in enumerate(zip(columns, dtypes, strict=True))}
    made = pandas.DataFrame(made, index=rows)
    made.columns = names
    return made


# Sparse matrices ------------------------------------------------------------------------------------------------------


def describe_sparse(given):
    return {"dtype": given.dtype.str, "array": type(given).__name__.endswith("_array")}


def sparse_lists(given):
    given = given.tocsr()
    return [given.data.tolist(), given.indices.tolist(), given.indptr.tolist(), [int(n) for n in given.shape]]


def sparse(lists, described=None):
    """The CSR matrix of [data, indices, indptr, shape], all of which is checked before it is believed."""
    try:
        import scipy.sparse
    except ImportError:
        raise UnsupportedError(
            "a sparse matrix is not supported by an installation without SciPy: install scipy"
        ) from None
    if not isinstance(lists, list) or len(lists) != 4 or not all(isinstance(part, list) for part in lists):
        raise ValueError("no [data, indices, indptr, shape] of a sparse matrix")
    shape = lists[3]
    if len(shape) != 2 or not all(type(n) is int and 0 <= n < 1 << 31 for n in shape):
        raise ValueError(f"the shape {shape} of a sparse matrix")
    described = described or {}
    data = array(lists[0], described.get("dtype", "<f8"), [len(lists[0])])
    indices, indptr = (np.array(part, dtype=np.int64) if part else np.zeros(0, np.int64) for part in lists[1:3])
    if any(type(n) is not int for part in lists[1:3] for n in part):
        raise ValueError("positions in a sparse matrix that are no whole numbers")
    fits = (
        data.ndim == 1
        and data.dtype.kind in "biuf"
        and len(data) == len(indices)
        and len(indptr) == shape[0] + 1
        and indptr[0] == 0
        and indptr[-1] == len(data)
        and (np.diff(indptr) >= 0).all()
        and (not len(indices) or 0 <= indices.min() <= indices.max() < shape[1])
    )
    if not fits:
        raise ValueError(f"cells of a sparse matrix that do not fit into its shape {shape}")
    make = scipy.sparse.csr_array if described.get("array") is True else scipy.sparse.csr_matrix
    if max(shape[1], len(data)) < 1 << 31:
        indices, indptr = indices.astype(np.int32), indptr.astype(np.int32)
    return make((data, indices, indptr), shape=tuple(shape))
