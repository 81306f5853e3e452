"""Kernel SHAP: values of functions are those of the definition, whatever kind of model and of rows it is."""

import contextlib
import sys
import types
import warnings

import coalitions
import numpy as np
import pytest

import whylight
from whylight import KernelExplainer, TabularExplainer, TreeExplainer, summarise
from whylight.errors import DataError, ModelError, ParameterError, ShapeError, UnsupportedError


def curved(x):
    x = np.nan_to_num(x, nan=0.3)
    return x[:, 0] * x[:, 1] + np.sin(3 * x[:, 2]) + 0.5 * (x[:, 3] > x[:, 4])


def shapley(worth):
    """The values of a game with one output."""
    return coalitions.values(worth[:, np.newaxis])[:, 0]


def worths(function, row, background, weights=None):
    """What each coalition of the features is worth, by number."""
    features = len(row)
    worth = []
    for number in range(2**features):
        mixed = background.copy()
        members = [f for f in range(features) if number >> f & 1]
        mixed[:, members] = row[members]
        worth.append(np.average(function(mixed), axis=0, weights=weights))
    return np.array(worth)


def defined(function, rows, background, weights=None):
    return np.array([shapley(worths(function, row, background, weights)) for row in rows])


def test_values_of_a_function_are_those_of_the_definition(rows):
    background = rows[:7]
    e = KernelExplainer(curved, background)(rows[20:26])
    assert e.method == "kernel_shap" and e.exact is not None
    np.testing.assert_allclose(e.values, defined(curved, rows[20:26], background), atol=1e-6)
    np.testing.assert_allclose(e.base_values, curved(background).mean(), atol=1e-12)
    assert e.additivity_error < 1e-6
    assert any("the model was asked" in note for note in e.details["notes"])


def test_weights_groups_and_links(rows):
    background = summarise(rows[:80], 4, seed=1)
    explainer = KernelExplainer(curved, background, groups={"pair": [0, 1]}, features=list("abcdef"))
    e = explainer(rows[5:7])
    assert e.feature_names == ["pair", "c", "d", "e", "f"]

    def worth(row):
        whole = worths(curved, row, background.data, background.weights)
        joined = [(n & 1) * 3 + (n >> 1 << 2) for n in range(32)]
        return whole[joined]

    np.testing.assert_allclose(e.values, [shapley(worth(row)) for row in rows[5:7]], atol=1e-6)

    def probability(x):
        return 1 / (1 + np.exp(-curved(x)))

    e = KernelExplainer(probability, rows[:9], link="logit", estimator="exact")(rows[:3])
    for row, values in zip(rows[:3], e.values, strict=True):
        mean = worths(probability, row, rows[:9])
        np.testing.assert_allclose(values, shapley(np.log(mean / (1 - mean))), atol=2e-6)


def test_an_estimate_has_standard_errors_and_sets_nothing_to_0(draw):
    background, rows = draw.normal(size=(10, 24)), draw.normal(size=(3, 24))
    weights = np.linspace(1, 2, 24)

    def function(x):
        return np.tanh(x @ weights / 5) + 0.1 * x[:, 0] * x[:, 1]

    explainer = KernelExplainer(function, background, nsamples=400, seed=4)
    e = explainer(rows)
    assert not e.exact and (e.standard_errors > 0).all() and (e.values != 0).all()
    np.testing.assert_allclose(e.values.sum(axis=1) + e.base_values, function(rows), atol=1e-6)
    better = KernelExplainer(function, background, nsamples=20_000)(rows)
    assert better.standard_errors.max() < 0.4 * e.standard_errors.max()
    assert (np.abs(e.values - better.values) < 6 * e.standard_errors).mean() > 0.98
    again = KernelExplainer(function, background, nsamples=400, seed=4, memory_limit=10_000, threads=1)(rows)
    np.testing.assert_allclose(again.values, e.values, atol=1e-7)


def test_trees_as_a_black_box_have_the_values_of_trees(complete, binary):
    ensemble = pytest.importorskip("sklearn.ensemble")
    model = ensemble.RandomForestClassifier(20, max_depth=4, random_state=0).fit(complete, binary)
    e = KernelExplainer(model, complete[:30]).explain_local(complete[50:60])
    trees = TreeExplainer(model, complete[:30], value_function="interventional").explain_local(complete[50:60])
    assert e.model_task == "classification" and e.classes == ["no", "yes"]
    values = np.asarray(e.local_importance_values)
    np.testing.assert_allclose(values[1], np.asarray(trees.local_importance_values)[1], atol=1e-6)
    np.testing.assert_allclose(values[0], -values[1], atol=1e-6)


