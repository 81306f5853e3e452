"""The same rows, however they are held, have the same bits; what cannot be read is refused by name."""

import numpy as np
import pytest

import whylight
from whylight import TreeExplainer


@pytest.fixture(scope="module")
def explainer(complete, target):
    ensemble = pytest.importorskip("sklearn.ensemble")
    model = ensemble.RandomForestRegressor(n_estimators=5, random_state=0).fit(complete, target)
    return TreeExplainer(model, device="cpu")


def test_layouts_of_an_array_have_the_same_bits(explainer, complete):
    expected = explainer(complete).values
    wide = np.zeros((len(complete), 12))
    wide[:, ::2] = complete
    held = [
        np.asfortranarray(complete),
        wide[:, ::2],
        complete.tolist(),
        np.flipud(np.flipud(complete)),
        complete.astype(">f8"),
        complete.astype(object),
    ]
    for x in held:
        assert (explainer(x).values == expected).all()
    # These trees round cells to float32 themselves.
    assert (explainer(complete.astype(np.float32)).values == expected).all()


def test_frames_and_sparse_matrices_have_the_same_bits(explainer, complete):
    pandas = pytest.importorskip("pandas")
    sparse = pytest.importorskip("scipy.sparse")
    expected = explainer(complete).values
    frame = pandas.DataFrame(complete, columns=list("abcdef"))
    mixed = frame.astype({"a": np.float32})
    for x in [frame, mixed, sparse.csr_matrix(complete)]:
        assert (explainer(x).values == expected).all()
    assert (explainer(frame.iloc[3]).values == explainer(complete[3]).values).all()


def test_one_row_is_a_table_of_one_row(explainer, complete):
    expected = explainer(complete[:1]).values
    assert (explainer(complete[0]).values == expected).all()
    assert (explainer(list(complete[0])).values == expected).all()


def test_columns_are_matched_by_name(complete, target):
    pandas = pytest.importorskip("pandas")
    ensemble = pytest.importorskip("sklearn.ensemble")
    frame = pandas.DataFrame(complete, columns=list("abcdef"))
    model = ensemble.RandomForestRegressor(n_estimators=5, random_state=0).fit(frame, target)
    explainer = TreeExplainer(model, device="cpu")
    turned, straight = explainer(frame[list("fedcba")]), explainer(frame)
    assert (turned.values == straight.values).all()
    # Names and cells are those of the values.
    assert turned.feature_names == straight.feature_names == list("abcdef")
    assert (np.asarray(turned.data) == complete).all()
    with pytest.raises(whylight.ShapeError, match="missing: .?c"):
        explainer(frame.drop(columns="c"))


def test_a_matrix_is_not_copied(explainer, complete):
    x = np.ascontiguousarray(complete)
    assert whylight._table.table(x).data is x


@pytest.mark.parametrize(
    ("x", "error", "word"),
    [
        (np.zeros((2, 3)), whylight.ShapeError, "6 features"),
        (np.zeros((0, 6)), whylight.DataError, "no rows"),
        (np.zeros((2, 3, 6)), whylight.ShapeError, "(2, 3, 6)"),
        ([["a"] * 6], whylight.DataError, "expected numbers"),
        ([[1.0, 2.0], [3.0]], whylight.DataError, "one length"),
    ],
)
def test_wrong_rows_are_refused(explainer, x, error, word):
    with pytest.raises(error) as raised:
        explainer(x)
    assert word in str(raised.value)
    assert isinstance(raised.value, ValueError)


def test_infinite_cells_are_compared_like_others(explainer, complete):
    x = complete[:4].copy()
    x[0, 0], x[1, 1] = np.inf, -np.inf
    assert np.isfinite(explainer(x).values).all()


def test_a_device_that_is_not_there_is_refused(complete, target):
    tree = pytest.importorskip("sklearn.tree")
    model = tree.DecisionTreeRegressor().fit(complete, target)
    with pytest.raises(whylight.WhylightError):
        TreeExplainer(model, device="gpu:99")
    with pytest.raises(whylight.ParameterError, match="device"):
        TreeExplainer(model, device="abacus")


