"""Explanations as directories of JSON, as interpret-community writes and reads them (serialization version 1).

A file `<property>.json` per property says its type and its data, and `explanation_metadata.json` which kind of
explanation it is. What that format loses is in `whylight.json`, which others may ignore.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid

import numpy as np

from ..errors import FileError
from . import _properties
from ._head import Stored, built, check_means, damaged, head, naming, parse, warn
from ._pack import array, decode, encode, matrix, pack, plain, sparse, sparse_lists, unpack, write
from ._result import Explanation

METADATA = "explanation_metadata.json"
OWN = "whylight.json"
DATASETS = ("init_data", "eval_data", "eval_y_predicted", "eval_y_predicted_proba")
LISTS = ("features", "expected_values", "classes", "global_importance_names", "per_class_names")
#: Of the type "list", interpret-community would load them, but not answer to their names.
ARRAYS = ("global_importance_rank", "global_importance_values", "per_class_rank", "per_class_values")
PROPERTIES = ("local_importance_values", *DATASETS, *LISTS, *ARRAYS)


# Writing --------------------------------------------------------------------------------------------------------------


def save(e, path):
    path = os.path.normpath(path)
    parent, name = os.path.split(os.path.abspath(path))
    part = os.path.join(parent, f".{name}.{uuid.uuid4().hex}.part")
    try:
        os.makedirs(parent, exist_ok=True)
        os.mkdir(part)
        try:
            lost = _write(e, part)
            if not os.path.lexists(path):
                os.rename(part, path)
            else:
                _replace(part, path)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    except FileError:
        raise
    except OSError as error:
        raise FileError(f"{path}: {error}") from None
    warn(path, lost, None)


def _replace(part, path):
    """Moves the files of one explanation over those of another, of which nothing stays."""
    if not os.path.isdir(path):
        raise FileError(f"{path}: it is no directory; choose another path")
    new = set(os.listdir(part))
    # Without its metadata, a directory that is half of one explanation and half of another is none.
    for old in (METADATA, OWN, *(f"{name}.json" for name in PROPERTIES)):
        if old == METADATA or old not in new:
            try:
                os.remove(os.path.join(path, old))
            except FileNotFoundError:
                pass
    for name in sorted(new, key=lambda name: name == METADATA):
        os.replace(os.path.join(part, name), os.path.join(path, name))


def _write(e, folder):
    lost, said = [], {}

    def put(name, kind, data):
        with open(os.path.join(folder, f"{name}.json"), "w", encoding="utf-8") as file:
            file.write(f'{{"metadata": "{kind}", "data": ')
            write(file, data)
            file.write("}")

    own = head(e, lost)
    if e._is_local:
        values = e._local_importance_values
        if isinstance(values, list):
            put("local_importance_values", "sparse", [sparse_lists(part) for part in values])
        elif e.is_local_sparse:
            put("local_importance_values", "sparse", sparse_lists(values))
        else:
            put("local_importance_values", "list", values)
        own["values"] = _layout(e)
        if e.standard_errors is not None:
            own["standard_errors"] = encode(e.standard_errors, lost)
        if e.completeness_delta is not None:
            own["completeness_delta"] = encode(e.completeness_delta, lost)
        if e.recomputed is not None:
            own["recomputed"] = encode(e.recomputed, lost)
        if e.local_fit is not None:
            own["local_fit"] = encode(e.local_fit, lost)
    for name in (*LISTS, *ARRAYS):
        value = getattr(e, name, None)
        if value is not None:
            put(name, "list" if name in LISTS else "ndarray", plain(value, lost))
    for name in DATASETS:
        value = e._dataset(f"_{name}")
        if value is not None:
            kind, data, said[name] = pack(value, name, lost)
            put(name, kind, data)
    own["datasets"] = said
    classifies = e.model_task == "classification"
    metadata = {
        "explanation_id": e.id,
        "model_type": "classification" if classifies else "regression",
        "data_type": "tabular",
        "model_task": e.model_task,
        "method": e.method,
        "model_class": None if e.model_type is None else str(e.model_type),
        "is_raw": e.is_raw,
        "is_engineered": e.is_engineered,
        "global": e._is_global,
        "local": e._is_local,
        "num_classes": _classes(e) if classifies else 1,
        "num_examples": e.num_examples if e._is_local else 0,
        "num_features": e.num_features,
        "is_local_sparse": e._is_local and e.is_local_sparse,
        "serialization_version": 1,
    }
    for name, value in ((OWN, own), (METADATA, metadata)):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(json.dumps(value))
    return lost


def _classes(e):
    """The number of classes, without the means of all values."""
    if e._values is None:
        return len(np.atleast_2d(e._class_means))
    return 2 if e._mirrors else e.num_outputs


def _layout(e):
    """What `values` look like, of which the directory holds interpret's view."""
    values = e._values
    if isinstance(values, list) or e.is_local_sparse:
        first = values[0] if isinstance(values, list) else values
        return {"dtype": first.dtype.str, "array": type(first).__name__.endswith("_array")}
    values = np.asarray(values)
    return {"dtype": values.dtype.str, "shape": list(values.shape), "mirrors": bool(e._mirrors and values.ndim == 2)}


