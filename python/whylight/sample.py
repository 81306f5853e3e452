"""Sampling of the rows to explain, where the user allows it."""

from __future__ import annotations

import numpy as np

from ._engine import kmeans
from ._table import row_count, table
from .errors import DataError, ParameterError, UnsupportedError

#: Tables of fewer rows are explained whole.
LEAST = 200

#: Rows that are clustered at most; of larger tables a random sample is.
MOST = 10_000

#: Rows per cluster that density finds.
PER_CLUSTER = 5

METHODS = ("hdbscan", "kmeans")


class SamplingPolicy:
    """Whether and how the rows to explain may be sampled.

    With `allow_eval_sampling`, a table of 200 rows and more is clustered, and as many rows as its structure needs are
    drawn from it, without replacement. `max_dim_clustering` bounds the columns that are clustered: more are first
    projected on their principal components. `sampling_method` is "hdbscan" (of scikit-learn: five rows per cluster) or
    "kmeans" (as many rows as clusters of the best mean silhouette).
    """

    def __init__(self, allow_eval_sampling=False, max_dim_clustering=50, sampling_method="hdbscan"):
        if sampling_method not in METHODS:
            raise ParameterError(f'sampling_method: {sampling_method!r} is not allowed: "hdbscan" or "kmeans"')
        if int(max_dim_clustering) < 1:
            raise ParameterError(f"max_dim_clustering: {max_dim_clustering} is not allowed: 1 or more")
        self.allow_eval_sampling = bool(allow_eval_sampling)
        self.max_dim_clustering = int(max_dim_clustering)
        self.sampling_method = sampling_method


def sample(x, policy, *, seed=0):
    """The positions of the rows to explain, ascending; None for all of them."""
    rows = row_count(x)
    if not policy.allow_eval_sampling or rows < LEAST:
        return None
    generator = np.random.default_rng(seed)
    chosen = np.arange(rows)
    if rows > MOST:
        chosen = np.sort(generator.choice(rows, MOST, replace=False))
    points = _projected(_numbers(x, chosen), policy.max_dim_clustering)
    wanted = _by_density(points) if policy.sampling_method == "hdbscan" else _by_silhouette(points, generator)
    if wanted >= len(chosen):
        return None if len(chosen) == rows else chosen
    return np.sort(generator.choice(chosen, wanted, replace=False))


def _numbers(x, rows):
    """The rows as standardised numbers: labels as their codes, missing cells as their column's mean."""
    from .explanation._cells import take

    part = take(x, rows)
    data = part.toarray() if hasattr(part, "toarray") else table(part).data
    if isinstance(data, list):
        columns = [column[0] if isinstance(column, tuple) else column for column in data]
        data = np.stack([np.asarray(column, np.float64) for column in columns], axis=1)
    data = np.asarray(data, np.float64)
    if np.isinf(data).any():
        row, column = np.argwhere(np.isinf(data))[0]
        raise DataError(
            f"row {rows[row]}, column {column}: infinite cells cannot be clustered; sample without a policy"
        )
    with np.errstate(all="ignore"):
        missing = np.isnan(data)
        mean = np.where(missing.all(axis=0), 0.0, np.nanmean(np.where(missing.all(axis=0), 0.0, data), axis=0))
    data = np.where(missing, mean, data) - mean
    spread = data.std(axis=0)
    return data / np.where(spread > 0, spread, 1.0)


def _projected(points, dimensions):
    """The first principal components, where there are more columns."""
    if points.shape[1] <= dimensions:
        return points
    _, _, directions = np.linalg.svd(points, full_matrices=False)
    return points @ directions[:dimensions].T


def _by_density(points) -> int:
    try:
        from sklearn.cluster import HDBSCAN
    except ImportError as error:
        raise UnsupportedError(
            'sampling_method "hdbscan" needs scikit-learn 1.3 or newer: pip install scikit-learn, or take "kmeans"'
        ) from error
    labels = HDBSCAN(min_cluster_size=2, copy=True).fit(points).labels_
    return max(1, PER_CLUSTER * len(np.unique(labels)))


def _by_silhouette(points, generator) -> int:
    """The number of clusters of the best silhouette among half the rows, a quarter, and so on."""
    clusters = min(len(points) // 2, 2000)
    best, score = clusters, -np.inf
    while clusters >= 2:
        seed = int(generator.integers(2**32))
        centres, *_ = kmeans(np.ascontiguousarray(points), clusters, round=False, seed=seed)
        found = _silhouette(points, centres)
        if found > score:
            best, score = clusters, found
        clusters //= 2
    return best


def _silhouette(points, centres) -> float:
    """The mean simplified silhouette (Hruschka et al. 2004): distances to centres, not to all rows of clusters.

    A row's own centre is that of the other rows of its cluster; a row that is alone counts 0, as ever.
    """
    if len(centres) < 2:
        return -1.0
    own, other, nearest = [], [], []
    for part in np.array_split(points, max(1, len(points) * len(centres) >> 22)):
        squares = (part**2).sum(axis=1)[:, None] - 2 * part @ centres.T + (centres**2).sum(axis=1)[None, :]
        least = np.sqrt(np.maximum(np.partition(squares, 1, axis=1)[:, :2], 0.0))
        own.append(least[:, 0])
        other.append(least[:, 1])
        nearest.append(squares.argmin(axis=1))
    own, other, nearest = map(np.concatenate, (own, other, nearest))
    rows = np.bincount(nearest, minlength=len(centres))[nearest]
    own = own * rows / np.maximum(rows - 1, 1)
    widths = (other - own) / np.maximum(np.maximum(own, other), 1e-300)
    return float(np.mean(np.where(rows > 1, widths, 0.0)))
