"""Linear models: values that add up to their margins, and are those of the definition."""

from itertools import combinations
from math import factorial

import numpy as np
import pytest

import whylight
from whylight import LinearExplainer, TabularExplainer, summarise

linear_model = pytest.importorskip("sklearn.linear_model")


def shapley(value, features):
    """The values of a game `value(coalition)`, by definition."""
    phi = np.zeros(features)
    for i in range(features):
        others = [j for j in range(features) if j != i]
        for size in range(features):
            weight = factorial(size) * factorial(features - size - 1) / factorial(features)
            for coalition in combinations(others, size):
                phi[i] += weight * (value([*coalition, i]) - value(list(coalition)))
    return phi


def margins(explanation):
    return np.asarray(explanation.values, np.float64).sum(axis=1) + np.asarray(explanation.base_values)


MODELS = {
    "LinearRegression": (linear_model.LinearRegression(), "target"),
    "Ridge": (linear_model.Ridge(), "target"),
    "Lasso": (linear_model.Lasso(alpha=0.05), "target"),
    "HuberRegressor": (linear_model.HuberRegressor(max_iter=1000), "target"),
    "SGDRegressor": (linear_model.SGDRegressor(random_state=0), "target"),
    "LogisticRegression": (linear_model.LogisticRegression(), "binary"),
    "three classes": (linear_model.LogisticRegression(), "three"),
    "SGDClassifier": (linear_model.SGDClassifier(random_state=0), "three"),
    "RidgeClassifier": (linear_model.RidgeClassifier(), "binary"),
}


@pytest.mark.parametrize("name", MODELS)
def test_values_add_up_to_the_margin(request, complete, name):
    model, labels = MODELS[name]
    model.fit(complete, request.getfixturevalue(labels))
    e = LinearExplainer(model, complete, device="cpu").explain_global(complete)
    raw = model.predict if labels == "target" else model.decision_function
    np.testing.assert_allclose(margins(e), raw(complete), atol=2e-6 * max(1, np.abs(raw(complete)).max()))
    assert e.method == "linear_shap" and e.value_function == "interventional"
    assert e.model_task == ("regression" if labels == "target" else "classification")
    if labels == "three":
        assert np.shape(e.local_importance_values) == (3, 400, 6)


def test_values_are_coefficient_times_deviation(complete, target):
    model = linear_model.LinearRegression().fit(complete, target)
    e = LinearExplainer(model, complete[:100], device="cpu")(complete)
    expected = model.coef_ * (complete - complete[:100].mean(axis=0))
    np.testing.assert_allclose(e.values, expected, atol=1e-6)
    pair = LinearExplainer((model.coef_, model.intercept_), complete[:100], device="cpu")(complete)
    assert (pair.values == e.values).all()
    moments = LinearExplainer(model, (complete[:100].mean(axis=0), None), device="cpu")(complete)
    np.testing.assert_allclose(moments.values, expected, atol=1e-6)


def test_conditional_values_are_those_of_the_definition(complete, target):
    generator = np.random.default_rng(0)
    x = complete @ (np.eye(6) + 0.6 * generator.normal(size=(6, 6)))
    model = linear_model.LinearRegression().fit(x, target)
    mean, covariance = x.mean(axis=0), np.cov(x.T)
    e = LinearExplainer(model, x, value_function="conditional", device="cpu")(x[:5])
    assert e.value_function == "conditional" and e.exact
    for row, values in zip(x[:5], e.values, strict=True):

        def expected(coalition, row=row):
            given, other = coalition, [j for j in range(6) if j not in coalition]
            filled = row.copy()
            filled[other] = mean[other]
            if given and other:
                weights = np.linalg.solve(covariance[np.ix_(given, given)], row[given] - mean[given])
                filled[other] += covariance[np.ix_(other, given)] @ weights
            return filled @ model.coef_

        np.testing.assert_allclose(values, shapley(expected, 6), atol=1e-5)


def test_weighted_backgrounds_are_followed(complete, target):
    model = linear_model.LinearRegression().fit(complete, target)
    background = summarise(complete, 5, device="cpu")
    e = LinearExplainer(model, background, device="cpu")(complete)
    expected = model.coef_ * (complete - background.weights @ background.data)
    np.testing.assert_allclose(e.values, expected, atol=1e-6)


def test_sparse_rows_have_the_values_of_dense_ones(complete, binary):
    sparse = pytest.importorskip("scipy.sparse")
    x = complete * (np.abs(complete) > 1)
    model = linear_model.LogisticRegression().fit(sparse.csr_matrix(x), binary)
    dense = LinearExplainer(model, x, device="cpu")(x)
    for form in (sparse.csr_matrix, sparse.csc_matrix, sparse.coo_matrix):
        e = LinearExplainer(model, form(x), device="cpu")(form(x))
        assert (e.values == dense.values).all()
    assert LinearExplainer(model, x, device="cpu").explain_global(form(x)).global_importance_rank


def test_tabular_takes_linear_models_and_pipelines(complete, target):
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    pipeline = make_pipeline(StandardScaler(), linear_model.Ridge()).fit(complete, target)
    explainer = TabularExplainer(pipeline, complete, features=list("abcdef"), device="cpu")
    assert isinstance(explainer.explainer, LinearExplainer)
    assert "Tree SHAP" in explainer.reasons
    e = explainer.explain_global(complete)
    np.testing.assert_allclose(margins(e), pipeline.predict(complete), atol=1e-5)


@pytest.mark.parametrize(
    ("make", "error", "word"),
    [
        (lambda m, x: LinearExplainer(m), whylight.ParameterError, "background"),
        (lambda m, x: LinearExplainer(m, x[:, :3]), whylight.ShapeError, "6 features"),
        (lambda m, x: LinearExplainer(m, np.where(x > 2, np.nan, x)), whylight.DataError, "row"),
        (lambda m, x: LinearExplainer(m, x, device="cpu")(np.full((1, 6), np.inf)), whylight.DataError, "row 1"),
        (lambda m, x: LinearExplainer(m, x, value_function="magic"), whylight.ParameterError, "value_function"),
        (lambda m, x: LinearExplainer(m, x, value_function=3), whylight.ParameterError, "^value_function: 3 "),
        (lambda m, x: LinearExplainer(m, x, shap_values_output="probability"), whylight.UnsupportedError, "probab"),
        (lambda m, x: LinearExplainer((np.zeros(3),), x), whylight.ShapeError, "pair"),
        (lambda m, x: LinearExplainer(linear_model.Ridge(), x), whylight.ModelError, "not fitted"),
        (lambda m, x: LinearExplainer(object(), x), whylight.UnsupportedError, "no linear model"),
    ],
)
def test_what_cannot_be_is_refused(complete, target, make, error, word):
    model = linear_model.LinearRegression().fit(complete, target)
    with pytest.raises(error, match=word):
        make(model, complete)
