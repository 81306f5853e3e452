"""Raw rows in every form, columns named in every way, and transformations in every container."""

import numpy as np
import pytest
from additive import column_transformer, learnt, people, rows

from whylight.errors import DataError, ParameterError, ShapeError
from whylight.transformations import Transformations, to_raw

pytest.importorskip("sklearn")
pandas = pytest.importorskip("pandas")
from scipy import sparse  # noqa: E402
from sklearn import preprocessing  # noqa: E402
from sklearn.base import BaseEstimator  # noqa: E402
from sklearn.compose import ColumnTransformer, make_column_selector  # noqa: E402
from sklearn.decomposition import PCA  # noqa: E402
from sklearn.feature_extraction.text import TfidfVectorizer  # noqa: E402


class Function(BaseEstimator):
    """A transformer that nothing is known about."""

    def __init__(self, func):
        self.func = func

    def fit(self, x, y=None):
        return self

    def transform(self, x):
        return self.func(x)


@pytest.fixture(scope="module")
def frame():
    return people()


@pytest.fixture(scope="module")
def array():
    return np.random.default_rng(5).normal(size=(40, 5))


def test_a_column_transformer_of_a_frame(frame):
    ct = column_transformer().fit(frame)
    t, engineered, _ = learnt(ct, frame)
    np.testing.assert_array_equal(engineered, ct.transform(frame))
    assert engineered.dtype == np.float64
    assert t.engineered_names == list(ct.get_feature_names_out())
    # "idle" is named by no transformer and has a row of zeros.
    np.testing.assert_array_equal(t.feature_map(), rows([2, 0, 1, 1, 1, 3], 5))
    np.testing.assert_array_equal(t.feature_map(5), t.feature_map())
    again = Transformations(t)
    np.testing.assert_array_equal(again.transform(frame), engineered)


def test_the_order_of_a_frame_may_differ_from_the_fitted_one(frame):
    ct = column_transformer(remainder="passthrough").fit(frame)
    t, engineered, _ = learnt(ct, frame)
    before = t.feature_map()
    order = [4, 2, 0, 3, 1]
    np.testing.assert_array_equal(t.transform(frame.iloc[:, order]), engineered)
    np.testing.assert_array_equal(t.feature_map(), before[order])
    np.testing.assert_array_equal(t.feature_map(list(frame.columns)), before)
    wider = t.feature_map(["new", *frame.columns])
    np.testing.assert_array_equal(wider, np.vstack([np.zeros(before.shape[1]), before]))


def test_the_map_asked_for_must_hold_what_is_used(frame):
    t = Transformations(column_transformer().fit(frame))
    with pytest.raises(ParameterError, match="call transform"):
        t.feature_map()
    assert t.engineered_names is None
    t.transform(frame)
    np.testing.assert_array_equal(t.feature_map(["age", "city", "pay", "smoker"]), t.feature_map()[:4])
    with pytest.raises(ShapeError, match="'city'"):
        t.feature_map(["age", "pay", "smoker"])
    with pytest.raises(ShapeError, match="different names"):
        t.feature_map(["age", "city", "pay", "smoker", "smoker"])
    with pytest.raises(ShapeError, match="7 raw features were asked for, but the raw rows had 5"):
        t.feature_map(7)


