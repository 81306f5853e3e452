"""Explanations in files: what is saved is what is loaded, bit for bit, and what is damaged is refused by name."""

import json
import shutil
import warnings

import numpy as np
import pytest

import whylight
from whylight import Explanation, load_explanation, save_explanation

TABLES = ["e.parquet", "e.arrow", "e.arrows", "e.feather"]
DETAILS = {
    "method": "tree_shap",
    "device": "cpu",
    "seed": 0,
    "additivity_error": 1.2345678901234567e-9,
    "exact": True,
    "notes": ["one", "two"],
    "engines": {"tables": 3},
    "sizes": (1, np.int64(2)),
    "weights": np.array([0.1, np.nan], np.float32),
    "by_class": {0: "a", 1: "b"},
}


@pytest.fixture
def draw():
    return np.random.default_rng(5)


def same(a, b):
    """Whether two values are equal to the last bit, and of one type."""
    assert type(a) is type(b), (a, b)
    if isinstance(a, np.ndarray) and a.dtype != object:
        assert a.dtype == b.dtype and a.shape == b.shape
        assert a.tobytes() == b.tobytes()
    elif isinstance(a, np.ndarray):
        assert a.shape == b.shape
        same(a.tolist(), b.tolist())
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            same(x, y)
    elif isinstance(a, dict):
        same(list(a), list(b))
        same(list(a.values()), list(b.values()))
    elif hasattr(a, "tocsr"):
        assert a.shape == b.shape
        for part in ("data", "indices", "indptr"):
            same(getattr(a, part), getattr(b, part))
    elif type(a).__module__.startswith("pandas"):
        import pandas

        check = pandas.testing.assert_frame_equal if a.ndim == 2 else pandas.testing.assert_series_equal
        check(a, b, check_exact=True, check_freq=False)
    else:
        assert a == b or a != a and b != b


def identical(a, b, but=()):
    """Whether two explanations are one."""
    attributes = [
        "_values", "base_values", "_features", "_output_names", "_classes", "_model_task", "_model_type", "details",
        "_id", "_is_raw", "_is_eng", "_is_local", "_is_global", "_one_row", "_init_data", "_eval_data",
        "_eval_y_predicted", "_eval_y_predicted_proba", "_model_id",
    ]  # fmt: skip
    for name in attributes:
        if name not in but:
            same(getattr(a, name), getattr(b, name))
    if a._is_global:
        same(a._class_means, b._class_means)
        same(a.global_importance_values, b.global_importance_values)
        assert a.get_ranked_global_names() == b.get_ranked_global_names()
    if a._is_local:
        assert a.get_ranked_local_names() == b.get_ranked_local_names()


def saved(e, path, but=()):
    """The explanation that comes back, which is checked to be the same."""
    save_explanation(e, path)
    loaded = load_explanation(path)
    identical(e, loaded, but)
    return loaded


def local(draw, outputs=1, dtype=np.float32, rows=7, **changed):
    """An explanation with everything in it."""
    shape = (rows, 4) if outputs == 1 else (rows, 4, outputs)
    values = draw.normal(size=shape).astype(dtype)
    data = draw.normal(size=(rows, 4))
    data[0, :3] = np.nan, np.inf, -np.inf
    base = float(draw.normal()) if outputs == 1 else draw.normal(size=outputs).tolist()
    given = {
        "base_values": base,
        "data": data,
        "feature_names": ["age", "income", "größe", 'a "b"'],
        "details": DETAILS,
        "init_data": data[:2],
        "eval_y_predicted": np.arange(rows),
        "eval_y_predicted_proba": draw.random((rows, 2)),
        "model_type": "<class 'a.B'>",
        "is_raw": True,
        **changed,
    }
    return Explanation(values, **given)


