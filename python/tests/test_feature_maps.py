"""Importances carried along feature maps keep their sums; what a map cannot be is refused."""

import numpy as np
import pytest

from whylight.errors import ParameterError, ShapeError
from whylight.transformations import dropped, feature_map_from_indices, to_raw


@pytest.fixture
def values():
    return np.random.default_rng(0).normal(size=(7, 4))


def test_shares_are_of_columns(values):
    # Column 0 belongs to raw 0, column 1 to both alike, column 2 to raw 1 three times as much.
    weights = [[5, 1, 1, 0], [0, 1, 3, 0.1]]
    raw = to_raw(values, np.array(weights))
    np.testing.assert_allclose(raw[:, 0], values[:, 0] + values[:, 1] / 2 + values[:, 2] / 4)
    np.testing.assert_allclose(raw[:, 1], values[:, 1] / 2 + values[:, 2] * 0.75 + values[:, 3])
    np.testing.assert_allclose(raw.sum(axis=1), values.sum(axis=1))
    for same in weights, [weights], [np.array(weights)], (np.array(weights),):
        np.testing.assert_array_equal(to_raw(values, same), raw)


def test_values_of_any_number_of_axes(values):
    weights = np.array([[1, 1, 0, 0], [0, 0, 1, 1], [0, 0, 0, 0]])
    raw = to_raw(values, weights)
    assert raw.shape == (7, 3) and raw.flags.c_contiguous
    np.testing.assert_array_equal(to_raw(values[2], weights), raw[2])
    np.testing.assert_array_equal(to_raw([values, -values], weights), [raw, -raw])
    np.testing.assert_array_equal(to_raw(values[:0], weights), raw[:0])


def test_sparse_maps_and_values(values):
    sparse = pytest.importorskip("scipy.sparse")
    weights = np.array([[1, 1, 0, 0], [0, 2, 1, 0]])
    expected = to_raw(values, weights)
    rare = values * (values > 0)
    for kind in sparse.csr_matrix, sparse.csc_matrix, sparse.coo_matrix, sparse.csr_array:
        np.testing.assert_allclose(to_raw(values, kind(weights)), expected)
        np.testing.assert_allclose(to_raw([values, values], [kind(weights)]), [expected, expected])
        raw = to_raw(kind(rare), weights)
        assert sparse.issparse(raw) and raw.format == "csr"
        np.testing.assert_allclose(raw.toarray(), to_raw(rare, weights))
        np.testing.assert_allclose(to_raw(kind(rare), kind(weights)).toarray(), raw.toarray())
        several = to_raw([kind(rare), kind(rare)], weights)
        np.testing.assert_allclose([part.toarray() for part in several], [raw.toarray()] * 2)
        assert dropped(kind(weights)) == [3]


def test_maps_are_chained_from_left_to_right(values):
    first = np.array([[1, 1, 0], [0, 0, 1]])
    second = np.array([[1, 0, 1, 0], [0, 1, 0, 0], [0, 0, 1, 1]])
    np.testing.assert_allclose(to_raw(values, [first, second]), to_raw(to_raw(values, second), first))
    # Nothing is lost while an engineered feature has one raw parent left.
    partly = np.array([[1, 0, 0], [0, 0, 1]])
    whole = np.array([[1, 0, 0, 0], [1, 1, 1, 0], [0, 1, 1, 1]])
    np.testing.assert_allclose(to_raw(values, [partly, whole]).sum(axis=1), values.sum(axis=1))


def test_features_without_parents_are_told(values):
    assert dropped(np.eye(3, 4)) == [3]
    assert dropped([np.eye(2, 3), np.eye(3, 4)]) == [2, 3]
    assert dropped(np.eye(5, 4)) == []
    np.testing.assert_array_equal(to_raw(values, np.eye(3, 4)), values[:, :3])
    np.testing.assert_array_equal(to_raw(values, np.eye(5, 4)), np.column_stack([values, np.zeros(7)]))


@pytest.mark.parametrize("weight", [-1e-9, np.nan, np.inf])
def test_weights_that_are_no_shares(weight, values):
    wrong = np.eye(4)
    wrong[1, 2] = weight
    with pytest.raises(ParameterError, match="feature map 1 has a weight of"):
        to_raw(values, [np.eye(4), wrong])
    sparse = pytest.importorskip("scipy.sparse")
    with pytest.raises(ValueError, match="negative"):
        dropped(sparse.csr_matrix(wrong))


def test_shapes_that_do_not_fit(values):
    with pytest.raises(ShapeError, match=r"\(7, 4\) and the feature map \(2, 3\)"):
        to_raw(values, np.ones((2, 3)))
    with pytest.raises(ShapeError, match=r"\(2, 3\) and \(2, 4\) do not chain"):
        to_raw(values, [np.ones((2, 3)), np.ones((2, 4))])
    with pytest.raises(ShapeError, match="expected a matrix"):
        to_raw(values, [np.ones(4)])
    with pytest.raises(ShapeError, match="expected a matrix of numbers"):
        to_raw(values, [["a", "b"]])
    with pytest.raises(ShapeError, match="the importances"):
        to_raw([values, values[:, :2]], np.eye(4))
    with pytest.raises(ShapeError, match="the importances"):
        to_raw(3.0, np.eye(4))
    with pytest.raises(ParameterError, match="at least one map"):
        to_raw(values, [])


def test_maps_from_indices():
    expected = [[1, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0]]
    np.testing.assert_array_equal(feature_map_from_indices([[0, 2], [1], []], engineered_count=4), expected)
    np.testing.assert_array_equal(feature_map_from_indices([[0, 2], np.array([1])], 3, 4), expected)
    assert feature_map_from_indices([[2], range(2), 3]).shape == (3, 4)
    assert feature_map_from_indices([]).shape == (0, 0)


def test_indices_that_are_no_positions():
    with pytest.raises(ParameterError, match="raw feature 1: expected positions"):
        feature_map_from_indices([[0], [-1]])
    with pytest.raises(ParameterError, match="raw feature 0"):
        feature_map_from_indices([[0.5]])
    with pytest.raises(ParameterError, match="name engineered feature 4, but engineered_count is 4"):
        feature_map_from_indices([[4]], engineered_count=4)
    with pytest.raises(ShapeError, match="raw_count is 1"):
        feature_map_from_indices([[0], [1]], raw_count=1)
