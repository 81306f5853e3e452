"""Saved surrogates, and what is wrong with a teacher, a surrogate or a parameter."""

import json

import numpy as np
import pytest
from surrogates import (
    SURROGATES,
    DecisionTreeExplainableModel,
    LGBMExplainableModel,
    LinearExplainableModel,
    Mean,
    MimicExplainer,
    mimic,
    pandas,
)

import whylight
from whylight import DataError, ModelError, ParameterError, UnsupportedError, load_explanation

# Files ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("output", ["default", "probability", "teacher_probability"])
@pytest.mark.parametrize("surrogate", SURROGATES)
def test_a_saved_explainer_explains_as_before(tmp_path, iris, surrogate, output):
    x, model = iris
    explainer = mimic(model, x, surrogate, shap_values_output=output, features=list("abcd"), classes=["x", "y", "z"])
    explainer.save(tmp_path / "mimic.json")
    loaded = MimicExplainer.load(tmp_path / "mimic.json", model, device="cpu")
    one, other = explainer.explain_global(x[::7]), loaded.explain_global(x[::7])
    assert (one.values == other.values).all() and one.expected_values == other.expected_values
    assert other.feature_names == list("abcd") and other.classes == ["x", "y", "z"]
    assert loaded.fidelity == explainer.fidelity and one.details == other.details
    whole, summary = explainer.explain_global(), loaded.explain_global()
    np.testing.assert_allclose(summary.global_importance_values, whole.global_importance_values, rtol=1e-6)
    assert summary.method == whole.method and summary.values is None
    measure = loaded.get_surrogate_model_replication_measure(x)
    assert measure == explainer.get_surrogate_model_replication_measure(x)
    json.loads((tmp_path / "mimic.json").read_text())


def test_a_saved_explainer_knows_its_columns(tmp_path, mixed):
    frame, teacher = mixed
    for surrogate in (LGBMExplainableModel, LinearExplainableModel):
        explainer = mimic(teacher, frame, surrogate, categorical_features=["floor"])
        explainer.save(tmp_path / "mimic.json")
        loaded = MimicExplainer.load(tmp_path / "mimic.json", teacher, device="cpu")
        assert (loaded(frame).values == explainer(frame).values).all()


def test_what_cannot_be_saved_or_read_is_named(tmp_path, complete, iris):
    path = tmp_path / "mimic.json"
    with pytest.raises(UnsupportedError, match="Mean: a surrogate of your own cannot be saved"):
        mimic(lambda rows: rows[:, 0], complete, Mean).save(path)
    odd = pandas.DataFrame({"when": [pandas.Interval(i % 3, 9) for i in range(40)], "n": np.arange(40.0)})
    explainer = mimic(lambda rows: rows["n"], odd, LGBMExplainableModel)
    with pytest.raises(UnsupportedError, match='column "when": its category .* cannot be saved'):
        explainer.save(path)
    assert not path.exists()
    with pytest.raises(whylight.FileError):
        MimicExplainer.load(path, iris[1])
    path.write_text("{}")
    with pytest.raises(DataError, match="expected a saved MimicExplainer"):
        MimicExplainer.load(path, iris[1])
    mimic(iris[1], iris[0], LinearExplainableModel).save(path)
    said = json.loads(path.read_text())
    with pytest.raises(ParameterError, match="made without transformations"):
        MimicExplainer.load(path, iris[1], transformations=[])
    del said["encoder"]
    path.write_text(json.dumps(said))
    with pytest.raises(DataError, match="a part is missing"):
        MimicExplainer.load(path, iris[1])


def test_an_explanation_can_be_saved(tmp_path, mixed):
    frame, teacher = mixed
    e = mimic(teacher, frame, LGBMExplainableModel).explain_global(frame)
    e.save(tmp_path / "e.whylight") if hasattr(e, "save") else whylight.save_explanation(e, tmp_path / "e")
    path = tmp_path / ("e.whylight" if hasattr(e, "save") else "e")
    again = load_explanation(path)
    assert again.global_importance_values == pytest.approx(e.global_importance_values)
    assert again.details["fidelity"]["held_out"] == 600