# Reading --------------------------------------------------------------------------------------------------------------


def load(path):
    said = _properties.document(path, METADATA)
    if said is None:
        what = f"it holds no {METADATA}" if os.path.isdir(path) else "no such directory"
        raise FileError(f"{path}: {what}; name a directory, or a .parquet or .arrow file, of save_explanation")
    file = os.path.join(path, METADATA)
    if not isinstance(said, dict):
        raise damaged(file, "no object")
    version = said.get("serialization_version", 1)
    if version != 1:
        raise damaged(file, f"serialization version {version!r}, of which 1 is read")
    for key in ("global", "local"):
        if not isinstance(said.get(key), bool):
            raise damaged(file, f"{key!r} is {said.get(key)!r}; expected true or false")
    if not said["global"] and not said["local"]:
        # So interpret-community writes global values that it had loaded.
        if not os.path.exists(os.path.join(path, "global_importance_values.json")):
            raise damaged(file, "neither local nor global values are announced")
        said["global"] = True
    own = _own(path, said)
    e = _foreign(path, said) if own is None else _ours(path, said, own)
    expected = said.get("num_features")
    if type(expected) is int and expected not in (0, e.num_features):
        raise damaged(file, f"{expected} features are announced, and the values have {e.num_features}")
    return e


def _own(path, said):
    """What we wrote beside the format, if it belongs to the explanation that is there now."""
    file = os.path.join(path, OWN)
    text = _properties.text(file)
    if text is None:
        return None
    own = parse(text, file)
    fits = own is not None and own.get("explanation_id") == said.get("explanation_id")
    return own if fits else None


def _ours(path, said, own):
    file = os.path.join(path, OWN)
    values = _stored(path, own) if said["local"] else None
    datasets = {}
    with naming(file):
        datasets["standard_errors"] = decode(own.get("standard_errors"))
        datasets["completeness_delta"] = decode(own.get("completeness_delta"))
        datasets["recomputed"] = decode(own.get("recomputed"))
        datasets["local_fit"] = decode(own.get("local_fit"))
        described = {name: own["datasets"].get(name) for name in DATASETS}
    for name in DATASETS:
        found = _properties.typed(path, name)
        part = os.path.join(path, f"{name}.json")
        if (found is None) != (described[name] is None):
            raise damaged(part, f"it and {OWN} do not fit")
        if found is not None:
            with naming(part):
                datasets[name] = unpack(found[1], described[name])
    e = built(own, file, values, lambda count: _properties.features(path, count), **datasets)
    if e._is_global != said["global"] or e._is_local != said["local"]:
        raise damaged(file, f"it and {METADATA} do not fit")
    _check_rows(path, e)
    return e


def _stored(path, own):
    """Our `values` of the view of them that the directory holds."""
    file = os.path.join(path, "local_importance_values.json")
    found = _properties.typed(path, "local_importance_values")
    if found is None:
        raise damaged(file, "it is missing")
    with naming(os.path.join(path, OWN)):
        layout, one_row = own["values"], own["one_row"]
        dtype, shape = layout["dtype"], layout.get("shape")
    if found[0] == "sparse":
        return _properties.csr(path, found[1], {"dtype": dtype, "array": layout.get("array")})
    with naming(file):
        if not isinstance(shape, list) or len(shape) not in (2, 3) or not all(type(n) is int for n in shape):
            raise ValueError(f"values of the shape {shape}")
        mirrors = layout.get("mirrors") is True
        rows = [] if one_row is True else [shape[0]]
        view = [2, *rows, shape[1]] if mirrors else [*shape[2:], *rows, shape[1]]
        values = array(found[1], dtype, view)
        if values.dtype.kind not in "biuf" or list(np.shape(found[1])) != view and 0 not in view:
            raise ValueError(f"values of shape {list(np.shape(found[1]))}; expected {view}")
        if mirrors:
            values = values[1]
        elif len(shape) == 3:
            values = np.moveaxis(values, 0, -1)
        # A row without an axis of rows.
        return np.ascontiguousarray(values.reshape(shape))


