"""Mean and standard deviation of |value| over rows, of dense and of sparse values."""

from __future__ import annotations

import numpy as np

#: Rows whose differences from the mean are there at a time.
BLOCK = 1 << 12


def over_rows(values, statistic):
    """A statistic of values (rows, features), (features,); of several outputs (outputs, features)."""
    if isinstance(values, list):
        return np.array([statistic(matrix) for matrix in values])
    return statistic(values).T


def mean(values):
    """The mean |value|."""
    if hasattr(values, "tocsr"):
        return np.ravel(abs(values).mean(axis=0, dtype=np.float64))
    return np.abs(values).mean(axis=0, dtype=np.float64)


def deviation(values):
    """The standard deviation of |value|."""
    centre = mean(values)
    if hasattr(values, "tocsr"):
        squares = mean(abs(values).astype(np.float64).power(2))
        return np.sqrt(np.maximum(squares - centre**2, 0.0))
    squares = np.zeros(centre.shape)
    for start in range(0, len(values), BLOCK):
        squares += ((np.abs(values[start : start + BLOCK]) - centre) ** 2).sum(axis=0)
    return np.sqrt(squares / max(1, len(values)))
