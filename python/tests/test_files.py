"""Explanations in files: what is saved is what is loaded, bit for bit."""

import numpy as np
import pytest
from explanations import KINDS, TABLES, identical, local, mixed, saved

import whylight
from whylight import Explanation, load_explanation, save_explanation


@pytest.mark.parametrize("path", ["e", *TABLES])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", KINDS)
def test_a_round_trip_keeps_every_bit(kind, dtype, path, draw, tmp_path):
    saved(local(draw, dtype=dtype, **KINDS[kind]), tmp_path / path)


@pytest.mark.parametrize("path", ["e", *TABLES])
def test_numbers_at_the_edges_keep_their_bits(path, tmp_path):
    edges = [0.0, -0.0, np.nan, np.inf, -np.inf, 5e-324, np.finfo(float).max, 0.1]
    values = np.array([edges, edges[::-1]])
    saved(Explanation(values, base_values=-0.0, data=values), tmp_path / path)
    with np.errstate(over="ignore"):
        narrow = values.astype(np.float32)
    saved(Explanation(narrow, base_values=np.nextafter(1, 2), data=narrow), tmp_path / f"narrow_{path}")


@pytest.mark.parametrize("path", ["e", *TABLES])
@pytest.mark.parametrize("kind", ["regression", "binary", "three", "two outputs"])
def test_global_values_alone(kind, path, draw, tmp_path):
    full = local(draw, **KINDS[kind])
    e = full._like(None, means=full._class_means, eval_data=None, eval_y_predicted=None, eval_y_predicted_proba=None)
    loaded = saved(e, tmp_path / path)
    assert loaded.values is None
    with pytest.raises(AttributeError, match="no local values"):
        loaded.local_importance_values  # noqa: B018
    assert loaded.global_importance_values == full.global_importance_values


@pytest.mark.parametrize("path", ["e", "e.parquet"])
@pytest.mark.parametrize("kind", ["regression", "binary", "three"])
def test_one_row(kind, path, draw, tmp_path):
    e = local(draw, rows=1, one_row=True, **KINDS[kind])
    loaded = saved(e, tmp_path / path)
    assert loaded.local_importance_values == e.local_importance_values
    flat = local(draw, rows=1, one_row=True, **{**KINDS[kind], "data": np.arange(4.0)})
    saved(flat, tmp_path / f"flat_{path}")


@pytest.mark.parametrize("path", ["e", *TABLES])
@pytest.mark.parametrize("kind", ["regression", "binary", "three"])
def test_no_rows(kind, path, draw, tmp_path):
    e = local(draw, rows=2, **KINDS[kind])
    none = Explanation(
        e.values[:0], base_values=e.base_values, data=np.asarray(e.data[:0]), model_task=e.model_task, is_global=False
    )
    saved(none, tmp_path / path)


def test_five_round_trips_are_one(draw, tmp_path):
    e = local(draw, **KINDS["three"])
    loaded = e
    for trip in range(5):
        loaded = saved(loaded, tmp_path / str(trip))
    identical(e, loaded)
    for file in (tmp_path / "0").iterdir():
        assert file.read_bytes() == (tmp_path / "4" / file.name).read_bytes()
    for trip in range(5):
        loaded = saved(loaded, tmp_path / f"{trip}.parquet")
    assert (tmp_path / "0.parquet").read_bytes() == (tmp_path / "4.parquet").read_bytes()


@pytest.mark.parametrize("data", ["int", "bool", "half", "object", "list", "text", "day", "big"])
def test_data_of_any_type(data, draw, tmp_path):
    cells = draw.integers(0, 5, size=(7, 4))
    data = {
        "int": cells,
        "bool": cells > 2,
        "half": cells.astype(np.float16),
        "object": np.array([[1, "a", None, 2.5]] * 7, dtype=object),
        "list": [[1, 2.5, "a", None]] * 7,
        "text": np.array([["a", "bc", "ä", ""]] * 7),
        "day": np.full((7, 4), np.datetime64("2020-02-29T01:02:03.004", "ms")),
        "big": cells.astype(">f8"),
    }[data]
    saved(local(draw, data=data), tmp_path / "e")
    numeric = isinstance(data, np.ndarray) and data.dtype.kind in "biuf"
    if numeric:
        saved(local(draw, data=data), tmp_path / "e.parquet")
    else:
        with pytest.warns(UserWarning, match="eval_data"):
            saved(local(draw, data=data), tmp_path / "e.parquet", but=["_eval_data"])
        assert load_explanation(tmp_path / "e.parquet")._eval_data is None


def test_frames_keep_names_types_and_index(draw, tmp_path):
    pandas = pytest.importorskip("pandas")
    e = local(draw, data=mixed(), init_data=mixed().iloc[2:4], feature_names=None)
    saved(e, tmp_path / "e")
    for number, index in enumerate(
        [
            pandas.RangeIndex(3, 24, 3, name="n"),
            pandas.Index([1.5] * 7),
            pandas.date_range("2020-01-01", periods=7, name="day"),
            pandas.MultiIndex.from_product([["a"], range(7)], names=["x", None]),
        ]
    ):
        frame = mixed()[["int", "narrow"]].set_index(index)
        frame.columns = [0, ("a", "b")]
        saved(local(draw, data=frame), tmp_path / str(number))
        saved(local(draw, data=frame), tmp_path / f"{number}.parquet")
    empty = mixed().iloc[:0]
    saved(Explanation(np.zeros((0, 13)), data=empty, is_global=False), tmp_path / "empty")


