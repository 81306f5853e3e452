"""Every model class: values add up to what the native library predicts, and are the native or brute-force ones."""

import numpy as np
import pytest
from brute import shapley

import whylight
from whylight import TreeExplainer


def margins(explanation):
    values = np.asarray(explanation.values, np.float64)
    return values.sum(axis=1) + np.asarray(explanation.base_values)


def adds_up(explanation, expected, tolerance=2e-6):
    found = margins(explanation)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=tolerance * max(1.0, np.abs(expected).max()), rtol=0)
    assert explanation.additivity_error < tolerance * max(1.0, np.abs(expected).max())


@pytest.mark.parametrize("interface", ["booster", "classifier", "regressor", "three"])
def test_xgboost_has_the_native_values(rows, target, binary, three, interface):
    xgboost = pytest.importorskip("xgboost")
    small = {"n_estimators": 20, "max_depth": 4}
    if interface == "three":
        model = xgboost.XGBClassifier(**small).fit(rows, three)
    elif interface == "classifier":
        model = xgboost.XGBClassifier(**small).fit(rows, binary == "yes")
    else:
        model = xgboost.XGBRegressor(**small).fit(rows, target)
    native = model.get_booster().predict(xgboost.DMatrix(rows), pred_contribs=True)
    e = TreeExplainer(model.get_booster() if interface == "booster" else model, device="cpu")(rows)
    values = np.moveaxis(e.values, 2, 1) if interface == "three" else e.values
    np.testing.assert_allclose(values, native[..., :-1], atol=2e-5)
    np.testing.assert_allclose(np.asarray(e.base_values), native[0, ..., -1], atol=2e-5)


def test_xgboost_takes_what_a_sparse_row_leaves_out_as_missing(complete, target):
    xgboost = pytest.importorskip("xgboost")
    sparse = pytest.importorskip("scipy.sparse")
    x = sparse.csr_matrix(complete * (np.abs(complete) > 0.7))
    model = xgboost.XGBRegressor(n_estimators=20, max_depth=4).fit(x, target)
    e = TreeExplainer(model, device="cpu").explain_global(x)
    native = model.get_booster().predict(xgboost.DMatrix(x), pred_contribs=True)
    np.testing.assert_allclose(e.values, native[:, :-1], atol=2e-5)
    streamed = TreeExplainer(model, device="cpu").explain_global(x, include_local=False)
    np.testing.assert_allclose(streamed.global_importance_values, e.global_importance_values, rtol=1e-6)


def test_xgboost_stops_at_the_best_iteration(rows, target):
    xgboost = pytest.importorskip("xgboost")
    model = xgboost.XGBRegressor(n_estimators=200, max_depth=6, early_stopping_rounds=2)
    model.fit(rows[:300], target[:300], eval_set=[(rows[300:], target[300:])], verbose=False)
    assert model.best_iteration + 1 < model.get_booster().num_boosted_rounds()
    adds_up(TreeExplainer(model, device="cpu")(rows), model.predict(rows, output_margin=True).astype(float), 1e-5)


@pytest.mark.parametrize("kind", ["regressor", "classifier", "three"])
def test_lightgbm_has_the_native_values(rows, target, binary, three, kind):
    lightgbm = pytest.importorskip("lightgbm")
    small = {"n_estimators": 20, "min_child_samples": 5, "verbose": -1}
    y = {"regressor": target, "classifier": binary, "three": three}[kind]
    model = (lightgbm.LGBMRegressor if kind == "regressor" else lightgbm.LGBMClassifier)(**small).fit(rows, y)
    e = TreeExplainer(model, device="cpu")(rows)
    adds_up(e, model.predict(rows, raw_score=True))
    native = model.predict(rows, pred_contrib=True).reshape(len(rows), -1, rows.shape[1] + 1)
    values = np.moveaxis(e.values, 2, 1) if kind == "three" else e.values[:, None]
    np.testing.assert_allclose(values, native[..., :-1], atol=1e-5)


