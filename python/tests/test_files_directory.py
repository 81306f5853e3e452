"""Directories as interpret-community writes them, and ours as others leave them."""

import shutil

import pytest
from explanations import KINDS, directory, local, refused, saved, whole

from whylight import load_explanation, save_explanation


def test_a_directory_of_another_library(tmp_path):
    e = load_explanation(whole(tmp_path / "a"))
    assert (e._is_local, e._is_global, e.num_classes, e.method, e.id) == (True, True, 3, "shap_kernel", "38b07aad")
    assert e.values.shape == (4, 2, 3)
    assert e.local_importance_values[1] == [[-1.0, 0.0]] * 4
    assert e.expected_values == [0.1, 0.2, 0.7]
    assert e.global_importance_values == [0.5, 0.25]
    assert e.per_class_values == [[0.5, 0.25], [1.0, 0.0], [0.0, 0.5]]
    assert e.get_ranked_global_names() == ["a", "b"]
    assert e.init_data == [[1, 2]]
    assert e.eval_data[0] == [1, 2.5]
    assert e[1:3].values.shape == (2, 2, 3)
    saved(e, tmp_path / "b")
    with pytest.warns(UserWarning, match="left out"):
        saved(e, tmp_path / "b.parquet", but=["_eval_data"])


def test_global_values_that_are_no_mean_are_kept(tmp_path):
    e = load_explanation(
        directory(
            tmp_path / "a",
            global_importance_values=("list", [9.0, 3.0]),
            per_class_values=("list", [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]),
        )
    )
    assert e.global_importance_values == [9.0, 3.0]
    assert e.per_class_values[2] == [5.0, 6.0]
    for path in ("b", "b.parquet"):
        assert saved(e, tmp_path / path).get_ranked_global_values() == [9.0, 3.0]


def test_global_values_that_are_not_announced(tmp_path):
    path = directory(tmp_path / "a", {"global": False}, global_importance_values=("list", [1.0, 3.0]))
    assert load_explanation(path).global_importance_values == [1.0, 3.0]
    refused(directory(tmp_path / "b", {"global": False}), "explanation_metadata.json")


def test_global_values_of_a_classifier_without_those_of_classes(tmp_path):
    e = load_explanation(directory(tmp_path / "a", global_importance_values=("list", [1.0, 3.0])))
    assert e.get_feature_importance_dict() == {1: 3.0, 0: 1.0}


@pytest.mark.parametrize(
    ("task", "stored", "shape"),
    [
        ("regression", [[1.0, 2.0], [3.0, 4.0]], (2, 2)),
        ("regression", [1.0, 2.0], (1, 2)),
        ("classification", [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], (1, 2, 3)),
        ("classification", [[[1.0, 2.0]], [[3.0, 4.0]], [[5.0, 6.0]]], (1, 2, 3)),
    ],
)
def test_local_values_in_every_layout(task, stored, shape, tmp_path):
    said = {"model_type": task, "model_task": task, "global": False, "local": True, "num_examples": 2}
    e = load_explanation(directory(tmp_path / "a", said, local_importance_values=("list", stored)))
    assert e.values.shape == shape
    assert e.local_importance_values == stored
    with pytest.raises(AttributeError, match="explain_global"):
        e.global_importance_values  # noqa: B018


def test_every_type_of_dataset(tmp_path):
    pytest.importorskip("pandas")
    pytest.importorskip("scipy")
    csr = [[1.0, 2.0], [0, 1], [0, 1, 2], [2, 2]]
    said = {"model_type": "regression", "global": False, "local": True, "num_examples": 2, "is_local_sparse": True}
    e = load_explanation(
        directory(
            tmp_path / "a",
            said,
            local_importance_values=("sparse", csr),
            init_data=("DatasetWrapperSparse", csr),
            eval_data=("DataFrame", [[1, "a"], [2, "b"]]),
            eval_y_predicted=("ndarray", [0.5, 1.5]),
        )
    )
    assert e.is_local_sparse and e.values.tolist() == [[1.0, 0.0], [0.0, 2.0]]
    assert e.init_data.toarray().tolist() == e.values.tolist()
    assert e.eval_data == [[1, "a"], [2, "b"]]
    assert e.eval_y_predicted == [0.5, 1.5]


def test_what_is_not_ours_is_ignored(draw, tmp_path):
    for said in ('{"some": "tool"}', "[1]", '{"format": "whylight explanation", "format_version": 1}'):
        path = whole(tmp_path / "a")
        (path / "whylight.json").write_text(said)
        assert load_explanation(path).values.shape == (4, 2, 3)
        shutil.rmtree(path)
    # Another library replaced our files, and left the one that it does not know.
    save_explanation(local(draw), tmp_path / "b")
    ours = (tmp_path / "b" / "whylight.json").read_text()
    path = whole(tmp_path / "a")
    (path / "whylight.json").write_text(ours)
    assert load_explanation(path).values.shape == (4, 2, 3)


def test_ours_without_our_file_is_still_an_explanation(draw, tmp_path):
    for kind in ("regression", "binary", "three"):
        e = local(draw, **KINDS[kind])
        save_explanation(e, tmp_path / kind)
        (tmp_path / kind / "whylight.json").unlink()
        loaded = load_explanation(tmp_path / kind)
        assert loaded.local_importance_values == e.local_importance_values
        assert loaded.global_importance_values == e.global_importance_values
        assert loaded.expected_values == e.expected_values
        assert loaded.features == e.features