def mixed(rows=7):
    pandas = pytest.importorskip("pandas")
    return pandas.DataFrame(
        {
            "int": np.arange(rows, dtype=np.int8),
            "big": [2**60 + 1] * rows,
            "narrow": np.linspace(0, 1, rows).astype(np.float32),
            "text": ["a", None, "c", "ä", "", "f", "g"][:rows],
            "kind": pandas.Categorical(["x", None, "y", "x", "x", "y", "x"][:rows], ["z", "y", "x"], ordered=True),
            "digit": pandas.Categorical([3, None, 1, 3, 3, 1, 1][:rows]),
            "when": np.array(["2020-01-01T00:00:00.123456789", "NaT", *["1999-12-31"] * 5][:rows], "M8[ns]"),
            "zone": pandas.date_range("2024-10-26", periods=rows, freq="7h", tz="Europe/Berlin"),
            "span": pandas.to_timedelta(np.arange(rows), unit="h"),
            "maybe": pandas.array([1, None] + [3] * (rows - 2), dtype="Int64"),
            "flag": pandas.array([True, None] + [False] * (rows - 2), dtype="boolean"),
            "words": pandas.Series(["a", "b"] + ["c"] * (rows - 2), dtype=object),
            "any": pandas.Series([1, "a", None, 2.5, True, np.nan, "z"][:rows], dtype=object),
        },
        index=pandas.Index([f"row {i}" for i in range(rows)], name="id"),
    )


KINDS = {
    "regression": {"model_task": "regression"},
    "unknown": {},
    "binary": {"model_task": "classification", "classes": ["no", "yes"]},
    "three": {"outputs": 3, "model_task": "classification", "classes": [0, 1, 2], "output_names": list("abc")},
    "typed classes": {"outputs": 2, "model_task": "classification", "classes": list(np.array([3, 5]))},
    "two outputs": {"outputs": 2, "model_task": "regression"},
    "local only": {"is_global": False, "model_task": "regression"},
    "unnamed": {"feature_names": None, "base_values": None},
    "engineered": {"is_raw": False, "is_engineered": True, "model_id": "model:3"},
    "array of base values": {"outputs": 3, "base_values": np.array([0.1, 0.2, 0.3])},
}


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


def test_a_frame_of_numbers_fits_into_a_table(draw, tmp_path):
    pandas = pytest.importorskip("pandas")
    frame = mixed()[["int", "narrow", "maybe", "flag"]]
    frame["maybe"] = frame["maybe"].astype("Int32")
    for path in TABLES:
        saved(local(draw, data=frame, feature_names=None), tmp_path / path)
    many = pandas.DataFrame({"a": np.arange(70_000.0)}, index=pandas.Index(np.arange(70_000) * 7, name="key"))
    saved(Explanation(np.zeros((70_000, 1), np.float32), data=many), tmp_path / "many.parquet")
    with pytest.warns(UserWarning, match='eval_data: column "text" holds'):
        saved(local(draw, data=mixed()[["text"]]), tmp_path / "text.parquet", but=["_eval_data"])
    with pytest.warns(UserWarning, match='eval_data: column "big": it holds integers beyond'):
        saved(local(draw, data=mixed()[["big"]]), tmp_path / "big.parquet", but=["_eval_data"])


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


def test_types_that_become_text_are_said(draw, tmp_path):
    e = local(draw, details={"method": "m", "model": object})
    for path in ("e", "e.parquet"):
        with pytest.warns(UserWarning, match="type were saved as their text"):
            save_explanation(e, tmp_path / path)
        assert load_explanation(tmp_path / path).details["model"] == str(object)


# Directories of others ------------------------------------------------------------------------------------------------


def directory(path, metadata=None, **properties):
    """A directory as the format of interpret-community says."""
    path.mkdir()
    said = {
        "explanation_id": "38b07aad",
        "model_type": "classification",
        "data_type": "tabular",
        "model_task": "classification",
        "method": "shap_kernel",
        "model_class": None,
        "is_raw": False,
        "is_engineered": False,
        "global": True,
        "local": False,
        "num_classes": 3,
        "num_examples": 0,
        "num_features": 2,
        "serialization_version": 1,
        **(metadata or {}),
    }
    (path / "explanation_metadata.json").write_text(json.dumps(said))
    for name, (kind, data) in properties.items():
        (path / f"{name}.json").write_text(json.dumps({"metadata": kind, "data": data}))
    return path


