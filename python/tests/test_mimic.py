"""Surrogates: how well they answer as their teachers do, and whose values are theirs."""

import warnings

import numpy as np
import pytest
from surrogates import (
    KINDS,
    SURROGATES,
    DecisionTreeExplainableModel,
    LGBMExplainableModel,
    LinearExplainableModel,
    Mean,
    SGDExplainableModel,
    datasets,
    ensemble,
    linear_model,
    mimic,
    sums,
)

from whylight import ParameterError, UnsupportedError

# Distillation --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("surrogate", SURROGATES)
def test_values_are_those_of_the_surrogate(cancer, surrogate):
    x, model = cancer
    explainer = mimic(model, x, surrogate)
    e = explainer.explain_global(x[:40])
    assert e.method == f"mimic.{KINDS[surrogate]}" and e.model_task == "classification" and e.exact
    margins = explainer.surrogate_model.margins(x[:40])[:, 0]
    np.testing.assert_allclose(sums(e), margins, atol=1e-5 * np.abs(margins).max())
    if surrogate is LGBMExplainableModel:
        own = explainer.surrogate_model.model.predict(x[:40], raw_score=True)
        np.testing.assert_allclose(margins, own, rtol=0, atol=1e-12)
    np.testing.assert_allclose(1 / (1 + np.exp(-margins)), explainer.surrogate_model.predict_proba(x[:40])[:, 1])
    assert np.shape(e.local_importance_values) == (2, 40, 30)
    assert e.expected_values[0] == -e.expected_values[1]


@pytest.mark.parametrize("surrogate", SURROGATES)
def test_soft_labels_are_learned_and_not_the_classes(surrogate):
    # A teacher of two classes that is sure of nothing: every probability is between 0.1 and 0.4.
    x = np.random.default_rng(0).normal(size=(2000, 3))

    def teacher(rows):
        second = 0.25 + 0.15 * np.tanh(rows[:, 0])
        return np.column_stack([1 - second, second])

    explainer = mimic(teacher, x, surrogate)
    # Whoever learns the classes learns nothing but the first; R² is then below 0. No line is a hyperbolic tangent.
    assert explainer.fidelity["agreement"] > 0.98
    assert explainer.fidelity["r2"] > 0.85, explainer.fidelity
    assert explainer.fidelity["kl"] < 3e-3
    assert explainer.explain_global(x[:100]).get_ranked_global_names(1) == [0]


@pytest.mark.parametrize("surrogate", [LGBMExplainableModel, LinearExplainableModel])
def test_probabilities_of_several_classes_are_learned(iris, surrogate):
    x, model = iris
    explainer = mimic(model, x, surrogate)
    said = explainer.fidelity
    assert said["held_out"] == 150 and said["agreement"] >= 0.96 and said["r2"] > 0.97 and said["kl"] < 0.05
    e = explainer.explain_global(x)
    assert e.values.shape == (150, 4, 3) and e.classes == [0, 1, 2]
    margins = explainer.surrogate_model.margins(x)
    np.testing.assert_allclose(sums(e), margins, atol=2e-5 * np.abs(margins).max())
    powers = np.exp(margins)
    expected = powers / powers.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(explainer.surrogate_model.predict_proba(x), expected, atol=1e-9)
    # Petals before sepals.
    assert set(e.get_ranked_global_names(2)) == {2, 3}


def test_a_linear_teacher_of_classes_is_learned_as_it_is(iris, cancer):
    x, model = iris
    explainer = mimic(model, x, LinearExplainableModel)
    assert explainer.fidelity["kl"] < 1e-3 and explainer.fidelity["r2"] > 0.999
    # However sure it is: most of these log-odds are beyond ±5.
    x, _ = cancer
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    model = linear_model.LogisticRegression(C=10.0, max_iter=1000).fit(x, datasets.load_breast_cancer().target)
    assert (np.abs(model.decision_function(x)) > 5).mean() > 0.5
    explainer = mimic(model, x, LinearExplainableModel)
    assert (
        explainer.fidelity["kl"] < 1e-2 and explainer.fidelity["r2"] > 0.99 and explainer.fidelity["agreement"] > 0.99
    )