def test_what_a_frame_holds_comes_back_to_the_model():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {
            "kind": ["a", "b", None, "a", "c", "b"],
            "level": pandas.Categorical(["low", "high", "low", "low", "high", "low"]),
            "count": [1, 2, 3, 4, 5, 6],
            "size": np.array([0.5, 1.5, np.nan, 2.5, 3.5, 4.5], np.float32),
            "is_new": [True, False, True, True, False, False],
        }
    )
    seen = []

    def model(x):
        seen.append(x)
        kind = x["kind"].map({"a": 1.0, "b": -2.0, "c": 4.0, "d": 9.0}).fillna(0.5).to_numpy(float)
        size = x["size"].fillna(1).to_numpy(float)
        return kind * size + (x["level"] == "high") * x["count"] + 2.0 * x["is_new"]

    explainer = KernelExplainer(model, frame[:4])
    rows = frame[4:].assign(kind=["d", None])
    e = explainer(rows)
    assert e.feature_names == list(frame.columns)
    np.testing.assert_allclose(e.values.sum(axis=1) + e.base_values, model(rows), atol=1e-6)
    for x in seen[1:-1]:
        assert list(x.dtypes) == list(frame.dtypes)
    with pytest.raises(ShapeError, match="'kind' is not there"):
        explainer(frame[["level", "count", "size", "is_new"]])
    with pytest.raises(DataError, match="expected a DataFrame"):
        explainer(np.zeros((1, 5)))


def test_a_pipeline_is_explained_in_its_raw_columns(complete, binary):
    pandas = pytest.importorskip("pandas")
    pipeline = pytest.importorskip("sklearn.pipeline")
    from sklearn.compose import make_column_transformer
    from sklearn.preprocessing import OneHotEncoder, StandardScaler
    from sklearn.svm import SVC

    frame = pandas.DataFrame(complete[:, :3], columns=["a", "b", "c"])
    frame["kind"] = np.where(complete[:, 3] > 0, "up", "down")
    encode = make_column_transformer((StandardScaler(), ["a", "b", "c"]), (OneHotEncoder(), ["kind"]))
    model = pipeline.make_pipeline(encode, SVC()).fit(frame, binary)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        e = KernelExplainer(model, frame[:20])(frame[30:34])
    np.testing.assert_allclose(e.values.sum(axis=1) + e.base_values, model.decision_function(frame[30:34]), atol=1e-5)
    assert e.feature_names == ["a", "b", "c", "kind"]
    # The same, in two parts.
    parts = KernelExplainer(model[-1], frame[:20], transformations=model[0])(frame[30:34])
    np.testing.assert_allclose(parts.values, e.values, atol=1e-6)


def test_tabular_takes_what_no_other_method_does(complete, binary):
    neighbors = pytest.importorskip("sklearn.neighbors")
    model = neighbors.KNeighborsClassifier().fit(complete, binary)
    explainer = TabularExplainer(model, complete[:20])
    e = explainer.explain_global(complete[20:40])
    assert e.method == "kernel_shap" and set(explainer.reasons) == {"Tree SHAP", "Deep SHAP", "Linear SHAP"}
    values = np.asarray(e.local_importance_values)[1]
    np.testing.assert_allclose(
        values.sum(axis=1) + e.expected_values[1], model.predict_proba(complete[20:40])[:, 1], atol=1e-6
    )
    with pytest.raises(UnsupportedError, match="compares a row with training rows"):
        TabularExplainer(model)


@pytest.mark.parametrize(
    "answer",
    [
        lambda y: y.astype(np.float16),
        lambda y: y.tolist(),
        lambda y: y[:, None],
        lambda y: np.stack([y, 1 - y], axis=1),
        lambda y: pytest.importorskip("pandas").Series(y, index=np.arange(len(y)) + 7),
        lambda y: pytest.importorskip("pandas").DataFrame({"y": y}),
    ],
)
def test_answers_of_every_kind_are_taken(complete, answer):
    e = KernelExplainer(lambda x: answer(np.round(curved(x), 1)), complete[:5])(complete[7:9])
    values = e.values if e.values.ndim == 2 else e.values[:, :, 0]
    base = np.ravel(e.base_values)[0]
    np.testing.assert_allclose(values.sum(axis=1) + base, np.round(curved(complete[7:9]), 1), atol=5e-3)