# Bad input -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("surrogate", [*SURROGATES, "auto"])
def test_a_teacher_that_answers_all_rows_alike_is_explained_by_zeros(complete, surrogate):
    class OneClass:
        classes_ = np.array(["only"])

        def predict_proba(self, rows):
            return np.ones((len(rows), 1))

    def halves(rows):
        return np.full((len(rows), 2), 0.5)

    def sure(rows):
        return np.tile([0.0, 1.0, 0.0], (len(rows), 1))

    for teacher, base in ((lambda rows: np.full(len(rows), 3.0), 3.0), (halves, 0.0), (sure, None), (OneClass(), 1.0)):
        explainer = mimic(teacher, complete, surrogate)
        e = explainer.explain_global(complete[:20])
        assert np.abs(e.values).max() < 1e-9 and max(e.global_importance_values) < 1e-9
        assert base is None or np.ravel(e.base_values)[-1] == pytest.approx(base, abs=1e-3)
        assert explainer.fidelity["r2"] is None and explainer.fidelity.get("agreement", 1.0) == 1.0
        assert any("answers all 400 rows alike" in note for note in e.notes)
    assert any("knows one class alone, 'only'" in note for note in e.notes)


def test_teachers_that_cannot_be_learned_from_are_named(complete):
    def with_nan(rows):
        answers = rows[:, 0].copy()
        answers[7] = np.nan
        return answers

    with pytest.raises(ModelError, match="row 7, output 0, is nan"):
        mimic(with_nan, complete, LGBMExplainableModel)
    with pytest.raises(ModelError, match="has the shape"):
        mimic(lambda rows: rows[:3, 0], complete, LGBMExplainableModel)


def test_wrong_parameters_are_named(complete):
    def teacher(rows):
        return rows[:, 0]

    wrong = [
        ({"explainable_model": "trees"}, 'explainable_model: "trees" is not allowed'),
        ({"explainable_model": LGBMExplainableModel()}, "not an object of it"),
        ({"explainable_model": dict}, "dict is not allowed: it has no fit"),
        ({"explainable_model": "auto", "explainable_model_args": {"n_estimators": 3}}, "name the surrogate"),
        ({"reset_index": "drop"}, "reset_index: 'drop' is not allowed"),
        ({"shap_values_output": "odds"}, "shap_values_output: 'odds' is not allowed"),
        ({"model_task": "ranking"}, "model_task: 'ranking' is not allowed"),
        ({"categorical_features": ["x"]}, "categorical_features: 'x' is not allowed"),
        ({"categorical_features": [9]}, "categorical_features: 9 is not allowed"),
        ({"max_num_of_augmentations": -1}, "max_num_of_augmentations"),
        ({"initialization_examples": None}, "initialization_examples: None"),
        ({"model": None}, "model: None"),
    ]
    for changed, message in wrong:
        given = {"model": teacher, "initialization_examples": complete, "explainable_model": LGBMExplainableModel}
        with pytest.raises(ParameterError, match=message):
            mimic(**{**given, **changed})
    with pytest.raises(DataError, match="no rows"):
        mimic(teacher, complete[:0], LGBMExplainableModel)


def test_a_surrogate_that_cannot_be_fitted_is_named(complete):
    with pytest.raises(ModelError, match="LGBMExplainableModel: it could not be fitted"):
        mimic(lambda rows: rows[:, 0], complete, LGBMExplainableModel, explainable_model_args={"num_leaves": -5})
    with pytest.raises(ModelError, match="DecisionTreeExplainableModel: it could not be fitted"):
        mimic(lambda rows: rows[:, 0], complete, DecisionTreeExplainableModel, explainable_model_args={"depth": 3})


def test_a_library_that_is_not_there_is_named_with_what_installs_it(monkeypatch, complete):
    import sys

    monkeypatch.setitem(sys.modules, "lightgbm", None)
    with pytest.raises(UnsupportedError, match=r"trained by lightgbm.*pip install 'whylight\[mimic\]'"):
        mimic(lambda rows: rows[:, 0], complete, LGBMExplainableModel)
    explainer = mimic(lambda rows: rows[:, 0] ** 2, complete, "auto")
    assert "pip install" in explainer.choice["LGBMExplainableModel"]["refused"]
    assert type(explainer.surrogate_model) is DecisionTreeExplainableModel