@pytest.mark.parametrize("rows", [30, 60, 426])
def test_trees_of_few_rows_answer_better_than_with_lightgbm_s_own_leaves(rows):
    lightgbm = pytest.importorskip("lightgbm")
    x, y = datasets.load_diabetes(return_X_y=True)
    model = linear_model.Ridge(0.01).fit(x, y)
    gains = []
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(len(x))
        learned, held = x[order[:rows]], x[order[rows:]]
        expected = model.predict(held)
        explainer = mimic(model, learned, LGBMExplainableModel, seed=seed, augment_data=False)
        peer = lightgbm.LGBMRegressor(verbosity=-1, n_jobs=1, min_child_samples=1 if rows < 50 else 20)
        peer.fit(learned, model.predict(learned))
        errors = [((found.predict(held) - expected) ** 2).mean() for found in (explainer.surrogate_model, peer)]
        gains.append(errors[1] / errors[0])
    assert np.mean(gains) > 1.0, gains


def test_parameters_of_lightgbm_are_taken_under_any_of_their_names(complete):
    for args in ({"num_trees": 7}, {"n_estimators": 7}, {"num_iterations": 7}, {"num_boost_round": 7}):
        explainer = mimic(lambda rows: rows[:, 0], complete, LGBMExplainableModel, explainable_model_args=args)
        assert explainer.surrogate_model.model.num_trees() == 7, args
    made = [
        mimic(lambda rows: rows[:, 0], complete, LGBMExplainableModel, explainable_model_args=args)
        for args in ({"subsample": 1.0, "n_iter": 5}, {"min_data": 100, "max_iter": 5})
    ]
    frames = [explainer.surrogate_model.model.trees_to_dataframe() for explainer in made]
    of_leaves = [frame[frame["left_child"].isna()]["count"] for frame in frames]
    # All rows of each tree, and leaves of at least as many as were asked for.
    assert of_leaves[0].sum() == 5 * len(complete) and of_leaves[0].min() == 10
    assert of_leaves[1].min() >= 100 and len(of_leaves[1]) > 5
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mimic(lambda rows: rows[:, 0], complete, LGBMExplainableModel, explainable_model_args={"num_trees": 3})


def test_the_margins_of_a_classifier_without_probabilities_are_learned(cancer):
    svm = pytest.importorskip("sklearn.svm")
    x, _ = cancer
    labels = datasets.load_breast_cancer().target
    model = svm.LinearSVC(max_iter=10_000, random_state=0).fit(x / x.std(axis=0), labels)
    explainer = mimic(model, x / x.std(axis=0), LinearExplainableModel)
    assert explainer.fidelity["of"] == "margin" and "kl" not in explainer.fidelity
    assert explainer.fidelity["r2"] > 0.9999 and explainer.fidelity["agreement"] == 1.0


@pytest.mark.parametrize("surrogate", SURROGATES)
def test_predictions_of_a_regression_are_learned(complete, target, surrogate):
    model = ensemble.RandomForestRegressor(30, random_state=0).fit(complete, target)
    explainer = mimic(model, complete, surrogate)
    assert explainer.fidelity["of"] == "number" and "agreement" not in explainer.fidelity
    e = explainer(complete[:30])
    np.testing.assert_allclose(sums(e), explainer.surrogate_model.predict(complete[:30]), atol=1e-5)
    assert e.model_task == "regression" and e.values.shape == (30, 6)


def test_several_numbers_of_a_function_are_learned(complete):
    def teacher(rows):
        return np.column_stack([rows[:, 0], 2 * rows[:, 1], rows[:, 2] - rows[:, 3]])

    for surrogate in SURROGATES:
        explainer = mimic(teacher, complete, surrogate, is_function=True)
        e = explainer(complete[:20])
        np.testing.assert_allclose(sums(e), explainer.surrogate_model.margins(complete[:20]), atol=1e-5)
        assert np.abs(e.values).mean(axis=0).argmax(axis=0)[:2].tolist() == [0, 1]


def test_a_model_task_is_taken_where_the_model_does_not_tell(complete):
    def teacher(rows):
        return 1 / (1 + np.exp(-rows[:, 0]))

    plain = mimic(teacher, complete, LinearExplainableModel)
    assert plain(complete).model_task == "unknown"
    told = mimic(teacher, complete, LinearExplainableModel, model_task="classification")
    e = told(complete)
    assert e.model_task == "classification" and told.fidelity["of"] == "probability"
    np.testing.assert_allclose(e.values[:, 0], complete[:, 0] - complete[:, 0].mean(), atol=0.05)
    named = mimic(teacher, complete, LinearExplainableModel, classes=["no", "yes"])
    assert named(complete).classes == ["no", "yes"] and named.fidelity == told.fidelity