def mixed_model(complete, target):
    """A model with a category, and rows of numbers of several types and of text."""
    lightgbm = pytest.importorskip("lightgbm")
    pandas = pytest.importorskip("pandas")
    town = np.random.default_rng(0).choice(["Ulm", "Bonn", "Trier"], len(complete))
    frame = pandas.DataFrame({"a": complete[:, 0], "b": complete[:, 1].astype(np.float32), "c": np.arange(400) % 7})
    frame["town"] = pandas.Categorical(town)
    frame.loc[::9, "a"] = np.nan
    y = target + 2.0 * (town == "Ulm")
    model = lightgbm.LGBMRegressor(n_estimators=10, min_child_samples=5, verbose=-1).fit(frame, y)
    return frame, model


def test_tables_of_arrow_and_polars_have_the_same_bits(complete, target):
    frame, model = mixed_model(complete, target)
    explainer = TreeExplainer(model, device="cpu")
    expected = explainer(frame)
    np.testing.assert_allclose(expected.values.sum(axis=1) + expected.base_values, model.predict(frame), atol=1e-5)
    pyarrow = pytest.importorskip("pyarrow")
    arrow = pyarrow.Table.from_pandas(frame, preserve_index=False)
    texts = arrow.set_column(3, "town", arrow["town"].cast(pyarrow.string()))
    held = [arrow, texts, texts.select(["town", "c", "b", "a"])]
    polars = pytest.importorskip("polars")
    columns = {name: frame[name].to_numpy() for name in "abc"}
    table = polars.DataFrame({**columns, "town": frame["town"].astype(str).to_list()})
    table = table.with_columns(polars.col("a").fill_nan(None))
    held += [table, table.lazy(), table.with_columns(polars.col("town").cast(polars.Categorical))]
    for x in held:
        e = explainer(x)
        assert (e.values == expected.values).all(), type(x)
        assert e.feature_names == expected.feature_names
    assert np.asarray(explainer(held[2]).data)[0].tolist()[1:] == np.asarray(expected.data)[0].tolist()[1:]


def test_text_in_a_column_of_numbers_is_refused_by_name(complete, target):
    frame, model = mixed_model(complete, target)
    wrong = frame.astype({"c": str})
    wrong.loc[5, "c"] = "many"
    with pytest.raises(whylight.DataError, match='column "c".*strings'):
        TreeExplainer(model, device="cpu")(wrong)
    dated = frame.assign(c=np.datetime64("2026-01-01", "ns"))
    with pytest.raises(whylight.DataError, match='column "c".*datetime'):
        TreeExplainer(model, device="cpu")(dated)


def test_tensors_are_read(explainer, complete):
    torch = pytest.importorskip("torch")
    expected = explainer(complete)
    for tensor in (torch.tensor(complete), torch.tensor(complete, requires_grad=True)):
        e = explainer(tensor)
        assert (e.values == expected.values).all()
        assert e.eval_y_predicted == expected.eval_y_predicted
    # NumPy has no such type.
    narrow = torch.tensor(complete).bfloat16()
    assert (explainer(narrow).values == explainer(narrow.float().numpy()).values).all()


def test_tensors_are_transformed(complete, target):
    torch = pytest.importorskip("torch")
    linear_model = pytest.importorskip("sklearn.linear_model")
    model = linear_model.Ridge().fit(complete, target)
    explainers = [
        whylight.LinearExplainer(model, x, transformations=[(slice(0, 6), None)], device="cpu")
        for x in (complete, torch.tensor(complete, requires_grad=True))
    ]
    expected, found = (explainer(explainer._init_data).values for explainer in explainers)
    assert (found == expected).all()


def test_sparse_rows_stay_sparse_and_have_the_same_bits(complete, target):
    sparse = pytest.importorskip("scipy.sparse")
    ensemble = pytest.importorskip("sklearn.ensemble")
    x = complete * (np.abs(complete) > 1)
    explainer = TreeExplainer(ensemble.RandomForestRegressor(5, random_state=0).fit(x, target), device="cpu")
    expected = explainer(x).values
    for form in (sparse.csr_matrix, sparse.csc_matrix, sparse.coo_matrix, sparse.csr_array):
        assert (explainer(form(x)).values == expected).all()
    e = explainer(sparse.csr_matrix(x))
    assert e.data.nnz == np.count_nonzero(x)
    assert (explainer(sparse.csr_matrix(x.astype(np.float32))).values == expected).all()
