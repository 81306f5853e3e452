"""Raw columns get back all that their engineered columns were given: one map per kind of transformer, by its rules."""

import numpy as np
import pytest
from additive import learnt

from whylight.errors import DataError, ParameterError, ShapeError
from whylight.transformations import Transformations

pytest.importorskip("sklearn", minversion="1.3")
pandas = pytest.importorskip("pandas")
from scipy import sparse  # noqa: E402
from sklearn import feature_selection, impute, preprocessing  # noqa: E402
from sklearn.base import BaseEstimator, OneToOneFeatureMixin  # noqa: E402
from sklearn.cluster import FeatureAgglomeration  # noqa: E402
from sklearn.compose import ColumnTransformer  # noqa: E402
from sklearn.decomposition import PCA  # noqa: E402
from sklearn.pipeline import FeatureUnion, make_pipeline  # noqa: E402

REFUSAL = (
    "Many to many or many to one transformers not supported in raw explanations when explainer instantiated with "
    "allow_all_transformations is set to False. Change this parameter to True in order to get explanations."
)


class Opaque(BaseEstimator):
    """A transformer that nothing is known about."""

    def fit(self, x, y=None):
        return self

    def transform(self, x):
        return x


class Declared(OneToOneFeatureMixin, Opaque):
    """One that says itself that output j is input j."""


@pytest.fixture(scope="module")
def numbers():
    generator = np.random.default_rng(0)
    x = generator.normal(size=(60, 3)).round(2)
    x[:, 2] *= 100
    return x


@pytest.fixture(scope="module")
def holes(numbers):
    """Cells are missing in the first and last column; the second is missing throughout."""
    x = numbers.copy()
    x[::5, 0] = x[::7, 2] = x[:, 1] = np.nan
    return x


@pytest.fixture(scope="module")
def codes():
    """Categories: two, three and six in the columns, the last with rare ones."""
    generator = np.random.default_rng(1)
    rare = generator.choice(6, 60, p=[0.4, 0.4, 0.05, 0.05, 0.05, 0.05])
    x = np.column_stack([generator.choice(2, 60), generator.choice(3, 60), rare]).astype(float)
    x[:6, 2] = np.arange(6)
    return x


def influence(transform, x):
    """Which engineered columns change with which raw column: the truth that a map of known parents has to tell."""
    before = dense(transform(x))
    changes = np.zeros((x.shape[1], before.shape[1]))
    for i in range(x.shape[1]):
        changed = x.copy()
        changed[:, i] = np.roll(changed[:, i], 1)
        changes[i] = (dense(transform(changed)) != before).any(axis=0)
    return changes


def dense(x):
    return np.nan_to_num(x.toarray() if sparse.issparse(x) else np.asarray(x, dtype=float), nan=-7)


NUMERIC = [
    preprocessing.Binarizer(),
    preprocessing.MaxAbsScaler(),
    preprocessing.MinMaxScaler(),
    preprocessing.QuantileTransformer(n_quantiles=10),
    preprocessing.RobustScaler(),
    preprocessing.StandardScaler(),
    preprocessing.PowerTransformer(),
    preprocessing.SplineTransformer(n_knots=4),
    preprocessing.SplineTransformer(n_knots=4, include_bias=False),
    preprocessing.FunctionTransformer(),
    preprocessing.FunctionTransformer(np.arctan),
    preprocessing.FunctionTransformer(lambda x: x * 2, feature_names_out="one-to-one"),
    preprocessing.KBinsDiscretizer(n_bins=3, encode="ordinal"),
    preprocessing.KBinsDiscretizer(n_bins=[2, 5, 3], encode="onehot"),
    preprocessing.KBinsDiscretizer(n_bins=[2, 5, 3], encode="onehot-dense"),
    feature_selection.SelectKBest(k=2),
    feature_selection.VarianceThreshold(2.0),
    impute.SimpleImputer(add_indicator=True),
    Declared(),
    FeatureUnion([("a", preprocessing.StandardScaler()), ("b", preprocessing.KBinsDiscretizer(3))]),
    FeatureUnion([("a", "drop"), ("b", "passthrough"), ("c", feature_selection.VarianceThreshold(2.0))]),
]