def test_a_model_that_misbehaves_is_named(complete):
    calls = []

    def failing(x):
        calls.append(len(x))
        if len(calls) == 3:
            raise ConnectionError("the server hung up")
        return curved(x)

    with pytest.raises(ConnectionError, match="the server hung up"):
        KernelExplainer(failing, complete[:5])(complete[7:9])
    with pytest.raises(ModelError, match=r"its answer to 5 rows has the shape \(1,\)"):
        KernelExplainer(lambda x: curved(x)[:1], complete[:5])(complete[7:9])
    with pytest.raises(ModelError, match="1 rows of 1 outputs; expected one row for each"):
        KernelExplainer(lambda x: curved(x)[:1, None], complete[:5])(complete[7:9])
    with pytest.raises(ModelError, match="is NaN"):
        KernelExplainer(lambda x: np.full(len(x), np.nan), complete[:5])
    with pytest.raises(ModelError, match="no array of numbers"):
        KernelExplainer(lambda x: ["a"] * len(x), complete[:5])
    with pytest.raises(ModelError, match="has the shape"):
        KernelExplainer(lambda x: np.zeros((2, 3, 4)), complete[:5])
    with pytest.raises(ParameterError, match="nsamples"):
        KernelExplainer(curved, complete[:5], nsamples="many")
    with pytest.raises(ParameterError, match="link"):
        KernelExplainer(curved, complete[:5], link="probit")
    with pytest.raises(ParameterError, match="background: None"):
        KernelExplainer(curved, None)
    with pytest.raises(ParameterError, match="a function of rows"):
        KernelExplainer(3, complete[:5])
    labels = type("Labels", (), {"predict": lambda self, x: x, "classes_": ["a", "b"]})()
    with pytest.raises(UnsupportedError, match="labels alone"):
        KernelExplainer(labels, complete[:5])


def test_rows_that_cannot_be_are_named_and_rows_that_can_are_taken(complete):
    with pytest.raises(DataError, match="the background: no rows"):
        KernelExplainer(curved, complete[:0])
    explainer = KernelExplainer(curved, complete[:5])
    with pytest.raises(DataError, match="no rows"):
        explainer(complete[:0])
    with pytest.raises(ShapeError, match="columns"):
        explainer(complete[:3, :4])
    with pytest.raises(ParameterError, match="up to 262144 pairs"):
        KernelExplainer(curved, complete[:5], nsamples=2**31)
    missing = np.full((1, 6), np.nan)
    for rows in (missing, complete[7:8]):
        e = explainer(rows)
        np.testing.assert_allclose(e.values.sum(axis=1) + e.base_values, curved(rows), atol=1e-6)
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame(complete[:9], schema=list("abcdef"))
    e = KernelExplainer(curved, frame[:5])(frame[5:])
    np.testing.assert_allclose(e.values, KernelExplainer(curved, complete[:5])(complete[5:9]).values, atol=1e-7)
    mixed = frame.with_columns(polars.col("a").cast(polars.Float32))
    e = KernelExplainer(curved, mixed[:5])(mixed[5:])
    np.testing.assert_allclose(e.values.sum(axis=1) + e.base_values, curved(mixed[5:].to_numpy()), atol=1e-5)


def test_sparse_rows_and_modules(complete):
    sparse = pytest.importorskip("scipy.sparse")
    dense = np.where(np.abs(complete) > 0.5, complete, 0.0)
    e = KernelExplainer(curved, dense[:6])(sparse.csr_matrix(dense[8:10]))
    np.testing.assert_allclose(e.values, KernelExplainer(curved, dense[:6])(dense[8:10]).values, atol=1e-7)
    torch = pytest.importorskip("torch")
    net = torch.nn.Sequential(torch.nn.Linear(6, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2))
    e = KernelExplainer(net, complete[:6])(complete[8:10])
    expected = net(torch.tensor(complete[8:10], dtype=torch.float32)).detach().numpy()
    np.testing.assert_allclose(e.values.sum(axis=1) + e.base_values, expected, atol=1e-5)


def test_it_is_exported():
    assert "KernelExplainer" in whylight.__all__


