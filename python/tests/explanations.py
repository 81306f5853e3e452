"""Explanations with everything in them, whether two of them are one, and directories as others write them."""

import json

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


def refused(path, file):
    """Whether a path is refused by the name of a file."""
    with pytest.raises((whylight.DataError, whylight.FileError)) as error:
        load_explanation(path)
    assert file in str(error.value), error.value
    assert type(error.value).__module__ == "whylight.errors"
