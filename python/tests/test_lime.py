"""LIME of tables: what it says of known models, and every face of its results."""

import contextlib
import io
import pathlib

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC

import whylight
from whylight import LIMEExplainer
from whylight.errors import DataError, ParameterError, ShapeError, WhylightError


@pytest.fixture(scope="module")
def cancer():
    x, y = load_breast_cancer(return_X_y=True)
    return x / x.std(axis=0), y


@pytest.fixture(scope="module")
def people():
    random = np.random.default_rng(3)
    frame = pd.DataFrame(
        {
            "age": random.integers(18, 80, 400).astype(float),
            "sex": random.choice(["Male", "Female"], 400),
            "income": random.gamma(3, 1000, 400),
        }
    )
    y = (frame.age > 40) & (frame.sex == "Male") | (frame.income > 5000)
    encode = make_column_transformer((OneHotEncoder(), ["sex"]), (StandardScaler(), ["age", "income"]))
    return frame, make_pipeline(encode, LogisticRegression()).fit(frame, y)


def three(x):
    """Each class depends on one feature, its own."""
    return np.asarray(x, float)[:, :3]


def test_each_class_has_its_own_values():
    random = np.random.default_rng(1)
    x = random.normal(size=(300, 5))
    rows = np.full((2, 5), 1.6)
    for discretizer in ("quartile", "decile", None):
        explainer = LIMEExplainer(
            three, x, is_function=True, classes=["a", "b", "c"], model_task="classification", discretizer=discretizer
        )
        e = explainer.explain_local(rows)
        values = np.array(e.local_importance_values)
        assert values.shape == (3, 2, 5)
        assert [int(np.abs(part[0]).argmax()) for part in values] == [0, 1, 2]
        overall = explainer.explain_global(rows)
        assert np.abs(np.array(overall.per_class_values)).argmax(axis=1).tolist() == [0, 1, 2]


def test_all_features_have_values_and_ten_can_be_asked_for(cancer):
    x, y = cancer
    model = SVC(probability=True, random_state=0).fit(x, y)
    e = LIMEExplainer(model, x, num_samples=2000)(x[:3])
    flat = e.values.reshape(3, 30, -1)
    assert (flat != 0).all()
    ten = LIMEExplainer(model, x, num_samples=2000, num_features=10)(x[:3])
    assert ((ten.values.reshape(3, 30, -1) != 0).sum(axis=1) == 10).all()
    assert e.method == "lime" and e.output == "probability"
    assert e.details["lime"]["kernel_width"] == pytest.approx(0.75 * np.sqrt(30))


def test_a_result_has_fits_errors_and_base_values_by_row(cancer):
    x, y = cancer
    model = MLPClassifier((8,), random_state=0, max_iter=300).fit(x, y)
    explainer = LIMEExplainer(model.predict_proba, x, num_samples=1500, seed=4)
    e = explainer(x[:6])
    assert e.values.shape[:2] == (6, 30)
    assert e.standard_errors.shape == e.values.shape and (e.standard_errors > 0).all()
    assert np.shape(e.base_values) == (6, *e.values.shape[2:])
    assert np.shape(e.local_fit) == np.shape(e.base_values)
    assert ((e.local_fit > 0) & (e.local_fit <= 1)).all()
    again = LIMEExplainer(model.predict_proba, x, num_samples=1500, seed=4, threads=1)(x[3:5])
    np.testing.assert_array_equal(again.values, e.values[3:5])
    np.testing.assert_array_equal(e[3:5].base_values, again.base_values)
    np.testing.assert_array_equal(e[4].local_fit, again.local_fit[1:])
    assert np.abs(explainer(x[:6]).values - e.values).max() == 0
    assert np.abs(LIMEExplainer(model.predict_proba, x, num_samples=1500, seed=5)(x[:6]).values - e.values).max() > 0


def test_local_answers_are_near(cancer):
    x, y = cancer
    model = LogisticRegression(max_iter=5000).fit(x, y)
    e = LIMEExplainer(lambda rows: model.decision_function(rows), x, discretizer=None)(x[:20])
    scaled = (x[:20] - x.mean(axis=0)) / x.std(axis=0)
    said = e.base_values + (e.values * scaled).sum(axis=1)
    # About a row far out, samples weigh so little that the penalty of the ridge takes a part.
    np.testing.assert_allclose(said, model.decision_function(x[:20]), rtol=0.02, atol=0.15)
    assert e.local_fit.min() > 0.99