@pytest.mark.parametrize("kind", ["regressor", "classifier", "three"])
def test_catboost_adds_up(rows, target, binary, three, kind):
    catboost = pytest.importorskip("catboost")
    small = {"iterations": 20, "depth": 4, "verbose": False, "allow_writing_files": False}
    y = {"regressor": target, "classifier": binary, "three": three}[kind]
    model = (catboost.CatBoostRegressor if kind == "regressor" else catboost.CatBoostClassifier)(**small).fit(rows, y)
    adds_up(TreeExplainer(model, device="cpu")(rows), model.predict(rows, prediction_type="RawFormulaVal"))


def test_treelite_models_have_the_values_of_what_they_were_made_of(tmp_path, rows, target, three):
    treelite = pytest.importorskip("treelite")
    xgboost = pytest.importorskip("xgboost")
    booster = xgboost.train({"max_depth": 4}, xgboost.DMatrix(rows, target), 10)
    model = treelite.frontend.from_xgboost(booster)
    e = TreeExplainer(model, device="cpu")(rows)
    native = booster.predict(xgboost.DMatrix(rows), pred_contribs=True)
    np.testing.assert_allclose(e.values, native[:, :-1], atol=2e-5)
    assert e.model_task == "unknown"
    model.serialize(str(tmp_path / "model.tl"))
    np.testing.assert_array_equal(TreeExplainer(tmp_path / "model.tl", device="cpu")(rows).values, e.values)
    parameters = {"max_depth": 4, "objective": "multi:softprob", "num_class": 3}
    booster = xgboost.train(parameters, xgboost.DMatrix(rows, three), 5)
    e = TreeExplainer(treelite.frontend.from_xgboost(booster), device="cpu")(rows)
    adds_up(e, booster.predict(xgboost.DMatrix(rows), output_margin=True).astype(float))
    assert e.model_task == "classification"


def test_a_treelite_model_of_a_forest_has_the_values_of_the_forest(complete, three):
    treelite = pytest.importorskip("treelite")
    ensemble = pytest.importorskip("sklearn.ensemble")
    forest = ensemble.RandomForestClassifier(6, random_state=0).fit(complete.astype(np.float32), three)
    x = complete.astype(np.float32)
    e = TreeExplainer(treelite.sklearn.import_model(forest), device="cpu")(x)
    np.testing.assert_allclose(e.values, TreeExplainer(forest, device="cpu")(x).values, atol=1e-6)


def sklearn_models():
    ensemble = pytest.importorskip("sklearn.ensemble")
    from sklearn import tree

    few = {"n_estimators": 8, "random_state": 0}
    return {
        "DecisionTree": (tree.DecisionTreeRegressor(max_depth=5), tree.DecisionTreeClassifier(max_depth=5)),
        "RandomForest": (ensemble.RandomForestRegressor(**few), ensemble.RandomForestClassifier(**few)),
        "ExtraTrees": (ensemble.ExtraTreesRegressor(**few), ensemble.ExtraTreesClassifier(**few)),
        "Bagging": (
            ensemble.BaggingRegressor(**few, max_features=0.5),
            ensemble.BaggingClassifier(**few, max_features=0.5),
        ),
        "GradientBoosting": (ensemble.GradientBoostingRegressor(**few), ensemble.GradientBoostingClassifier(**few)),
        "HistGradientBoosting": (
            ensemble.HistGradientBoostingRegressor(max_iter=8),
            ensemble.HistGradientBoostingClassifier(max_iter=8),
        ),
    }


FAMILIES = ["DecisionTree", "RandomForest", "ExtraTrees", "Bagging", "GradientBoosting", "HistGradientBoosting"]
READS_MISSING = ["DecisionTree", "RandomForest", "ExtraTrees", "HistGradientBoosting"]


@pytest.mark.parametrize("family", FAMILIES)
def test_scikit_learn_regressors_add_up(rows, complete, target, family):
    x = rows if family in READS_MISSING else complete
    model = sklearn_models()[family][0].fit(x, target)
    adds_up(TreeExplainer(model, device="cpu")(x), model.predict(x))


