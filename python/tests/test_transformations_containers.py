"""Transformations in containers of every kind: nested ones, those that give frames, mappers of sklearn-pandas."""

import numpy as np
import pytest
from additive import column_transformer, learnt, people, rows

from whylight.errors import ParameterError
from whylight.transformations import Transformations

pytest.importorskip("sklearn")
pytest.importorskip("pandas")
from sklearn import impute, preprocessing  # noqa: E402
from sklearn.compose import ColumnTransformer  # noqa: E402
from sklearn.decomposition import PCA  # noqa: E402
from sklearn.feature_selection import VarianceThreshold  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402


@pytest.fixture(scope="module")
def frame():
    return people()


def test_containers_within_containers(frame):
    inner = ColumnTransformer([("scale", preprocessing.StandardScaler(), ["age", "pay"])], remainder="passthrough")
    coder = preprocessing.OneHotEncoder()
    outer = ColumnTransformer([("in", inner, ["pay", "idle", "age"]), ("code", coder, ["city"])])
    pipeline = make_pipeline(outer, VarianceThreshold()).fit(frame)
    t, engineered, _ = learnt(pipeline, frame)
    np.testing.assert_array_equal(engineered, pipeline.transform(frame))
    # "idle" is constant and selected away after it was scaled.
    np.testing.assert_array_equal(t.feature_map(), rows([0, 2, 1, 1, 1], 5))
    with pytest.raises(ParameterError, match="PCA over .* Many to many"):
        Transformations(make_pipeline(outer, PCA(1)).fit(frame)).transform(frame)
    t, _, _ = learnt(make_pipeline(outer, PCA(1)).fit(frame), frame, allow_all_transformations=True)
    np.testing.assert_allclose(t.feature_map().ravel(), [1 / 6, 1 / 2, 1 / 6, 0, 1 / 6])


@pytest.mark.parametrize("verbose", [True, False])
def test_transformers_that_give_frames(verbose, frame):
    ct = column_transformer(remainder="passthrough", verbose_feature_names_out=verbose)
    ct.transformers[1][1].set_params(sparse_output=False)
    ct.set_output(transform="pandas").fit(frame)
    after = ColumnTransformer([("last", "passthrough", slice(1, 3))], remainder=preprocessing.MaxAbsScaler())
    pipeline = make_pipeline(ct, after).set_output(transform="pandas").fit(frame)
    t, engineered, _ = learnt(pipeline, frame)
    assert type(engineered) is np.ndarray
    np.testing.assert_array_equal(engineered, pipeline.transform(frame))
    np.testing.assert_array_equal(t.feature_map(), rows([0, 1, 2, 1, 1, 3, 4], 5))


class Mapper:
    """What a DataFrameMapper of sklearn-pandas looks like from outside."""

    def __init__(self, features, default=False, input_df=False, drop_cols=()):
        self.features, self.default, self.input_df, self.drop_cols = features, default, input_df, drop_cols

    def fit(self, frame):
        self.built_features = []
        for columns, transformer, *options in self.features:
            columns = columns(frame) if callable(columns) else columns
            built = make_pipeline(*transformer) if isinstance(transformer, list) else transformer
            built.fit(frame[columns] if self.input_df else frame[columns].to_numpy())
            self.built_features.append((columns, built, *(options or [{}])))
        self.built_default = self.default
        return self

    def transform(self, frame):
        parts = []
        for columns, transformer, _ in self.built_features:
            part = frame[columns] if self.input_df else frame[columns].to_numpy()
            parts.append(transformer.transform(part))
        if self.default is None:
            named = [columns for columns, *_ in self.features if not callable(columns)]
            taken = {column for columns in [*named, self.drop_cols] for column in np.atleast_1d(columns)}
            parts.append(frame[[column for column in frame if column not in taken]].to_numpy())
        return np.hstack(parts)


@pytest.fixture(params=["stand-in", "sklearn-pandas"])
def mapper_class(request):
    if request.param == "stand-in":
        return Mapper
    # Its last version, 2.2, cannot be imported beside scikit-learn from 1.7 on.
    return pytest.importorskip("sklearn_pandas", exc_type=ImportError).DataFrameMapper


@pytest.mark.parametrize("input_df", [False, True])
def test_a_data_frame_mapper(mapper_class, input_df, frame):
    features = [
        ("smoker", preprocessing.LabelBinarizer()),
        (["city"], [impute.SimpleImputer(strategy="most_frequent"), preprocessing.OneHotEncoder(sparse_output=False)]),
        (["pay", "age"], preprocessing.StandardScaler(), {"alias": "scaled"}),
    ]
    t, engineered, _ = learnt(mapper_class(features, input_df=input_df).fit(frame), frame)
    np.testing.assert_array_equal(t.feature_map(), rows([3, 1, 1, 1, 2, 0], 5))
    mapper = mapper_class(features, default=None, input_df=input_df).fit(frame)
    t, engineered, _ = learnt(mapper, frame)
    np.testing.assert_array_equal(engineered, mapper.transform(frame).astype(float))
    np.testing.assert_array_equal(t.feature_map(), rows([3, 1, 1, 1, 2, 0, 4], 5))
    mapper.transformed_names_ = list("abcdefg")
    again = Transformations(mapper)
    again.transform(frame)
    assert again.engineered_names == list("abcdefg")


def test_columns_that_a_data_frame_mapper_drops_or_keeps_by_default(mapper_class, frame):
    features = [("smoker", preprocessing.LabelBinarizer()), (lambda frame: ["pay"], preprocessing.StandardScaler())]
    mapper = mapper_class(features, default=None, drop_cols=["city", "who"]).fit(frame)
    t, engineered, _ = learnt(mapper, frame)
    np.testing.assert_array_equal(engineered, mapper.transform(frame).astype(float))
    # What a function chooses is not taken from the others.
    np.testing.assert_array_equal(t.feature_map(), rows([3, 2, 0, 2, 4], 5))


def test_a_data_frame_mapper_that_is_not_fitted_or_mixes(mapper_class, frame):
    mapper = mapper_class([("age", None), (["pay", "age"], PCA(1))])
    with pytest.raises(ParameterError, match="Mapper is not fitted"):
        Transformations(mapper)
    with pytest.raises(ParameterError, match="PCA over 'pay', 'age': Many to many"):
        Transformations(mapper_class([(["pay", "age"], PCA(1))]).fit(frame))


def test_a_list_of_the_parts_of_a_column_transformer(frame):
    ct = column_transformer(remainder="drop").fit(frame)
    parts = [(columns, transformer) for _, transformer, columns in ct.transformers_]
    t, engineered, _ = learnt(parts, frame)
    np.testing.assert_array_equal(engineered.toarray(), ct.transform(frame))
    np.testing.assert_array_equal(t.feature_map(), rows([2, 0, 1, 1, 1, 3], 5))
