"""The properties in a directory of an explanation: a JSON file each, with the type of its data, read and checked."""

from __future__ import annotations

import json
import os

import numpy as np

from ..errors import FileError
from ._head import damaged, naming
from ._pack import sparse


def text(file):
    """What a file says, or None where there is none."""
    try:
        with open(file, encoding="utf-8") as opened:
            return opened.read()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise FileError(f"{file}: {error.strerror}") from None
    except UnicodeError:
        raise damaged(file, "it is no UTF-8 text") from None


def document(path, name):
    """The JSON in a file of a directory, or None where there is none."""
    file = os.path.join(path, name)
    said = text(file)
    if said is None:
        return None
    with naming(file):
        return json.loads(said)


def typed(path, name):
    """(type, data) of a property, or None where it is not there."""
    said = document(path, f"{name}.json")
    if said is None:
        return None
    file = os.path.join(path, f"{name}.json")
    if not isinstance(said, dict) or "metadata" not in said or "data" not in said:
        raise damaged(file, 'no {"metadata": …, "data": …}')
    kinds = ("list", "ndarray", "DataFrame", "DatasetWrapper", "DatasetWrapperSparse", "sparse")
    if said["metadata"] not in kinds:
        raise damaged(file, f"data of the type {said['metadata']!r}; expected one of {', '.join(kinds)}")
    return said["metadata"], said["data"]


def listed(path, name):
    """The data of a property that is a list."""
    found = typed(path, name)
    if found is None:
        return None
    if not isinstance(found[1], list):
        raise damaged(os.path.join(path, f"{name}.json"), "its data are no list")
    return found[1]


def numbers(path, name, dimensions):
    """The data of a property that is an array of numbers."""
    found = listed(path, name)
    if found is None:
        return None
    file = os.path.join(path, f"{name}.json")
    with naming(file):
        cells = np.array(found)
        if cells.dtype.kind not in "biuf" or cells.ndim not in dimensions:
            raise ValueError(f"expected numbers in {' or '.join(map(str, dimensions))} dimensions")
        return cells.astype(np.float64)


def features(path, count):
    """The names of so many features, or None."""
    names = listed(path, "features")
    if names is not None and len(names) != count:
        raise damaged(os.path.join(path, "features.json"), f"{len(names)} names, of {count} features")
    return names


def csr(path, data, described=None):
    """The matrix, or the list of one per class, of local values."""
    with naming(os.path.join(path, "local_importance_values.json")):
        several = not (isinstance(data, list) and len(data) == 4 and isinstance(data[3], list) and len(data[3]) == 2)
        if not several:
            return sparse(data, described)
        made = [sparse(part, described) for part in data]
        if not made or any(part.shape != made[0].shape for part in made):
            raise ValueError("matrices of different shapes, or none")
        return made