def whole(path):
    per_class = [[0.5, 0.25], [1.0, 0.0], [0.0, 0.5]]
    rows = [[[0.5, -0.25]] * 4, [[-1.0, 0.0]] * 4, [[0.0, 0.5]] * 4]
    return directory(
        path,
        {"local": True, "num_examples": 4, "is_local_sparse": False},
        features=("list", ["a", "b"]),
        local_importance_values=("list", rows),
        expected_values=("list", [0.1, 0.2, 0.7]),
        classes=("list", ["x", "y", "z"]),
        global_importance_values=("list", [0.5, 0.25]),
        global_importance_rank=("list", [0, 1]),
        per_class_values=("ndarray", per_class),
        per_class_rank=("list", [[0, 1], [0, 1], [1, 0]]),
        eval_data=("list", [[1, 2.5], [3, None], [4, float("nan")], [5, 6]]),
        init_data=("DatasetWrapper", [[1, 2]]),
        eval_y_predicted=("list", [0, 1, 2, 0]),
        eval_y_predicted_proba=("list", [[1.0, 0.0, 0.0]] * 4),
    )


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


# What is there already ------------------------------------------------------------------------------------------------


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


# Damaged ones ---------------------------------------------------------------------------------------------------------


def refused(path, file):
    """Whether a path is refused by the name of a file."""
    with pytest.raises((whylight.DataError, whylight.FileError)) as error:
        load_explanation(path)
    assert file in str(error.value), error.value
    assert type(error.value).__module__ == "whylight.errors"


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("explanation_metadata.json", "{"),
        ("explanation_metadata.json", "[]"),
        ("explanation_metadata.json", "{}"),
        ("explanation_metadata.json", '{"global": true, "local": true, "num_features": 5}'),
        ("explanation_metadata.json", '{"global": true, "local": true, "serialization_version": 2}'),
        ("local_importance_values.json", ""),
        ("local_importance_values.json", "[" * 100_000),
        ("local_importance_values.json", '{"metadata": "list"}'),
        ("local_importance_values.json", '{"metadata": "other", "data": 1}'),
        ("local_importance_values.json", '{"metadata": "list", "data": 1}'),
        ("local_importance_values.json", '{"metadata": "list", "data": []}'),
        ("local_importance_values.json", '{"metadata": "list", "data": [[], []]}'),
        ("local_importance_values.json", '{"metadata": "list", "data": [[1, 2], [3]]}'),
        ("local_importance_values.json", '{"metadata": "list", "data": [["a", "b"]]}'),
        ("local_importance_values.json", '{"metadata": "list", "data": [[[[1]]]]}'),
        ("local_importance_values.json", '{"metadata": "list", "data": [[1' + "0" * 5000 + "]]}"),
        ("local_importance_values.json", '{"metadata": "sparse", "data": []}'),
        ("local_importance_values.json", '{"metadata": "sparse", "data": [[], [], [0], [1000000000000, 2]]}'),
        ("local_importance_values.json", '{"metadata": "sparse", "data": [[], [], [0, 0], [1, 1000000000000]]}'),
        ("local_importance_values.json", '{"metadata": "sparse", "data": [[1], [5], [0, 1], [1, 2]]}'),
        ("local_importance_values.json", '{"metadata": "sparse", "data": [[1], [-1], [0, 1], [1, 2]]}'),
        ("local_importance_values.json", '{"metadata": "sparse", "data": [[1], [0.5], [0, 1], [1, 2]]}'),
        ("local_importance_values.json", '{"metadata": "sparse", "data": [[1, 2], [0, 1], [0, 2, 1], [2, 2]]}'),
        ("local_importance_values.json", None),
        ("features.json", '{"metadata": "list", "data": ["a"]}'),
        ("expected_values.json", '{"metadata": "list", "data": ["a"]}'),
        ("global_importance_values.json", '{"metadata": "list", "data": [1]}'),
        ("global_importance_values.json", '{"metadata": "list", "data": [[1, 2]]}'),
        ("eval_data.json", '{"metadata": "list", "data": [[1, 2]]}'),
        ("eval_data.json", '{"metadata": "sparse", "data": [[1]]}'),
        ("eval_y_predicted.json", '{"metadata": "list", "data": [1]}'),
        ("init_data.json", "\udcff"),
    ],
)
def test_a_damaged_directory_is_refused(file, text, tmp_path):
    path = whole(tmp_path / "a")
    if text is None:
        (path / file).unlink()
    else:
        (path / file).write_bytes(text.encode(errors="surrogateescape"))
    refused(path, file)