@pytest.mark.parametrize("labels", ["binary", "three"])
@pytest.mark.parametrize("family", FAMILIES)
def test_scikit_learn_classifiers_add_up(request, rows, complete, family, labels):
    x = rows if family in READS_MISSING else complete
    model = sklearn_models()[family][1].fit(x, request.getfixturevalue(labels))
    e = TreeExplainer(model, device="cpu")(x)
    raw = getattr(model, "decision_function", model.predict_proba) if "Boosting" in family else model.predict_proba
    expected = raw(x)
    adds_up(e, expected[:, 1] if labels == "binary" and expected.ndim == 2 else expected)
    assert e.model_task == "classification"
    assert e.classes == list(model.classes_)


def test_values_of_a_tree_are_those_of_the_definition(rows, target):
    tree = pytest.importorskip("sklearn.tree")
    weights = 1 + np.arange(len(rows)) % 3
    model = tree.DecisionTreeRegressor(max_depth=4).fit(rows, target, sample_weight=weights)
    e = TreeExplainer(model, device="cpu")(rows[:20])
    for row, values in zip(rows[:20], e.values, strict=True):
        by_definition = shapley(model.tree_, model.tree_.value[:, 0, 0], row, rows.shape[1])
        np.testing.assert_allclose(values, by_definition, atol=1e-6)


@pytest.mark.parametrize("family", ["RandomForest", "ExtraTrees", "Bagging", "GradientBoosting"])
def test_values_of_an_ensemble_are_those_of_the_definition(rows, complete, target, family):
    x = rows if family in READS_MISSING else complete
    model = sklearn_models()[family][0].set_params(n_estimators=4)
    if family != "Bagging":
        model.set_params(max_depth=3)
    model.fit(x[:120], target[:120])
    e = TreeExplainer(model, device="cpu")(x[:6])
    weight = model.learning_rate if family == "GradientBoosting" else 1 / len(model.estimators_)
    for row, values in zip(x[:6], e.values, strict=True):
        by_definition = np.zeros(x.shape[1])
        for i, estimator in enumerate(np.ravel(model.estimators_)):
            columns = model.estimators_features_[i] if family == "Bagging" else np.arange(x.shape[1])
            value = weight * estimator.tree_.value[:, 0, 0]
            by_definition[columns] += shapley(estimator.tree_, value, row[columns], len(columns))
        np.testing.assert_allclose(values, by_definition, atol=1e-6)


@pytest.mark.parametrize("labels", ["target", "binary"])
def test_histogram_gradient_boosting_has_the_values_of_shap(request, rows, labels):
    ensemble = pytest.importorskip("sklearn.ensemble")
    shap = pytest.importorskip("shap")
    kind = ensemble.HistGradientBoostingRegressor if labels == "target" else ensemble.HistGradientBoostingClassifier
    model = kind(max_iter=8).fit(rows, request.getfixturevalue(labels))
    native = shap.TreeExplainer(model).shap_values(rows)
    e = TreeExplainer(model, device="cpu")(rows)
    np.testing.assert_allclose(e.values, native, atol=2e-5 * np.abs(native).max())


def test_isolation_forest_explains_the_path_length(complete):
    ensemble = pytest.importorskip("sklearn.ensemble")
    model = ensemble.IsolationForest(n_estimators=10, random_state=0).fit(complete)
    samples = model._max_samples
    c = 2 * (np.log(samples - 1) + np.euler_gamma) - 2 * (samples - 1) / samples
    adds_up(TreeExplainer(model, device="cpu")(complete), -np.log2(-model.score_samples(complete)) * c)


@pytest.mark.parametrize("labels", ["binary", "three"])
def test_ada_boost_adds_up(request, complete, labels):
    ensemble = pytest.importorskip("sklearn.ensemble")
    from sklearn.tree import DecisionTreeClassifier

    model = ensemble.AdaBoostClassifier(DecisionTreeClassifier(max_depth=2), n_estimators=8, random_state=0)
    model.fit(complete, request.getfixturevalue(labels))
    adds_up(TreeExplainer(model, device="cpu")(complete), model.decision_function(complete))


def test_soft_voting_of_forests_adds_up(complete, binary):
    ensemble = pytest.importorskip("sklearn.ensemble")
    members = [("a", ensemble.RandomForestClassifier(5)), ("b", ensemble.ExtraTreesClassifier(5))]
    model = ensemble.VotingClassifier(members, voting="soft", weights=[1, 3]).fit(complete, binary)
    adds_up(TreeExplainer(model, device="cpu")(complete), model.predict_proba(complete)[:, 1])


