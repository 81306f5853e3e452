"""The explained cells, as an array that is also interpret's method of the same name."""

from __future__ import annotations

import numpy as np


class Cells(np.ndarray):
    """The explained rows (rows, features). Called with a key, it is interpret's `data(key)`."""

    _of = None

    def __array_finalize__(self, source):
        self._of = None

    def __call__(self, key=None):
        if self._of is None:
            raise TypeError("a part of the data is an array; call data(key) of the explanation itself")
        return self._of.mli_data(key)


class SparseCells:
    """A sparse matrix of explained rows, callable as `Cells` is."""

    def __init__(self, matrix, of):
        self._matrix, self._of = matrix, of

    def __call__(self, key=None):
        return self._of.mli_data(key)

    def __getattr__(self, name):
        return getattr(self._matrix, name)

    def __getitem__(self, key):
        return self._matrix[key]

    def __len__(self):
        return self._matrix.shape[0]

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self._matrix.toarray(), dtype=dtype)


class NoCells:
    """No explained rows are held; `data(key)` still answers."""

    def __init__(self, of):
        self._of = of

    def __call__(self, key=None):
        return self._of.mli_data(key)

    def __bool__(self):
        return False

    def __repr__(self):
        return "no rows"


def cells(data, of):
    """The rows of an explanation as they are shown: arrays where they can be."""
    if data is None:
        return NoCells(of)
    if hasattr(data, "tocsr"):
        return SparseCells(data.tocsr(), of)
    array = as_array(data).view(Cells)
    array._of = of
    return array


def as_array(data):
    """Rows (rows, features) as a NumPy array, of objects where columns have different types."""
    if hasattr(data, "detach"):
        data = data.detach().cpu()
    if hasattr(data, "to_frame") and not hasattr(data, "columns"):
        data = data.to_frame().T
    if hasattr(data, "__arrow_c_stream__") and not hasattr(data, "to_numpy"):
        import pyarrow

        data = pyarrow.table(data)
    if hasattr(data, "column_names") and hasattr(data, "num_rows"):
        return np.array([column.to_pylist() for column in data.columns], dtype=object).T
    array = data.to_numpy() if hasattr(data, "to_numpy") else np.asarray(data)
    return array.reshape(1, -1) if array.ndim == 1 else array


def take(data, rows):
    """These rows of any table; `rows` is a slice or an array of positions or of truths."""
    if data is None:
        return None
    if hasattr(data, "iloc"):
        return data.iloc[rows]
    if hasattr(data, "column_names") and hasattr(data, "take"):
        return data.take(np.arange(data.num_rows)[rows])
    if isinstance(data, list):
        return [data[i] for i in np.arange(len(data))[rows]]
    return data[rows]
