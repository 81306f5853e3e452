"""Damaged and hostile files: refused with the file's name, whatever is in them."""

import json
import warnings

import numpy as np
import pytest
from explanations import KINDS, local, mixed, refused, whole

import whylight
from whylight import load_explanation, save_explanation


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
