"""Values of probabilities, responses and losses: of trees in memory, against the definition, the library, and shap."""

import numpy as np
import pytest
from coalitions import single, values, worths

import whylight
from whylight import TreeExplainer

KINDS = ["boosting", "boosting of three", "histogram", "xgboost", "poisson", "lightgbm", "catboost"]


@pytest.fixture(scope="module", params=KINDS)
def predictive(request, rows, complete, target, binary, three):
    """A model, rows that it takes, its prediction, and the output that this is."""
    kind = request.param
    if kind in ("xgboost", "poisson"):
        xgboost = pytest.importorskip("xgboost")
        if kind == "xgboost":
            model = xgboost.XGBClassifier(n_estimators=12, max_depth=4).fit(rows, binary == "yes")
            return model, rows, lambda x: model.predict_proba(x)[:, 1], "probability"
        counts = np.random.default_rng(0).poisson(np.exp(target / 4))
        model = xgboost.XGBRegressor(n_estimators=12, max_depth=4, objective="count:poisson").fit(rows, counts)
        return model, rows, model.predict, "response"
    if kind == "lightgbm":
        lightgbm = pytest.importorskip("lightgbm")
        model = lightgbm.LGBMClassifier(n_estimators=12, num_leaves=9, verbose=-1).fit(rows, three)
        return model, rows, model.predict_proba, "probability"
    if kind == "catboost":
        catboost = pytest.importorskip("catboost")
        model = catboost.CatBoostClassifier(n_estimators=12, depth=4, verbose=False, allow_writing_files=False)
        model.fit(rows, three)
        return model, rows, model.predict_proba, "probability"
    ensemble = pytest.importorskip("sklearn.ensemble")
    if kind == "boosting of three":
        model = ensemble.GradientBoostingClassifier(n_estimators=12, random_state=0).fit(complete, three)
        return model, complete, model.predict_proba, "probability"
    if kind == "boosting":
        model = ensemble.GradientBoostingClassifier(n_estimators=12, random_state=0).fit(complete, binary)
        return model, complete, lambda x: model.predict_proba(x)[:, 1], "probability"
    model = ensemble.HistGradientBoostingClassifier(max_iter=12, max_depth=4).fit(rows, binary)
    return model, rows, lambda x: model.predict_proba(x)[:, 1], "probability"


@pytest.fixture(scope="module")
def boosted(complete, binary):
    ensemble = pytest.importorskip("sklearn.ensemble")
    return ensemble.GradientBoostingClassifier(n_estimators=12, random_state=0).fit(complete, binary)


@pytest.fixture(scope="module")
def wide():
    """A model of 17 features, and rows that vary in all of them."""
    ensemble = pytest.importorskip("sklearn.ensemble")
    x = np.random.default_rng(1).normal(size=(300, 17))
    y = x.sum(axis=1) + x[:, 0] * x[:, 1] > 0
    return ensemble.GradientBoostingClassifier(n_estimators=60, max_depth=3, random_state=0).fit(x, y), x


def outputs(e):
    """Values (rows, features, outputs), whatever the number of outputs."""
    return e.values if e.values.ndim == 3 else e.values[:, :, np.newaxis]


@pytest.mark.parametrize("index", ["shapley", "banzhaf"])
def test_values_are_those_of_the_definition(predictive, index):
    model, x, predict, output = predictive
    background = x[100:107]
    e = TreeExplainer(model, background, output=output, index=index, device="cpu")(x[:40])
    assert (e.output, e.index, e.estimator, e.exact) == (output, index, "exact", True)
    assert e.standard_errors is None and e.details["standard_error"] == 0.0
    for row in range(4):
        worth = worths(predict, x[row], background, single(6))
        scale = max(1.0, np.abs(worth).max())
        np.testing.assert_allclose(outputs(e)[row], values(worth, index), atol=1e-6 * scale)
        np.testing.assert_allclose(np.atleast_1d(e.base_values), worth[0], atol=1e-6 * scale)
    predicted = np.asarray(predict(x[:40]), np.float64).reshape(40, -1)
    apart = np.abs(outputs(e).sum(axis=1, dtype=np.float64) + e.base_values - predicted).max()
    if index == "shapley":
        assert apart < 1e-6 * np.abs(predicted).max() and e.additivity_error < 1e-6
    else:
        assert e.additivity_error is None and e._repr_html_()


