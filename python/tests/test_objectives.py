"""Survival, ranking, quantiles and several targets: values add up to the raw margin of each output."""

import numpy as np
import pytest
from test_models import adds_up

import whylight
from whylight import TreeExplainer

GROUPS = [50] * 8
ALPHAS = [0.2, 0.5, 0.9]


@pytest.fixture(scope="module")
def grades(target):
    return np.digitize(target, np.quantile(target, [0.25, 0.5, 0.75]))


@pytest.fixture(scope="module")
def targets(target):
    return np.stack([target, target**2 - 1, 2 - target], axis=1)


@pytest.fixture(scope="module")
def durations(target):
    """Times until an event; those of censored rows are negative."""
    return np.where(np.arange(len(target)) % 3 == 0, -1, 1) * np.exp(target / 3)


def xgboost_margin(model, rows):
    return np.asarray(model.predict(rows, output_margin=True), np.float64)


@pytest.mark.parametrize("objective", ["rank:ndcg", "rank:pairwise", "rank:map"])
def test_xgboost_rankers_add_up(rows, grades, objective):
    xgboost = pytest.importorskip("xgboost")
    model = xgboost.XGBRanker(n_estimators=10, max_depth=4, objective=objective)
    model.fit(rows, np.minimum(grades, 1) if objective == "rank:map" else grades, group=GROUPS)
    e = TreeExplainer(model, device="cpu")(rows)
    adds_up(e, xgboost_margin(model, rows))
    assert e.model_task == "unknown"


@pytest.mark.parametrize("base_score", [None, 0.7])
@pytest.mark.parametrize("interface", ["XGBRegressor", "XGBModel"])
def test_xgboost_survival_explains_the_log_hazard(rows, durations, interface, base_score):
    xgboost = pytest.importorskip("xgboost")
    kind = getattr(xgboost, interface)
    model = kind(n_estimators=10, max_depth=4, objective="survival:cox", base_score=base_score).fit(rows, durations)
    adds_up(TreeExplainer(model, device="cpu")(rows), xgboost_margin(model, rows))


def test_xgboost_failure_times_of_censored_rows_add_up(rows, durations):
    xgboost = pytest.importorskip("xgboost")
    data = xgboost.DMatrix(rows)
    data.set_float_info("label_lower_bound", np.abs(durations))
    data.set_float_info("label_upper_bound", np.where(durations < 0, np.inf, durations))
    booster = xgboost.train({"objective": "survival:aft", "max_depth": 4}, data, 10)
    margin = booster.predict(xgboost.DMatrix(rows), output_margin=True).astype(float)
    adds_up(TreeExplainer(booster, device="cpu")(rows), margin)


@pytest.mark.parametrize("strategy", ["one_output_per_tree", "multi_output_tree"])
@pytest.mark.parametrize("kind", ["quantiles", "targets"])
def test_xgboost_models_of_several_outputs_add_up(tmp_path, rows, target, targets, kind, strategy):
    xgboost = pytest.importorskip("xgboost")
    settings = {"n_estimators": 8, "max_depth": 4, "tree_method": "hist", "multi_strategy": strategy}
    if kind == "quantiles":
        settings |= {"objective": "reg:quantileerror", "quantile_alpha": ALPHAS}
    model = xgboost.XGBRegressor(**settings).fit(rows, target if kind == "quantiles" else targets)
    background = rows[:100]
    e = TreeExplainer(model, background, device="cpu")(rows)
    assert e.values.shape == (*rows.shape, 3)
    adds_up(e, xgboost_margin(model, rows), 5e-6)
    model.save_model(tmp_path / "model.json")
    of_file = TreeExplainer(tmp_path / "model.json", background, device="cpu")(rows)
    np.testing.assert_array_equal(of_file.values, e.values)
    assert e.model_task == "regression"
    assert of_file.model_task == "unknown"


@pytest.mark.parametrize("objective", ["lambdarank", "rank_xendcg"])
def test_lightgbm_rankers_have_the_native_values(rows, grades, objective):
    lightgbm = pytest.importorskip("lightgbm")
    model = lightgbm.LGBMRanker(n_estimators=10, min_child_samples=5, objective=objective, verbose=-1)
    model.fit(rows, grades, group=GROUPS)
    e = TreeExplainer(model, device="cpu")(rows)
    adds_up(e, model.predict(rows, raw_score=True))
    np.testing.assert_allclose(e.values, model.predict(rows, pred_contrib=True)[:, :-1], atol=1e-5)


def test_lightgbm_quantiles_have_the_native_values(rows, target):
    lightgbm = pytest.importorskip("lightgbm")
    model = lightgbm.LGBMRegressor(n_estimators=10, objective="quantile", alpha=0.8, verbose=-1).fit(rows, target)
    e = TreeExplainer(model, device="cpu")(rows)
    adds_up(e, model.predict(rows))
    np.testing.assert_allclose(e.values, model.predict(rows, pred_contrib=True)[:, :-1], atol=1e-5)


@pytest.mark.parametrize(
    "loss", ["MultiQuantile:alpha=0.2,0.5,0.9", "RMSEWithUncertainty", "Cox", "YetiRank", "MultiRMSE"]
)
def test_catboost_objectives_add_up(rows, target, targets, grades, durations, loss):
    catboost = pytest.importorskip("catboost")
    y = {"Cox": durations, "YetiRank": grades, "MultiRMSE": targets}.get(loss, target)
    groups = np.repeat(np.arange(8), GROUPS) if loss == "YetiRank" else None
    settings = {"iterations": 10, "depth": 4, "verbose": False, "allow_writing_files": False, "loss_function": loss}
    model = catboost.CatBoost(settings).fit(catboost.Pool(rows, y, group_id=groups))
    margin = model.predict(rows, prediction_type="RawFormulaVal")
    adds_up(TreeExplainer(model, device="cpu")(rows), margin)