# Planted features ----------------------------------------------------------------------------------------------------


def test_the_order_of_a_linear_teacher_comes_out():
    x = np.random.default_rng(2).normal(size=(1500, 6))
    weights = np.array([0.0, 4.0, -2.0, 1.0, 0.5, -8.0])
    for surrogate in SURROGATES:
        e = mimic(lambda rows: rows @ weights, x, surrogate).explain_global(x)
        # One tree has no room for the smallest.
        ranked = 3 if surrogate is DecisionTreeExplainableModel else 5
        assert e.get_ranked_global_names(ranked) == [5, 1, 2, 3, 4][:ranked], surrogate


def test_an_interaction_is_found_by_trees_and_its_absence_by_fidelity():
    x = np.random.default_rng(3).normal(size=(3000, 5))

    def teacher(rows):
        return 3 * rows[:, 1] * rows[:, 3] + 0.3 * rows[:, 0]

    explainer = mimic(teacher, x, "auto")
    assert explainer.fidelity["r2"] > 0.85 and type(explainer.surrogate_model) is LGBMExplainableModel
    assert set(explainer.explain_global(x).get_ranked_global_names(2)) == {1, 3}
    linear = mimic(teacher, x, LinearExplainableModel)
    assert linear.fidelity["r2"] < 0.1
    assert any(f"R² {linear.fidelity['r2']:.4f}" in note for note in linear(x[:5]).notes)


def test_auto_takes_the_simple_one_of_those_that_are_as_good(cancer):
    x = cancer[0]
    explainer = mimic(lambda rows: rows @ np.arange(30.0), x, "auto")
    assert type(explainer.surrogate_model) is LinearExplainableModel
    assert set(explainer.choice) == {
        "LinearExplainableModel",
        "DecisionTreeExplainableModel",
        "LGBMExplainableModel",
    }
    assert explainer.choice["LinearExplainableModel"]["r2"] > 0.99999
    notes = explainer(x[:5]).notes
    assert any("chosen" in note and "DecisionTreeExplainableModel 0." in note for note in notes), notes


# Outputs -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("surrogate", SURROGATES)
def test_probabilities_are_those_of_the_surrogate_exactly(iris, surrogate):
    x, model = iris
    for classes in (3, 2):
        if classes == 2:
            x = x[:100]
            model = linear_model.LogisticRegression(C=0.01).fit(x, datasets.load_iris().target[:100])
        explainer = mimic(model, x, surrogate, shap_values_output="probability")
        e = explainer(x[::9])
        expected = explainer.surrogate_model.predict_proba(x[::9])
        np.testing.assert_allclose(sums(e), expected if classes == 3 else expected[:, 1], atol=1e-6)
        assert e.exact and e.output == "probability" and e.standard_errors is None or not np.any(e.standard_errors)
        assert sum(e.expected_values) == pytest.approx(1.0, abs=1e-6)


def test_probabilities_are_the_shapley_values_of_the_definition(iris):
    from itertools import combinations
    from math import factorial

    x, model = iris
    explainer = mimic(model, x, LGBMExplainableModel, shap_values_output="probability")
    row, background = x[77], explainer._background

    def value(coalition):
        rows = background.copy()
        rows[:, list(coalition)] = row[list(coalition)]
        return explainer.surrogate_model.predict_proba(rows).mean(axis=0)

    phi = np.zeros((4, 3))
    for i in range(4):
        others = [j for j in range(4) if j != i]
        for size in range(4):
            for chosen in combinations(others, size):
                weight = factorial(size) * factorial(3 - size) / factorial(4)
                phi[i] += weight * (value([*chosen, i]) - value(chosen))
    np.testing.assert_allclose(explainer(row.reshape(1, -1)).values[0], phi, atol=1e-6)