def test_a_probability_has_its_classes(boosted, complete):
    e = TreeExplainer(boosted, complete[:9], model_output="probability", device="cpu").explain_global(complete[:50])
    assert e.model_task == "classification" and e.classes == ["no", "yes"]
    sums = np.asarray(e.local_importance_values).sum(axis=2) + np.array(e.expected_values)[:, np.newaxis]
    np.testing.assert_allclose(sums.T, boosted.predict_proba(complete[:50]), atol=1e-6)


def test_interprets_name_of_the_probability_takes_a_background(boosted, complete):
    asked = TreeExplainer(boosted, complete[:9], shap_values_output="probability", device="cpu")(complete[:50])
    named = TreeExplainer(boosted, complete[:9], output="probability", device="cpu")(complete[:50])
    np.testing.assert_array_equal(asked.values, named.values)
    with pytest.raises(whylight.UnsupportedError, match="give a background"):
        TreeExplainer(boosted, shap_values_output="probability")
    with pytest.raises(whylight.ParameterError, match="shap_values_output.*log_loss"):
        TreeExplainer(boosted, complete[:9], shap_values_output="probability", output="log_loss")


def test_losses_of_each_label_and_of_the_true_one(boosted, complete, binary):
    explainer = TreeExplainer(boosted, complete[100:107], output="log_loss", device="cpu")
    e = explainer(complete[:60])
    assert e.output_names == ["log loss of 0", "log loss of 1"]
    assert e.model_task != "classification" and np.shape(e.local_importance_values) == (2, 60, 6)
    losses = -np.log(boosted.predict_proba(complete[:60]))
    np.testing.assert_allclose(e.values.sum(axis=1) + e.base_values, losses, atol=1e-5)
    for row in range(3):
        worth = worths(lambda x: -np.log(boosted.predict_proba(x)), complete[row], complete[100:107], single(6))
        np.testing.assert_allclose(e.values[row], values(worth), atol=2e-6)
    own = explainer(complete[:60], y=binary[:60])
    number = (binary[:60] == "yes").astype(int)
    assert own.values.shape == (60, 6) and own.base_values.shape == (60,) and own.output_names == ["log loss"]
    np.testing.assert_array_equal(own.values, e.values[np.arange(60), :, number])
    np.testing.assert_array_equal(own.base_values, np.array(e.base_values)[number])
    assert own[7:9].base_values.tolist() == own.base_values[7:9].tolist()
    assert own.plot.waterfall(5) and own._repr_html_() and own.expected_values == own.base_values.tolist()
    one = explainer(complete[3], binary[3])
    np.testing.assert_allclose(one.values[0], own.values[3], atol=1e-6)


def test_losses_of_several_classes(complete, three):
    ensemble = pytest.importorskip("sklearn.ensemble")
    model = ensemble.GradientBoostingClassifier(n_estimators=8, random_state=0).fit(complete, three)
    e = TreeExplainer(model, complete[:30], output="log_loss", device="cpu")(complete, three)
    losses = -np.log(model.predict_proba(complete)[np.arange(400), three])
    np.testing.assert_allclose(e.values.sum(axis=1) + e.base_values, losses, atol=1e-5)


def test_labels_that_do_not_fit_are_refused_by_name(boosted, complete, binary):
    explainer = TreeExplainer(boosted, complete[:9], output="log_loss", device="cpu")
    with pytest.raises(whylight.ShapeError, match=r"y: expected 60 labels.*\(59,\)"):
        explainer(complete[:60], binary[:59])
    with pytest.raises(whylight.ParameterError, match="y: the label 'maybe' is not allowed.* no, yes"):
        explainer(complete[:2], ["yes", "maybe"])
    for output in ("raw", "probability"):
        with pytest.raises(whylight.ParameterError, match=f'y: not allowed with output="{output}"'):
            TreeExplainer(boosted, complete[:9], output=output, device="cpu")(complete, binary)