def test_a_row_as_a_series(draw, tmp_path):
    pandas = pytest.importorskip("pandas")
    row = pandas.Series([1.0, 2.0, np.nan, 4.0], index=list("abcd"), name="it")
    saved(local(draw, rows=1, one_row=True, data=row), tmp_path / "e")
    saved(local(draw, rows=1, one_row=True, data=row), tmp_path / "e.parquet")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("classes", [0, 1, 3, 4])
def test_sparse(classes, dtype, draw, tmp_path):
    scipy = pytest.importorskip("scipy.sparse")

    def matrix(density=0.3):
        return scipy.random(6, 9, density, format="csr", dtype=dtype, random_state=draw)

    values = [matrix() for _ in range(classes)] or matrix()
    task = "classification" if classes else "regression"
    saved(Explanation(values, data=matrix(), model_task=task), tmp_path / "e")
    nothing = [matrix(0) for _ in range(classes)] or matrix(0)
    saved(Explanation(nothing, data=matrix(0), model_task=task), tmp_path / "nothing")
    (tmp_path / "e" / "whylight.json").unlink()
    loaded = load_explanation(tmp_path / "e")
    assert (loaded.values == Explanation(values).values).all()
    with pytest.raises(whylight.UnsupportedError, match="directory"):
        save_explanation(Explanation(values), tmp_path / "e.parquet")


@pytest.mark.parametrize(("form", "path"), [("dense", "e"), ("dense", "e.parquet"), ("sparse", "e")])
def test_rows_that_another_explanation_held(form, path, draw, tmp_path):
    rows = draw.random((7, 4))
    given = rows if form == "dense" else pytest.importorskip("scipy.sparse").csr_matrix(rows)
    e = local(draw, data=local(draw, data=given).data)
    save_explanation(e, tmp_path / path)
    assert np.array_equal(np.asarray(load_explanation(tmp_path / path).data), rows)


def test_types_that_become_text_are_said(draw, tmp_path):
    e = local(draw, details={"method": "m", "model": object})
    for path in ("e", "e.parquet"):
        with pytest.warns(UserWarning, match="type were saved as their text"):
            save_explanation(e, tmp_path / path)
        assert load_explanation(tmp_path / path).details["model"] == str(object)


@pytest.mark.parametrize("path", ["folder", "e.parquet"])
def test_what_an_explainer_made_comes_back(path, tmp_path, complete, three):
    ensemble = pytest.importorskip("sklearn.ensemble")
    model = ensemble.RandomForestClassifier(n_estimators=5, random_state=0).fit(complete, three)
    explainer = whylight.TreeExplainer(model, device="cpu", features=list("abcdef"))
    for e in (explainer.explain_global(complete), explainer.explain_global(complete, include_local=False)):
        save_explanation(e, tmp_path / path, exist_ok=True)
        loaded = load_explanation(tmp_path / path)
        assert loaded.global_importance_values == e.global_importance_values
        assert loaded.details == e.details and loaded.expected_values == e.expected_values
        if e.values is not None:
            assert (loaded.values == e.values).all()
            assert loaded.eval_y_predicted == model.predict(complete).tolist()


@pytest.mark.parametrize("path", ["e", "e.parquet"])
def test_what_exists_is_replaced_only_on_request(path, draw, tmp_path):
    path = tmp_path / path
    saved(local(draw, **KINDS["three"]), path)
    with pytest.raises(whylight.FileError, match="exist_ok"):
        save_explanation(local(draw), path)
    full = local(draw)
    e = full._like(None, means=full._class_means, init_data=None, eval_data=None, eval_y_predicted=None)
    e._eval_y_predicted_proba = None
    save_explanation(e, path, exist_ok=True)
    identical(e, load_explanation(path))
    if path.is_dir():
        assert {file.name for file in path.iterdir()} == {
            "explanation_metadata.json", "expected_values.json", "features.json", "global_importance_names.json",
            "global_importance_rank.json", "global_importance_values.json", "whylight.json",
        }  # fmt: skip
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_paths(draw, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    e = local(draw)
    for path in ("a", "new/folders/b/", "a.b.PARQUET", b"bytes"):
        saved(e, path)
    (tmp_path / "file").write_text("")
    with pytest.raises(whylight.FileError, match="no directory"):
        save_explanation(e, "file", exist_ok=True)
    with pytest.raises(whylight.FileError, match="file"):
        save_explanation(e, "file/below")
    for absent in ("absent", "file", "new"):
        with pytest.raises(whylight.FileError, match=absent):
            load_explanation(absent)
    for absent in ("absent.parquet", "absent.arrow"):
        with pytest.raises(whylight.FileError, match=absent):
            load_explanation(absent)
    with pytest.raises(whylight.UnsupportedError, match="dict"):
        save_explanation({}, "x")


def test_a_failed_save_leaves_nothing(draw, tmp_path):
    e = local(draw)
    e._init_data = "a dataset's name"
    with pytest.raises(whylight.UnsupportedError, match="init_data"):
        save_explanation(e, tmp_path / "e")
    assert list(tmp_path.iterdir()) == []
