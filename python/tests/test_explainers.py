"""What all explainers share: global and local calls, sampling, transformations, pipelines, the choice of a method."""

import subprocess
import sys
from importlib import metadata

import numpy as np
import pytest

import whylight
import whylight.transformations
from whylight import SamplingPolicy, TabularExplainer, TreeExplainer
from whylight.sample import sample

ensemble = pytest.importorskip("sklearn.ensemble")


@pytest.fixture(scope="module")
def three_classes(complete, three):
    return ensemble.RandomForestClassifier(n_estimators=5, random_state=0).fit(complete, three)


@pytest.mark.parametrize("labels", ["binary", "three", "target"])
def test_streamed_global_values_are_those_of_the_rows(request, complete, labels):
    y = request.getfixturevalue(labels)
    kind = ensemble.RandomForestRegressor if labels == "target" else ensemble.RandomForestClassifier
    explainer = TreeExplainer(kind(n_estimators=5, random_state=0).fit(complete, y), device="cpu")
    whole, streamed = explainer.explain_global(complete), explainer.explain_global(complete, include_local=False)
    np.testing.assert_allclose(streamed.global_importance_values, whole.global_importance_values, rtol=1e-6)
    assert streamed.values is None
    assert streamed.expected_values == whole.expected_values
    with pytest.raises(AttributeError, match="include_local"):
        _ = streamed.local_importance_values
    if labels != "target":
        np.testing.assert_allclose(streamed.per_class_values, whole.per_class_values, rtol=1e-6)
        assert streamed.num_classes == len(np.unique(y))


def test_one_row_has_no_axis_of_rows_in_the_lists(three_classes, complete):
    e = TreeExplainer(three_classes, device="cpu").explain_local(complete[0])
    assert np.shape(e.local_importance_values) == (3, 6)
    assert np.shape(e.get_ranked_local_names()) == (3, 6)
    assert e.values.shape == (1, 6, 3)
    assert np.shape(TreeExplainer(three_classes, device="cpu").explain_local(complete[:1]).local_importance_values) == (
        3,
        1,
        6,
    )


def test_the_prediction_of_one_row(three_classes, complete, tmp_path):
    pandas = pytest.importorskip("pandas")
    explainer = TreeExplainer(three_classes, device="cpu")
    for row in (complete[0], complete[0].tolist(), pandas.Series(complete[0])):
        e = explainer.explain_local(row)
        assert e.eval_y_predicted == three_classes.predict(complete[:1]).tolist()
        assert np.shape(e.eval_y_predicted_proba) == (1, 3)
        whylight.save_explanation(e, tmp_path / "row", exist_ok=True)


@pytest.mark.parametrize("include_local", [True, False])
def test_sampled_rows_and_their_values_belong_together(three_classes, include_local):
    generator = np.random.default_rng(0)
    centres = 20 * generator.normal(size=(8, 6))
    rows = (centres[generator.integers(8, size=600)] + generator.normal(size=(600, 6))).round(2)
    explainer = TreeExplainer(three_classes, device="cpu")
    e = explainer.explain_global(rows, SamplingPolicy(allow_eval_sampling=True), include_local=include_local)
    assert 0 < len(e.eval_data) < len(rows)
    assert any("sampled" in note for note in e.notes)
    assert e.eval_data == rows[sample(rows, SamplingPolicy(allow_eval_sampling=True), seed=0)].tolist()
    if include_local:
        assert len(e.values) == len(e.eval_data)
        expected = explainer(np.asarray(e.eval_data))
        np.testing.assert_allclose(e.values, expected.values, atol=1e-7)
    # Drawn without replacement, in the order of the table.
    kept = [tuple(row) for row in e.eval_data]
    assert [row for row in map(tuple, rows.tolist()) if row in set(kept)][: len(kept)] == kept


def test_nothing_is_sampled_unless_it_is_allowed(three_classes, complete):
    explainer = TreeExplainer(three_classes, device="cpu")
    assert len(explainer.explain_global(complete, SamplingPolicy())) == len(complete)
    assert not explainer.explain_global(complete).notes
    few = explainer.explain_global(complete[:150], SamplingPolicy(allow_eval_sampling=True))
    assert len(few) == 150