CODED = [
    preprocessing.OneHotEncoder(),
    preprocessing.OneHotEncoder(drop="first"),
    preprocessing.OneHotEncoder(drop="if_binary"),
    preprocessing.OneHotEncoder(drop=np.array([0.0, 1.0, 0.0])),
    preprocessing.OneHotEncoder(min_frequency=5),
    preprocessing.OneHotEncoder(max_categories=3, drop="first", handle_unknown="infrequent_if_exist"),
    preprocessing.OneHotEncoder(min_frequency=5, drop="if_binary", handle_unknown="ignore", sparse_output=False),
    preprocessing.OrdinalEncoder(),
    preprocessing.TargetEncoder(),
]


def name_of(transformer):
    return str(transformer).replace("\n", "").replace(" ", "")


@pytest.mark.parametrize("transformer", NUMERIC, ids=name_of)
def test_numeric_parents_are_those_that_change_an_output(transformer, numbers):
    transformer.fit(numbers, numbers[:, 2] + numbers[:, 1] > 0)
    _, _, feature_map = learnt([([0, 1, 2], transformer)], numbers)
    np.testing.assert_array_equal(feature_map, influence(transformer.transform, numbers))


@pytest.mark.parametrize("transformer", CODED, ids=name_of)
def test_coded_parents_are_those_that_change_an_output(transformer, codes):
    transformer.fit(codes, (codes[:, 1] + codes[:, 2]) % 2)
    _, _, feature_map = learnt([([0, 1, 2], transformer)], codes)
    np.testing.assert_array_equal(feature_map, influence(transformer.transform, codes))


def test_target_encoder_of_several_classes(codes):
    pytest.importorskip("sklearn", minversion="1.4")
    encoder = preprocessing.TargetEncoder().fit(codes, codes[:, 2] % 3)
    _, _, feature_map = learnt([([0, 1, 2], encoder)], codes)
    np.testing.assert_array_equal(feature_map, np.kron(np.eye(3), np.ones(3)))


@pytest.mark.parametrize("transformer", [preprocessing.Normalizer(), preprocessing.KernelCenterer()], ids=name_of)
def test_what_scales_whole_rows_keeps_its_columns(transformer, numbers):
    square = numbers[:3]
    _, _, feature_map = learnt([([0, 1, 2], transformer.fit(square))], square)
    np.testing.assert_array_equal(feature_map, np.eye(3))


@pytest.mark.filterwarnings("ignore:Skipping features")
@pytest.mark.parametrize(
    "imputer",
    [
        impute.SimpleImputer(),
        impute.SimpleImputer(add_indicator=True),
        impute.SimpleImputer(keep_empty_features=True, add_indicator=True),
        impute.SimpleImputer(strategy="constant", fill_value=0.5, keep_empty_features=True),
        impute.KNNImputer(add_indicator=True),
        impute.MissingIndicator(features="missing-only"),
        impute.MissingIndicator(features="all"),
    ],
    ids=name_of,
)
def test_imputers_drop_and_flag_columns(imputer, holes):
    imputer.fit(holes)
    _, _, feature_map = learnt([([0, 1, 2], imputer)], holes)
    kept = np.eye(3)
    if not getattr(imputer, "keep_empty_features", True):
        kept = kept[:, [0, 2]]
    if getattr(imputer, "add_indicator", False):
        kept = np.hstack([kept, np.eye(3)])
    np.testing.assert_array_equal(feature_map, kept)


def test_missing_indicator_for_some_columns_only(numbers, holes):
    x = np.column_stack([numbers[:, 0], holes[:, 0], numbers[:, 1], holes[:, 2]])
    _, _, feature_map = learnt([([0, 1, 2, 3], impute.MissingIndicator().fit(x))], x)
    np.testing.assert_array_equal(feature_map, np.eye(4)[:, [1, 3]])


@pytest.mark.filterwarnings("ignore:Skipping features")
def test_imputer_of_a_frame_with_names(holes):
    frame = pandas.DataFrame(holes, columns=["b", "a", "c"])
    t = Transformations([(["b", "a", "c"], impute.SimpleImputer(add_indicator=True).fit(frame))])
    t.transform(frame)
    assert t.engineered_names[:2] == ["b", "c"]
    np.testing.assert_array_equal(t.feature_map(), np.hstack([np.eye(3)[:, [0, 2]], np.eye(3)]))


