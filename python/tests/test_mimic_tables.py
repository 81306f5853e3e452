"""Surrogates of tables of all kinds: text, categories, moments, sparse rows, the index, raw columns and names."""

import numpy as np
import pytest
from surrogates import (
    SURROGATES,
    DecisionTreeExplainableModel,
    LGBMExplainableModel,
    LinearExplainableModel,
    ensemble,
    mimic,
    pandas,
    sums,
)

import whylight
from whylight import DataError, ParameterError, ShapeError

# Text, categories, moments -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("surrogate", [LGBMExplainableModel, LinearExplainableModel, DecisionTreeExplainableModel])
def test_columns_of_all_kinds_are_explained_as_they_are(mixed, surrogate):
    frame, teacher = mixed
    explainer = mimic(teacher, frame, surrogate, categorical_features=["floor"])
    assert explainer.fidelity["r2"] > 0.9, explainer.fidelity
    e = explainer.explain_global(frame)
    assert e.feature_names == list(frame.columns) and e.values.shape == (600, 5)
    assert e.get_ranked_global_names()[0] == "city" and e.get_ranked_global_names()[-1] == "noise"
    cells, _ = explainer._encoder.encode(frame)
    np.testing.assert_allclose(sums(e), explainer.surrogate_model.margins(cells)[:, 0], atol=1e-4)
    assert cells.shape[1] == (11 if surrogate is LGBMExplainableModel else 16)


def test_the_effects_of_categories_are_the_planted_ones(mixed):
    frame, teacher = mixed
    e = mimic(teacher, frame, LinearExplainableModel, categorical_features=[1])(frame)
    by_city = pandas.Series(e.values[:, 0]).groupby(frame["city"]).mean()
    assert by_city["Bern"] - by_city["Rome"] == pytest.approx(5.0, abs=0.1)
    by_floor = pandas.Series(e.values[:, 1]).groupby(frame["floor"]).mean()
    assert by_floor[2] - by_floor[7] == pytest.approx(2.5, abs=0.1)


@pytest.mark.parametrize("surrogate", SURROGATES)
def test_categories_never_seen_are_taken_for_one(mixed, surrogate):
    frame, teacher = mixed
    explainer = mimic(teacher, frame, surrogate)
    strange = frame[:3].copy()
    strange["city"] = ["Bari", "Lima", "Bari"]
    strange.loc[:, ["floor", "when", "size", "noise"]] = frame.loc[0, ["floor", "when", "size", "noise"]].values
    strange = strange.astype({"floor": int, "size": float, "noise": float, "when": "datetime64[ns]"})
    e = explainer(strange)
    assert (e.values == e.values[:1]).all()
    assert any("city: 3 cells hold categories that were not among" in note for note in e.notes)


def test_an_array_of_objects_and_missing_cells(mixed):
    frame, teacher = mixed
    kept = frame.drop(columns="when")
    array = kept.to_numpy(dtype=object)

    def of_array(rows):
        return teacher(pandas.DataFrame(rows, columns=kept.columns).assign(when=frame["when"].iloc[0]).infer_objects())

    def forgiving(rows):
        return np.nan_to_num(of_array(rows))

    explainer = mimic(of_array, array, LGBMExplainableModel)
    assert explainer(array).get_ranked_global_names(1) == [0]
    holes = array.copy()
    holes[::7, 0] = None
    holes[::5, 2] = np.nan
    e = mimic(forgiving, holes, LGBMExplainableModel)(holes)
    assert np.isfinite(e.values).all()
    with pytest.raises(DataError, match="LinearExplainableModel: it could not be fitted.*missing cells"):
        mimic(forgiving, holes, LinearExplainableModel)