def test_explain_subset_of_a_classifier_keeps_its_columns(three_classes, complete):
    whole = TreeExplainer(three_classes, device="cpu", features=list("abcdef")).explain_global(complete)
    part = TreeExplainer(three_classes, device="cpu", features=list("abcdef"), explain_subset=[4, 1])
    e = part.explain_global(complete)
    assert e.features == ["e", "b"]
    assert (e.values == whole.values[:, [4, 1]]).all()
    assert part.explain_global(complete, include_local=False).get_ranked_global_names() == e.get_ranked_global_names()
    for wrong in (["b"], [6], [-1]):
        with pytest.raises(whylight.ParameterError, match="explain_subset"):
            TreeExplainer(three_classes, explain_subset=wrong)


def test_a_binary_gradient_boosting_classifier_is_a_classifier(complete, binary):
    model = ensemble.GradientBoostingClassifier(n_estimators=5).fit(complete, binary)
    e = TreeExplainer(model, device="cpu").explain_global(complete)
    assert e.model_task == "classification"
    assert e.classes == ["no", "yes"]
    assert np.shape(e.local_importance_values) == (2, 400, 6)


def test_raw_features_add_up_to_engineered_ones(complete, target):
    compose = pytest.importorskip("sklearn.compose")
    pandas = pytest.importorskip("pandas")
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    raw = pandas.DataFrame(complete[:, :3], columns=["a", "b", "c"])
    raw["town"] = np.random.default_rng(0).choice(["Ulm", "Bonn", "Köln"], len(raw))
    columns = compose.ColumnTransformer([("n", StandardScaler(), ["a", "b", "c"]), ("t", OneHotEncoder(), ["town"])])
    engineered = columns.fit_transform(raw)
    model = ensemble.RandomForestRegressor(n_estimators=5, random_state=0).fit(engineered, target)
    e = TabularExplainer(model, raw, transformations=columns, device="cpu").explain_global(raw)
    assert e.features == ["a", "b", "c", "town"]
    assert e.is_raw and not e.is_engineered and e.engineered.is_engineered
    np.testing.assert_allclose(e.values.sum(axis=1), e.engineered.values.sum(axis=1), atol=1e-5)
    np.testing.assert_allclose(e.values.sum(axis=1) + e.base_values, model.predict(engineered), atol=1e-4)
    assert e.eval_data == raw.to_numpy().tolist()
    streamed = TreeExplainer(model, transformations=columns, device="cpu").explain_global(raw, include_local=False)
    assert len(streamed.global_importance_values) == 4
    with pytest.raises(ValueError, match="explain_subset"):
        TreeExplainer(model, transformations=columns, explain_subset=[0])


@pytest.mark.parametrize("form", ["ColumnTransformer", "list"])
def test_the_raw_feature_example_of_the_seed_runs(complete, binary, form):
    """The guide's example: a pipeline's classifier, explained in the columns before its preprocessing."""
    pandas = pytest.importorskip("pandas")
    from sklearn.base import clone
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numeric, categorical = ["age", "fare"], ["sex", "port"]
    x = pandas.DataFrame(complete[:, :2], columns=numeric)
    generator = np.random.default_rng(0)
    x["sex"] = generator.choice(["m", "f"], len(x))
    x["port"] = generator.choice(["C", "Q", "S"], len(x))
    x.loc[::11, "age"] = np.nan
    steps = [("imputer", SimpleImputer(strategy="median")), ("scaler", StandardScaler())]
    if form == "list":
        transformations = [([name], clone(Pipeline(steps)).fit(x[[name]])) for name in numeric]
        transformations += [([name], OneHotEncoder(handle_unknown="ignore").fit(x[[name]])) for name in categorical]
        engineered = whylight.transformations.Transformations(transformations).transform(x)
        model = LogisticRegression(solver="lbfgs").fit(engineered, binary)
    else:
        encoder = Pipeline(
            [
                ("imputer", SimpleImputer(strategy="constant", fill_value="missing")),
                ("onehot", OneHotEncoder(handle_unknown="ignore")),
            ]
        )
        transformations = ColumnTransformer([("num", Pipeline(steps), numeric), ("cat", encoder, categorical)])
        clf = Pipeline([("preprocessor", transformations), ("classifier", LogisticRegression(solver="lbfgs"))])
        model = clf.fit(x, binary).steps[-1][1]
        engineered = transformations.transform(x)
    explainer = TabularExplainer(
        model,
        initialization_examples=x,
        features=list(x.columns),
        classes=["no", "yes"],
        transformations=transformations,
        device="cpu",
    )
    e = explainer.explain_global(x)
    assert sorted(e.get_feature_importance_dict()) == sorted(x.columns)
    second = np.asarray(e.local_importance_values)[1].sum(axis=1) + e.expected_values[1]
    np.testing.assert_allclose(second, model.decision_function(engineered), atol=1e-5)
    local = explainer.explain_local(x[0:5])
    assert np.shape(local.get_ranked_local_names()) == np.shape(local.get_ranked_local_values()) == (2, 5, 4)