@pytest.mark.parametrize(
    "transformer",
    [
        Opaque(),
        preprocessing.FunctionTransformer(lambda x: np.tile(x, (1, 3))),
        preprocessing.PolynomialFeatures(2),
        preprocessing.SplineTransformer(),
        None,
    ],
    ids=name_of,
)
def test_one_column_owns_all_its_outputs(transformer, numbers):
    if transformer is not None:
        transformer.fit(numbers[:, :1])
    _, engineered, feature_map = learnt([([0], transformer)], numbers)
    np.testing.assert_array_equal(feature_map, [[1.0] * engineered.shape[1]] + 2 * [[0.0] * engineered.shape[1]])


def test_pipelines_multiply_their_steps(codes):
    x = codes[:, :2]
    first = make_pipeline(impute.SimpleImputer(), impute.SimpleImputer(), preprocessing.OneHotEncoder()).fit(x)
    _, _, feature_map = learnt([([0, 1], first)], x)
    np.testing.assert_array_equal(feature_map, [[1, 1, 0, 0, 0], [0, 0, 1, 1, 1]])
    inner = make_pipeline(impute.SimpleImputer(), "passthrough", preprocessing.OneHotEncoder())
    nested = make_pipeline(impute.SimpleImputer(), inner).fit(x)
    _, _, feature_map = learnt([([0, 1], nested)], x)
    np.testing.assert_array_equal(feature_map, [[1, 1, 0, 0, 0], [0, 0, 1, 1, 1]])


def test_an_unknown_step_of_a_pipeline_is_spread_and_noted(codes):
    inner = make_pipeline(impute.SimpleImputer(), preprocessing.OneHotEncoder(), Opaque())
    pipeline = make_pipeline(impute.SimpleImputer(), inner).fit(codes[:, :2])
    t = Transformations([([0, 1], pipeline)])
    t.transform(codes[:, :2])
    np.testing.assert_allclose(t.feature_map(), [[0.4] * 5, [0.6] * 5])
    assert len(t.notes) == 1 and "Opaque" in t.notes[0] and "all 5 columns" in t.notes[0]
    # One raw column owns whatever an unknown step makes of it.
    single = make_pipeline(preprocessing.OneHotEncoder(), Opaque()).fit(codes[:, :1])
    t = Transformations([([0], single)])
    t.transform(codes)
    assert not t.notes


@pytest.mark.parametrize("transformer", [Opaque(), PCA(2), preprocessing.FunctionTransformer(np.hypot)], ids=name_of)
def test_mixing_columns_is_refused_when_constructed(transformer, numbers):
    with pytest.raises(ParameterError, match=REFUSAL) as refused:
        Transformations([([0, 1], transformer)])
    assert isinstance(refused.value, ValueError)
    assert type(transformer).__name__ in str(refused.value) and "over 0, 1" in str(refused.value)


def test_mixing_columns_is_refused_in_a_column_transformer_and_a_union(numbers):
    frame = pandas.DataFrame(numbers, columns=["age", "pay", "debt"])
    mixed = ColumnTransformer([("mix", PCA(1), ["age", "debt"])]).fit(frame)
    with pytest.raises(ParameterError, match="PCA over 'age', 'debt': Many to many"):
        Transformations(mixed)
    with pytest.raises(ParameterError, match="PCA"):
        Transformations([([0, 1], FeatureUnion([("a", PCA(1))]).fit(numbers[:, :2]))])
    # How many columns a slice has is known with the rows.
    with pytest.raises(ParameterError, match=REFUSAL):
        Transformations([(slice(0, 2), PCA(1).fit(numbers[:, :2]))]).transform(numbers)