@pytest.mark.parametrize("surrogate", SURROGATES)
def test_teacher_probabilities_add_up_to_the_teacher_and_are_called_an_approximation(iris, cancer, surrogate):
    for x, model in (iris, cancer):
        explainer = mimic(model, x, surrogate, shap_values_output="teacher_probability")
        e = explainer(x[::40])
        expected = model.predict_proba(x[::40])
        expected = expected if expected.shape[1] > 2 else expected[:, 1]
        np.testing.assert_allclose(sums(e), expected, atol=1e-6)
        assert e.exact is False and e.additivity_error < 1e-6
        assert any("approximation" in note for note in e.notes)


def test_probabilities_of_a_regression_are_refused(complete, target):
    with pytest.raises(ParameterError, match="shap_values_output.*no probabilities"):
        mimic(lambda rows: rows[:, 0], complete, LGBMExplainableModel, shap_values_output="probability", device="cpu")


def test_predictions_of_a_regression_are_what_values_moved_to_the_teacher_add_up_to(complete):
    def teacher(rows):
        return rows[:, 0] * rows[:, 1]

    e = mimic(teacher, complete, LinearExplainableModel, shap_values_output="teacher_probability")(complete[:20])
    np.testing.assert_allclose(sums(e), teacher(complete[:20]), atol=1e-5)
    assert not e.exact and any("an approximation" in note for note in e.notes)


# Global --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("surrogate", SURROGATES)
def test_a_global_explanation_means_the_same_without_rows(cancer, surrogate):
    x, model = cancer
    explainer = mimic(model, x, surrogate)
    without, of_rows = explainer.explain_global(), explainer.explain_global(x)
    assert without.global_importance_values == of_rows.global_importance_values
    np.testing.assert_allclose(without.global_importance_values, np.abs(without.values).mean(axis=0), rtol=1e-5)
    assert min(without.global_importance_values) >= 0
    summary = explainer.explain_global(x, include_local=False, batch_size=10)
    np.testing.assert_allclose(summary.global_importance_values, of_rows.global_importance_values, rtol=1e-5)
    assert summary.values is None and np.shape(summary.per_class_values) == (2, 30)


def test_rows_are_explained_piece_by_piece_without_local_values(mixed):
    frame, teacher = mixed
    whole = mimic(teacher, frame, LinearExplainableModel).explain_global(frame)
    small = mimic(teacher, frame, LinearExplainableModel, memory_limit=20_000)
    summary = small.explain_global(frame, include_local=False)
    np.testing.assert_allclose(summary.global_importance_values, whole.global_importance_values, rtol=1e-5)
    np.testing.assert_allclose(summary.spread, whole.spread, rtol=1e-5)
    assert summary.details["rows"] == 600


# Fidelity ------------------------------------------------------------------------------------------------------------


def test_fidelity_is_that_of_rows_the_surrogate_never_saw(cancer):
    x, model = cancer
    taught = []

    class Spy(LGBMExplainableModel):
        def fit(self, dataset, labels, **more):
            taught.append((np.asarray(dataset), self))
            return super().fit(dataset, labels, **more)

    explainer = mimic(model, x, Spy)
    *fifths, (whole, kept) = taught
    assert len(fifths) == 5
    p, q, times = model.predict_proba(x), np.empty((len(x), 2)), np.zeros(len(x))
    for learned, measured in fifths:
        known = {row.tobytes() for row in learned}
        held = np.array([row.tobytes() not in known for row in x])
        assert 113 <= held.sum() <= 114 and len(learned) + held.sum() == len(x)
        q[held], times = measured.predict_proba(x[held]), times + held
    assert (times == 1).all()
    said = explainer.fidelity
    assert said["held_out"] == said["rows"] == len(x) and said["parts"] == 5
    assert said["agreement"] == pytest.approx((p.argmax(1) == q.argmax(1)).mean())
    left, all_of_it = ((p - q) ** 2).sum(0), ((p - p.mean(0)) ** 2).sum(0)
    assert said["r2"] == pytest.approx((1 - left / all_of_it).mean())
    terms = [a * np.log(a / b) if a > 0 else 0.0 for a, b in zip(p.ravel(), q.ravel(), strict=True)]
    assert said["kl"] == pytest.approx(sum(terms) / len(x), abs=1e-9)
    e = explainer(x[:3])
    assert e.details["fidelity"] == said
    assert any("569 rows held out, in 5 parts" in note for note in e.notes)
    # So few rows are all learned from in the end.
    assert len(whole) == len(x) and explainer.surrogate_model is kept
    assert any("after that it learned from all of the rows" in note for note in e.notes)
    assert explainer.get_surrogate_model_replication_measure(x) >= said["agreement"]