def test_estimates_are_within_their_errors(wide):
    model, x = wide
    e = TreeExplainer(model, x[100:102], output="probability", samples=300, device="cpu")(x[:3])
    assert e.estimator == "auto" and not e.exact and e.standard_errors.shape == e.values.shape
    assert e.details["standard_error"] == pytest.approx(e.standard_errors.max())
    np.testing.assert_allclose(e.values.sum(axis=1) + e.base_values, model.predict_proba(x[:3])[:, 1], atol=1e-6)
    worth = worths(lambda rows: model.predict_proba(rows)[:, 1], x[0], x[100:102], single(17))
    apart = np.abs(e.values[0] - values(worth)[:, 0])
    assert apart.max() > 0 and (apart < 4 * e.standard_errors[0] + 1e-7).all()
    again = TreeExplainer(model, x[100:102], output="probability", samples=300, device="cpu")(x[:3])
    np.testing.assert_array_equal(e.values, again.values)
    with pytest.raises(whylight.UnsupportedError, match=r"row \d of the table.*17 players"):
        TreeExplainer(model, x[100:102], output="probability", estimator="exact", device="cpu")(x[:3])


def test_standard_errors_go_with_their_values(wide, tmp_path):
    model, x = wide
    e = TreeExplainer(model, x[100:102], output="log_loss", samples=100, device="cpu")(x[:6])
    np.testing.assert_array_equal(e[2:4].standard_errors, e.standard_errors[2:4])
    np.testing.assert_array_equal(e[:, [3, 1], 1].standard_errors, e.standard_errors[:, [3, 1], 1])
    np.testing.assert_array_equal(e.features_only([3, 1]).standard_errors, e.standard_errors[:, [3, 1]])
    own = TreeExplainer(model, x[100:102], output="log_loss", samples=100, device="cpu")(x[:6], [True] * 6)
    np.testing.assert_array_equal(own.standard_errors, e.standard_errors[:, :, 1])
    for name in ("folder", "e.parquet", "e.arrow"):
        for saved in (e, own):
            whylight.save_explanation(saved, tmp_path / name, exist_ok=True)
            loaded = whylight.load_explanation(tmp_path / name)
            for part in ("values", "standard_errors"):
                np.testing.assert_array_equal(getattr(loaded, part), getattr(saved, part))
                assert getattr(loaded, part).dtype == np.float32
            np.testing.assert_array_equal(loaded.base_values, saved.base_values)
            assert loaded.details == saved.details and type(loaded.base_values) is type(saved.base_values)
            np.testing.assert_array_equal(loaded[4].base_values, saved[4].base_values)


@pytest.mark.parametrize("library", ["sklearn", "xgboost"])
def test_rescaled_values_are_shaps(library, complete, binary, boosted):
    shap = pytest.importorskip("shap")
    model = boosted
    if library == "xgboost":
        xgboost = pytest.importorskip("xgboost")
        model = xgboost.XGBClassifier(n_estimators=12, max_depth=4).fit(complete, binary == "yes")
    background, x = complete[100:150], complete[:60]
    theirs = shap.TreeExplainer(
        model,
        shap.maskers.Independent(background, max_samples=len(background)),
        feature_perturbation="interventional",
        model_output="probability",
    )
    expected = theirs.shap_values(x)
    e = TreeExplainer(model, background, output="probability", estimator="rescaled", device="cpu")(x)
    np.testing.assert_allclose(e.values, expected, atol=1e-5)
    exact = TreeExplainer(model, background, output="probability", device="cpu")(x[:8])
    apart = np.abs(exact.values - e.values[:8]).max()
    assert e.details["approximation_error"] == pytest.approx(apart, abs=1e-6) and not e.exact
    assert any("rescaled" in note for note in e.notes)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"output": "raw", "model_output": 3}, "model_output: 3 is not allowed"),
        ({"output": "probability", "model_output": "probability"}, "model_output: not allowed together with output"),
        ({"output": "odds"}, 'output: "odds"'),
        ({"output": None}, "output: None is not allowed"),
        ({"output": "response", "estimator": "guessed"}, 'estimator: "guessed"'),
        ({"index": "owen"}, 'index: "owen"'),
        ({"samples": 1}, "samples: 1 is not allowed: a whole number from 2"),
        ({"samples": 2**32}, "samples: 4294967296 is not allowed"),
    ],
)
def test_what_is_no_output_is_refused_by_name(given, says, boosted, complete):
    with pytest.raises(whylight.ParameterError, match=f"^{says}"):
        TreeExplainer(boosted, complete[:9], **given)