def test_mixing_columns_is_spread_where_allowed(numbers):
    x = np.hstack([numbers, numbers[:, :1] > 0, numbers[:, 1:2] > 0, numbers[:, :1]])
    coder = preprocessing.OneHotEncoder()
    ct = ColumnTransformer([("a", Opaque(), [0, 1, 2, 5]), ("b", coder, [3, 4])]).fit(x)
    _, _, feature_map = learnt(ct, x, allow_all_transformations=True)
    expected = np.zeros((6, 8))
    expected[[0, 1, 2, 5], :4] = 0.25
    expected[3, 4:6] = expected[4, 6:8] = 1
    np.testing.assert_array_equal(feature_map, expected)


def test_polynomials_and_agglomerations_know_their_parents(numbers):
    polynomial = preprocessing.PolynomialFeatures(2).fit(numbers[:, :2])
    with pytest.raises(ParameterError, match="PolynomialFeatures"):
        Transformations([([0, 1], polynomial)])
    _, _, feature_map = learnt([([0, 1], polynomial)], numbers[:, :2], allow_all_transformations=True)
    # 1, a, b, a², ab, b²
    np.testing.assert_array_equal(feature_map, [[0.5, 1, 0, 1, 0.5, 0], [0.5, 0, 1, 0, 0.5, 1]])
    x = np.column_stack([numbers, numbers[:, 2] + 1])
    groups = FeatureAgglomeration(2).fit(x)
    groups.labels_ = np.array([1, 0, 1, 1])
    _, _, feature_map = learnt([([0, 1, 2, 3], groups)], x, allow_all_transformations=True)
    np.testing.assert_allclose(feature_map, [[0, 1 / 3], [1, 0], [0, 1 / 3], [0, 1 / 3]])


def test_a_map_that_does_not_fit_the_outputs_is_refused(numbers):
    class Wider(preprocessing.StandardScaler):
        def transform(self, x):
            return np.hstack([x, x])

    with pytest.raises(ShapeError, match="Wider over 'x0', 'x1' gives 4 columns from 2"):
        Transformations([([0, 1], Wider().fit(numbers[:, :2]))]).transform(numbers)


def test_outputs_that_depend_on_the_number_of_rows_are_refused(numbers):
    grows = preprocessing.FunctionTransformer(lambda x: np.tile(x, (1, len(x))))
    with pytest.raises(ShapeError, match="must not depend on the others"):
        Transformations([([0], grows)]).transform(numbers)
    drops = preprocessing.FunctionTransformer(lambda x: x[:1])
    with pytest.raises(ShapeError, match=r"\(1, 1\), expected \(60, 1\)"):
        Transformations([([0], drops)]).transform(numbers)


@pytest.mark.parametrize(
    "unfitted",
    [
        [([0, 1], preprocessing.StandardScaler())],
        [([0], preprocessing.OneHotEncoder())],
        [([0, 1], make_pipeline(preprocessing.StandardScaler()))],
        ColumnTransformer([("a", preprocessing.StandardScaler(), [0])]),
        make_pipeline(preprocessing.StandardScaler()),
    ],
    ids=name_of,
)
def test_what_is_not_fitted_is_named(unfitted, numbers):
    with pytest.raises(ParameterError, match="(StandardScaler|OneHotEncoder|ColumnTransformer).* is not fitted"):
        Transformations(unfitted).transform(numbers)


def test_a_transformer_that_fails_is_named(codes):
    encoder = preprocessing.OneHotEncoder().fit(codes)
    with pytest.raises(DataError, match="OneHotEncoder over 'x0', 'x1', 'x2' cannot transform .*unknown categories"):
        Transformations([([0, 1, 2], encoder)]).transform(codes + 50)


@pytest.mark.parametrize("wrong", [None, 3, "age", [], [("age",)], [("age", 3)], [("age", Opaque)], Opaque()], ids=str)
def test_what_is_no_transformation_is_refused(wrong):
    with pytest.raises(ParameterError, match="transformations"):
        Transformations(wrong)


def test_a_pipeline_with_its_model_is_refused(numbers):
    linear_model = pytest.importorskip("sklearn.linear_model")
    pipeline = make_pipeline(preprocessing.StandardScaler(), linear_model.Ridge()).fit(numbers, numbers[:, 0])
    with pytest.raises(ParameterError, match=r"step 'ridge' .*, Ridge, is no transformer.*pipeline\[:-1\]"):
        Transformations(pipeline)
    learnt(pipeline[:-1], numbers)
