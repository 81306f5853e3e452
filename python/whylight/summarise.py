"""A background in few rows: weighted k-means of dense rows, column medians of sparse ones."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from . import _parameters
from ._engine import kmeans
from ._table import is_a, row_count, table

#: Tables of up to so many rows per cluster are kept whole.
ROWS_PER_CLUSTER = 10


@dataclasses.dataclass
class Background:
    """Rows that stand for more rows."""

    #: The rows, of the type that they came in where it can be.
    data: Any
    #: The share of each row, with the sum 1.
    weights: np.ndarray
    #: How many rows were summarised.
    rows: int
    #: "kmeans", "medians", or "all" where the rows are kept.
    method: str
    device: str | None = None
    notes: list[str] = dataclasses.field(default_factory=list)

    def __len__(self):
        return len(self.weights)


def summarise(x, clusters=10, *, round_values=True, weights=None, seed=0, device="auto") -> Background:
    """The background in at most so many weighted rows.

    Dense rows are clustered, in units of their columns' standard deviations, by k-means that begins with k-means++
    (Arthur & Vassilvitskii 2007); with `round_values` every cell is one that occurs in its column. Sparse rows become
    the one row of their columns' medians. Tables of up to ten rows per cluster are kept whole.

    Raises ParameterError for no clusters, DataError for infinite cells and columns of labels.
    """
    clusters, seed = _parameters.count("clusters", clusters, least=1), _parameters.count("seed", seed)
    device = _parameters.device(device)
    rows = row_count(x)
    if hasattr(x, "tocsr"):
        return Background(_medians(x), np.ones(1), rows, "medians")
    if rows <= ROWS_PER_CLUSTER * clusters:
        share = np.ones(rows) if weights is None else np.asarray(weights, np.float64)
        return Background(x, share / share.sum(), rows, "all")
    given = table(x)
    if weights is not None:
        weights = np.ascontiguousarray(weights, np.float64)
    centres, shares, _, on, notes = kmeans(
        given.data, clusters, given.names, weights=weights, round=round_values, seed=seed, device=device
    )
    if is_a(x, "pandas", "DataFrame"):
        import pandas

        centres = pandas.DataFrame(centres, columns=x.columns)
    elif getattr(given.data, "dtype", None) == np.float32:
        centres = centres.astype(np.float32)
    return Background(centres, shares, rows, "kmeans", on, notes)


def _medians(x):
    """The row of column medians of a sparse matrix, sparse; a column's zeros count as the numbers that they are."""
    import scipy.sparse

    columns = x.tocsc(copy=True)
    columns.sum_duplicates()
    rows = columns.shape[0]
    medians = np.zeros(columns.shape[1])
    # A column with fewer stored cells than half the rows has the median 0, unless both signs are rare.
    for column in np.flatnonzero(2 * np.diff(columns.indptr) >= rows):
        stored = columns.data[columns.indptr[column] : columns.indptr[column + 1]]
        medians[column] = np.median(np.concatenate([stored, np.zeros(rows - len(stored), stored.dtype)]))
    return scipy.sparse.csr_matrix(medians.reshape(1, -1).astype(columns.dtype, copy=False))
