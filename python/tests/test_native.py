"""Kernel SHAP of scikit-learn's models that the engine evaluates itself: as if they were asked, but faster."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.datasets import make_classification, make_regression
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, Matern, WhiteKernel
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier, SGDClassifier
from sklearn.naive_bayes import BernoulliNB, ComplementNB, GaussianNB, MultinomialNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC, SVR, LinearSVC, NuSVC, NuSVR, OneClassSVM

from whylight import KernelExplainer, TabularExplainer
from whylight.errors import DataError, ParameterError, UnsupportedError

FEATURES = 6


def rows_of(classes, seed=0):
    x, y = make_classification(
        120, FEATURES, n_informative=4, n_redundant=1, n_classes=classes, random_state=seed, class_sep=0.7
    )
    return x, y


def regression(targets=1):
    x, y = make_regression(90, FEATURES, n_informative=4, n_targets=targets, noise=3.0, random_state=1)
    return x, y / np.std(y)


def classifiers():
    for kernel in ("rbf", "poly", "sigmoid", "linear"):
        for classes in (2, 4):
            yield SVC(kernel=kernel, coef0=0.3, probability=True), classes
        yield NuSVC(kernel=kernel, nu=0.3, coef0=0.2, gamma=0.1, probability=True), 3
        yield SVC(kernel=kernel, coef0=0.3, gamma=0.1, decision_function_shape="ovo"), 4
    for activation in ("relu", "tanh", "logistic", "identity"):
        yield MLPClassifier((9, 5), activation=activation, max_iter=60, random_state=0), 2
        yield MLPClassifier((7,), activation=activation, max_iter=60, random_state=0), 3
    yield from ((GaussianNB(), classes) for classes in (2, 3))
    yield from ((LogisticRegression(), classes) for classes in (2, 3))
    yield LinearDiscriminantAnalysis(), 3
    yield KNeighborsClassifier(7, weights="distance"), 3
    yield KNeighborsClassifier(4, metric="manhattan"), 2
    yield SGDClassifier(loss="log_loss", random_state=0), 2
    yield SGDClassifier(random_state=0), 3
    yield LinearSVC(), 2
    for model in (SVC(), SVC(kernel="linear"), NuSVC(nu=0.3), LinearSVC(), RidgeClassifier()):
        yield CalibratedClassifierCV(model, ensemble=False), 2


def regressors():
    for kernel in ("rbf", "poly", "sigmoid", "linear"):
        yield SVR(kernel=kernel, coef0=0.2, gamma=0.1), 1
        yield NuSVR(kernel=kernel, coef0=0.2, gamma=0.1), 1
        yield KernelRidge(kernel=kernel, gamma=0.1, coef0=0.5), 1
    yield KernelRidge(kernel="laplacian"), 2
    yield KernelRidge(kernel="rbf"), 2
    kernel = ConstantKernel(2.0) * RBF(np.linspace(1, 3, FEATURES)) + WhiteKernel(0.1)
    yield GaussianProcessRegressor(kernel, normalize_y=True, optimizer=None), 1
    yield GaussianProcessRegressor(kernel, optimizer=None), 2
    for nu in (0.5, 1.5, 2.5, np.inf):
        kernel = 1.5 * Matern(np.linspace(1, 3, FEATURES), nu=nu) + WhiteKernel(0.1)
        yield GaussianProcessRegressor(kernel, normalize_y=True, optimizer=None), 1
    yield MLPRegressor(hidden_layer_sizes=(8, 4), max_iter=60, random_state=0), 2
    yield KNeighborsRegressor(3), 2
    yield KNeighborsRegressor(5, weights="distance", p=1), 1
    yield Ridge(), 1
    yield Ridge(), 2


def fitted(model, x, y):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(x, y)


def methods(model):
    known = ("predict_proba", "decision_function", "predict_joint_log_proba")
    found = [name for name in known if hasattr(model, name)]
    return found or ["predict"]


def agree(explainer, asked, rows, expected, tolerance=2e-6):
    """Holds native values against those of the same model as a black box, and against the library's answers."""
    assert explainer._function is None
    got, other = explainer(rows), asked(rows)
    assert other.details["model_format"] == "black box" != got.details["model_format"]
    assert got.values.shape == other.values.shape
    scale = max(1.0, np.abs(other.values).max())
    np.testing.assert_allclose(got.values, other.values, atol=tolerance * scale)
    np.testing.assert_allclose(got.base_values, other.base_values, atol=1e-6 * scale)
    sums = np.asarray(got.values, np.float64).sum(axis=1) + got.base_values
    np.testing.assert_allclose(sums, expected, atol=3e-6 * max(1.0, np.abs(expected).max()))
    assert got.additivity_error < 1e-5 * scale