def _foreign(path, said):
    """What another library wrote, or we and somebody then took `whylight.json` away."""
    classifies = said.get("model_type") == "classification"
    values, one_row = None, False
    if said["local"]:
        found = _properties.typed(path, "local_importance_values")
        file = os.path.join(path, "local_importance_values.json")
        if found is None:
            raise damaged(file, "it is missing")
        if found[0] in ("sparse", "DatasetWrapperSparse"):
            values = _properties.csr(path, found[1])
        else:
            values, one_row = _dense(_properties.numbers(path, "local_importance_values", (1, 2, 3)), said, classifies)
        if 0 in (values[0] if isinstance(values, list) else values).shape[1:]:
            raise damaged(file, "values of no features")
    means = overall = None
    if said["global"]:
        overall = _properties.numbers(path, "global_importance_values", (1,))
        means = _properties.numbers(path, "per_class_values", (2,)) if classifies else None
        means = overall if means is None else means
        file = os.path.join(path, "global_importance_values.json")
        if means is None and values is None:
            raise damaged(file, "it is missing")
        if means is not None:
            check_means(means, values, file)
            if overall is not None and overall.shape != means.shape[-1:]:
                raise damaged(file, f"{len(overall)} global values, of {means.shape[-1]} features")
    base = _properties.numbers(path, "expected_values", (1,))
    if base is not None:
        base = base.tolist()
        if classifies and len(base) == 2 and getattr(values, "ndim", 0) == 2 and not hasattr(values, "tocsr"):
            base = base[1:]
        base = base[0] if len(base) == 1 else base or None
    datasets = {name: found for name in DATASETS if (found := _dataset(path, name)) is not None}
    count = means.shape[-1] if values is None else (values[0] if isinstance(values, list) else values).shape[1]
    apart = overall is not None and means.ndim == 2 and not np.array_equal(overall, means.mean(axis=0), equal_nan=True)
    classes = _properties.listed(path, "classes")
    features = _properties.features(path, count)
    with naming(os.path.join(path, METADATA)):
        task = said.get("model_task")
        if task not in ("classification", "regression", "unknown"):
            task = "classification" if classifies else "regression"
        e = (Stored if apart else Explanation)(
            values,
            base_values=base,
            feature_names=features,
            classes=classes,
            output_names=_outputs(classes, values, means),
            model_task="classification" if classifies else task,
            model_type=said.get("model_class"),
            details={"method": str(said.get("method", "unknown"))},
            means=means,
            id=said["explanation_id"] if isinstance(said.get("explanation_id"), str) else None,
            is_raw=said.get("is_raw") is True,
            is_engineered=said.get("is_engineered") is True,
            is_local=said["local"],
            is_global=said["global"],
            one_row=one_row,
            **datasets,
        )
    if apart:
        e._overall_values = overall
    _check_rows(path, e)
    return e


def _outputs(classes, values, means):
    """The classes are the outputs' names where there is one for each."""
    if classes is None:
        return None
    if values is None:
        outputs = len(np.atleast_2d(means))
    else:
        outputs = len(values) if isinstance(values, list) else values.shape[2] if values.ndim == 3 else 1
    return [str(label) for label in classes] if len(classes) == outputs else None


def _dense(values, said, classifies):
    """Values (rows, features[, outputs]) of interpret's ([classes,] [rows,] features), and whether it is one row."""
    if values.ndim == 3:
        return np.ascontiguousarray(np.moveaxis(values, 0, 2)), False
    if values.ndim == 1:
        return values[np.newaxis], True
    # Of one row without an axis of rows, the number of examples is stored as 1, or as that of the features.
    classes, features = values.shape
    if classifies and said.get("num_classes") == classes and said.get("num_examples") in (1, features):
        return np.ascontiguousarray(values.T)[np.newaxis], True
    return values, False


def _dataset(path, name):
    found = _properties.typed(path, name)
    if found is None:
        return None
    kind, data = found
    with naming(os.path.join(path, f"{name}.json")):
        if kind in ("sparse", "DatasetWrapperSparse"):
            return sparse(data)
        if not isinstance(data, list):
            raise ValueError("its data are no list")
        if kind == "DataFrame":
            try:
                import pandas
            except ImportError:
                return matrix(data)
            return pandas.DataFrame(data)
        # Predictions stay as they are, and so do texts.
        are_cells = any(isinstance(row, (list, int, float)) for row in data)
        if kind == "list" and (name.startswith("eval_y") or not are_cells):
            return data
        return matrix(data)


def _check_rows(path, e):
    """Refuses explained rows that are more or fewer than their values."""
    if e._values is None:
        return
    for name in DATASETS[1:]:
        data = e._dataset(f"_{name}")
        shape = np.shape(data) if isinstance(data, np.ndarray) else getattr(data, "shape", None)
        if shape is None:
            shape = (len(data),) if data is not None else None
        alone = len(e) == 1 and (shape is None or len(shape) == 1)
        if shape is not None and not alone and (not shape or shape[0] != len(e)):
            file = os.path.join(path, f"{name}.json")
            raise damaged(file, f"{shape[0] if shape else 0} rows, of {len(e)} that were explained")
