"""Pipelines as models: explained in their raw columns where importances can be told apart, else refused at once."""

import numpy as np
import pytest

from whylight import LinearExplainer, TabularExplainer, TreeExplainer, UnsupportedError

ensemble = pytest.importorskip("sklearn.ensemble")
from sklearn import preprocessing  # noqa: E402
from sklearn.base import BaseEstimator, TransformerMixin, clone  # noqa: E402
from sklearn.compose import ColumnTransformer  # noqa: E402
from sklearn.decomposition import PCA  # noqa: E402
from sklearn.feature_selection import SelectKBest, f_regression  # noqa: E402
from sklearn.linear_model import Ridge  # noqa: E402
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline  # noqa: E402


class Ratio(TransformerMixin, BaseEstimator):
    """A class that does not say how many columns it takes."""

    def fit(self, x, y=None):
        return self

    def transform(self, x):
        return np.column_stack([x, x[:, 0] / (2 + abs(x[:, 1]))])


MIXING = {
    "PCA": PCA(3),
    "PolynomialFeatures": preprocessing.PolynomialFeatures(2, interaction_only=True),
    "FunctionTransformer": preprocessing.FunctionTransformer(lambda x: x[:, :3] * x[:, 3:]),
    "Ratio": Ratio(),
    "PCA over 0, 1": ColumnTransformer([("pair", PCA(1), [0, 1])], remainder="passthrough"),
    "PCA over several columns": FeatureUnion([("same", preprocessing.StandardScaler()), ("mixed", PCA(2))]),
}

KEEPING = [
    preprocessing.MinMaxScaler(),
    preprocessing.KBinsDiscretizer(4, encode="onehot-dense"),
    SelectKBest(f_regression, k=4),
    make_pipeline(preprocessing.RobustScaler(), preprocessing.StandardScaler()),
    FeatureUnion([("same", "passthrough"), ("bins", preprocessing.KBinsDiscretizer(3))]),
    ColumnTransformer([("powers", preprocessing.PolynomialFeatures(3), [0]), ("keep", "passthrough", [1, 2])]),
]


def piped(step, model, x, y):
    return Pipeline([("scale", preprocessing.StandardScaler()), ("step", clone(step)), ("model", model)]).fit(x, y)


def forest():
    return ensemble.RandomForestRegressor(n_estimators=5, random_state=0)


def adds_up(e, pipeline, x):
    np.testing.assert_allclose(e.values.sum(axis=1) + e.base_values, pipeline.predict(x), atol=1e-5)
    assert e.values.shape == x.shape


@pytest.mark.parametrize(("what", "step"), MIXING.items(), ids=MIXING)
def test_a_step_that_mixes_columns_is_refused_when_constructed(what, step, complete, target):
    trees, line = (piped(step, model, complete, target) for model in (forest(), Ridge()))
    for make in (lambda: TreeExplainer(trees), lambda: LinearExplainer(line, complete)):
        with pytest.raises(UnsupportedError, match="the step 'step' of the Pipeline.*allow_all_transformations=True"):
            make()
    with pytest.raises(UnsupportedError, match=what):
        TreeExplainer(trees)
    e = TreeExplainer(trees, allow_all_transformations=True, device="cpu")(complete)
    adds_up(e, trees, complete)
    assert any("mixes columns" in note for note in e.notes)


def test_the_columns_that_are_mixed_are_named(complete, target):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(complete, columns=list("abcdef"))
    with pytest.raises(UnsupportedError, match="step 'pca' of the Pipeline, PCA over 'a', 'b', .* in all"):
        TreeExplainer(make_pipeline(PCA(2), forest()).fit(frame, target))


def test_a_later_method_takes_a_pipeline_that_mixes_columns(complete, target):
    pipeline = piped(PCA(3), forest(), complete, target)
    explainer = TabularExplainer(pipeline, complete[:10], device="cpu")
    assert list(explainer.reasons) == ["Tree SHAP", "Deep SHAP", "Linear SHAP"]
    assert all("step 'step'" in reason for reason in explainer.reasons.values())
    e = explainer(complete[:4])
    assert e.method == "kernel_shap"
    np.testing.assert_allclose(e.values.sum(axis=1) + e.base_values, pipeline.predict(complete[:4]), atol=1e-6)


@pytest.mark.parametrize("step", KEEPING, ids=lambda step: type(step).__name__)
def test_a_step_that_keeps_columns_apart_is_taken(step, complete, target):
    pipeline = piped(step, forest(), complete, target)
    e = TreeExplainer(pipeline, device="cpu")(complete)
    adds_up(e, pipeline, complete)
    assert not e.notes


def test_one_raw_column_owns_whatever_is_made_of_it(complete, target):
    x = complete[:, :1]
    pipeline = make_pipeline(preprocessing.PolynomialFeatures(4), PCA(2), forest()).fit(x, target)
    e = TreeExplainer(pipeline, device="cpu")(x)
    adds_up(e, pipeline, x)
    assert not e.notes
