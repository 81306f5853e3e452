"""Feature maps: which raw features an engineered feature comes from, and importances carried along them.

A map is a matrix (raw, engineered), a NumPy array or a SciPy sparse matrix. Its entries are weights; only their
shares within a column count, so a map of zeros and ones splits an engineered feature evenly over its parents.
"""

from __future__ import annotations

from functools import reduce
from itertools import pairwise

import numpy as np

from ..errors import ParameterError, ShapeError


def to_raw(values, feature_maps):
    """Importances of engineered features (..., engineered) as importances of raw features (..., raw).

    `feature_maps` is one map or a list of maps, (raw, a), (a, b), …, (…, engineered), multiplied in that order.
    Each engineered feature is split over its parents, so rows keep their sums, except for what `dropped` lists.
    Sparse values give a CSR matrix, a list of sparse values (one per output) a list of those, all others an array.

    Raises ParameterError for a map with negative or non-finite weights, ShapeError where shapes do not fit.
    """
    if isinstance(values, (list, tuple)) and values and all(map(is_sparse, values)):
        return [to_raw(part, feature_maps) for part in values]
    shares = _shares(feature_maps)
    if not is_sparse(values):
        values = _array(values, "the importances")
    if values.ndim == 0 or values.shape[-1] != shares.shape[1]:
        raise ShapeError(
            f"the importances have the shape {values.shape} and the feature map {shares.shape}: "
            "expected as many engineered features (the last axis) in both"
        )
    if is_sparse(values):
        if not is_sparse(shares):
            from scipy.sparse import csr_matrix

            shares = csr_matrix(shares)
        return (values.tocsr() @ shares.T).tocsr()
    rows = values.reshape(-1, values.shape[-1])
    raw = (shares @ rows.T).T if is_sparse(shares) else rows @ shares.T
    return np.ascontiguousarray(raw).reshape(*values.shape[:-1], shares.shape[0])


def dropped(feature_maps) -> list[int]:
    """Positions of the engineered features without a raw parent: `to_raw` loses their importance.

    Raises as `to_raw`.
    """
    return np.flatnonzero(_column_sums(_product(feature_maps)) == 0).tolist()


def feature_map_from_indices(indices, raw_count=None, engineered_count=None) -> np.ndarray:
    """A map (raw, engineered) of zeros and ones from a list that holds, per raw feature, its engineered features.

    `raw_count` and `engineered_count` default to as many as `indices` speaks of; more raw features get empty rows.
    Raises ParameterError for a position that is not a whole number in range, ShapeError for too small a `raw_count`.
    """
    rows = [np.atleast_1d(np.asarray(list(row) if hasattr(row, "__iter__") else row)) for row in indices]
    for raw, row in enumerate(rows):
        if row.size and (row.dtype.kind not in "iu" or row.min() < 0):
            raise ParameterError(
                f"engineered features of raw feature {raw}: expected positions from 0 on, found {row.tolist()}"
            )
    if raw_count is None:
        raw_count = len(rows)
    elif raw_count < len(rows):
        raise ShapeError(f"raw_count is {raw_count}, but the indices speak of {len(rows)} raw features")
    highest = max((int(row.max()) for row in rows if row.size), default=-1)
    if engineered_count is None:
        engineered_count = highest + 1
    elif highest >= engineered_count:
        raise ParameterError(
            f"the indices name engineered feature {highest}, but engineered_count is {engineered_count}: "
            f"expected positions below it"
        )
    feature_map = np.zeros((raw_count, engineered_count))
    for raw, row in enumerate(rows):
        feature_map[raw, row.astype(np.intp)] = 1.0
    return feature_map


def is_sparse(x) -> bool:
    """Whether a value is a SciPy sparse matrix or array, told without importing SciPy."""
    return hasattr(x, "tocsr") and hasattr(x, "nnz")


def _array(x, what):
    try:
        array = np.asarray(x, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ShapeError(f"{what}: expected a matrix of numbers; {error}") from None
    return array


def _product(feature_maps):
    """The maps multiplied left to right, each checked."""
    if is_sparse(feature_maps) or (isinstance(feature_maps, np.ndarray) and feature_maps.ndim == 2):
        feature_maps = [feature_maps]
    elif isinstance(feature_maps, (list, tuple)) and feature_maps and np.isscalar(_first(feature_maps[0])):
        # One map written as nested lists.
        feature_maps = [feature_maps]
    maps = [_checked(feature_map, i) for i, feature_map in enumerate(feature_maps)]
    if not maps:
        raise ParameterError("feature_maps: expected at least one map, found none")
    for left, right in pairwise(maps):
        if left.shape[1] != right.shape[0]:
            raise ShapeError(
                f"feature maps of the shapes {left.shape} and {right.shape} do not chain: "
                "expected as many rows in the second as the first has columns"
            )
    return reduce(lambda left, right: left @ right, maps)


def _first(x):
    return x[0] if isinstance(x, (list, tuple)) and x else None


def _checked(feature_map, i):
    if is_sparse(feature_map):
        feature_map = feature_map.tocsr()
        weights = feature_map.data
    else:
        feature_map = weights = _array(feature_map, f"feature map {i}")
    if feature_map.ndim != 2:
        raise ShapeError(f"feature map {i}: expected a matrix (raw, engineered), found the shape {feature_map.shape}")
    if not np.isfinite(weights).all() or (weights < 0).any():
        wrong = weights[~np.isfinite(weights) | (weights < 0)][0]
        raise ParameterError(
            f"feature map {i} has a weight of {wrong}: expected none negative and all finite, "
            "since a weight is the share of an engineered feature that belongs to a raw one"
        )
    return feature_map


def _column_sums(feature_map):
    return np.asarray(feature_map.sum(axis=0), dtype=np.float64).ravel()


def _shares(feature_maps):
    """The product of the maps with columns that sum to one; a column without weights stays empty."""
    # Normalised only here: an intermediate feature without parents then gives its weight to its siblings, and
    # nothing is lost as long as an engineered feature has one raw parent left.
    product = _product(feature_maps)
    sums = _column_sums(product)
    scale = np.divide(1.0, sums, out=np.zeros_like(sums), where=sums > 0)
    if not is_sparse(product):
        return product * scale
    product = product.tocsr().astype(np.float64)
    product.data = product.data * scale[product.indices]
    return product