def test_categories_of_hist_gradient_boosting_are_followed(rows, target):
    ensemble = pytest.importorskip("sklearn.ensemble")
    pandas = pytest.importorskip("pandas")
    generator = np.random.default_rng(0)
    town = generator.choice(["Ulm", "Köln", "Bonn", "Trier"], len(rows))
    x = pandas.DataFrame(rows, columns=list("abcdef")).assign(town=pandas.Categorical(town))
    x.loc[::17, "town"] = None
    y = target + 2.0 * (town == "Ulm") - 1.5 * (town == "Bonn")
    model = ensemble.HistGradientBoostingRegressor(max_iter=20, categorical_features="from_dtype").fit(x, y)
    e = TreeExplainer(model, device="cpu")(x)
    adds_up(e, model.predict(x))
    assert e.feature_names == [*"abcdef", "town"]
    assert e.get_ranked_global_names(3).count("town") == 1


@pytest.mark.parametrize("missing", [-3.0, 3.0])
def test_missing_categories_go_where_hist_gradient_boosting_sends_them(rows, target, missing):
    ensemble = pytest.importorskip("sklearn.ensemble")
    pandas = pytest.importorskip("pandas")
    town = np.random.default_rng(0).choice(["Ulm", "Köln", "Bonn", "Trier"], len(rows))
    x = pandas.DataFrame(rows, columns=list("abcdef")).assign(town=pandas.Categorical(town))
    x.loc[::5, "town"] = None
    y = target + 4.0 * (town == "Ulm") - 4.0 * (town == "Bonn")
    y[::5] = target[::5] + missing
    model = ensemble.HistGradientBoostingRegressor(max_iter=20, categorical_features="from_dtype").fit(x, y)
    nodes = np.concatenate([predictor.nodes for step in model._predictors for predictor in step])
    nodes = nodes[nodes["is_categorical"].astype(bool)]
    # Both sides, so that the test sees each.
    assert len(set(nodes["missing_go_to_left"].tolist())) == 2
    adds_up(TreeExplainer(model, device="cpu")(x), model.predict(x))


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda s, x, y: s.ensemble.AdaBoostRegressor().fit(x, y), "median"),
        (lambda s, x, y: s.linear_model.LinearRegression().fit(x, y), "no sum over trees"),
        (lambda s, x, y: s.svm.SVR().fit(x, y), "no sum over trees"),
        (lambda s, x, y: s.calibration.CalibratedClassifierCV(s.tree.DecisionTreeClassifier()).fit(x, y > 0), "bends"),
        (
            lambda s, x, y: s.ensemble.VotingClassifier([("t", s.tree.DecisionTreeClassifier())]).fit(x, y > 0),
            "counts votes",
        ),
        (
            lambda s, x, y: s.ensemble.VotingClassifier(
                [("g", s.ensemble.GradientBoostingClassifier(n_estimators=2))], voting="soft"
            ).fit(x, y > 0),
            "averages probabilities",
        ),
        (lambda s, x, y: s.ensemble.BaggingRegressor(s.svm.SVR(), n_estimators=2).fit(x, y), "no tree"),
    ],
)
def test_what_is_no_sum_over_trees_is_refused_by_name(complete, target, make, word):
    sklearn = pytest.importorskip("sklearn")
    from sklearn import calibration, ensemble, linear_model, svm, tree  # noqa: F401

    with pytest.raises(whylight.UnsupportedError, match=word):
        TreeExplainer(make(sklearn, complete, target), device="cpu")


def test_a_model_that_is_not_fitted_is_refused():
    ensemble = pytest.importorskip("sklearn.ensemble")
    with pytest.raises(whylight.ModelError, match="not fitted"):
        TreeExplainer(ensemble.RandomForestRegressor(), device="cpu")


def test_an_object_that_is_no_model_is_refused():
    with pytest.raises(whylight.UnsupportedError, match="builtins.int"):
        TreeExplainer(3)