def test_sparse_rows_have_the_values_of_dense_ones():
    sparse = pytest.importorskip("scipy.sparse")
    x = sparse.random(400, 30, 0.2, format="csr", random_state=0)
    weights = np.linspace(-3, 3, 30)
    for surrogate in SURROGATES:
        explainer = mimic(lambda rows: rows @ weights, x, surrogate)
        e = explainer(x[:50])
        np.testing.assert_allclose(sums(e), explainer.surrogate_model.margins(x[:50])[:, 0], atol=1e-4)
        # One tree is too little for a sum of so many.
        assert explainer.fidelity["r2"] > 0.6 or surrogate is DecisionTreeExplainableModel, explainer.fidelity
    dense = mimic(lambda rows: rows @ weights, x.toarray(), LinearExplainableModel)
    of_sparse = mimic(lambda rows: rows @ weights, x, LinearExplainableModel)
    np.testing.assert_allclose(of_sparse(x[:50]).values, dense(x[:50].toarray()).values, atol=1e-4)


# The index -----------------------------------------------------------------------------------------------------------


def test_the_index_of_a_frame_plays_as_it_is_asked_to():
    draw = np.random.default_rng(0)
    frame = pandas.DataFrame(draw.normal(size=(300, 2)), columns=["a", "b"], index=draw.permutation(300) + 1000)
    frame.index.name = "age"
    seen = []

    def by_index(rows):
        seen.append((list(rows.columns), int(rows.index.max())))
        age = rows["age"] if "age" in rows else rows.index
        return np.asarray(age, float) / 100 + rows["a"].to_numpy() / 10

    e = mimic(by_index, frame, LGBMExplainableModel, reset_index="reset")(frame[:9])
    assert e.feature_names == ["age", "a", "b"] and e.get_ranked_global_names(1) == ["age"]
    # The model sees the frame as it is.
    assert seen[-1] == (["a", "b"], 1299)
    several = frame.set_index(frame["b"].round().rename(None), append=True)
    explainer = mimic(lambda rows: rows.index.get_level_values("age") / 100.0, several, "auto", reset_index="reset")
    e_of_several = explainer(several[:9])
    assert e_of_several.feature_names == ["age", "level_1", "a", "b"]
    assert e_of_several.get_ranked_global_names(1) == ["age"]
    truth = mimic(by_index, frame, LGBMExplainableModel, reset_index=True)(frame[:9])
    np.testing.assert_array_equal(truth.values, e.values)
    e = mimic(by_index, frame, LGBMExplainableModel, reset_index="reset_teacher")(frame[:9])
    assert e.feature_names == ["a", "b"] and seen[-1] == (["a", "b"], 1299)
    e = mimic(by_index, frame, LGBMExplainableModel)(frame[:9])
    assert e.feature_names == ["a", "b"] and seen[-1] == (["a", "b"], 299)
    with pytest.raises(ParameterError, match="reset_index.*give a DataFrame"):
        mimic(by_index, frame.to_numpy(), LGBMExplainableModel, reset_index="reset")


# Augmentation --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["array", "frame", "sparse"])
def test_few_rows_of_many_columns_are_joined_by_shuffled_ones(kind):
    sparse = pytest.importorskip("scipy.sparse")
    x = np.random.default_rng(0).normal(size=(10, 60))
    given = {
        "array": x,
        "frame": pandas.DataFrame(x, columns=[f"c{i}" for i in range(60)]),
        "sparse": sparse.csr_matrix(x),
    }
    asked = []

    def teacher(rows):
        rows = rows.toarray() if kind == "sparse" else np.asarray(rows)
        asked.append(rows)
        return rows[:, 0] - 2 * rows[:, 1]

    explainer = mimic(teacher, given[kind], LinearExplainableModel)
    assert [len(rows) for rows in asked] == [10, 50]
    for copy in asked[1].reshape(5, 10, 60):
        np.testing.assert_allclose(np.sort(copy, axis=0), np.sort(x, axis=0))
        assert not (copy == x).all()
    assert any("50 rows were added to 10" in note for note in explainer(given[kind][:2]).notes)
    first = asked[1]
    mimic(teacher, given[kind], LinearExplainableModel)
    assert (asked[-1] == first).all()
    mimic(teacher, given[kind], LinearExplainableModel, seed=1)
    assert not (asked[-1] == first).all()
    mimic(teacher, given[kind], LinearExplainableModel, max_num_of_augmentations=2)
    assert len(asked[-1]) == 20
    mimic(teacher, given[kind], LinearExplainableModel, augment_data=False)
    assert len(asked[-1]) == 10