@pytest.mark.parametrize("remainder", ["drop", "passthrough", preprocessing.StandardScaler()], ids=str)
def test_remainders(remainder, array):
    ct = ColumnTransformer(
        [("a", preprocessing.MinMaxScaler(), [3]), ("gone", "drop", [1]), ("b", "passthrough", [4, 0])],
        remainder=remainder,
    ).fit(array)
    t, engineered, _ = learnt(ct, array)
    np.testing.assert_array_equal(engineered, ct.transform(array))
    np.testing.assert_array_equal(t.feature_map(), rows([3, 4, 0] if remainder == "drop" else [3, 4, 0, 2], 5))


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ([1, 3], [1, 3]),
        (np.array([-1, 0]), [4, 0]),
        (slice(1, 4), [1, 2, 3]),
        (slice(3, None), [3, 4]),
        ([True, False, False, True, False], [0, 3]),
        (np.array([False, False, True, False, False]), [2]),
        ((0, 2), [0, 2]),
        (lambda x: [2, 1], [2, 1]),
    ],
    ids=str,
)
def test_columns_by_position(columns, expected, array):
    scaler = preprocessing.StandardScaler().fit(array[:, expected])
    ways = [[(columns, scaler)]]
    if not isinstance(columns, tuple):
        ways.append(ColumnTransformer([("a", preprocessing.StandardScaler(), columns)]).fit(array))
    for way in ways:
        t, engineered, _ = learnt(way, array)
        np.testing.assert_allclose(engineered, scaler.transform(array[:, expected]))
        np.testing.assert_array_equal(t.feature_map(), rows(expected, 5))


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (["pay", "age"], [2, 0]),
        (pandas.Index(["idle", "pay"]), [4, 2]),
        (slice("pay", "pay"), [2]),
        ([0, 2], [0, 2]),
        (np.array([True, False, True, False, False]), [0, 2]),
        (make_column_selector(dtype_include=np.number), [0, 2, 4]),
    ],
    ids=str,
)
def test_columns_of_a_frame(columns, expected, frame):
    scaler = preprocessing.StandardScaler().fit(frame.iloc[:, expected])
    for way in [(columns, scaler)], ColumnTransformer([("a", preprocessing.StandardScaler(), columns)]).fit(frame):
        t, engineered, _ = learnt(way, frame)
        np.testing.assert_allclose(engineered, scaler.transform(frame.iloc[:, expected]))
        np.testing.assert_array_equal(t.feature_map(), rows(expected, 5))


def test_slices_in_lists(frame, array):
    t, _, _ = learnt([(slice(None, None, 2), None), (slice(-1, 0, -3), None)], array)
    np.testing.assert_array_equal(t.feature_map(), rows([0, 2, 4, 4, 1], 5))
    # Slices of labels include their end.
    t, _, _ = learnt([(slice("pay", "idle"), [Function(lambda x: x[:, [0, 2]]), None])], frame.assign(smoker=1))
    np.testing.assert_allclose(t.feature_map(), [[0, 0]] * 2 + [[1 / 3, 1 / 3]] * 3)


def test_a_bare_column_is_a_vector_for_those_that_want_one(frame):
    words = TfidfVectorizer().fit(frame["city"])
    labels = preprocessing.LabelBinarizer().fit(frame["smoker"])
    scaler = preprocessing.StandardScaler().fit(frame[["pay"]].to_numpy())
    for table, named in (frame, ["city", "smoker", "pay", "age"]), (frame.to_numpy(), [1, 3, 2, 0]):
        t, engineered, _ = learnt(list(zip(named, [words, labels, scaler, None], strict=True)), table)
        assert sparse.isspmatrix_csr(engineered) and engineered.dtype == np.float64
        np.testing.assert_array_equal(t.feature_map(), rows([1, 1, 1, 3, 2, 0], 5))
    t.transform(frame.rename(columns=dict(zip(frame, range(5), strict=True))))
    ct = ColumnTransformer([("words", TfidfVectorizer(), "city"), ("keep", "passthrough", ["age"])]).fit(frame)
    t, engineered, _ = learnt(ct, frame)
    np.testing.assert_array_equal(t.feature_map(), rows([1, 1, 1, 0], 5))


def test_names_of_engineered_columns(frame):
    coder = preprocessing.OneHotEncoder().fit(frame[["city"]].to_numpy())
    tile = Function(lambda x: np.tile(x, (1, 2)))
    words = TfidfVectorizer().fit(frame["city"])
    t = Transformations([("age", None), (["city"], coder), ("pay", tile), ("city", words)])
    t.transform(frame)
    cities = ["city_Bern", "city_Oslo", "city_Rome"]
    assert t.engineered_names == ["age", *cities, "pay_0", "pay_1", "city_bern", "city_oslo", "city_rome"]
    t = Transformations([(["age", "pay"], PCA(1).fit(frame[["age", "pay"]]))], allow_all_transformations=True)
    t.transform(frame)
    assert t.engineered_names == ["pca0"]


