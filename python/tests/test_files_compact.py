"""Explanations in one table file, which other readers of such tables open."""

import json

import numpy as np
import pytest
from explanations import KINDS, TABLES, local, mixed, saved

from whylight import Explanation, load_explanation, save_explanation


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
