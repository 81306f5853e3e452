"""The HTML summary: well-formed, escaped, small, and with the right numbers."""

from html.parser import HTMLParser

import numpy as np
import pytest

from whylight import Explanation
from whylight.html import LIMIT, Decimals, as_numbers, number, shown, summary

NAMES = [f"feature {k}" for k in range(15)]
DETAILS = {"method": "tree_shap", "output": "raw", "exact": True, "device": "cpu", "additivity_error": 1.25e-7}


class Page(HTMLParser):
    """The text of each cell, by row; tags must balance."""

    def __init__(self, page):
        super().__init__()
        self.open, self.tables, self.text, self.tags = [], [], "", set()
        self.feed(page)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.tags.add(tag)
        assert {name for name, _ in attrs} <= {"style", "scope"}
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data
        if "td" in self.open or "th" in self.open:
            self.tables[-1][-1][-1] += data


def values(*shape):
    return np.random.default_rng(2).normal(size=shape)


def read(explanation):
    page = summary(explanation)
    assert page == explanation._repr_html_() and len(page.encode()) < LIMIT
    assert "http" not in page and "url(" not in page
    page = Page(page)
    assert page.tags <= {"div", "b", "span", "table", "thead", "tbody", "tr", "th", "td"}
    return page


def test_regression():
    e = Explanation(values(1234, 15), base_values=2.0, feature_names=NAMES, model_task="regression", details=DETAILS)
    page = read(e)
    head = "tree_shap · 1,234 rows · 15 features · 1 output · on cpu · additivity error 1.2e-07 · exact"
    assert head in page.text
    (ranking,) = page.tables
    means = np.asarray(e.get_ranked_global_values())
    said = [[name, f"{mean:.4f}"] for name, mean in zip(e.get_ranked_global_names(10), means, strict=False)]
    assert ranking == [["feature", "mean |value|"], *said, ["the 5 others together", f"{means[10:].sum():.4f}"]]


def test_a_subset_of_unnamed_features_shows_no_cells_of_others():
    e = Explanation(
        values(3, 4), base_values=0.5, data=np.full((3, 4), "here", dtype=object), feature_names=list("abcd")
    )
    assert "here" in read(e).text and "here" not in read(e.features_only([3, 1])).text


def test_the_first_of_few_rows():
    data = np.full((2, 15), 1.5, dtype=object)
    data[0, 0], data[0, 1] = None, "text"
    known = {"feature_names": NAMES, "model_task": "regression", "details": DETAILS}
    e = Explanation(values(2, 15), base_values=2.0, data=data, **known)
    _, row = read(e).tables
    assert row[0] == ["row 0 of 2", "value", "contribution"]
    assert row[1] == ["base value", "", "2.0000"]
    order = np.argsort(-np.abs(e.values[0]))
    cells = {0: "missing", 1: "text"}
    assert row[2:-2] == [[NAMES[i], cells.get(i, "1.5"), f"{e.values[0, i]:+.4f}"] for i in order[:10]]
    assert row[-2] == ["the 5 other features", "", f"{e.values[0, order[10:]].sum():+.4f}"]
    assert row[-1] == ["margin", "", f"{2 + e.values[0].sum():.4f}"]
    # More rows than a few: no local values.
    assert len(read(Explanation(values(6, 15), **known)).tables) == 1
    # One row without a base value or cells.
    _, row = read(Explanation(values(1, 3))).tables
    assert row[0] == ["the row", "contribution"] and row[-1][0] == "sum" and len(row) == 5


def test_two_classes():
    e = Explanation(values(3, 4), base_values=0.0, model_task="classification", classes=["no", "yes"], details=DETAILS)
    page = read(e)
    assert "2 classes (no, yes)" in page.text
    ranking, row = page.tables
    assert len(ranking[0]) == 2
    assert row[0] == ["row 0 of 3", "class yes"]
    assert row[-1][1] == f"{e.values[0].sum():.4f}"


