"""Permutation importance: against scikit-learn, against rows that are shuffled here, and against what is planted."""

import os

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.ensemble import GradientBoostingRegressor, RandomForestClassifier
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import f1_score, get_scorer, make_scorer, mean_absolute_error, mean_pinball_loss, roc_auc_score
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC, SVR
from test_matrix import gpu

import whylight
from whylight import PFIExplainer, _engine
from whylight.errors import DataError, ModelError, ParameterError, ShapeError, UnsupportedError
from whylight.permutation import _native


def scaled(dataset, rows=120):
    x, y = dataset(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    return StandardScaler().fit_transform(x)[order][:rows], y[order][:rows]


@pytest.fixture(scope="module")
def cancer():
    return scaled(load_breast_cancer)


@pytest.fixture(scope="module")
def iris():
    return scaled(load_iris)


@pytest.fixture(scope="module")
def diabetes():
    return scaled(load_diabetes)


def by_scorer(model, x, y, scorer, repeats, seed=0, strata=None):
    """Importances by scikit-learn's scorer, with the engine's permutations."""
    base = scorer(model, x, y)
    made = np.zeros((x.shape[1], repeats))
    for column in range(x.shape[1]):
        for repeat in range(repeats):
            order = _engine.permutation(len(x), seed, column, repeat, strata)
            shuffled = x.copy()
            shuffled[:, column] = x[order, column]
            made[column, repeat] = base - scorer(model, shuffled, y)
    return made


class Recorder:
    """A model that keeps the rows that it is asked for."""

    def __init__(self, model):
        self.model, self.rows = model, []

    def predict(self, x):
        self.rows.append(x)
        return self.model.predict(x)


MODELS = {
    "svc": lambda: SVC(),
    "svc probability": lambda: SVC(probability=True, random_state=0),
    "poly": lambda: SVC(kernel="poly"),
    "logistic": lambda: LogisticRegression(),
    "bayes": lambda: GaussianNB(),
    "mlp": lambda: MLPClassifier((6,), max_iter=40, random_state=0),
    "neighbours": lambda: KNeighborsClassifier(),
    "forest": lambda: RandomForestClassifier(20, random_state=0),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("data", ["cancer", "iris"])
def test_classifiers_of_the_engine_have_the_importances_of_scikit_learn(name, data, request):
    x, y = request.getfixturevalue(data)
    model = MODELS[name]().fit(x, y)
    e = PFIExplainer(model, n_repeats=2, seed=3, device="cpu").explain_global(x, y)
    assert e.metric == "f1_micro" and e.details["engine"] != "asked" or name == "neighbours"
    expected = by_scorer(model, x, y, get_scorer("f1_micro"), 2, 3)
    np.testing.assert_allclose(e.importances, expected, rtol=0, atol=1e-12)
    assert e.base_score == pytest.approx(f1_score(y, model.predict(x), average="micro"), abs=1e-15)


@pytest.mark.parametrize(
    "model",
    [SVR(), KernelRidge(kernel="rbf"), Ridge(), GradientBoostingRegressor(n_estimators=20)],
    ids=lambda m: str(m),
)
@pytest.mark.parametrize("metric", ["neg_mean_absolute_error", "r2", "neg_root_mean_squared_error"])
def test_regressors_of_the_engine_have_the_importances_of_scikit_learn(model, metric, diabetes):
    x, y = diabetes
    model.fit(x, y)
    e = PFIExplainer(model, metric=metric, n_repeats=2, device="cpu").explain_global(x, y)
    assert e.details["engine"] in ("units", "trees")
    np.testing.assert_allclose(e.importances, by_scorer(model, x, y, get_scorer(metric), 2), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("library", ["xgboost", "lightgbm"])
def test_boosted_trees_have_the_importances_of_their_library(library, iris, diabetes):
    module = pytest.importorskip(library)
    kind = {"xgboost": "XGB", "lightgbm": "LGBM"}[library]
    options = {"verbose": -1} if library == "lightgbm" else {}
    x, y = iris
    classifier = getattr(module, f"{kind}Classifier")(n_estimators=10, **options).fit(x, y)
    for metric in ("accuracy", "neg_log_loss", "roc_auc_ovr"):
        e = PFIExplainer(classifier, metric=metric, n_repeats=2, device="cpu").explain_global(x, y)
        assert e.details["engine"] == "trees"
        expected = by_scorer(classifier, x, y, get_scorer(metric), 2)
        # Its own sums are of float32.
        np.testing.assert_allclose(e.importances, expected, rtol=1e-5, atol=1e-5)
    x, y = diabetes
    regressor = getattr(module, f"{kind}Regressor")(n_estimators=10, **options).fit(x, y)
    e = PFIExplainer(regressor, n_repeats=2, device="cpu").explain_global(x, y)
    assert e.details["engine"] == "trees"
    expected = by_scorer(regressor, x, y, get_scorer("neg_mean_absolute_error"), 2)
    np.testing.assert_allclose(e.importances, expected, rtol=1e-5, atol=1e-4)


def test_the_engine_and_the_model_asked_agree(cancer):
    x, y = cancer
    model = SVC(probability=True, random_state=0).fit(x, y)
    for metric in (None, "roc_auc", "log_loss", "balanced_accuracy"):
        native = PFIExplainer(model, metric=metric, seed=1, device="cpu").explain_global(x, y)
        found, _native.find = _native.find, lambda *_: None
        whylight.permutation.find, kept = _native.find, whylight.permutation.find
        try:
            asked = PFIExplainer(model, metric=metric, seed=1).explain_global(x, y)
        finally:
            _native.find, whylight.permutation.find = found, kept
        assert (native.details["engine"], asked.details["engine"]) == ("units", "asked")
        assert native.details["is_error"] == asked.details["is_error"]
        # LIBSVM stops pairwise coupling early, and by other sums elsewhere.
        np.testing.assert_allclose(native.importances, asked.importances, rtol=1e-6, atol=1e-6)


NAMES = (
    *("accuracy", "balanced_accuracy", "matthews_corrcoef", "f1_micro", "f1_macro", "f1_weighted", "precision_macro"),
    *("precision_weighted", "precision_micro", "recall_macro", "recall_weighted", "jaccard_macro", "jaccard_weighted"),
    *("roc_auc_ovr", "roc_auc_ovr_weighted", "neg_log_loss"),
)
OF_TWO = ("f1", "precision", "recall", "jaccard", "roc_auc", "average_precision", "neg_brier_score", "neg_log_loss")
OF_NUMBERS = (
    *("neg_mean_absolute_error", "neg_mean_squared_error", "neg_root_mean_squared_error", "r2", "neg_max_error"),
    *("neg_median_absolute_error", "explained_variance", "neg_mean_absolute_percentage_error"),
    *("neg_mean_squared_log_error", "neg_root_mean_squared_log_error", "neg_mean_poisson_deviance"),
    *("neg_mean_gamma_deviance",),
)


class Fixed:
    """An estimator, for scorers, that answers with what it was given."""

    _estimator_type = "classifier"

    def __init__(self, probabilities=None, numbers=None, classes=None):
        self.probabilities, self.numbers, self.classes_ = probabilities, numbers, classes

    def fit(self, x, y):
        return self

    def __sklearn_tags__(self):
        from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

        kind = RegressorMixin if self.numbers is not None else ClassifierMixin
        return type("Tagged", (kind, BaseEstimator), {})().__sklearn_tags__()

    def predict(self, x):
        return self.numbers if self.numbers is not None else self.classes_[self.probabilities.argmax(axis=1)]

    def predict_proba(self, x):
        return self.probabilities


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("metric", [*NAMES, *(f"two {name}" for name in (*OF_TWO, *NAMES[:13]))])
def test_metrics_of_classes_are_those_of_scikit_learn(metric, seed):
    random = np.random.default_rng(seed)
    count = 2 if metric.startswith("two ") else 4
    metric = metric.removeprefix("two ")
    rows = (37, 200, 1000)[seed]
    classes = np.arange(count)
    y = np.concatenate([classes, random.integers(0, count, rows)]).astype(np.uint32)
    probabilities = random.dirichlet(np.ones(count), len(y))
    # Ties, and rows that are sure.
    probabilities[::3] = probabilities[::3].round(1)
    probabilities[::3] /= probabilities[::3].sum(axis=1, keepdims=True)
    probabilities[1] = np.eye(count)[0]
    expected = get_scorer(metric)(Fixed(probabilities, classes=classes), np.zeros((len(y), 1)), y)
    judge = _engine.Judge(metric, (y, count))
    found = judge.score(probabilities)
    assert (-found if judge.is_error else found) == pytest.approx(expected, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("metric", OF_NUMBERS)
def test_metrics_of_numbers_are_those_of_scikit_learn(metric):
    random = np.random.default_rng(5)
    for rows in (2, 51, 1000):
        y, told = random.gamma(2, size=rows), random.gamma(2, size=rows)
        expected = get_scorer(metric)(Fixed(numbers=told), np.zeros((rows, 1)), y)
        judge = _engine.Judge(metric, y)
        found = judge.score(told[:, None])
        assert (-found if judge.is_error else found) == pytest.approx(expected, rel=1e-12, abs=1e-12)
    pinball = _engine.Judge("pinball", y, numbers=[("alpha", 0.2)]).score(told[:, None])
    assert pinball == pytest.approx(mean_pinball_loss(y, told, alpha=0.2), rel=1e-12)


# What interpret-community has wrong -----------------------------------------------------------------------------------


def test_default_regression_ranks_the_most_important_feature_first():
    x, y = load_diabetes(return_X_y=True, as_frame=True)
    e = PFIExplainer(LinearRegression().fit(x, y)).explain_global(x, y)
    assert e.metric == "mean_absolute_error" and e.details["is_error"]
    assert e.get_ranked_global_names()[0] in ("s1", "s5", "bmi")
    assert e.get_ranked_global_values()[0] > 0
    assert set(e.get_ranked_global_names(3)) <= {"s1", "s5", "bmi", "bp", "s2"}


def test_a_metric_by_name_or_constant_is_taken(diabetes):
    import enum

    class Constants(str, enum.Enum):
        MEAN_SQUARED_ERROR = "mean_squared_error"

    x, y = diabetes
    model = Ridge().fit(x, y)
    by_name = PFIExplainer(model, metric="mean_squared_error").explain_global(x, y)
    by_constant = PFIExplainer(model, metric=Constants.MEAN_SQUARED_ERROR).explain_global(x, y)
    assert by_name.details["is_error"] and (by_name.importances == by_constant.importances).all()


# Functions and scorers ------------------------------------------------------------------------------------------------


def test_a_metric_can_be_a_function_a_scorer_or_its_name(cancer):
    x, y = cancer
    model = LogisticRegression().fit(x, y)

    def auc(truth, probabilities, scale):
        return scale * roc_auc_score(truth, probabilities[:, 1])

    ways = [
        PFIExplainer(model, metric="roc_auc"),
        PFIExplainer(model, metric=get_scorer("roc_auc")),
        PFIExplainer(model, metric=make_scorer(auc, response_method="predict_proba", scale=1)),
        PFIExplainer(model, metric=auc, metric_args={"scale": 1}, for_classifier_use_predict_proba=True),
    ]
    # A scorer that is no plain one is asked with the model, for probabilities of two classes their second.
    ways[2] = PFIExplainer(model, metric=lambda t, p: roc_auc_score(t, p[:, 1]), for_classifier_use_predict_proba=True)
    found = [way.explain_global(x, y).importances for way in ways]
    for importances in found[1:]:
        np.testing.assert_allclose(importances, found[0], atol=1e-12)
    top = PFIExplainer(model, metric=make_scorer(f1_score, average="macro", zero_division=1.0)).explain_global(x, y)
    expected = by_scorer(model, x, y, get_scorer("f1_macro"), 5)
    np.testing.assert_allclose(top.importances, expected, atol=1e-12)
    weighted = PFIExplainer(model, metric="f1_score", metric_args={"average": "weighted"}).explain_global(x, y)
    assert weighted.metric == "f1_weighted"
    arguments = {"sample_weight": np.arange(len(y)) + 1.0}
    by_weight = PFIExplainer(model, metric="accuracy", metric_args=arguments).explain_global(x, 1 - y)
    assert by_weight.metric == "accuracy" and by_weight.details["engine"] == "units"
    # One row of 120 is right.
    wrong = np.where(np.arange(len(y)) == 0, y, 1 - y)
    by_weight = PFIExplainer(model, metric="accuracy", metric_args=arguments).explain_global(x, wrong)
    right = arguments["sample_weight"][model.predict(x) == wrong].sum() / arguments["sample_weight"].sum()
    assert by_weight.base_score == pytest.approx(right, abs=1e-15)


def test_a_function_is_a_score_unless_it_is_said_to_be_an_error(diabetes):
    x, y = diabetes
    model = Ridge().fit(x, y)
    error = PFIExplainer(model, metric=mean_absolute_error, is_error_metric=True).explain_global(x, y)
    named = PFIExplainer(model).explain_global(x, y)
    np.testing.assert_allclose(error.importances, named.importances, atol=1e-12)
    score = PFIExplainer(model, metric=mean_absolute_error).explain_global(x, y)
    np.testing.assert_allclose(score.importances, -named.importances, atol=1e-12)
    assert "taken for a score" in score.notes[0]


# What is shuffled -----------------------------------------------------------------------------------------------------


def test_a_model_that_is_asked_sees_each_column_shuffled_as_the_engine_says():
    x = np.random.default_rng(0).normal(size=(20, 3))
    recorder = Recorder(Ridge().fit(x, x[:, 0]))
    PFIExplainer(recorder, n_repeats=2, seed=9).explain_global(x, x[:, 0])
    asked = np.concatenate(recorder.rows[-1:]).reshape(6, 20, 3)
    for variant in range(6):
        column, repeat = divmod(variant, 2)
        expected = x.copy()
        expected[:, column] = x[_engine.permutation(20, 9, column, repeat), column]
        np.testing.assert_array_equal(asked[variant], expected)


def test_the_permutation_of_a_column_depends_on_nothing_else(cancer):
    x, y = cancer
    model = SVC().fit(x, y)
    all_of_them = PFIExplainer(model, n_repeats=3, seed=4).explain_global(x, y)
    some = PFIExplainer(model, n_repeats=2, seed=4, explain_subset=[7, 3], threads=1, memory_limit=1).explain_global(
        x, y
    )
    assert (some.importances == all_of_them.importances[[7, 3], :2]).all()
    other = PFIExplainer(model, n_repeats=3, seed=5).explain_global(x, y)
    assert (other.importances != all_of_them.importances).any()


def test_groups_are_shuffled_together(diabetes):
    x, y = diabetes
    frame = pd.DataFrame(x, columns=[f"x{i}" for i in range(10)])
    model = Ridge().fit(x, y)
    groups = {"blood": ["x4", "x9", "x5"]}
    e = PFIExplainer(model, groups=groups, features=list(frame.columns), n_repeats=2).explain_global(x, y)
    assert e.feature_names == ["x0", "x1", "x2", "x3", "blood", "x6", "x7", "x8"]
    order = _engine.permutation(len(x), 0, 4, 1)
    shuffled = x.copy()
    shuffled[:, [4, 9, 5]] = x[order][:, [4, 9, 5]]
    expected = mean_absolute_error(y, model.predict(shuffled)) - mean_absolute_error(y, model.predict(x))
    assert e.importances[4, 1] == pytest.approx(expected, abs=1e-10)
    asked = PFIExplainer(model.predict, is_function=True, groups=groups, features=list(frame.columns), n_repeats=2)
    np.testing.assert_allclose(asked.explain_global(x, y).importances, e.importances, atol=1e-10)


def test_within_strata_a_twin_does_not_matter():
    random = np.random.default_rng(0)
    a = random.integers(0, 4, 400).astype(float)
    frame = pd.DataFrame({"a": a, "twin": a, "b": random.normal(size=400)})
    y = 2 * a + frame["b"].to_numpy()

    def model(rows):
        rows = np.asarray(rows)
        return rows[:, 0] + rows[:, 1] + rows[:, 2]

    for strata in ("a", ["a"], 0, a, a.astype(str)):
        e = PFIExplainer(model, is_function=True, strata=strata).explain_global(frame, y)
        assert e.importances[1] == pytest.approx(0, abs=1e-12) and e.importances[2].min() > 0.5
        assert e.details["strata"] == 4
    freely = PFIExplainer(model, is_function=True).explain_global(frame, y)
    assert freely.importances[1].min() > 0.5 and freely.details["strata"] is None


@pytest.mark.parametrize("format", ["csr", "csc"])
def test_sparse_rows_stay_sparse_and_have_the_importances_of_dense_ones(format):
    x = sp.random(150, 12, 0.2, format=format, random_state=0)
    dense = x.toarray()
    y = (dense[:, 0] + dense[:, 3] > 0.4).astype(int)

    class Sparse(LogisticRegression):
        """No model of the engine's, that takes only sparse rows."""

        def predict(self, rows):
            assert sp.issparse(rows) and rows.format == format
            return super().predict(rows)

    model = Sparse().fit(x, y)
    plain = LogisticRegression().fit(dense, y)
    of_sparse = PFIExplainer(model, memory_limit=40_000, metric=lambda t, p: f1_score(t, p)).explain_global(x, y)
    of_dense = PFIExplainer(plain, metric=lambda t, p: f1_score(t, p)).explain_global(dense, y)
    np.testing.assert_allclose(of_sparse.importances, of_dense.importances, atol=1e-12)
    native = PFIExplainer(plain, metric="f1").explain_global(x, y)
    np.testing.assert_allclose(native.importances, of_dense.importances, atol=1e-12)


def test_text_and_categories_are_shuffled_as_they_are():
    random = np.random.default_rng(1)
    frame = pd.DataFrame(
        {
            "noise": random.normal(size=300),
            "colour": random.choice(["red", "green", None], 300),
            "size": pd.Categorical(random.choice(["S", "M", "L"], 300)),
        }
    )
    y = np.where(frame["colour"] == "red", "yes", "no")
    encode = ColumnTransformer([("c", OneHotEncoder(), ["colour", "size"])], remainder="passthrough")
    model = make_pipeline(encode, LogisticRegression()).fit(frame, y)
    e = PFIExplainer(model).explain_global(frame, y)
    assert e.get_ranked_global_names()[0] == "colour" and e.importances[1].min() > 0.2
    assert abs(e.importances[0]).max() < 0.05 and e.classes == ["no", "yes"]
    step = model.steps[-1][1]
    raw = PFIExplainer(step, transformations=encode, features=list(frame.columns)).explain_global(frame, y)
    np.testing.assert_array_equal(raw.importances, e.importances)
    assert raw.is_raw


def test_functions_and_modules_are_asked(iris):
    x, y = iris
    model = LogisticRegression().fit(x, y)
    expected = PFIExplainer(model).explain_global(x, y).importances
    for function in (model.predict, model.predict_proba, lambda rows: model.predict_proba(rows)):
        e = PFIExplainer(function, is_function=True, model_task="classification").explain_global(x, y)
        np.testing.assert_allclose(e.importances, expected, atol=1e-12)
    torch = pytest.importorskip("torch")
    module = torch.nn.Linear(4, 3).double()
    with torch.no_grad():
        module.weight.copy_(torch.tensor(model.coef_))
        module.bias.copy_(torch.tensor(model.intercept_))
    e = PFIExplainer(module).explain_global(x, y)
    np.testing.assert_allclose(e.importances, expected, atol=1e-12)


def test_planted_features_are_ranked():
    random = np.random.default_rng(2)
    x = random.normal(size=(500, 5))
    y = x[:, 1] * x[:, 3] + 0.3 * x[:, 0]
    e = PFIExplainer(lambda rows: rows[:, 1] * rows[:, 3] + 0.3 * rows[:, 0], is_function=True).explain_global(x, y)
    assert set(e.global_importance_rank[:2]) == {1, 3} and e.global_importance_rank[2] == 0
    assert e.global_importance_values[2] == e.global_importance_values[4] == 0
    assert e.standard_errors[1] > 0 == e.standard_errors[2]


# The result -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def explained(iris):
    x, y = iris
    frame = pd.DataFrame(x, columns=["a", "b", "c", "d"])
    model = GaussianNB().fit(x, y)
    return PFIExplainer(model, n_repeats=4, classes=["x", "y", "z"]).explain_global(frame.to_numpy(), y)


def test_the_explanation_is_global_and_signed(explained):
    e = explained
    assert e.method == "pfi" and e.explanation_type == "global" and e.values is None
    np.testing.assert_allclose(e.global_importance_values, e.importances.mean(axis=1))
    np.testing.assert_allclose(e.spread, e.importances.std(axis=1))
    np.testing.assert_allclose(e.standard_errors, e.importances.std(axis=1, ddof=1) / 2)
    assert e.get_ranked_global_values() == sorted(e.global_importance_values, reverse=True)
    assert e.model_task == "classification" and e.classes == ["x", "y", "z"]
    with pytest.raises(AttributeError, match="no class"):
        _ = e.per_class_values
    with pytest.raises(AttributeError):
        _ = e.local_importance_values
    some = e.features_only([2, 0])
    assert (some.importances == e.importances[[2, 0]]).all() and len(some.standard_errors) == 2


def test_importances_below_0_rank_last():
    x = np.random.default_rng(0).normal(size=(50, 2))
    y = x[:, 0]
    # It answers with the opposite of what the second column says.
    e = PFIExplainer(lambda rows: rows[:, 0] + (rows[:, 1] > 9e9), is_function=True).explain_global(x, y)
    assert e.global_importance_values[1] == 0
    worse = PFIExplainer(lambda rows: -rows[:, 0], is_function=True).explain_global(x, y)
    assert worse.global_importance_values[0] < 0 and worse.global_importance_rank == [1, 0]


@pytest.mark.parametrize("name", ["saved", "saved.parquet", "saved.arrow"])
@pytest.mark.filterwarnings("ignore:.*left out")
def test_explanations_are_saved_and_loaded(explained, name, tmp_path):
    path = os.fspath(tmp_path / name)
    whylight.save_explanation(explained, path)
    loaded = whylight.load_explanation(path)
    np.testing.assert_array_equal(loaded.importances, explained.importances)
    np.testing.assert_array_equal(loaded.standard_errors, explained.standard_errors)
    np.testing.assert_array_equal(loaded.spread, explained.spread)
    assert loaded.global_importance_values == explained.global_importance_values
    assert (loaded.base_score, loaded.metric, loaded.method) == (explained.base_score, "f1_micro", "pfi")
    assert loaded.get_ranked_global_names() == explained.get_ranked_global_names()


def test_labels_can_be_a_sparse_column(iris):
    sparse = pytest.importorskip("scipy.sparse")
    x, y = iris
    explainer = PFIExplainer(GaussianNB().fit(x, y))
    expected = explainer.explain_global(x, y)
    for column in (sparse.csr_matrix(y[:, np.newaxis]), y[:, np.newaxis].tolist()):
        found = explainer.explain_global(x, column)
        np.testing.assert_array_equal(found.importances, expected.importances)


# Errors ---------------------------------------------------------------------------------------------------------------


def test_labels_that_do_not_fit_are_named(iris):
    x, y = iris
    model = GaussianNB().fit(x, y)
    explainer = PFIExplainer(model)
    with pytest.raises(TypeError, match="true_labels"):
        explainer.explain_global(x)
    with pytest.raises(ShapeError, match="true_labels: expected one for each of 120 rows, got"):
        explainer.explain_global(x, y[:-1])
    with pytest.raises(DataError, match="all 120 rows are of one class"):
        explainer.explain_global(x, np.zeros(len(y), int))
    with pytest.raises(DataError, match="row 3 has 7"):
        explainer.explain_global(x, np.where(np.arange(len(y)) == 2, 7, y))
    missing = y.astype(object)
    missing[4] = None
    with pytest.raises(DataError, match="row 5 has none"):
        explainer.explain_global(x, missing)
    with pytest.raises(DataError, match="row 2 has nan"):
        PFIExplainer(Ridge().fit(x, y)).explain_global(x, np.where(np.arange(len(y)) == 1, np.nan, y))
    with pytest.raises(DataError, match="no rows"):
        explainer.explain_global(x[:0], y[:0])


def test_metrics_that_fail_are_named(iris):
    x, y = iris
    model = GaussianNB().fit(x, y)
    asked = {"model": lambda rows: model.predict(rows), "is_function": True, "model_task": "classification"}
    for way in ({"model": model}, asked):
        with pytest.raises(ParameterError, match="broken failed: ZeroDivisionError"):

            def broken(truth, told):
                return 1 / 0

            PFIExplainer(metric=broken, **way).explain_global(x, y)
        with pytest.raises(DataError, match="(?i)nan.*of the rows as they are"):
            PFIExplainer(metric=lambda truth, told: float("nan"), **way).explain_global(x, y)
        with pytest.raises(ParameterError, match="returned 'high'"):
            PFIExplainer(metric=lambda truth, told: "high", **way).explain_global(x, y)
    with pytest.raises(ParameterError, match='"best" is not allowed'):
        PFIExplainer(model, metric="best")
    with pytest.raises(ParameterError, match="f1 of 3 classes"):
        PFIExplainer(model, metric="f1").explain_global(x, y)
    with pytest.raises(ParameterError, match="is_error_metric"):
        PFIExplainer(model, metric="log_loss", is_error_metric=False)
    with pytest.raises(UnsupportedError, match="predict_proba"):
        found = SVC().fit(x, y)
        PFIExplainer(found, metric="log_loss").explain_global(x, y)


def test_parameters_that_do_not_fit_are_named(iris):
    x, y = iris
    model = GaussianNB().fit(x, y)
    for parameters, words in [
        ({"n_repeats": 0}, "n_repeats"),
        ({"seed": -1}, "seed"),
        ({"explain_subset": [9]}, "explain_subset"),
        ({"groups": {"a": [0, 1], "b": [1]}}, "two groups"),
        ({"groups": {"a": [0]}, "explain_subset": [1]}, "explain_subset"),
        ({"strata": "nothing"}, "strata"),
        ({"features": ["a"]}, "features"),
        ({"model_task": "ranking"}, "model_task"),
        ({"metric": 3}, "metric"),
    ]:
        with pytest.raises((ParameterError, ShapeError), match=words):
            PFIExplainer(model, **parameters).explain_global(x, y)
    with pytest.raises(ValueError, match="classes"):
        PFIExplainer(Recorder(model), classes=["a", "b"])
    with pytest.raises(ModelError, match="7"):
        wrong = PFIExplainer(lambda rows: np.full(len(rows), 7), is_function=True, classes=[0, 1, 2], metric="accuracy")
        wrong._asked.known_classes = [0, 1, 2]
        wrong.explain_global(x, y)


def test_a_constant_column_is_noted(iris):
    x, y = iris
    x = x.copy()
    x[:, 2] = 1.5
    model = GaussianNB(var_smoothing=1e-3).fit(x, y)
    for way in (PFIExplainer(model), PFIExplainer(lambda rows: model.predict_proba(rows), is_function=True)):
        e = way.explain_global(x, y)
        assert (e.importances[2] == 0).all() and "constant" in e.notes[0] and "f2" in e.notes[0]


def test_model_files_of_trees_and_frames_in_another_order(tmp_path, iris):
    xgboost = pytest.importorskip("xgboost")
    x, y = iris
    frame = pd.DataFrame(x, columns=["a", "b", "c", "d"])
    model = xgboost.XGBClassifier(n_estimators=5).fit(frame, y)
    model.save_model(tmp_path / "model.json")
    path = os.fspath(tmp_path / "model.json")
    of_file = PFIExplainer(path, metric="accuracy").explain_global(frame, y)
    of_object = PFIExplainer(model, metric="accuracy").explain_global(frame, y)
    assert (of_file.importances == of_object.importances).all() and of_file.details["engine"] == "trees"
    with pytest.raises(ShapeError, match="in its order: a, b, c, d"):
        PFIExplainer(path, metric="accuracy").explain_global(frame[["b", "a", "c", "d"]], y)


def test_a_gpu_gives_the_bits_of_the_cpu_for_trees_and_float32_for_units(cancer):
    device = gpu()
    if not device:
        pytest.skip("no GPU and no software adapter")
    x, y = cancer
    forest = RandomForestClassifier(20, random_state=0).fit(x, y)
    cpu, on_gpu = (PFIExplainer(forest, metric="log_loss", device=d).explain_global(x, y) for d in ("cpu", device))
    assert on_gpu.device.startswith("gpu:") and (on_gpu.importances == cpu.importances).all()
    machine = SVC(probability=True, random_state=0).fit(x, y)
    cpu, on_gpu = (PFIExplainer(machine, metric="log_loss", device=d).explain_global(x, y) for d in ("cpu", device))
    assert on_gpu.device.startswith("gpu:")
    np.testing.assert_allclose(on_gpu.importances, cpu.importances, rtol=0, atol=1e-5)
    function = PFIExplainer(lambda rows: machine.predict_proba(rows), is_function=True, device=device)
    asked = function.explain_global(x, y)
    assert asked.device.startswith("cpu") and "asked" in asked.details["device_reason"]


def test_interpret_finds_it():
    from importlib.metadata import entry_points

    found = [point for point in entry_points(group="interpret_ext_blackbox") if point.name == "PFIExplainer"]
    if not found:
        pytest.skip("the package is not installed")
    assert found[0].load() is PFIExplainer


def test_importances_of_several_classes_know_how_many_there_are():
    x, y = load_iris(return_X_y=True)
    e = PFIExplainer(SVC(random_state=0).fit(x, y), classes=["a", "b", "c"]).explain_global(x, y)
    assert e.num_classes == len(e.classes) == 3
