"""Explanations as one Parquet or Arrow file: a table of numbers that any reader opens, and the rest as its metadata."""

from __future__ import annotations

import json
import os

import numpy as np

from .. import _engine
from .._table import is_a
from ..errors import DataError, UnsupportedError
from ._cells import as_array
from ._head import built, head, naming, parse, warn
from ._pack import _dtype, array, column, decode, describe, encode, frame, index, index_of, pack, plain, unpack

ENDINGS = (".parquet", ".pq", ".arrow", ".feather", ".arrows")
KEY = "whylight"
#: Cells that are handed to the writer at a time.
BLOCK = 1 << 20
#: Cells of a dataset, or labels of an index, that the metadata may hold.
SMALL = 1 << 16
#: Parts that are the explanation's own arrays.
OWN = ("values", "means", "spread", "standard_errors", "completeness_delta", "recomputed", "local_fit", "base_values")
#: Datasets that have a row per explained row, and what stands before their columns' names.
BESIDE = {"eval_data": "data", "eval_y_predicted": "predicted", "eval_y_predicted_proba": "probability"}


def is_table(path):
    return os.path.splitext(path)[1].lower() in ENDINGS


# Writing --------------------------------------------------------------------------------------------------------------


class Part:
    """Columns of one array, or arrays of a column each."""

    def __init__(self, arrays, names, described):
        self.arrays, self.names, self.described = arrays, names, described

    @property
    def carriers(self):
        """By column, the type that the file stores it in."""
        if len(self.arrays) == 1:
            return [carrier(self.arrays[0].dtype)] * len(self.names)
        return [carrier(cells.dtype) for cells in self.arrays]

    def rows(self, start, stop):
        for cells in self.arrays:
            block = cells[start:stop]
            yield block.reshape(len(block), -1).astype(carrier(cells.dtype), copy=False)


def carrier(dtype):
    """float32 or float64, whichever holds every number of a type."""
    return np.dtype(np.float32 if dtype.kind == "f" and dtype.itemsize <= 4 else np.float64)