def test_our_damaged_file_is_refused(draw, tmp_path):
    path = tmp_path / "a"
    save_explanation(local(draw, data=mixed(), init_data=np.zeros((1, 4))), path)
    text = (path / "whylight.json").read_text()
    (path / "whylight.json").write_text(text[:-20])
    refused(path, "whylight.json")
    good = json.loads(text)
    for change in (
        {"format_version": 2},
        {"details": 3},
        {"is_raw": "yes"},
        {"is_global": False},
        {"means": {"$": "array", "dtype": "<f8", "shape": [1], "data": [1.0]}},
        {"means": {"$": "array", "dtype": "U99999999999", "shape": [1], "data": [1.0]}},
        {"means": {"$": "unheard of"}},
        {"values": None},
        {"datasets": {}},
    ):
        (path / "whylight.json").write_text(json.dumps({**good, **change}))
        refused(path, str(path))
    for key in good.keys() - {"format", "explanation_id"}:
        (path / "whylight.json").write_text(json.dumps({k: v for k, v in good.items() if k != key}))
        refused(path, str(path))
    for dtype, shape in (("<f8", [2**62, 0]), ("O", [7, 4]), ("V8", [7, 4]), ("<f4", [7, 5]), ("<f4", [])):
        (path / "whylight.json").write_text(json.dumps({**good, "values": {"dtype": dtype, "shape": shape}}))
        refused(path, "json")


@pytest.mark.parametrize("kind", ["regression", "three"])
def test_bytes_changed_at_random_never_crash(kind, draw, tmp_path):
    """A damaged directory or table is loaded, or refused with an error of ours."""
    save_explanation(local(draw, **KINDS[kind]), tmp_path / "e")
    save_explanation(local(draw, **KINDS[kind]), tmp_path / "e.parquet")
    save_explanation(local(draw, **KINDS[kind]), tmp_path / "e.arrow")
    files = [*(tmp_path / "e").iterdir(), *(tmp_path / name for name in ("e.parquet", "e.arrow"))] * 8
    for file in files:
        good = file.read_bytes()
        damaged = bytearray(good[: draw.integers(len(good))] if draw.random() < 0.3 else good)
        for _ in range(draw.integers(4)):
            if damaged:
                damaged[draw.integers(len(damaged))] = draw.integers(256)
        file.write_bytes(damaged)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                load_explanation(file if file.parent == tmp_path else file.parent)
        except whylight.WhylightError as error:
            assert str(tmp_path) in str(error)
        file.write_bytes(good)