def test_strings_and_numbers_have_rules(people):
    frame, model = people
    e = LIMEExplainer(model, frame, num_samples=2000)(frame[:4])
    assert e.feature_names == ["age", "sex", "income"]
    for row in range(4):
        age, sex, income = e.rules(row)
        assert sex == f"sex={frame.sex.iloc[row]}"
        assert "age" in age and ("<=" in age or ">" in age) and "income" in income
    listed = e.as_list(0)
    assert [abs(value) for _, value in listed] == sorted((abs(value) for _, value in listed), reverse=True)
    assert {rule for rule, _ in listed} <= set(e.rules(0))
    kinds = [part["kind"] for part in e.details["lime"]["bins"]]
    assert kinds == ["cuts", "categories", "cuts"]
    quantities = LIMEExplainer(model, frame, num_samples=2000, discretizer=None)(frame[:2])
    assert quantities.rules(0)[0] == "age"
    # Numbers can be categories, too.
    numbers = frame.assign(age=(frame.age // 20).astype(float))
    by_name = LIMEExplainer(
        lambda rows: rows["age"].to_numpy() * 1.0, numbers, categorical_features=["age"], num_samples=500
    )(numbers[:1])
    assert by_name.rules(0)[0] == f"age={int(numbers.age.iloc[0])}"


def test_an_array_of_objects_is_read_as_the_columns_of_the_training_rows(people):
    frame, model = people
    explainer = LIMEExplainer(model, frame, num_samples=300)
    np.testing.assert_array_equal(explainer(frame[:3].to_numpy()).values, explainer(frame[:3]).values)
    with pytest.raises(ShapeError, match="3 columns"):
        explainer(frame[["age", "sex"]][:3].to_numpy())
    with pytest.raises(DataError, match="expected a DataFrame"):
        explainer(np.zeros((2, 3)))


def test_results_are_saved_and_sliced_with_their_rules(people, tmp_path):
    frame, model = people
    texts = LIMEExplainer(model, frame, num_samples=800).explain_global(frame[:9])
    numbers = frame[["age", "income"]].to_numpy()
    of_numbers = LIMEExplainer(lambda x: x / 100, numbers, num_samples=300)(numbers[:9])
    # A table file holds no texts beside the values, which rules would need.
    for name, e in (("file.parquet", of_numbers), ("file.arrow", of_numbers), ("folder", texts)):
        path = str(tmp_path / name)
        whylight.save_explanation(e, path)
        loaded = whylight.load_explanation(path)
        np.testing.assert_array_equal(loaded.values, e.values)
        np.testing.assert_array_equal(loaded.base_values, e.base_values)
        np.testing.assert_array_equal(loaded.local_fit, e.local_fit)
        np.testing.assert_array_equal(loaded.standard_errors, e.standard_errors)
        assert loaded.rules(3) == e.rules(3)
        np.testing.assert_array_equal(loaded[2:4].local_fit, e.local_fit[2:4])
    assert e[3].rules(0) == e.rules(3)
    part = e[:, [1, 2]]
    assert part.rules(2) == e.rules(2)[1:]
    one = e[1:3, :, 1]
    np.testing.assert_array_equal(one.base_values, e.base_values[1:3, 1])
    np.testing.assert_array_equal(one.local_fit, e.local_fit[1:3, 1])
    assert e._repr_html_() and repr(e).startswith("Explanation(lime: 9 rows")
    pytest.importorskip("shap")
    shaped = e.to_shap()
    np.testing.assert_array_equal(shaped.base_values, e.base_values)


def test_a_subset_keeps_its_rules(cancer):
    x, y = cancer
    model = LogisticRegression(max_iter=5000).fit(x, y)
    whole = LIMEExplainer(model, x, num_samples=500)(x[:2])
    some = LIMEExplainer(model, x, num_samples=500, explain_subset=[4, 2])(x[:2])
    np.testing.assert_array_equal(some.values, whole.values[:, [4, 2]])
    assert some.rules(1) == [
        whole.rules(1)[i].replace(f"f{i}", name) for i, name in zip([4, 2], some.feature_names, strict=True)
    ]


def test_global_values_are_mean_sizes(cancer):
    x, y = cancer
    model = LogisticRegression(max_iter=5000).fit(x, y)
    explainer = LIMEExplainer(model, x, num_samples=500)
    whole, alone = (explainer.explain_global(x[:30], include_local=local) for local in (True, False))
    np.testing.assert_allclose(whole.global_importance_values, alone.global_importance_values, rtol=1e-6)
    sizes = np.abs(whole.values).reshape(30, 30, -1).mean(axis=0)
    np.testing.assert_allclose(whole.global_importance_values, sizes.mean(axis=1), rtol=1e-6)
    assert alone.values is None and alone.local_fit is None


def test_a_regressor_of_the_caller_is_fitted(cancer):
    x, y = cancer
    model = RandomForestRegressor(20, random_state=0).fit(x, y)
    kept = {"num_samples": 400, "num_features": 7, "seed": 2}
    ours = LIMEExplainer(model, x, **kept)(x[:3])
    ridge = LIMEExplainer(model, x, linear_model=Ridge(alpha=1), **kept)
    theirs = ridge(x[:3])
    np.testing.assert_allclose(theirs.values, ours.values, atol=1e-6)
    np.testing.assert_allclose(theirs.base_values, ours.base_values, atol=1e-6)
    np.testing.assert_allclose(theirs.local_fit, ours.local_fit, atol=1e-6)
    assert theirs.standard_errors is None and theirs.estimator == "Ridge"
    plain = LIMEExplainer(model, x, linear_model=LinearRegression(), **kept)(x[:3])
    assert plain.values.shape == ours.values.shape and np.abs(plain.values - ours.values).max() > 0
    means = ridge.explain_global(x[:20], include_local=False).global_importance_values
    np.testing.assert_allclose(means, ridge.explain_global(x[:20]).global_importance_values, rtol=1e-6)
    with pytest.raises(ParameterError, match="linear_model"):
        LIMEExplainer(model, x, linear_model=3)


def test_sp_lime_picks_rows_that_differ(people):
    frame, model = people
    explainer = LIMEExplainer(model, frame, num_samples=800)
    rows, e = explainer.sp_lime(frame[:50], budget=3, num_features=2)
    assert len(rows) == 3 == len(e) and len(set(rows.tolist())) == 3
    values = e.values.reshape(3, 3, -1)
    assert ((values != 0).sum(axis=1) <= 2).all()
    np.testing.assert_array_equal(explainer.sp_lime(frame[:50], 3, 2)[0], rows)
    shown = {rule for row in range(3) for rule, _ in e.as_list(row)}
    first = {rule for row in range(3) for rule, _ in explainer(frame[:3]).as_list(row)[:2]}
    assert len(shown) >= len(first) - 1
    assert len(explainer.sp_lime(frame[:2], budget=9)[0]) == 2


def test_models_of_libraries(cancer):
    x, y = cancer
    lightgbm = pytest.importorskip("lightgbm")
    model = lightgbm.LGBMClassifier(n_estimators=20, verbose=-1).fit(x, y)
    whole = LIMEExplainer(model, x, num_samples=600)(x[:3])
    booster = LIMEExplainer(model.booster_, x, num_samples=600)(x[:3])
    assert booster.output == "probability"
    second = whole.values[:, :, 1] if whole.values.ndim == 3 else whole.values
    np.testing.assert_allclose(booster.values, second, atol=1e-6)


def test_iris_by_every_selection_and_discretizer():
    x, y = load_iris(return_X_y=True)
    model = SVC(probability=True, random_state=0).fit(x, y)
    for discretizer in ("quartile", "decile", "entropy", None):
        for selection in ("auto", "forward_selection", "highest_weights", "lasso_path", "none"):
            e = LIMEExplainer(
                model,
                x,
                discretizer=discretizer,
                labels=y,
                feature_selection=selection,
                num_features=2,
                num_samples=400,
            )(x[[0, 70]])
            assert e.values.shape == (2, 4, 3)
            used = (e.values != 0).sum(axis=1)
            assert (used <= (4 if selection == "none" else 2)).all()
            # Petals tell irises apart.
            assert np.abs(e.values[:, 2:]).sum() > np.abs(e.values[:, :2]).sum()


def test_samples_around_each_row():
    x = np.random.default_rng(0).normal(size=(200, 3))
    steep = lambda rows: rows[:, 0] ** 2  # noqa: E731
    rows = np.array([[2.0, 0, 0], [-2.0, 0, 0]])
    around = LIMEExplainer(steep, x, discretizer=None, sample_around_instance=True)(rows)
    assert around.values[0, 0] > 2.5 and around.values[1, 0] < -2.5
    with pytest.raises(ParameterError, match="sample_around_instance"):
        LIMEExplainer(steep, x, sample_around_instance=True)


@pytest.mark.parametrize("linear_model", [None, Ridge(alpha=1.0)])
def test_samples_of_a_row_have_no_mean_answer(linear_model, tmp_path):
    x = np.random.default_rng(0).normal(size=(60, 3))
    asked = {"discretizer": None, "num_samples": 100, "linear_model": linear_model}
    around = LIMEExplainer(lambda rows: rows[:, 0], x, sample_around_instance=True, **asked)
    overall = around.explain_global(x[:5], include_local=False)
    assert overall.base_values is None
    with pytest.raises(AttributeError, match="no base values"):
        _ = overall.expected_values
    path = str(tmp_path / "overall")
    whylight.save_explanation(overall, path)
    assert whylight.load_explanation(path).base_values is None
    assert np.shape(around.explain_global(x[:5]).base_values) == (5,)
    common = LIMEExplainer(lambda rows: rows[:, 0], x, **asked).explain_global(x[:5], include_local=False)
    assert np.isfinite(common.base_values)


def test_more_features_than_samples():
    x = np.random.default_rng(0).normal(size=(80, 400))
    weights = np.zeros(400)
    weights[:3] = [4, -3, 2]
    explainer = LIMEExplainer(lambda rows: rows @ weights, x, discretizer=None, num_samples=200)
    e = explainer(x[:2])
    assert np.isfinite(e.values).all() and (e.values != 0).all()
    assert np.isnan(e.standard_errors).all() and np.isnan(e.local_fit).all()
    assert e.details["standard_error"] is None
    assert any("no standard errors and no local fit" in note for note in e.notes)
    few = LIMEExplainer(
        lambda rows: rows @ weights,
        x,
        discretizer=None,
        num_samples=200,
        num_features=3,
        feature_selection="forward_selection",
    )(x[:2])
    assert (np.flatnonzero(few.values[0]) == [0, 1, 2]).all()
    assert np.isfinite(few.standard_errors).all() and (few.local_fit > 0.5).all()


def test_transformations_are_explained_in_raw_columns():
    x = np.random.default_rng(0).normal(size=(200, 2)) * [1, 100]
    scaler = StandardScaler().fit(x)
    model = Ridge().fit(scaler.transform(x), x[:, 0] - x[:, 1] / 100)
    e = LIMEExplainer(model, x, transformations=[([0, 1], scaler)], num_samples=900)(x[:2])
    whole = LIMEExplainer(lambda rows: model.predict(scaler.transform(rows)), x, num_samples=900)(x[:2])
    np.testing.assert_allclose(e.values, whole.values, atol=1e-6)


def test_predictions_of_raw_rows_go_through_the_transformations(tmp_path):
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(200, 3)), columns=["a", "b", "c"])
    # The model has one column less than the rows.
    model = SVC(probability=True, random_state=0).fit(frame[["a", "b"]], frame.a > 0)
    explainer = LIMEExplainer(model, frame, transformations=[(["a"], None), (["b"], None)], num_samples=300)
    e = explainer.explain_global(frame[:4])
    assert e.is_raw
    np.testing.assert_array_equal(e.eval_y_predicted, model.predict(frame[["a", "b"]][:4]))
    path = str(tmp_path / "folder")
    whylight.save_explanation(e, path)
    assert whylight.load_explanation(path).is_raw