@pytest.mark.parametrize(("rows", "held"), [(1001, 200), (5001, 1000)])
def test_of_many_rows_one_fifth_is_held_out(rows, held):
    x = np.random.default_rng(0).normal(size=(rows, 2))
    explainer = mimic(lambda rows: rows[:, 0] * rows[:, 1], x, LGBMExplainableModel)
    assert explainer.fidelity["held_out"] == held and explainer.fidelity["parts"] == 1
    # Of more than 5,000 the surrogate is the one that was measured.
    assert any("learned from all" in note for note in explainer(x[:3]).notes) == (rows < 5000)


def test_the_measure_of_a_regression_is_r2(complete, target):
    metrics = pytest.importorskip("sklearn.metrics")
    model = ensemble.RandomForestRegressor(20, random_state=0).fit(complete, target)
    explainer = mimic(model, complete, LGBMExplainableModel)
    expected = metrics.r2_score(model.predict(complete), explainer.surrogate_model.predict(complete))
    assert explainer.get_surrogate_model_replication_measure(complete) == pytest.approx(expected)


def test_few_rows_are_all_learned_and_said_so(complete):
    explainer = mimic(lambda rows: rows[:, 0], complete[:12], LinearExplainableModel)
    assert explainer.fidelity["held_out"] == 0 and explainer.fidelity["rows"] == 12
    assert any("too few rows" in note for note in explainer(complete[:2]).notes)


def test_sgd_does_not_diverge_on_columns_of_any_unit(cancer):
    x, model = cancer
    assert np.ptp(x, axis=0).max() > 1000
    explainer = mimic(model, x, SGDExplainableModel)
    assert explainer.fidelity["r2"] > 0.85 and explainer.fidelity["agreement"] > 0.9
    e = explainer(x)
    assert np.abs(e.values).max() < 50
    # Of the columns as they come.
    coefficients = explainer.surrogate_model.coefficients[0]
    mean = explainer.surrogate_model._mean
    np.testing.assert_allclose(e.values, coefficients * (x - mean), atol=1e-4)
    scaled = mimic(lambda rows: model.predict_proba(rows / 1e6), x * 1e6, SGDExplainableModel)
    np.testing.assert_allclose(scaled.surrogate_model.coefficients[0] * 1e6, coefficients, rtol=1e-6)


# A surrogate of one's own --------------------------------------------------------------------------------------------


def test_a_surrogate_of_ones_own(complete, cancer, mixed):
    weights = np.arange(6.0)
    explainer = mimic(lambda rows: rows @ weights, complete, Mean, explainable_model_args={"shrink": 0.5})
    assert explainer.surrogate_model.shrink == 0.5 and not explainer.surrogate_model.classification
    e = explainer.explain_global(complete)
    np.testing.assert_allclose(e.values, weights * (complete - explainer.surrogate_model.centre), atol=1e-5)
    assert e.method == "mimic.custom" and e.details["surrogate"] == "Mean" and explainer.fidelity["r2"] > 0.9999
    x, model = cancer
    explainer = mimic(model, x, Mean)
    assert explainer.fidelity["agreement"] > 0.9
    frame, teacher = mixed
    e = mimic(teacher, frame, Mean, categorical_features=["floor"])(frame)
    assert e.values.shape == (600, 5) and e.get_ranked_global_names(1) == ["city"]
    with pytest.raises(UnsupportedError, match='"probability" is not allowed with Mean'):
        mimic(model, x, Mean, shap_values_output="probability")


def test_a_surrogate_can_be_used_by_itself(complete, target, three):
    for surrogate in SURROGATES:
        made = surrogate(classification=False, random_state=3)
        assert made.fit(complete, target) is made
        assert np.shape(made.explain_local(complete[:5])) == (5, 6)
        assert np.shape(made.explain_global()) == (6,) and min(made.explain_global()) >= 0
        assert len(made.expected_values) == 1
        several = surrogate(multiclass=True).fit(complete, three)
        assert several.predict_proba(complete).shape == (400, 3)
        assert (several.predict(complete) == three).mean() > 0.4
        assert np.shape(several.explain_local(complete[:5])) == (3, 5, 6)
        assert surrogate.explainable_model_type() in ("tree_explainable_model_type", "linear_explainable_model_type")
