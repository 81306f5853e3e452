"""What an explanation holds beside its arrays, as JSON: the same in a directory and in a table file."""

from __future__ import annotations

import json
import warnings

import numpy as np

from ..errors import DataError, WhylightError
from ._pack import decode, encode
from ._result import Explanation

FORMAT = "whylight explanation"
VERSION = 1
#: What reading a damaged file makes of it, before it has a name.
BROKEN = (
    ArithmeticError,
    AttributeError,
    ImportError,
    LookupError,
    MemoryError,
    RecursionError,
    TypeError,
    UnicodeError,
    ValueError,
    NotImplementedError,
)


class Stored(Explanation):
    """An explanation whose global importances were stored beside those of its classes and are not their mean."""

    _overall_values = None

    @property
    def _global_importance_values(self):
        self._need_global("global_importance_values")
        return self._overall_values


def damaged(path, reason):
    """The error for a file that is not what it should be."""
    return DataError(f"{path}: {reason}; save the explanation again")


class naming:
    """Names the file in whatever goes wrong within."""

    def __init__(self, path):
        self._path = path

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if isinstance(error, WhylightError) or not isinstance(error, BROKEN):
            return False
        said = f"it lacks {error}" if isinstance(error, KeyError) else str(error) or kind.__name__
        raise damaged(self._path, said) from None


def warn(path, lost, left_out):
    """Says what a file does not keep."""
    if lost:
        names = ", ".join(sorted(set(lost)))
        warnings.warn(f"{path}: values of type {names} were saved as their text", stacklevel=4)
    if left_out:
        parts = "; ".join(f"{name}: {reason}" for name, reason in left_out.items())
        warnings.warn(f"{path}: left out, save a directory to keep them: {parts}", stacklevel=4)


def head(e, lost):
    """Everything but values, features and datasets."""
    keeps_means = e._is_global or e._values is None
    return {
        "format": FORMAT,
        "format_version": VERSION,
        "explanation_id": e.id,
        "details": encode(e.details, lost),
        "base_values": encode(e.base_values, lost),
        "output_names": e._output_names,
        "classes": encode(e._classes, lost),
        "model_task": e.model_task,
        "model_type": encode(e.model_type, lost),
        "model_id": encode(e.model_id, lost),
        "is_raw": e.is_raw,
        "is_engineered": e.is_engineered,
        "is_local": e._is_local,
        "is_global": e._is_global,
        "one_row": e._one_row,
        # Summed anew, they could differ in their last bits.
        "means": encode(e._class_means, lost) if keeps_means else None,
        # That of values is found again.
        "spread": encode(e._class_spread, lost) if e._values is None else None,
        "overall": encode(e._overall_values, lost) if isinstance(e, Stored) else None,
    }


def parse(text, path):
    """A head, or None for JSON that is somebody else's."""
    with naming(path):
        said = json.loads(text)
    if not isinstance(said, dict) or said.get("format") != FORMAT:
        return None
    version = said.get("format_version")
    if version != VERSION:
        raise DataError(f"{path}: format version {version!r}, of which this whylight reads {VERSION}; update whylight")
    return said


def built(said, path, values, features, **parts):
    """The explanation of a head and what belongs to it; `features` gives the names of so many features."""
    with naming(path):
        flags = {flag: said[flag] for flag in ("is_raw", "is_engineered", "is_local", "is_global", "one_row")}
        texts = {key: said[key] for key in ("explanation_id", "model_task")}
        details, outputs, means = decode(said["details"]), said["output_names"], decode(said["means"])
        spread = decode(said["spread"])
        if not all(isinstance(flag, bool) for flag in flags.values()) or not isinstance(details, dict):
            raise ValueError("details or flags of the wrong type")
        if not all(isinstance(text, str) for text in texts.values()) or not isinstance(outputs, (list, type(None))):
            raise ValueError("an id, a task or output names of the wrong type")
        if means is not None:
            check_means(means, values, path)
        if spread is not None and (means is None or np.shape(spread) != means.shape):
            raise ValueError(f"a spread of shape {np.shape(spread)}")
        errors = parts.get("standard_errors")
        if errors is not None and np.shape(errors) != np.shape(values):
            raise ValueError(f"standard errors of shape {np.shape(errors)}")
        deltas = parts.get("completeness_delta")
        if deltas is not None and (values is None or len(np.atleast_1d(deltas)) != np.shape(values)[0]):
            raise ValueError(f"completeness deltas of shape {np.shape(deltas)}")
        marks = parts.get("recomputed")
        if marks is not None and (values is None or np.shape(marks) != np.shape(values)[:1]):
            raise ValueError(f"marks of rows of shape {np.shape(marks)}")
        fits = parts.get("local_fit")
        if fits is not None and (values is None or len(np.atleast_1d(fits)) != np.shape(values)[0]):
            raise ValueError(f"local fits of shape {np.shape(fits)}")
        if flags["is_local"] and values is None:
            raise ValueError("local values are announced, and there are none")
        if values is None and means is None:
            raise ValueError("neither local nor global values")
        count = means.shape[-1] if values is None else (values[0] if isinstance(values, list) else values).shape[1]
        overall = decode(said["overall"])
        e = (Explanation if overall is None else Stored)(
            values,
            base_values=decode(said["base_values"]),
            feature_names=features(count),
            output_names=outputs,
            classes=decode(said["classes"]),
            model_task=texts["model_task"],
            model_type=decode(said["model_type"]),
            details=details,
            means=means,
            spread=spread,
            id=texts["explanation_id"],
            model_id=decode(said["model_id"]),
            **flags,
            **parts,
        )
        if means is not None:
            # As they were: those of sparse float32 values are float32.
            e._means = means
        if overall is not None:
            e._overall_values = overall
        return e


def check_means(means, values, path):
    """Refuses means that no values could have."""
    features = None
    if values is not None:
        features = (values[0] if isinstance(values, list) else values).shape[1]
    if getattr(means, "ndim", 0) not in (1, 2) or means.dtype.kind not in "biuf" or 0 in means.shape:
        raise damaged(path, f"global values of shape {getattr(means, 'shape', None)}")
    if features is not None and means.shape[-1] != features:
        raise damaged(path, f"{means.shape[-1]} global values, of {features} features")