def test_a_frame_with_integer_labels():
    frame = pandas.DataFrame(np.arange(12.0).reshape(3, 4), columns=[7, 3, 0, 1])
    t, engineered, _ = learnt([([3, 7], None), (1, None)], frame)
    # In a list, integers are labels where there are such, as in sklearn-pandas; in scikit-learn they are positions.
    np.testing.assert_array_equal(engineered, frame[[3, 7, 1]])
    t, engineered, _ = learnt(ColumnTransformer([("a", "passthrough", [3, 1])]).fit(frame), frame)
    np.testing.assert_array_equal(engineered, frame[[1, 3]])
    np.testing.assert_array_equal(t.feature_map(), rows([3, 1], 4))
    with pytest.raises(DataError, match="no column 2 in a table with the columns 7, 3, 0, 1"):
        Transformations([(2, None)]).transform(frame)


def test_a_frame_with_duplicated_labels():
    frame = pandas.DataFrame(np.arange(6.0).reshape(2, 3), columns=["a", "b", "a"])
    t, _, _ = learnt([("b", None), ([2], None)], frame)
    np.testing.assert_array_equal(t.feature_map(), rows([1, 2], 3))
    with pytest.raises(DataError, match="2 columns are named 'a'"):
        Transformations([("a", None)]).transform(frame)


def test_names_need_a_frame(frame):
    way_out = "pass a DataFrame, or name columns by position"
    with pytest.raises(DataError, match=way_out):
        Transformations([("age", None)]).transform(frame.to_numpy())
    with pytest.raises(DataError, match=way_out):
        Transformations(column_transformer().fit(frame)).transform(frame.to_numpy())
    with pytest.raises(DataError, match="no column 'height' in a table with the columns 'age', 'city'"):
        Transformations([("height", None)]).transform(frame)
    with pytest.raises(DataError, match="no column 9 in a table of 5 columns"):
        Transformations([([9], None)]).transform(frame.to_numpy())
    with pytest.raises(ShapeError, match="mask of 2 columns does not fit a table of 5"):
        Transformations([([True, False], None)]).transform(frame.to_numpy())


def test_widths_that_do_not_fit(array):
    t = Transformations(ColumnTransformer([("a", "passthrough", [0])]).fit(array))
    with pytest.raises(ShapeError, match="fitted on 5 columns, but the rows have 4"):
        t.transform(array[:, :4])


def test_names_that_were_not_fitted_are_not_passed_over(frame):
    scaler = preprocessing.StandardScaler().fit(frame[["age", "pay"]])
    with pytest.raises(DataError, match="StandardScaler over 'pay', 'age' cannot transform"):
        Transformations([(["pay", "age"], scaler)]).transform(frame)


def test_one_row_in_every_form(frame, array):
    t = Transformations(column_transformer().fit(frame))
    np.testing.assert_array_equal(t.transform(frame.iloc[3]), t.transform(frame)[3:4])
    t = Transformations([(slice(0, 5), preprocessing.StandardScaler().fit(array))])
    for row in array[3], array[3].tolist(), array[3:4].tolist(), pandas.Series(array[3]):
        np.testing.assert_allclose(t.transform(row), t.transform(array)[3:4])
    mixed = Transformations([(0, None), ([1], preprocessing.OneHotEncoder(sparse_output=False).fit([["a"], ["b"]]))])
    np.testing.assert_array_equal(mixed.transform([[1.5, "b"], [2, "a"]]), [[1.5, 0, 1], [2, 1, 0]])