# Tables ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["e.parquet", "e.feather"])
def test_a_table_is_a_plain_table_to_others(name, draw, tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    pytest.importorskip("pyarrow.feather")
    pytest.importorskip("pyarrow.parquet")
    e = local(draw, **KINDS["three"])
    save_explanation(e, tmp_path / name)
    read = pyarrow.parquet.read_table if name.endswith("parquet") else pyarrow.feather.read_table
    table = read(tmp_path / name)
    assert table.column_names[:4] == ["a · age", "b · age", "c · age", "a · income"]
    assert table.column_names[12:16] == [f"data: {feature}" for feature in e.features]
    assert table.schema.field(0).type == pyarrow.float32()
    assert table.schema.field(12).type == pyarrow.float64()
    assert (table["b · age"].to_numpy() == e.values[:, 0, 1]).all()
    said = json.loads(table.schema.metadata[b"whylight"])
    assert said["details"]["method"] == "tree_shap"
    assert said["base_values"] == e.base_values
    frame = table.to_pandas()
    assert frame.shape == (7, 12 + 4 + 1 + 2)


def test_a_table_of_something_else_is_refused_by_name(draw, tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    pytest.importorskip("pyarrow.parquet")
    table = pyarrow.table({"a": [1.0, 2.0]})
    pyarrow.parquet.write_table(table, tmp_path / "plain.parquet")
    refused(tmp_path / "plain.parquet", "plain.parquet: it holds no explanation")
    pyarrow.parquet.write_table(pyarrow.table({"a": [[1.0], [2.0]]}), tmp_path / "lists.parquet")
    refused(tmp_path / "lists.parquet", "lists.parquet: it holds no explanation")
    pyarrow.parquet.write_table(local(draw).to_arrow(), tmp_path / "values.parquet")
    refused(tmp_path / "values.parquet", "values.parquet: it holds no explanation")
    (tmp_path / "text.parquet").write_text("some text")
    refused(tmp_path / "text.parquet", "text.parquet")


def test_metadata_that_do_not_fit_the_table_are_refused(draw, tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "e.parquet"
    save_explanation(local(draw), path)
    table = pyarrow.parquet.read_table(path)
    said = json.loads(table.schema.metadata[b"whylight"])
    parts = said["parts"]
    changes = [
        {"rows": 2**62},
        {"rows": 6},
        {"rows": -1},
        {"parts": []},
        {"parts": parts[:-1]},
        {"parts": [{**parts[0], "shape": [7, 5]}, *parts[1:]]},
        {"parts": [{**parts[0], "dtype": "<f8"}, *parts[1:]]},
        {"parts": [{**parts[0], "part": "else"}, *parts[1:]]},
        {"parts": [{**parts[0], "columns": 2**60}, *parts[1:]]},
        {"parts": [{**parts[0], "columns": -1}, *parts[1:]]},
        {"feature_names": ["a"]},
        {"small": {"eval_data": {}}},
        {"is_local": "no"},
    ]
    for change in [*changes, *({key: None} for key in ("parts", "details", "small", "is_raw", "explanation_id"))]:
        changed = table.replace_schema_metadata({"whylight": json.dumps({**said, **change})})
        pyarrow.parquet.write_table(changed, path)
        refused(path, "e.parquet")
    for key in said.keys() - {"format", "left_out"}:
        less = {name: value for name, value in said.items() if name != key}
        pyarrow.parquet.write_table(table.replace_schema_metadata({"whylight": json.dumps(less)}), path)
        refused(path, "e.parquet")
    pyarrow.parquet.write_table(table.replace_schema_metadata({"whylight": json.dumps(said)}), path)
    load_explanation(path)


def test_columns_of_one_name_are_told_apart(draw, tmp_path):
    values = draw.normal(size=(3, 4))
    names = ["a", "a", "a (2)", "data: a"]
    saved(Explanation(values, data=values, feature_names=names), tmp_path / "e.parquet")


def test_many_rows_go_in_blocks(draw, tmp_path):
    values = draw.normal(size=(120_000, 3, 4)).astype(np.float32)
    whole = Explanation(
        values.transpose(0, 2, 1), data=np.asfortranarray(draw.normal(size=(120_000, 4))), base_values=[0.0] * 3
    )
    for path in ("e.parquet", "e.arrow"):
        save_explanation(whole, tmp_path / path)
        loaded = load_explanation(tmp_path / path)
        assert np.array_equal(loaded.values, whole.values)
        assert np.array_equal(loaded.data, whole.data)


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