def test_estimators_tolerances_and_noise(draw):
    background, rows = draw.normal(size=(6, 18)), draw.normal(size=(4, 18))
    weights = np.linspace(-1, 1, 18)

    def function(x):
        return np.tanh(x @ weights / 2) + 0.2 * x[:, 0] * x[:, 1] * x[:, 2]

    better = KernelExplainer(function, background, nsamples=40_000)(rows)
    for estimator in ("sampled", "regression_adjusted", "shap_sampling", "permutation"):
        e = KernelExplainer(function, background, estimator=estimator)(rows)
        assert e.estimator == estimator and not e.exact
        np.testing.assert_allclose(e.values.sum(axis=1) + e.base_values, function(rows), atol=1e-6)
        assert (np.abs(e.values - better.values) < 6 * (e.standard_errors + better.standard_errors)).mean() > 0.98
    met = KernelExplainer(function, background, tolerance=0.01)(rows)
    assert met.standard_errors.max() <= 0.01
    unmet = KernelExplainer(function, background, tolerance=1e-9, nsamples=1000)(rows)
    assert any("the tolerance was not met by 4 rows" in note for note in unmet.details["notes"])
    for wrong in (0, -1.0, np.nan, "tight"):
        with pytest.raises(ParameterError, match="tolerance"):
            KernelExplainer(function, background, tolerance=wrong)

    def noisy(x):
        return function(x) + 0.01 * draw.normal(size=len(x))

    with pytest.raises(ModelError, match="the same answer to the same row"):
        KernelExplainer(noisy, background)(rows)
    assert np.isfinite(KernelExplainer(noisy, background, allow_noise=True)(rows).values).all()


def test_interactions_are_those_of_trees(complete, binary):
    ensemble = pytest.importorskip("sklearn.ensemble")
    model = ensemble.GradientBoostingRegressor(n_estimators=20, random_state=0).fit(complete, curved(complete))
    background, rows = complete[:20], complete[30:35]
    explainer = KernelExplainer(model, background)
    pairs = explainer.interactions(rows)
    expected = TreeExplainer(model, background, value_function="interventional").interactions(rows)
    np.testing.assert_allclose(pairs, expected, atol=1e-6)
    np.testing.assert_allclose(pairs.sum(axis=2), explainer(rows).values, atol=1e-6)
    with pytest.raises(UnsupportedError, match="interactions with the estimator sampled"):
        KernelExplainer(model, background, estimator="sampled").interactions(rows)


def test_sparse_backgrounds_and_centres(complete):
    sparse = pytest.importorskip("scipy.sparse")
    dense = np.where(np.abs(complete) > 0.5, complete, 0.0)
    e = KernelExplainer(curved, sparse.csr_matrix(dense[:6]))(sparse.csr_matrix(dense[8:10]))
    np.testing.assert_allclose(e.values, KernelExplainer(curved, dense[:6])(dense[8:10]).values, atol=1e-7)
    centres = summarise(dense[:80], 5, seed=3)
    e = KernelExplainer(curved, centres)(sparse.csr_matrix(dense[8:10]))
    np.testing.assert_allclose(e.values, defined(curved, dense[8:10], centres.data, centres.weights), atol=1e-6)


def test_a_fastai_learner_is_asked_for_whole_batches(monkeypatch):
    """By a stand-in with the methods that are called: fastai itself needs a gigabyte of torch."""

    class Learner:
        def __init__(self):
            self.dls, self.calls = self, 0
            self.vocab = ["no", "yes"]

        def predict(self, row):
            raise AssertionError("row by row")

        def test_dl(self, frame):
            assert list(frame.columns) == ["age", "city"]
            frame["age"] = frame["age"] * (frame["city"] == "Oslo")
            return frame

        def get_preds(self, dl):
            self.calls += 1
            yes = 1 / (1 + np.exp(-dl["age"].to_numpy()))
            return np.column_stack([1 - yes, yes]), None

        no_bar = no_logging = contextlib.nullcontext

    module = types.ModuleType("fastai.learner")
    module.Learner = Learner
    monkeypatch.setitem(sys.modules, "fastai.learner", module)
    pandas = pytest.importorskip("pandas")
    x = pandas.DataFrame({"age": np.linspace(-1, 2, 12), "city": ["Oslo", "Rome", "Oslo"] * 4})
    learner = Learner()
    e = KernelExplainer(learner, x[:8])(x[8:])
    assert [str(name) for name in e.output_names] == ["no", "yes"]
    assert learner.calls <= 8
    sums = np.asarray(e.values, np.float64).sum(axis=1) + e.base_values
    np.testing.assert_allclose(sums, learner.get_preds(learner.test_dl(x[8:].copy()))[0], atol=1e-6)