@pytest.mark.parametrize("kind", ["ours", "shap"])
def test_weighted_rows_stand_for_as_many_rows(kind):
    rows = np.array([[0.0, 1.0], [1.0, 5.0], [2.0, 9.0]])
    many = np.repeat(rows, [1, 5, 2], axis=0)
    weights = np.array([1, 5, 2]) / 8
    if kind == "shap":
        shap = pytest.importorskip("shap")
        weighted = shap.utils._legacy.DenseData(rows, ["a", "b"], None, weights * 100)
    else:
        weighted = whylight.summarise(many, 3, weights=None)
        weighted.data, weighted.weights, weighted.rows = rows, weights, 8
    model = lambda x: x[:, 0] * x[:, 1]  # noqa: E731
    got = LIMEExplainer(model, weighted, num_samples=200)(rows)
    expected = LIMEExplainer(model, many, num_samples=200)(rows)
    np.testing.assert_array_equal(got.values, expected.values)
    # Shares that no whole numbers have are met nearly.
    weighted = whylight.summarise(many, 3)
    weighted.data, weighted.weights = rows, np.array([np.sqrt(2) / 10, 0.5, 0.5 - np.sqrt(2) / 10])
    e = LIMEExplainer(model, weighted, num_samples=200)(rows)
    assert "background of 10000 rows" in e.details["cover"]