def test_what_the_engine_does_not_do_is_refused_by_name(boosted, complete, target):
    ensemble = pytest.importorskip("sklearn.ensemble")
    with pytest.raises(whylight.UnsupportedError, match="background"):
        TreeExplainer(boosted, output="probability")
    for given, says in (({"output": "probability"}, "interactions of the output"), ({"index": "banzhaf"}, "Banzhaf")):
        with pytest.raises(whylight.UnsupportedError, match=says):
            TreeExplainer(boosted, complete[:9], **given, device="cpu").interactions(complete[:3])
    number = ensemble.GradientBoostingRegressor(n_estimators=5).fit(complete, target)
    with pytest.raises(whylight.ParameterError, match="no probabilities"):
        TreeExplainer(number, complete[:9], output="probability")
    assert TreeExplainer(number, output="response", device="cpu")(complete[:5]).output == "response"


@pytest.mark.parametrize("labels", ["binary", "three", "target"])
def test_the_spread_is_that_of_the_rows(request, complete, labels):
    ensemble = pytest.importorskip("sklearn.ensemble")
    y = request.getfixturevalue(labels)
    kind = ensemble.RandomForestRegressor if labels == "target" else ensemble.RandomForestClassifier
    explainer = TreeExplainer(kind(n_estimators=5, random_state=0).fit(complete, y), device="cpu")
    whole, streamed = explainer.explain_global(complete), explainer.explain_global(complete, include_local=False)
    expected = np.abs(whole.values.astype(np.float64)).std(axis=0).T
    expected = np.stack([expected] * 2) if labels == "binary" else expected
    for e in (whole, streamed):
        np.testing.assert_allclose(e.spread, expected, rtol=1e-6)
    assert not hasattr(explainer.explain_local(complete[:3]), "spread")


def test_the_spread_of_sparse_values_is_that_of_dense_ones(draw):
    sparse = pytest.importorskip("scipy.sparse")
    dense = draw.normal(size=(9000, 5)).astype(np.float32) * (draw.random((9000, 5)) < 0.3)
    expected = np.abs(dense).std(axis=0, dtype=np.float64)
    for given in (dense, sparse.csr_matrix(dense)):
        np.testing.assert_allclose(whylight.Explanation(given).spread, expected, rtol=1e-6)
    several = whylight.Explanation([sparse.csr_matrix(dense), sparse.csr_matrix(2 * dense)])
    np.testing.assert_allclose(several.spread, [expected, 2 * expected], rtol=1e-6)
    constant = whylight.Explanation(np.full((5000, 1), -1e7 / 3, np.float32))
    assert constant.spread.tolist() == [0.0]


def test_sums_of_estimates_have_no_standard_errors(wide):
    model, x = wide
    transformations = [([i], None) for i in range(17)]
    e = TreeExplainer(
        model, x[100:102], transformations=transformations, output="probability", samples=100, device="cpu"
    )(x[:3])
    assert e.standard_errors is None and e.engineered.standard_errors.shape == e.values.shape
