"""Values against a background, and interactions: of trees in memory, against shap, the library, or the definition."""

from itertools import combinations
from math import factorial

import numpy as np
import pytest

import whylight
from whylight import TreeExplainer, summarise


def margin(model, x):
    """The raw output that a model's values add up to."""
    if hasattr(model, "get_booster"):
        return model.predict(x, output_margin=True)
    if type(model).__module__.startswith("lightgbm"):
        return model.predict(x, raw_score=True)
    return model.decision_function(x) if hasattr(model, "decision_function") else model.predict(x)


def by_definition(model, row, background, weights):
    """Interventional values of a row: every coalition, every background row."""
    features = len(row)

    def worth(coalition):
        mixed = background.copy()
        mixed[:, list(coalition)] = row[list(coalition)]
        return np.dot(weights, margin(model, mixed).astype(np.float64))

    worths = {c: worth(c) for size in range(features + 1) for c in combinations(range(features), size)}
    values = np.zeros(features)
    for coalition, without in worths.items():
        if len(coalition) == features:
            continue
        share = factorial(len(coalition)) * factorial(features - len(coalition) - 1) / factorial(features)
        for feature in set(range(features)) - set(coalition):
            values[feature] += share * (worths[tuple(sorted((*coalition, feature)))] - without)
    return values


@pytest.fixture(params=["xgboost", "lightgbm", "catboost", "forest", "boosting", "histogram"])
def model(request, rows, complete, target):
    """A regression model, and rows that it takes."""
    if request.param == "xgboost":
        xgboost = pytest.importorskip("xgboost")
        return xgboost.XGBRegressor(n_estimators=20, max_depth=4).fit(rows, target), rows
    if request.param == "lightgbm":
        lightgbm = pytest.importorskip("lightgbm")
        return lightgbm.LGBMRegressor(n_estimators=20, num_leaves=9, verbose=-1).fit(rows, target), rows
    if request.param == "catboost":
        catboost = pytest.importorskip("catboost")
        small = catboost.CatBoostRegressor(n_estimators=20, depth=4, verbose=False, allow_writing_files=False)
        return small.fit(rows, target), rows
    ensemble = pytest.importorskip("sklearn.ensemble")
    if request.param == "forest":
        return ensemble.RandomForestRegressor(20, max_depth=5, random_state=0).fit(complete, target), complete
    if request.param == "boosting":
        return ensemble.GradientBoostingRegressor(n_estimators=20).fit(complete, target), complete
    return ensemble.HistGradientBoostingRegressor(max_iter=20, max_depth=4).fit(rows, target), rows


def test_values_against_a_background_are_as_defined(model):
    model, x = model
    background = x[100:107]
    e = TreeExplainer(model, background, device="cpu")(x)
    assert e.details["value_function"] == "interventional"
    expected = margin(model, background).astype(np.float64).mean()
    np.testing.assert_allclose(e.base_values, expected, rtol=1e-5)
    weights = np.full(7, 1 / 7)
    scale = np.abs(e.values).max()
    for row in range(3):
        defined = by_definition(model, x[row], background, weights)
        np.testing.assert_allclose(e.values[row], defined, atol=1e-5 * scale, rtol=0)
        alone = TreeExplainer(model, background, device="cpu")(x[row])
        np.testing.assert_allclose(np.ravel(alone.values), defined, atol=1e-5 * scale, rtol=0)


def test_values_against_a_background_are_shaps(draw):
    shap = pytest.importorskip("shap")
    ensemble = pytest.importorskip("sklearn.ensemble")
    # No cell is near a threshold, where shap's values do not add up.
    x = draw.normal(size=(300, 6))
    model = ensemble.RandomForestRegressor(30, random_state=0).fit(x, x[:, 0] * x[:, 1] + np.sin(3 * x[:, 2]))
    background = x[:150]
    masker = shap.maskers.Independent(background, max_samples=len(background))
    expected = shap.TreeExplainer(model, masker, feature_perturbation="interventional").shap_values(x)
    for threads in (1, 2):
        e = TreeExplainer(model, background, threads=threads, device="cpu")(x)
        largest = np.abs(expected).max(axis=1, keepdims=True)
        assert (np.abs(e.values - expected) / largest).max() < 1e-6


def test_a_weighted_background_counts_its_rows_by_weight(model):
    model, x = model
    weights = np.array([1.0, 3.0, 0.0, 2.0])
    background = whylight.Background(x[50:54], weights / weights.sum(), 4, "all")
    repeated = x[[50, 51, 51, 51, 53, 53]]
    weighted = TreeExplainer(model, background, device="cpu")(x)
    plain = TreeExplainer(model, repeated, device="cpu")(x)
    np.testing.assert_allclose(weighted.values, plain.values, atol=1e-6 * np.abs(plain.values).max())
    np.testing.assert_allclose(weighted.base_values, plain.base_values)
    assert "weighted" in weighted.details["cover"]


def test_a_summary_is_a_background(complete, target):
    ensemble = pytest.importorskip("sklearn.ensemble")
    model = ensemble.GradientBoostingRegressor(n_estimators=20).fit(complete, target)
    e = TreeExplainer(model, summarise(complete, 5), device="cpu")(complete)
    assert e.details["cover"].startswith("background of 5 weighted rows")
    sums = e.values.astype(np.float64).sum(axis=1) + e.base_values
    np.testing.assert_allclose(sums, model.predict(complete), atol=1e-4)