def save(e, path):
    if e.is_local_sparse:
        raise UnsupportedError(
            f"sparse values are not supported by table files ({path}): save them as a directory, with a path that ends "
            "otherwise"
        )
    lost, left_out, small = [], {}, {}
    said = head(e, lost)
    said["feature_names"] = e.features
    if e._values is None:
        # The table says it: a row, or one per class.
        values = np.atleast_2d(e._class_means)
        parts = [Part([values], list(e.feature_names), {"part": "means", "flat": e._class_means.ndim == 1})]
        said["means"] = said["spread"] = None
        rows = len(values)
        if e._class_spread is not None:
            names = [f"spread: {name}" for name in e.feature_names]
            parts.append(Part([np.atleast_2d(e._class_spread)], names, {"part": "spread"}))
    else:
        values = np.asarray(e._values)
        parts = [Part([values], e.column_names(), {"part": "values", **describe(values)})]
        rows = len(values)
        if e.standard_errors is not None:
            errors = np.asarray(e.standard_errors)
            names = [f"standard error: {name}" for name in e.column_names()]
            parts.append(Part([errors], names, {"part": "standard_errors", **describe(errors)}))
        if e.completeness_delta is not None:
            deltas = np.asarray(e.completeness_delta)
            names = [f"completeness delta: {name}" for name in e.output_names]
            parts.append(Part([deltas.reshape(rows, -1)], names, {"part": "completeness_delta", **describe(deltas)}))
        if e.recomputed is not None:
            marks = np.asarray(e.recomputed)
            parts.append(Part([marks], ["recomputed"], {"part": "recomputed", **describe(marks)}))
        if e.local_fit is not None:
            fits = np.asarray(e.local_fit)
            names = [f"local fit: {name}" for name in e.output_names]
            parts.append(Part([fits.reshape(rows, -1)], names, {"part": "local_fit", **describe(fits)}))
        if e._has_own_bases:
            # There are as many of them as rows.
            said["base_values"] = None
            names = ["base value"] if e.num_outputs == 1 else [f"base value: {name}" for name in e.output_names]
            own = [e.base_values.reshape(rows, -1)]
            parts.append(Part(own, names, {"part": "base_values", **describe(e.base_values)}))
    for name in ("init_data", *BESIDE):
        data = e._dataset(f"_{name}")
        if data is None:
            continue
        found = "it has no row per explained row"
        if name in BESIDE and e._values is not None:
            found = _columns(e, name, data, rows)
        if isinstance(found, Part):
            parts.append(found)
            labels = found.described.pop("labels", None)
            if labels is not None:
                parts.append(labels)
        elif name != "eval_data" and _size(data) <= SMALL:
            _, lists, described = pack(data, name, lost)
            small[name] = {**described, "data": plain(lists if isinstance(lists, list) else lists.tolist(), lost)}
        else:
            left_out[name] = found
    names = _unique([name for part in parts for name in part.names])
    carriers = [kind for part in parts for kind in part.carriers]
    said["rows"] = rows
    said["parts"] = [{**part.described, "columns": len(part.names)} for part in parts]
    said["small"] = small
    said["left_out"] = left_out
    columns = [(name, kind.itemsize == 8) for name, kind in zip(names, carriers, strict=True)]
    writer = _engine.TableWriter(path, columns, [(KEY, json.dumps(said))])
    step = max(1, BLOCK // len(columns))
    for start in range(0, rows, step):
        writer.write([block for part in parts for block in part.rows(start, start + step)])
    writer.finish()
    warn(path, lost, left_out)


def _size(data):
    return int(np.prod(data.shape)) if hasattr(data, "shape") else np.asarray(data, dtype=object).size


def _columns(e, name, data, rows):
    """A dataset as columns, or why it cannot be."""
    prefix = f"{BESIDE[name]}: "
    described = {"part": name, "prefix": prefix}
    if hasattr(data, "tocsr"):
        return "it is sparse"
    if is_a(data, "pandas", "DataFrame"):
        return _frame(data, rows, described)
    if is_a(data, "pandas", "Series"):
        lost = []
        described |= {"kind": "series", "index": index(data.index, lost), "name": encode(data.name, lost)}
        if lost:
            return f"its index holds {lost[0]}"
        cells = data.to_numpy() if data.dtype.kind in "biuf" else np.empty(0, object)
        described["type"] = str(data.dtype)
    elif isinstance(data, (list, tuple)):
        described["kind"] = "list"
        try:
            cells = np.asarray(data)
        except ValueError:
            return "its rows have different lengths"
    else:
        described["kind"] = "array"
        cells = data if isinstance(data, np.ndarray) else as_array(data)
    reason = _refused(cells)
    if reason:
        return reason
    described |= describe(cells)
    # One row may have no axis of rows.
    if cells.ndim == 1:
        cells = cells.reshape(rows, -1) if len(cells) == rows or rows == 1 else cells
    if cells.ndim != 2 or len(cells) != rows:
        return f"it has shape {tuple(described['shape'])}, and {rows} rows were explained"
    if cells.shape[1] == 0:
        return "it has no columns"
    count = cells.shape[1]
    names = e.feature_names if name == "eval_data" and count == e.num_features else range(count)
    names = [f"{prefix}{label}" for label in names] if count > 1 or name == "eval_data" else [BESIDE[name]]
    return Part([cells], names, described)


def _frame(data, rows, described):
    if len(data) != rows:
        return f"it has {len(data)} rows, and {rows} were explained"
    if data.shape[1] == 0:
        return "it has no columns"
    arrays, kinds, lost = [], [], []
    for i, label in enumerate(data.columns):
        series = data.iloc[:, i]
        if getattr(series.dtype, "kind", "O") not in "biuf":
            return f'column "{label}" holds {series.dtype}, no numbers'
        if isinstance(series.dtype, np.dtype):
            cells = series.to_numpy()
        else:
            whole = series.dtype.kind in "iu" and series.abs().max()
            if whole is not False and whole == whole and whole > 1 << 53:
                return f'column "{label}" holds integers beyond 2^53'
            cells = series.to_numpy(dtype=np.float64, na_value=np.nan)
        reason = _refused(cells)
        if reason:
            return f'column "{label}": {reason}'
        arrays.append(cells)
        kinds.append(_dtype(series.dtype, lost))
    described |= {"kind": "frame", "dtypes": kinds, "names": index(data.columns, lost)}
    part = Part(arrays, [f"{described['prefix']}{label}" for label in data.columns], described)
    labels = data.index
    if is_a(labels, "pandas", "RangeIndex") or len(labels) <= SMALL:
        described["index"] = index(labels, lost)
    elif isinstance(labels.dtype, np.dtype) and labels.dtype.kind in "biuf" and not _refused(labels.to_numpy()):
        about = {"part": "index", "dtype": labels.dtype.str, "name": encode(labels.name, lost)}
        described["labels"] = Part([labels.to_numpy()], ["index"], about)
    else:
        return f"its index holds {len(labels)} labels that are no numbers"
    return f"its index or its columns hold {lost[0]}" if lost else part


def _refused(cells):
    """Why cells cannot be float32 or float64, else None."""
    if cells.dtype.kind not in "biuf" or cells.dtype.kind == "f" and cells.dtype.itemsize > 8:
        return f"it holds {cells.dtype}, no numbers" if cells.dtype.kind not in "biuf" else f"it holds {cells.dtype}"
    if cells.dtype.kind in "iu" and cells.dtype.itemsize == 8 and cells.size:
        if not -(1 << 53) <= int(cells.min()) <= int(cells.max()) <= 1 << 53:
            return "it holds integers beyond 2^53"
    return None


def _unique(names):
    """Names of columns: the second of one name gets a number. The true names are in the metadata."""
    taken, made = set(names), []
    seen = set()
    for name in names:
        number, own = 2, name
        while own in seen or own != name and own in taken:
            own, number = f"{name} ({number})", number + 1
        seen.add(own)
        made.append(own)
    return made


# Reading --------------------------------------------------------------------------------------------------------------


def load(path):
    try:
        reader = _engine.TableReader(path)
        text = reader.metadata(KEY)
    except UnsupportedError as error:
        raise DataError(f"{path}: it holds no explanation: {error}") from None
    said = parse(text, path) if text is not None else None
    if said is None:
        raise DataError(f"{path}: it holds no explanation; name a file that save_explanation wrote")
    with naming(path):
        rows, parts = said["rows"], said["parts"]
        if type(rows) is not int or rows < 0 or rows != reader.rows:
            raise ValueError(f"{rows} rows are announced, and the table has {reader.rows}")
        counts = [part["columns"] for part in parts]
        if any(type(count) is not int or count < 0 for count in counts) or sum(counts) != reader.columns:
            raise ValueError(f"{counts} columns are announced, and the table has {reader.columns}")
        targets = [_Target(part, rows) for part in parts]
        _read(reader, targets, rows)
        found = {target.name: target for target in targets}
        values = means = None
        if "values" in found:
            values = found["values"].array()
            if values.ndim not in (2, 3):
                raise ValueError(f"values of shape {values.shape}")
        else:
            means = found["means"].matrix
            flat = found["means"].said["flat"] is True
            means = means[0] if flat else means
            said["means"] = encode(means, [])
            if "spread" in found:
                spread = found["spread"].matrix
                said["spread"] = encode(spread[0] if flat else spread, [])
        if "base_values" in found:
            said["base_values"] = encode(found["base_values"].array(), [])
        datasets = {name: unpack(packed.pop("data"), packed) for name, packed in said["small"].items()}
        if not set(datasets) <= {"init_data", *BESIDE} or not set(found) <= {*OWN, "index", *BESIDE}:
            raise ValueError("parts of an unknown kind")
        if "standard_errors" in found:
            datasets["standard_errors"] = found["standard_errors"].array()
        if "completeness_delta" in found:
            datasets["completeness_delta"] = found["completeness_delta"].array()
        if "recomputed" in found:
            datasets["recomputed"] = found["recomputed"].array()
        if "local_fit" in found:
            datasets["local_fit"] = found["local_fit"].array()
        for name in BESIDE:
            if name in found:
                datasets[name] = found[name].dataset(found.get("index"))
        names = said["feature_names"]

    def features(count):
        if names is not None and (not isinstance(names, list) or len(names) != count):
            raise ValueError(f"the names of the features do not fit: expected {count}")
        return names

    return built(said, path, values, features, **datasets)


class _Target:
    """Where the columns of a part go."""

    def __init__(self, said, rows):
        self.said, self.name, count = said, said["part"], said["columns"]
        self.columns = self.matrix = None
        if said.get("kind") == "frame":
            self.columns = [None] * count
            self._rows = rows
        else:
            dtype = np.dtype(np.float64) if "dtype" not in said else array([], said["dtype"], [0]).dtype
            if dtype.kind not in "biuf":
                raise ValueError(f"numbers of the type {dtype}")
            self.matrix = np.empty((rows, count), dtype)

    def put(self, start, columns):
        for i, cells in enumerate(columns):
            if cells is None:
                raise ValueError("a column of text")
            if self.matrix is not None:
                if cells.dtype != carrier(self.matrix.dtype):
                    raise ValueError(f"a column of {cells.dtype}, of which {self.matrix.dtype} was saved")
                self.matrix[start : start + len(cells), i] = cells
            else:
                if self.columns[i] is None:
                    self.columns[i] = np.empty(self._rows, cells.dtype)
                self.columns[i][start : start + len(cells)] = cells

    def array(self):
        return self.matrix.reshape(self.said["shape"])

    def dataset(self, labels):
        kind = self.said["kind"]
        if kind == "array":
            return self.array()
        if kind == "list":
            return self.array().tolist()
        if kind == "series":
            import pandas

            return pandas.Series(
                column(self.array(), self.said["type"]), index_of(self.said["index"]), name=decode(self.said["name"])
            )
        if kind != "frame":
            raise ValueError(f"the kind {kind!r}")
        columns = [np.empty(0) if cells is None else cells for cells in self.columns]
        given = self.said.get("index")
        if given is None:
            given = {"cells": labels.matrix[:, 0], "dtype": labels.said["dtype"], "name": labels.said["name"]}
        return frame(columns, {"dtypes": self.said["dtypes"], "columns": self.said["names"], "index": given})


def _read(reader, targets, rows):
    start = 0
    with np.errstate(invalid="ignore"):
        while (columns := reader.next()) is not None:
            height = len(next((cells for cells in columns if cells is not None), ()))
            if start + height > rows:
                raise ValueError(f"more rows than the {rows} that are announced")
            at = 0
            for target in targets:
                count = target.said["columns"]
                target.put(start, columns[at : at + count])
                at += count
            start += height
    if start != rows:
        raise ValueError(f"{start} rows, of which {rows} are announced")