def test_nclusters_is_used_only_where_it_is_given(cancer):
    x, _ = cancer
    few = LIMEExplainer(three, x, nclusters=5, num_samples=300)
    assert "background of 5 rows" in few(x[:1]).details["cover"]
    assert f"background of {len(x)} rows" in LIMEExplainer(three, x, num_samples=300)(x[:1]).details["cover"]


def test_verbose_says_what_was_fitted(cancer):
    x, _ = cancer
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        LIMEExplainer(three, x, verbose=True, num_samples=300)(x[:2])
    assert out.getvalue().count("local fit") == 2


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"discretizer": "quintile"}, ParameterError, "quartile"),
        ({"discretizer": 3}, ParameterError, "discretizer"),
        ({"discretizer": "entropy"}, ParameterError, "labels"),
        ({"discretizer": "entropy", "labels": [0, 1]}, ShapeError, "one for each"),
        ({"kernel_width": 0}, ParameterError, "kernel_width"),
        ({"kernel_width": -2.0}, ParameterError, "kernel_width"),
        ({"num_samples": 1}, ParameterError, "num_samples"),
        ({"num_features": 0}, ParameterError, "num_features"),
        ({"feature_selection": "best"}, ParameterError, "highest_weights"),
        ({"categorical_features": ["nobody"]}, ParameterError, "categorical_features"),
        ({"categorical_features": [5]}, ParameterError, "categorical_features"),
        ({"categorical_features": "age"}, ParameterError, "categorical_features"),
        ({"model_task": "ranking"}, ParameterError, "model_task"),
    ],
)
def test_what_cannot_be_is_said(options, error, said):
    x = np.random.default_rng(0).normal(size=(50, 5))
    with pytest.raises(error, match=said):
        LIMEExplainer(three, x, **options)


