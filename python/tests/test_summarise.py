"""Backgrounds in few rows."""

import numpy as np
import pytest

import whylight
from whylight import SamplingPolicy, summarise
from whylight.sample import sample


@pytest.fixture(scope="module")
def clusters():
    generator = np.random.default_rng(0)
    centres = np.array([[0.0, 1000.0], [5.0, 1010.0], [9.0, 900.0]])
    which = generator.choice(3, 900, p=[0.5, 0.3, 0.2])
    return (centres[which] + generator.normal(size=(900, 2)) * [0.2, 2.0]).round(2), np.bincount(which) / 900


def test_clusters_are_found_with_their_shares_and_real_values(clusters):
    rows, shares = clusters
    background = summarise(rows, 3, device="cpu")
    assert background.method == "kmeans" and background.rows == 900
    np.testing.assert_allclose(np.sort(background.weights), np.sort(shares))
    for column in range(2):
        assert np.isin(background.data[:, column], rows[:, column]).all()
    again = summarise(rows, 3, device="cpu")
    assert (again.data == background.data).all() and (again.weights == background.weights).all()


def test_types_and_names_are_kept(clusters):
    pandas = pytest.importorskip("pandas")
    rows, _ = clusters
    assert summarise(rows.astype(np.float32), 3, device="cpu").data.dtype == np.float32
    frame = summarise(pandas.DataFrame(rows, columns=["a", "b"]), 3, device="cpu").data
    assert list(frame.columns) == ["a", "b"]


def test_a_small_table_is_kept_whole(clusters):
    background = summarise(clusters[0][:30], 3)
    assert background.method == "all" and (background.data == clusters[0][:30]).all()
    np.testing.assert_allclose(background.weights, 1 / 30)


def test_sparse_rows_become_their_medians():
    sparse = pytest.importorskip("scipy.sparse")
    dense = np.random.default_rng(0).integers(-2, 4, size=(101, 8)) * (np.arange(8) > 2)
    background = summarise(sparse.csr_matrix(dense.astype(float)), 3)
    assert background.method == "medians"
    assert (background.data.toarray() == np.median(dense, axis=0)).all()
    even = dense[:100].astype(float)
    assert (summarise(sparse.csr_matrix(even), 3).data.toarray() == np.median(even, axis=0)).all()


def test_cells_that_a_sparse_matrix_adds_up_count_once():
    sparse = pytest.importorskip("scipy.sparse")
    # Row 0 has 3 as 1 + 2, so three of five cells are 0.
    twice = sparse.csr_matrix(([1.0, 2.0, 4.0], [0, 0, 0], [0, 2, 3, 3, 3, 3]), shape=(5, 1))
    assert summarise(twice, 3).data.toarray().tolist() == [[0.0]]


def test_what_cannot_be_clustered_is_refused(clusters):
    pandas = pytest.importorskip("pandas")
    rows = clusters[0].copy()
    for name, value in (("clusters", 0), ("clusters", "many"), ("device", 3), ("seed", -1)):
        with pytest.raises(whylight.ParameterError, match=f"^{name}: "):
            summarise(rows, **{name: value})
    rows[7, 1] = np.inf
    with pytest.raises(whylight.DataError, match="row 8"):
        summarise(rows, 3)
    with pytest.raises(whylight.WhylightError, match="town"):
        summarise(pandas.DataFrame({"a": clusters[0][:, 0], "town": ["Ulm"] * 900}), 3)


def test_sampling_by_kmeans_takes_as_many_rows_as_clusters(clusters):
    rows, _ = clusters
    chosen = sample(rows, SamplingPolicy(True, sampling_method="kmeans"))
    assert 2 <= len(chosen) < 450
    assert (np.diff(chosen) > 0).all()
    assert (sample(rows, SamplingPolicy(True, sampling_method="kmeans")) == chosen).all()


def test_many_columns_are_projected_before_they_are_clustered():
    generator = np.random.default_rng(0)
    rows = np.repeat(generator.normal(size=(4, 80)), 100, axis=0) + 0.01 * generator.normal(size=(400, 80))
    chosen = sample(rows, SamplingPolicy(True, max_dim_clustering=5))
    assert 4 <= len(chosen) <= 400