@pytest.mark.parametrize(
    ("given", "computed"),
    [
        ({}, "path_dependent"),
        ({"background": True}, "interventional"),
        ({"background": True, "value_function": "path_dependent"}, "path_dependent"),
        ({"background": True, "feature_perturbation": "tree_path_dependent"}, "path_dependent"),
        ({"background": True, "feature_perturbation": "interventional"}, "interventional"),
        ({"background": True, "feature_perturbation": "auto"}, "interventional"),
    ],
)
def test_the_result_says_which_value_function_it_was(given, computed, complete, target):
    tree = pytest.importorskip("sklearn.tree")
    model = tree.DecisionTreeRegressor(max_depth=3).fit(complete, target)
    given = {name: complete[:9] if value is True else value for name, value in given.items()}
    e = TreeExplainer(model, **given, device="cpu")(complete[:5])
    assert e.details["value_function"] == computed
    notes = " ".join(e.notes)
    assert ("the background was not used" in notes) == (computed == "path_dependent" and "background" in given)


def test_value_functions_that_are_none_are_refused_by_name(complete, target):
    tree = pytest.importorskip("sklearn.tree")
    model = tree.DecisionTreeRegressor(max_depth=3).fit(complete, target)
    with pytest.raises(whylight.ParameterError, match="background"):
        TreeExplainer(model, value_function="interventional")
    with pytest.raises(whylight.ParameterError, match="together"):
        TreeExplainer(model, value_function="interventional", feature_perturbation="interventional")
    with pytest.raises(whylight.ParameterError, match="value_function"):
        TreeExplainer(model, value_function="marginal")
    with pytest.raises(whylight.UnsupportedError, match="conditional"):
        TreeExplainer(model, complete, value_function="conditional")
    with pytest.raises(whylight.ParameterError, match="value_function"):
        TreeExplainer(model, value_function=3)
    with pytest.raises(whylight.DataError, match="no rows"):
        TreeExplainer(model, complete[:0])


def test_the_background_of_raw_rows_is_transformed(complete, target):
    ensemble = pytest.importorskip("sklearn.ensemble")
    pipeline = pytest.importorskip("sklearn.pipeline")
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    model = ensemble.GradientBoostingRegressor(n_estimators=10)
    model = pipeline.make_pipeline(preprocessing.StandardScaler(), model).fit(complete, target)
    e = TreeExplainer(model, complete[:20], device="cpu")(complete)
    np.testing.assert_allclose(e.base_values, model.predict(complete[:20]).mean())


def test_interactions_are_the_librarys(rows, target):
    xgboost = pytest.importorskip("xgboost")
    model = xgboost.XGBRegressor(n_estimators=20, max_depth=4).fit(rows, target)
    expected = model.get_booster().predict(xgboost.DMatrix(rows), pred_interactions=True)[:, :-1, :-1]
    explainer = TreeExplainer(model, device="cpu")
    found = explainer.interactions(rows)
    np.testing.assert_allclose(found, expected, atol=2e-5)
    np.testing.assert_allclose(found.sum(axis=2), explainer(rows).values, atol=1e-5)
    some = TreeExplainer(model, explain_subset=[2, 0], device="cpu").shap_interaction_values(rows)
    np.testing.assert_array_equal(some, found[:, [2, 0]][:, :, [2, 0]])


def test_interactions_of_several_outputs_are_shaps(complete, three):
    shap = pytest.importorskip("shap")
    ensemble = pytest.importorskip("sklearn.ensemble")
    model = ensemble.RandomForestClassifier(10, max_depth=4, random_state=0).fit(complete, three)
    expected = shap.TreeExplainer(model, feature_perturbation="tree_path_dependent").shap_interaction_values(complete)
    found = TreeExplainer(model, device="cpu").interactions(complete)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_interactions_against_a_background_add_up(model):
    model, x = model
    explainer = TreeExplainer(model, x[:30], device="cpu")
    found = explainer.interactions(x)
    values = explainer(x).values
    np.testing.assert_allclose(found.sum(axis=2), values, atol=1e-5 * np.abs(values).max())
    np.testing.assert_array_equal(found, found.transpose(0, 2, 1))


@pytest.mark.parametrize("others", [None, 20])
def test_interactions_of_deep_trees_add_up(complete, target, others):
    ensemble = pytest.importorskip("sklearn.ensemble")
    model = ensemble.RandomForestRegressor(5, random_state=0).fit(complete, target)
    explainer = TreeExplainer(model, None if others is None else complete[:others], device="cpu")
    rows = complete[:50]
    found, values = explainer.interactions(rows), explainer(rows).values
    np.testing.assert_allclose(found.sum(axis=2), values, atol=1e-5 * np.abs(values).max())
    np.testing.assert_array_equal(found, found.transpose(0, 2, 1))


def test_interactions_of_deep_trees_are_shaps(complete, target):
    ensemble, shap = pytest.importorskip("sklearn.ensemble"), pytest.importorskip("shap")
    model = ensemble.RandomForestRegressor(5, random_state=0).fit(complete, target)
    rows = complete[:10]
    expected = shap.TreeExplainer(model, feature_perturbation="tree_path_dependent").shap_interaction_values(rows)
    found = TreeExplainer(model, device="cpu").interactions(rows)
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())