def test_rows_that_cannot_be_are_said():
    x = np.random.default_rng(0).normal(size=(50, 5))
    missing = x.copy()
    missing[0, 1] = np.nan
    fine = LIMEExplainer(lambda rows: np.nan_to_num(rows[:, 0]), missing, num_samples=300)(missing[:1])
    assert fine.rules(0)[1] == "f1 is missing"
    with pytest.raises(DataError, match="discretizer"):
        LIMEExplainer(three, missing, discretizer=None)
    with pytest.raises(ParameterError, match="initialization_examples"):
        LIMEExplainer(three, None)
    with pytest.raises(ParameterError, match="is_function"):
        LIMEExplainer(SVC(), x, is_function=True)
    with pytest.raises(WhylightError):
        LIMEExplainer(three, x)(x[:, :3])
    e = LIMEExplainer(three, x, categorical_features=[4], num_samples=300)(x[:1] + 7)
    assert any("no training row has" in note for note in e.notes)


def test_interpret_finds_it():
    tomllib = pytest.importorskip("tomllib")
    project = pathlib.Path(__file__).parent.parent / "pyproject.toml"
    points = tomllib.loads(project.read_text())["project"]["entry-points"]
    assert points["interpret_ext_blackbox"]["LIMEExplainer"] == "whylight:LIMEExplainer"
    assert LIMEExplainer.explainer_type == "blackbox"