@pytest.mark.parametrize("model, classes", list(classifiers()), ids=str)
def test_classifiers_have_the_values_of_their_library(model, classes):
    x, y = rows_of(classes)
    model = fitted(model, x, y)
    for name in methods(model):
        method = getattr(model, name)
        explainer = KernelExplainer(method, x[:21])
        agree(explainer, KernelExplainer(lambda z, method=method: method(z), x[:21]), x[40:44], method(x[40:44]))


@pytest.mark.parametrize("model, targets", list(regressors()), ids=str)
def test_regressors_have_the_values_of_their_library(model, targets):
    x, y = regression(targets)
    model = fitted(model, x, y)
    explainer = KernelExplainer(model, x[:18])
    agree(explainer, KernelExplainer(lambda z: model.predict(z), x[:18]), x[30:33], model.predict(x[30:33]))


def test_novelty_and_counts():
    x, _ = rows_of(2)
    model = OneClassSVM(gamma=0.1).fit(x)
    method = model.decision_function
    agree(KernelExplainer(method, x[:9]), KernelExplainer(lambda z: method(z), x[:9]), x[50:53], method(x[50:53]))
    counts, labels = np.abs(np.round(x * 2)), rows_of(2)[1]
    bayes = MultinomialNB().fit(counts, labels)
    method = bayes.predict_proba
    rows = counts[50:53]
    agree(KernelExplainer(bayes, counts[:9]), KernelExplainer(lambda z: method(z), counts[:9]), rows, method(rows))


@pytest.mark.parametrize("model", [MultinomialNB(), ComplementNB(norm=True), BernoulliNB(binarize=None)])
@pytest.mark.parametrize("method", ["predict_proba", "predict_joint_log_proba"])
def test_naive_bayes_of_counts(model, method):
    x, labels = rows_of(3)
    counts = np.abs(np.round(x * 2)) if not isinstance(model, BernoulliNB) else (x > 0).astype(float)
    method = getattr(model.fit(counts, labels), method)
    rows = counts[50:53]
    agree(KernelExplainer(method, counts[:9]), KernelExplainer(lambda z: method(z), counts[:9]), rows, method(rows))


def test_margins_of_product_kernels_are_exact_for_many_features():
    x, y = make_classification(150, 40, n_informative=10, random_state=3)
    model = SVC(gamma=0.01).fit(x, y)
    e = KernelExplainer(model, x[:30])(x[50:60])
    assert e.exact and e.details["estimator"] == "exact" and e.details["engines"] == [["kernel_machine", 1]]
    np.testing.assert_allclose(e.values.sum(axis=1) + e.base_values, model.decision_function(x[50:60]), atol=2e-6)
    sampled = KernelExplainer(model, x[:30], estimator="sampled", nsamples=4000)(x[50:60])
    off = np.abs(e.values - sampled.values) / np.maximum(sampled.standard_errors, 1e-6)
    assert off.max() < 7 and np.median(off) < 1.5