@pytest.mark.parametrize(("loss", "prediction"), [("Cox", "Exponent"), ("RMSEWithUncertainty", "RMSEWithUncertainty")])
def test_catboost_responses_are_its_predictions(rows, target, durations, loss, prediction):
    catboost = pytest.importorskip("catboost")
    settings = {"iterations": 5, "depth": 3, "verbose": False, "allow_writing_files": False, "loss_function": loss}
    model = catboost.CatBoost(settings).fit(rows, durations if loss == "Cox" else target)
    e = TreeExplainer(model, rows[:20], output="response", device="cpu")(rows[:30])
    adds_up(e, model.predict(rows[:30], prediction_type=prediction))


@pytest.mark.parametrize("objective", ["binary:hinge", "reg:expectileerror"])
def test_xgboost_responses_are_its_predictions(rows, target, objective):
    xgboost = pytest.importorskip("xgboost")
    if objective == "reg:expectileerror" and tuple(map(int, xgboost.__version__.split(".")[:2])) < (3, 4):
        pytest.skip("expectiles came with XGBoost 3.4")
    settings = {"objective": objective, "max_depth": 3}
    if objective == "reg:expectileerror":
        settings["expectile_alpha"] = ALPHAS
    label = target > 0 if objective == "binary:hinge" else target
    booster = xgboost.train(settings, xgboost.DMatrix(rows, label), 5)
    e = TreeExplainer(booster, rows[:20], output="response", device="cpu")(rows[:30])
    adds_up(e, booster.predict(xgboost.DMatrix(rows[:30])).astype(float), 5e-6)


@pytest.mark.parametrize("family", ["GradientBoostingRegressor", "HistGradientBoostingRegressor"])
def test_scikit_learn_quantiles_add_up(complete, target, family):
    ensemble = pytest.importorskip("sklearn.ensemble")
    if family == "GradientBoostingRegressor":
        model = ensemble.GradientBoostingRegressor(loss="quantile", alpha=0.8, n_estimators=10)
    else:
        model = ensemble.HistGradientBoostingRegressor(loss="quantile", quantile=0.8, max_iter=10)
    model.fit(complete, target)
    adds_up(TreeExplainer(model, device="cpu")(complete), model.predict(complete))


def several_targets():
    sklearn = pytest.importorskip("sklearn")
    from sklearn import ensemble, multioutput, tree  # noqa: F401

    few = {"n_estimators": 6, "random_state": 0}
    return {
        "DecisionTree": sklearn.tree.DecisionTreeRegressor(max_depth=5),
        "ExtraTree": sklearn.tree.ExtraTreeRegressor(max_depth=5),
        "RandomForest": sklearn.ensemble.RandomForestRegressor(**few),
        "ExtraTrees": sklearn.ensemble.ExtraTreesRegressor(**few),
        "MultiOutput": sklearn.multioutput.MultiOutputRegressor(sklearn.ensemble.GradientBoostingRegressor(**few)),
        "MultiOutputHist": sklearn.multioutput.MultiOutputRegressor(
            sklearn.ensemble.HistGradientBoostingRegressor(max_iter=6)
        ),
        "MultiOutputForest": sklearn.multioutput.MultiOutputRegressor(sklearn.ensemble.RandomForestRegressor(**few)),
    }


@pytest.mark.parametrize(
    "family",
    ["DecisionTree", "ExtraTree", "RandomForest", "ExtraTrees", "MultiOutput", "MultiOutputHist", "MultiOutputForest"],
)
def test_scikit_learn_regressors_of_several_targets_add_up(complete, targets, family):
    model = several_targets()[family].fit(complete, targets)
    e = TreeExplainer(model, device="cpu")(complete)
    adds_up(e, model.predict(complete))
    assert e.output_names == ["output 0", "output 1", "output 2"]
    assert e.model_task == "regression"


def test_each_target_of_a_forest_has_the_values_of_shap(complete, targets):
    shap = pytest.importorskip("shap")
    model = several_targets()["RandomForest"].fit(complete, targets)
    native = shap.TreeExplainer(model).shap_values(complete[:40])
    e = TreeExplainer(model, device="cpu")(complete[:40])
    np.testing.assert_allclose(e.values, native, atol=1e-5)


@pytest.mark.parametrize("family", ["DecisionTreeClassifier", "RandomForestClassifier", "MultiOutputClassifier"])
def test_classifiers_of_several_targets_are_refused_by_name(complete, binary, grades, family):
    sklearn = pytest.importorskip("sklearn")
    from sklearn import ensemble, multioutput, tree

    model = {
        "DecisionTreeClassifier": tree.DecisionTreeClassifier(max_depth=3),
        "RandomForestClassifier": ensemble.RandomForestClassifier(3),
        "MultiOutputClassifier": multioutput.MultiOutputClassifier(tree.DecisionTreeClassifier(max_depth=3)),
    }[family]
    model.fit(complete, np.stack([binary == "yes", grades], axis=1).astype(int))
    assert sklearn.utils.validation.check_is_fitted(model) is None
    with pytest.raises(whylight.UnsupportedError, match=f"{family} .*several targets"):
        TreeExplainer(model, device="cpu")


def test_quantile_forests_are_refused_by_name(complete, target):
    quantile_forest = pytest.importorskip("quantile_forest")
    for kind in (quantile_forest.RandomForestQuantileRegressor, quantile_forest.ExtraTreesQuantileRegressor):
        model = kind(n_estimators=4).fit(complete, target)
        with pytest.raises(whylight.UnsupportedError, match=f"{kind.__name__} takes quantiles .* no sum over trees"):
            TreeExplainer(model, device="cpu")