def test_rows_that_are_no_table(array):
    t = Transformations([([0], None)])
    with pytest.raises(ShapeError, match=r"shape \(1, 40, 5\)"):
        t.transform(array[None])
    with pytest.raises(ShapeError, match="same length"):
        t.transform([[1, 2], [3]])
    with pytest.raises(DataError, match="at least one"):
        t.transform(array[:0])


def test_outputs_that_are_no_numbers_are_named(frame):
    with pytest.raises(DataError, match="engineered column \"city\": expected numbers, found '(Bern|Oslo|Rome)'"):
        Transformations([("age", None), ("city", None)]).transform(frame)
    ct = ColumnTransformer([("keep", "passthrough", ["smoker", "age"])], verbose_feature_names_out=False).fit(frame)
    for output in "default", "pandas":
        with pytest.raises(DataError, match='engineered column "smoker"'):
            Transformations(ct.set_output(transform=output)).transform(frame)
    dated = frame.assign(age=pandas.Timestamp("2020-01-01"))
    with pytest.raises(DataError, match='engineered column "age"'):
        Transformations([("age", None)]).transform(dated)


def test_numbers_of_every_type(frame):
    odd = pandas.DataFrame(
        {
            "nullable": pandas.array([1, None, 3], dtype="Int64"),
            "flag": [True, False, True],
            "object": np.array([1, 2.5, None], dtype=object),
            "single": np.float32([0.1, 0.2, 0.3]),
        }
    )
    _, engineered, _ = learnt([(column, None) for column in odd], odd)
    np.testing.assert_array_equal(engineered[:, :3], [[1, 1, 1], [np.nan, 0, 2.5], [3, 1, np.nan]])
    _, engineered, _ = learnt([("single", None)], odd)
    assert engineered.dtype == np.float32


def test_sparse_parts_and_sparse_rows(array):
    coder = preprocessing.OneHotEncoder().fit(np.sign(array[:, [0]]))
    x = np.column_stack([np.sign(array[:, 0]), array[:, 1:]])
    t, engineered, _ = learnt([([1, 2], None), ([0], coder)], x)
    assert sparse.isspmatrix_csr(engineered) and engineered.shape == (40, 4)
    rare = sparse.random(30, 5, 0.2, format="csc", random_state=0)
    scaler = preprocessing.MaxAbsScaler().fit(rare)
    for way in [([0], None), (1, None), (slice(2, 5), None)], [(list(range(5)), scaler)]:
        t, engineered, _ = learnt(way, rare)
        assert sparse.isspmatrix_csr(engineered)
        np.testing.assert_array_equal(t.feature_map(), np.eye(5))
    np.testing.assert_allclose(engineered.toarray(), scaler.transform(rare).toarray())
    # What scikit-learn gives decides: the model was fitted on that.
    ct = ColumnTransformer([("a", preprocessing.MaxAbsScaler(), [0, 1])], sparse_threshold=0).fit(rare)
    assert isinstance(learnt(ct, rare)[1], np.ndarray)


def test_many_columns_stay_sparse():
    x = np.linspace((1,) * 8000, (10,) * 8000, 10)
    t = Transformations([(np.arange(8000), preprocessing.OneHotEncoder().fit(x))])
    engineered = t.transform(x)
    feature_map = t.feature_map(8000)
    assert sparse.isspmatrix_csr(engineered) and engineered.shape == (10, 80000)
    assert sparse.isspmatrix_csr(feature_map) and feature_map.shape == (8000, 80000) and feature_map.nnz == 80000
    np.testing.assert_array_equal(feature_map.indices, np.arange(80000))
    raw = to_raw(engineered, feature_map)
    assert sparse.isspmatrix_csr(raw) and (raw.data == 1).all() and raw.nnz == 80000


def test_one_column_in_two_transformers(frame):
    t, _, _ = learnt([(["age", "pay"], None), (["pay"], None), (["pay", "pay"], None)], frame)
    np.testing.assert_array_equal(t.feature_map(), rows([0, 2, 2, 2, 2], 5))