def test_a_pipeline_is_explained_in_its_raw_columns(complete, target):
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    pipeline = make_pipeline(StandardScaler(), ensemble.RandomForestRegressor(5, random_state=0)).fit(complete, target)
    e = TreeExplainer(pipeline, device="cpu", features=list("abcdef")).explain_local(complete[:50])
    np.testing.assert_allclose(e.values.sum(axis=1) + e.base_values, pipeline.predict(complete[:50]), atol=1e-5)
    assert e.features == list("abcdef")
    assert "Pipeline" in e.model_type
    assert e.eval_y_predicted == pipeline.predict(complete[:50]).tolist()


def test_predictions_are_made_when_they_are_asked_for(three_classes, complete):
    e = TreeExplainer(three_classes, device="cpu").explain_local(complete[:7])
    assert e.eval_y_predicted == three_classes.predict(complete[:7]).tolist()
    assert np.shape(e[2:4].eval_y_predicted_proba) == (2, 3)


def test_a_model_that_no_method_takes_is_refused_with_the_reasons(complete, binary):
    svm = pytest.importorskip("sklearn.svm")
    with pytest.raises(whylight.UnsupportedError, match="SVC.*Tree SHAP.*Deep SHAP: SVC.*Kernel SHAP: SVC"):
        TabularExplainer(svm.SVC().fit(complete, binary))


def test_a_probability_that_is_no_sum_is_refused(complete, binary):
    boosted = ensemble.GradientBoostingClassifier(n_estimators=5).fit(complete, binary)
    with pytest.raises(whylight.UnsupportedError, match="probabilit"):
        TreeExplainer(boosted, shap_values_output="probability")
    forest = ensemble.RandomForestClassifier(5).fit(complete, binary)
    e = TreeExplainer(forest, shap_values_output="probability", device="cpu")(complete)
    np.testing.assert_allclose(e.values.sum(axis=1) + e.base_values, forest.predict_proba(complete)[:, 1], atol=1e-6)


def test_interpret_finds_the_explainers():
    pytest.importorskip("interpret")
    try:
        metadata.distribution("whylight")
    except metadata.PackageNotFoundError:
        pytest.skip("the package is not installed, only on the path")
    code = "from interpret.ext.blackbox import TabularExplainer; from interpret.ext.greybox import TreeExplainer; "
    code += "print(TabularExplainer.__module__, TreeExplainer.__module__)"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True)
    assert done.stdout.split() == ["whylight.tabular", "whylight.tree"], done.stderr


@pytest.mark.parametrize("name", ["threads", "memory_limit", "seed"])
@pytest.mark.parametrize("value", [-1, 2.5, "many", 2**64])
def test_what_is_no_count_is_refused_by_name(three_classes, complete, name, value):
    with pytest.raises(whylight.ParameterError, match=name):
        TreeExplainer(three_classes, **{name: value})
    with pytest.raises(whylight.ParameterError, match=name):
        whylight.LinearExplainer((np.ones(6), 0.0), complete, **{name: value})


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("device", 3, '"auto", "cpu", "gpu" or "gpu:N"'),
        ("device", None, '"auto", "cpu", "gpu" or "gpu:N"'),
        ("seed", None, "a whole number"),
        ("features", 3, "a list of names"),
        ("features", "abcdef", "a list of names"),
        ("classes", 3, "a list of names"),
    ],
)
def test_a_parameter_of_another_type_is_refused_by_name(three_classes, complete, name, value, allowed):
    for make in (TreeExplainer, TabularExplainer):
        with pytest.raises(whylight.ParameterError, match=f"^{name}: {value!r} is not allowed: {allowed}"):
            make(three_classes, complete, **{name: value})
    with pytest.raises(whylight.ParameterError, match=f"^{name}: "):
        whylight.LinearExplainer((np.ones(6), 0.0), complete, **{name: value})


def test_class_names_of_what_is_no_classifier_are_noted(complete, target):
    model = ensemble.RandomForestRegressor(n_estimators=5, random_state=0).fit(complete, target)
    e = TabularExplainer(model, classes=["no", "yes"], device="cpu").explain_global(complete)
    assert [note for note in e.notes if note.startswith("classes: ") and "regression" in note]
    assert not hasattr(e, "classes")
    assert not TabularExplainer(model, device="cpu").explain_global(complete).notes