def test_the_same_seed_has_the_same_bits_with_any_number_of_threads(cancer):
    x, model = cancer
    one, two, other = (
        mimic(model, x, LGBMExplainableModel, threads=threads, seed=seed).explain_global(x)
        for threads, seed in ((1, 0), (2, 0), (1, 1))
    )
    assert (one.values == two.values).all() and one.details["fidelity"] != other.details["fidelity"]


# Raw features, names -------------------------------------------------------------------------------------------------


def test_transformations_hand_the_values_to_the_raw_columns(mixed):
    compose = pytest.importorskip("sklearn.compose")
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    frame, teacher = mixed
    raw = frame[["city", "size", "noise"]]
    before = compose.ColumnTransformer(
        [("city", preprocessing.OneHotEncoder(), ["city"]), ("rest", "passthrough", ["size", "noise"])]
    ).fit(raw)
    model = ensemble.RandomForestRegressor(20, random_state=0).fit(before.transform(raw), teacher(frame))
    explainer = mimic(model, raw, LGBMExplainableModel, transformations=before)
    e = explainer.explain_global(raw)
    assert e.is_raw and e.feature_names == ["city", "size", "noise"] and e.get_ranked_global_names(1) == ["city"]
    np.testing.assert_allclose(sums(e), explainer.surrogate_model.predict(before.transform(raw)), atol=1e-4)
    assert e.engineered.values.shape == (600, 6)
    assert explainer.get_surrogate_model_replication_measure(raw) > 0.9


def test_names_of_features_classes_and_a_subset(iris):
    x, model = iris
    names = ["sepal length", "sepal width", "petal length", "petal width"]
    kinds = ["setosa", "versicolor", "virginica"]
    explainer = mimic(model, x, LGBMExplainableModel, features=names, classes=kinds)
    e = explainer.explain_local(x[0])
    assert e.classes == kinds and e.feature_names == names and np.shape(e.local_importance_values) == (3, 4)
    subset = mimic(model, x, LGBMExplainableModel, features=names, explain_subset=[2, 3])
    np.testing.assert_allclose(subset(x).values, explainer(x).values[:, 2:])
    assert subset(x).feature_names == names[2:]
    with pytest.raises(ParameterError, match="classes: 2 names"):
        mimic(model, x, LGBMExplainableModel, classes=["a", "b"])


def test_columns_are_found_by_name(mixed):
    frame, teacher = mixed
    explainer = mimic(teacher, frame, LGBMExplainableModel)
    turned = explainer(frame[frame.columns[::-1]][:20])
    assert (turned.values == explainer(frame[:20]).values).all()
    with pytest.raises(ShapeError, match="expected the column 'city'"):
        explainer(frame.drop(columns="city"))
    with pytest.raises(ShapeError, match="expected 5 columns, got 3"):
        explainer(frame.to_numpy(dtype=object)[:, :3])


def test_interpret_finds_the_explainers():
    from pathlib import Path

    tomllib = pytest.importorskip("tomllib")
    said = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())["project"]
    assert said["entry-points"]["interpret_ext_blackbox"]["MimicExplainer"] == "whylight:MimicExplainer"
    for surrogate in SURROGATES:
        name = surrogate.__name__
        assert said["entry-points"]["interpret_ext_glassbox"][name] == f"whylight:{name}"
        assert getattr(whylight, name) is surrogate
    assert any(need.startswith("lightgbm") for need in said["optional-dependencies"]["mimic"])