def frame(rows=80, seed=5):
    draw = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "city": draw.choice(["Rome", "Oslo", "Lima"], rows),
            "age": draw.integers(18, 80, rows),
            "income": draw.normal(3, 1, rows),
            "plan": draw.choice(["a", "b"], rows),
        }
    )


def pipeline(model):
    before = ColumnTransformer(
        [("texts", OneHotEncoder(), ["city", "plan"]), ("numbers", StandardScaler(), ["age", "income"])]
    )
    return make_pipeline(before, model)


@pytest.mark.parametrize(
    "model", [SVC(probability=True), MLPClassifier((6,), max_iter=80, random_state=0), LogisticRegression()], ids=str
)
def test_the_raw_columns_of_a_pipeline_play(model):
    x = frame()
    y = (x["city"] == "Oslo").to_numpy() ^ (x["income"].to_numpy() > 3)
    model = fitted(pipeline(model), x, y)
    explainer = KernelExplainer(model, x[:20])
    asked = KernelExplainer(lambda z: model.predict_proba(z), x[:20])
    agree(explainer, asked, x[30:34], model.predict_proba(x[30:34]))
    e = explainer(x[30:34])
    assert e.feature_names == ["city", "age", "income", "plan"] and e.data is not None
    assert [str(label) for label in e.output_names] == ["False", "True"]


def test_what_the_engine_has_no_kernels_for_is_asked():
    x, y = rows_of(3)
    mixing = make_pipeline(PCA(3), SVC(probability=True)).fit(x, y)
    liblinear = fitted(LogisticRegression(solver="liblinear"), x, y == 1)
    rough = GaussianProcessRegressor(Matern(nu=0.7), optimizer=None).fit(x, y)
    precomputed = SVC(kernel=lambda a, b: a @ b.T).fit(x, y)
    for model in (mixing, rough, precomputed):
        assert KernelExplainer(model, x[:9]).__dict__["_function"] is not None
    assert KernelExplainer(liblinear, x[:9])._function is None


def test_margins_of_pairs_of_classes_are_named():
    x, y = rows_of(3)
    model = SVC(decision_function_shape="ovo").fit(x, np.array(["low", "mid", "top"])[y])
    e = KernelExplainer(model, x[:9])(x[:2])
    assert e.output_names == ["low against mid", "low against top", "mid against top"]


def test_outputs_are_chosen_by_name():
    x, y = rows_of(2)
    model = SVC(probability=True).fit(x, y)
    assert KernelExplainer(model, x[:9])(x[:2]).values.shape == (2, FEATURES, 2)
    assert KernelExplainer(model, x[:9], output="raw")(x[:2]).values.shape == (2, FEATURES)
    with pytest.raises(UnsupportedError, match="predict_proba"):
        KernelExplainer(SVC().fit(x, y), x[:9], output="probability")
    with pytest.raises(ParameterError, match="output"):
        KernelExplainer(model, x[:9], output="loss")


def test_groups_links_weights_and_missing_cells():
    x, y = rows_of(2)
    model = SVC(probability=True).fit(x, y)
    for options in ({"groups": {"pair": [0, 3]}}, {"link": "logit"}):
        got = KernelExplainer(model, x[:9], **options)
        other = KernelExplainer(lambda z: model.predict_proba(z), x[:9], **options)
        assert got._function is None
        np.testing.assert_allclose(got(x[9:12]).values, other(x[9:12]).values, atol=1e-5)
    missing = x[9:12].copy()
    missing[1, 2] = np.nan
    with pytest.raises(DataError, match="row 2.*missing"):
        KernelExplainer(model, x[:9])(missing)


def test_the_explainer_that_chooses_reaches_them():
    x, y = rows_of(2)
    model = SVC(probability=True).fit(x, y)
    e = TabularExplainer(model, x[:20]).explain_global(x[20:30])
    assert e.details["engines"] == [["kernel_machine", 1]]
    assert len(e.get_ranked_global_names()) == FEATURES