def test_several_classes():
    e = Explanation(
        values(3, 4, 6), base_values=[0.0] * 6, model_task="classification", classes=list("abcdef"), details=DETAILS
    )
    page = read(e)
    assert "6 classes (a, b, c, d, …)" in page.text and page.text.count("and 2 more") == 2
    ranking, row = page.tables
    assert ranking[0] == ["feature", "mean |value| over 6 classes", "class a", "class b", "class c", "class d"]
    first = int(np.argmax(e.global_importance_values))
    means = [e.global_importance_values[first], *(e.per_class_values[k][first] for k in range(4))]
    np.testing.assert_allclose([float(cell) for cell in ranking[1][1:]], means, atol=1e-3)
    np.testing.assert_allclose([float(cell) for cell in row[-1][1:]], e.values[0].sum(axis=0)[:4], atol=1e-3)


def test_global_only_sparse_and_empty():
    page = read(Explanation(means=np.arange(3.0), feature_names=["a", "b", "c"], details=DETAILS))
    assert "no local values" in page.text
    assert [line[0] for line in page.tables[0]] == ["feature", "c", "b", "a"]
    csr = pytest.importorskip("scipy.sparse").csr_matrix
    known = {"model_task": "classification", "details": DETAILS}
    read(Explanation([csr(values(2, 4)), csr(values(2, 4)), csr(values(2, 4))], base_values=[0, 0, 0], **known))
    read(Explanation(csr(values(2, 4)), data=csr(values(2, 4)), base_values=0.5, details=DETAILS))
    read(Explanation(np.zeros((3, 2)), base_values=0.0))
    assert "0 rows" in read(Explanation(np.zeros((0, 2)), base_values=0.0)).text


def test_everything_is_escaped():
    bad = '<script>alert("1")</script>'
    e = Explanation(
        values(2, 2, 3),
        base_values=[0.0] * 3,
        data=np.array([[bad, bad]] * 2, dtype=object),
        feature_names=[bad, "&amp;"],
        model_task="classification",
        classes=[bad, "b", "c"],
        details={"method": bad, "device": bad, "notes": [bad]},
    )
    page = summary(e)
    assert "<script" not in page and "&lt;script&gt;" in page
    page = read(e)
    assert page.text.count(bad) >= 6 and "&amp;" in page.text


def test_any_explanation_fits():
    long = "<&>\U0001f600\x07" * 2000
    known = {"base_values": [0.0] * 30, "model_task": "classification", "classes": [long] * 30}
    e = Explanation(
        values(2, 50, 30),
        data=np.full((2, 50), long, dtype=object),
        feature_names=[long] * 50,
        details={**DETAILS, "method": long, "device": long, "notes": [long] * 100},
        **known,
    )
    page = read(e)
    assert "…" in page.text and "94 more" in page.text


def test_numbers_as_the_reports_of_the_command():
    given = [0.0, 2019.0, 0.0026209999, 1 / 3, -1e-9, 3e20, -np.inf]
    assert list(map(number, given)) == ["0", "2019", "0.002621", "0.333333", "-1e-9", "3e20", "-inf"]
    assert Decimals([1.6]).show(-0.123456) == "-0.1235"
    assert Decimals([4321]).show(0.06) == "0.1"
    assert Decimals([98765]).show(-0.06) == "0"
    assert Decimals([0.0]).show(-0.0) == "0.0000"
    assert Decimals([2.0, np.nan]).signed(1) == "+1.0000"
    assert Decimals([1e-12]).show(5e-13) == "5.0000e-13"
    assert [shown(cell) for cell in (None, np.nan, True, 3, np.float32(0.1), "a\nb")] == [
        "missing",
        "missing",
        "True",
        "3",
        "0.1",
        "a\ufffdb",
    ]


def test_columns_of_cells_as_numbers():
    pandas = pytest.importorskip("pandas")
    mixed = np.array([1, None, 2.5, True, np.float32(3), pandas.NA, pandas.NaT], dtype=object)
    np.testing.assert_array_equal(as_numbers(mixed), [1, np.nan, 2.5, 1, 3, np.nan, np.nan])
    assert as_numbers(np.array(["1", 2], dtype=object)) is None
    assert as_numbers(np.array(["1", "2"])) is None
    assert as_numbers(np.array([np.str_("1")], dtype=object)) is None
