"""The two faces of a result."""

import subprocess
import sys

import numpy as np
import pytest

import whylight
from whylight import TreeExplainer


@pytest.fixture(scope="module")
def forest(complete, three):
    ensemble = pytest.importorskip("sklearn.ensemble")
    return ensemble.RandomForestClassifier(n_estimators=5, random_state=0).fit(complete, three)


def test_several_classes(forest, complete):
    e = TreeExplainer(forest, device="cpu", features=list("abcdef"), classes=["low", "mid", "high"])(complete)
    assert e.values.shape == (400, 6, 3)
    assert np.shape(e.local_importance_values) == (3, 400, 6)
    assert np.shape(e.expected_values) == (3,)
    assert e.output_names == ["low", "mid", "high"]
    np.testing.assert_allclose(e.per_class_values, np.abs(e.values).mean(axis=0).T, rtol=1e-5)
    np.testing.assert_allclose(e.global_importance_values, np.mean(e.per_class_values, axis=0))
    names = e.get_ranked_global_names()
    assert sorted(names) == list("abcdef")
    assert e.get_ranked_global_values() == sorted(e.global_importance_values, reverse=True)
    assert list(e.get_feature_importance_dict(2)) == names[:2]
    assert np.shape(e.get_ranked_local_names(2)) == (3, 400, 2)
    values = np.asarray(e.get_ranked_local_values())
    assert (np.diff(values, axis=-1) <= 0).all()


def test_two_classes_mirror_each_other(complete, binary):
    ensemble = pytest.importorskip("sklearn.ensemble")
    forest = ensemble.RandomForestClassifier(n_estimators=5, random_state=0).fit(complete, binary)
    e = TreeExplainer(forest, device="cpu")(complete)
    low, high = np.asarray(e.local_importance_values)
    assert (low == -high).all()
    assert e.values.shape == (400, 6)
    np.testing.assert_allclose(low.sum(axis=1) + e.expected_values[0], forest.predict_proba(complete)[:, 0], atol=1e-6)


def test_rows_can_be_sliced(forest, complete):
    e = TreeExplainer(forest, device="cpu")(complete)
    part = e[10:20]
    assert (part.values == e.values[10:20]).all()
    assert (part.data == complete[10:20]).all()
    assert len(e[-1]) == 1


def test_names_that_do_not_fit_are_refused(forest):
    with pytest.raises(whylight.ShapeError, match="6 names"):
        TreeExplainer(forest, features=["a"])
    with pytest.raises(whylight.ParameterError, match="3 classes"):
        TreeExplainer(forest, classes=["a"])


def test_top_k_is_checked(forest, complete):
    e = TreeExplainer(forest, device="cpu")(complete[:2])
    with pytest.raises(whylight.ParameterError, match="top_k"):
        e.get_ranked_global_names(0)


def test_a_result_says_what_was_computed(forest, complete):
    e = TreeExplainer(forest, device="cpu", seed=4)(complete)
    assert (e.method, e.device.split()[0], e.seed, e.version) == ("tree_shap", "cpu", 4, whylight.__version__)
    assert "RandomForest" not in repr(e) and "tree_shap" in repr(e)


def test_ctrl_c_stops_long_work():
    code = """
import _thread, threading, time
import numpy as np, whylight
from sklearn.ensemble import RandomForestRegressor
x = np.random.default_rng(0).normal(size=(300_000, 20))
model = RandomForestRegressor(100, n_jobs=2).fit(x[:3000], x[:3000, 0] * x[:3000, 1])
e = whylight.TreeExplainer(model, device="cpu")
begun = []
def interrupt():
    begun.append(time.monotonic())
    _thread.interrupt_main()
threading.Timer(1.0, interrupt).start()
try:
    e(x)
except KeyboardInterrupt:
    print("stopped", time.monotonic() - begun[0])
"""
    pytest.importorskip("sklearn")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.startswith("stopped"), done.stderr


def test_several_threads_share_an_explainer(forest, complete):
    from concurrent.futures import ThreadPoolExecutor

    explainer = TreeExplainer(forest, device="cpu")
    expected = explainer(complete).values
    with ThreadPoolExecutor(4) as pool:
        for e in pool.map(explainer, [complete] * 8):
            assert (e.values == expected).all()


def test_importing_takes_nothing_but_numpy():
    code = "import sys, whylight; print(sorted({m.partition('.')[0] for m in sys.modules} & "
    code += "{'pandas', 'sklearn', 'scipy', 'matplotlib', 'xgboost', 'lightgbm', 'catboost', 'torch', 'pyarrow'}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_features_and_outputs_can_be_sliced(forest, complete):
    e = TreeExplainer(forest, device="cpu", features=list("abcdef"), classes=["low", "mid", "high"])(complete)
    part = e[3:5, [1, 0]]
    assert part.feature_names == ["b", "a"] and part.classes == ["low", "mid", "high"]
    assert (np.asarray(part.data) == complete[3:5][:, [1, 0]]).all()
    high = e[:, :, "high"]
    assert (high.values == e.values[:, :, 2]).all() and high.base_values == e.base_values[2]
    assert (e[:, "c"].values[:, 0] == e.values[:, 2]).all()


def test_sparse_values_of_two_classes_mirror_each_other():
    sparse = pytest.importorskip("scipy.sparse")
    values = sparse.csr_matrix(np.array([[0.0, 1.5, 0.0], [-2.0, 0.0, 0.5]]))
    e = whylight.ExplanationAdapter(classification=True).create_global(values, expected_values=[0.25])
    assert e.num_classes == 2 and e.is_local_sparse
    low, high = e.local_importance_values
    assert (low.toarray() == -high.toarray()).all()
    assert e.per_class_values == [[1.0, 0.75, 0.25]] * 2
    assert e.expected_values == [-0.25, 0.25]


def test_explanations_are_told_apart_by_what_they_answer_to(forest, complete):
    from whylight import interpret

    explainer = TreeExplainer(forest, device="cpu")
    made = {
        "local": explainer.explain_local(complete),
        "global": explainer.explain_global(complete),
        "streamed": explainer.explain_global(complete, include_local=False),
    }
    kinds = {
        interpret.LocalExplanation: {"local", "global"},
        interpret.GlobalExplanation: {"global", "streamed"},
        interpret.PerClassMixin: {"global", "streamed"},
        interpret.ExpectedValuesMixin: set(made),
        interpret.ClassesMixin: set(made),
        interpret._DatasetsMixin: set(made),
    }
    for kind, names in kinds.items():
        assert {name for name, e in made.items() if kind._does_quack(e)} == names, kind
    assert made["local"].explanation_type == "local" and made["local"].data() == {"mli": []}
    assert [part["explanation_type"] for part in made["global"].data(-1)["mli"]] == [
        "local_feature_importance",
        "global_feature_importance",
    ]


def test_names_that_are_numbers_stay_numbers(forest, complete):
    e = TreeExplainer(forest, device="cpu", features=list(range(6))).explain_global(complete)
    assert sorted(e.get_ranked_global_names()) == list(range(6))
    assert e.feature_names == list("012345")


def test_global_importances_in_raw_features_are_global(forest, complete):
    e = TreeExplainer(forest, device="cpu").explain_global(complete)
    pairs = np.repeat(np.eye(3), 2, axis=1)
    raw = e.get_raw_feature_importances([pairs])
    np.testing.assert_allclose(raw, np.reshape(e.global_importance_values, (3, 2)).sum(axis=1))
    assert np.shape(e[:4].get_raw_explanation([pairs]).local_importance_values) == (3, 4, 3)
