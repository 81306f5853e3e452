"""Plots: every kind of explanation, no label cut, the right numbers, nothing shared with pyplot."""

import pickle
import subprocess
import sys
import time

import numpy as np
import pytest

from whylight import DataError, Explanation, ParameterError, UnsupportedError

matplotlib = pytest.importorskip("matplotlib")
from matplotlib.figure import Figure  # noqa: E402

from whylight.plot import _swarm  # noqa: E402

ROWS, NAMES = 60, ["age", "income", "city", "hours"]


def values(*shape):
    return np.random.default_rng(5).normal(size=shape)


def cells():
    """Numbers, missing ones, and text."""
    rows = values(ROWS, 4).round(2).astype(object)
    rows[::7, 0] = np.nan
    rows[::5, 1] = None
    rows[:, 2] = np.where(np.arange(ROWS) % 3 == 0, "Rome", "Oslo")
    rows[4, 2] = None
    return rows


def regression(**changed):
    known = {"base_values": 0.5, "data": cells(), "feature_names": NAMES, "model_task": "regression"}
    return Explanation(values(ROWS, 4), **{**known, "details": {"method": "tree_shap", "output": "raw"}, **changed})


def binary():
    return regression(model_task="classification", classes=["no", "yes"])


def multiclass():
    return Explanation(
        values(ROWS, 4, 3),
        base_values=[0.1, 0.2, 0.7],
        data=cells(),
        feature_names=NAMES,
        model_task="classification",
        classes=["low", "_mid", "high $x$"],
        details={"method": "tree_shap", "output": "probability"},
    )


def sparse(outputs=1):
    csr = pytest.importorskip("scipy.sparse").csr_matrix
    parts = [csr(np.where(values(ROWS, 4) > 0.5 * k, values(ROWS, 4), 0)) for k in range(outputs)]
    rows = csr(np.nan_to_num(values(ROWS, 4)))
    if outputs == 1:
        return Explanation(parts[0], base_values=0.0, data=rows, feature_names=NAMES)
    known = {"base_values": [0.0] * outputs, "model_task": "classification", "classes": [5, 6, 7]}
    return Explanation(parts, data=rows, feature_names=NAMES, **known)


KINDS = {
    "regression": regression,
    "binary": binary,
    "multiclass": multiclass,
    "one row": lambda: regression()[3],
    "sparse": sparse,
    "sparse classes": lambda: sparse(3),
    "unnamed": lambda: Explanation(values(ROWS, 4), data=values(ROWS, 4)),
    "constant": lambda: Explanation(np.zeros((ROWS, 4)), base_values=0.0, data=np.ones((ROWS, 4))),
    "infinite cells": lambda: regression(data=np.where(values(ROWS, 4) > 1, np.inf, -np.inf)),
    "missing cells": lambda: regression(data=np.full((ROWS, 4), np.nan)),
}


def whole(figure):
    """Draws a figure and checks that nothing of it lies outside."""
    assert isinstance(figure, Figure)
    figure.draw_without_rendering()
    drawn = figure.get_tightbbox()
    width, height = figure.get_size_inches()
    slack = 0.02
    assert drawn.x0 >= -slack and drawn.y0 >= -slack
    assert drawn.x1 <= width + slack and drawn.y1 <= height + slack
    for axes in figure.axes:
        assert min(axes.get_window_extent().size) > (6 if axes.get_label() == "<colorbar>" else 60)
        legend = axes.get_legend()
        low, high = sorted(axes.get_ylim())
        # Ticks beyond the limits are never drawn.
        ticks = [text for text in axes.get_yticklabels() if low <= text.get_position()[1] <= high]
        said = [*ticks, *axes.texts, axes.xaxis.label, axes.yaxis.label, axes.title]
        for text in said + (legend.get_texts() if legend else []):
            box = text.get_window_extent()
            if text.get_text():
                assert box.x0 >= -1 and box.x1 <= figure.bbox.width + 1, text
                assert box.y0 >= -1 and box.y1 <= figure.bbox.height + 1, text
    return figure


def labels(axes):
    return [text.get_text().replace("\\$", "$") for text in axes.get_yticklabels()]


def notes(axes):
    return [text.get_text().replace("\N{MINUS SIGN}", "-") for text in axes.texts]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", KINDS)
def test_every_plot_of_every_kind(kind):
    e = KINDS[kind]()
    whole(e.plot.bar())
    whole(e.plot.bar(1, output=0))
    whole(e.plot.beeswarm())
    whole(e.plot.beeswarm(2, 0))
    whole(e.plot.waterfall())
    whole(e.plot.waterfall(-1, 2, 0))
    for feature, color in ((0, None), (0, 1), (1, 2), (2, 0), (3, None)):
        whole(e.plot.scatter(feature, color))
    whole(e.plot.scatter(2, 2, 0))


def test_global_only():
    for means, classes in ((np.arange(4.0), None), (np.ones((2, 4)), ["a", "b"]), (values(3, 4) ** 2, ["a", "b", "c"])):
        task = "classification" if classes else "regression"
        e = Explanation(means=means, feature_names=NAMES, model_task=task, classes=classes)
        axes = whole(e.plot.bar()).axes[0]
        # Two classes with the same means are one bar.
        assert len(axes.containers) == (3 if classes and len(classes) == 3 else 1)
        for plot in (e.plot.beeswarm, e.plot.waterfall, lambda: e.plot.scatter(0)):  # noqa: B023
            with pytest.raises(AttributeError, match="no local values"):
                plot()


def test_the_bars_are_the_means():
    e = regression()
    axes = e.plot.bar(2).axes[0]
    means = np.sort(np.abs(e.values).mean(axis=0))[::-1]
    assert labels(axes) == [*e.get_ranked_global_names(2), "sum of 2 others"]
    np.testing.assert_allclose([bar.get_width() for bar in axes.patches], [*means[:2], means[2:].sum()])
    assert notes(axes) == [f"{mean:.4f}" for mean in (*means[:2], means[2:].sum())]
    # A single one left over is named.
    assert len(labels(e.plot.bar(3).axes[0])) == 4


def test_classes_are_stacked_with_a_legend():
    e = multiclass()
    axes = whole(e.plot.bar()).axes[0]
    means = np.asarray(e.per_class_values)
    order = np.argsort(-means.sum(axis=0))
    np.testing.assert_allclose([[bar.get_width() for bar in part] for part in axes.containers], means[:, order])
    legend = [text.get_text().replace("\\$", "$") for text in axes.get_legend().get_texts()]
    assert legend == ["low", "_mid", "high $x$"]
    one = e.plot.bar(output="_mid").axes[0]
    assert one.get_title(loc="left") == "class _mid"
    np.testing.assert_allclose([bar.get_width() for bar in one.patches], np.sort(means[1])[::-1])


def test_many_classes():
    e = Explanation(values(5, 4, 40), base_values=[0.0] * 40, model_task="classification", classes=list(range(40)))
    axes = whole(e.plot.bar()).axes[0]
    assert axes.get_legend().get_texts()[-1].get_text() == "31 other classes"
    totals = np.sum([[bar.get_width() for bar in part] for part in axes.containers], axis=0)
    np.testing.assert_allclose(np.sort(totals), np.sort(np.abs(e.values).mean(axis=0).sum(axis=1)))


def test_the_waterfall_adds_up():
    e = regression()
    axes = e.plot.waterfall(5, 2).axes[0]
    row = e.values[5]
    order = np.argsort(-np.abs(row))
    shown = [f"{NAMES[i]} = {e.data[5, i]}" for i in order[:2]]
    assert labels(axes) == ["base value", *shown, "the 2 other features", "margin"]
    steps = [row[order[0]], row[order[1]], row[order[2:]].sum()]
    # As many decimals for all as the largest has use for.
    digits = 5 if max(np.abs([0.5, *steps, *(0.5 + np.cumsum(steps))])) < 1 else 4
    said = [*(f"{step:+.{digits}f}" for step in steps), f"{0.5:.{digits}f}", f"{0.5 + row.sum():.{digits}f}"]
    assert notes(axes) == said
    ends = axes.lines[0].get_xdata()
    np.testing.assert_allclose(ends, [0.5, 0.5 + row.sum()])
    assert "age = missing" in labels(e.plot.waterfall(0).axes[0])


def test_the_other_class_mirrors():
    e = binary()
    second, first = e.plot.waterfall(1).axes[0], e.plot.waterfall(1, output="no").axes[0]
    assert second.get_title(loc="left") == "row 1, class yes"
    assert first.get_title(loc="left") == "row 1, class no"
    assert [float(note) for note in notes(first)] == [-float(note) for note in notes(second)]
    assert multiclass().plot.waterfall(1).axes[0].get_title(loc="left") == "row 1, class high \\$x\\$"


def test_without_a_base_value_or_rows():
    e = regression(base_values=None, data=None)
    axes = whole(e.plot.waterfall()).axes[0]
    assert labels(axes)[0] == "no base value" and labels(axes)[-1] == "sum"
    assert sorted(labels(axes)[1:-1]) == sorted(NAMES)
    whole(e.plot.beeswarm())
    with pytest.raises(DataError, match="keep the rows"):
        e.plot.scatter("age")


def test_columns_are_found_by_name():
    pandas = pytest.importorskip("pandas")
    rows = pandas.DataFrame(cells(), columns=NAMES)[["hours", "city", "age", "income"]]
    assert labels(regression(data=rows).plot.waterfall(3).axes[0]) == labels(regression().plot.waterfall(3).axes[0])


def test_a_swarm_holds_every_row():
    generator = np.random.default_rng(0)
    few = generator.normal(size=50)
    x, offset, _ = _swarm(few, few, few.min(), few.max())
    np.testing.assert_allclose(np.sort(x), np.sort(few))
    many = np.where(generator.random(50_000) < 0.9, 0.0, generator.normal(size=50_000))
    x, offset, shade = _swarm(many, np.where(many > 0, 1.0, np.nan), -5, 5)
    assert len(x) < 5000 and np.abs(offset).max() <= 1
    # A spike leaves the others more than a line of dots.
    assert np.abs(offset[np.abs(x) > 1]).max() > 0.3
    assert np.nanmax(shade) == 1 and np.isnan(shade).any()


def test_large_data_take_seconds():
    e = Explanation(values(100_000, 20), base_values=0.0, data=values(100_000, 20))
    start = time.perf_counter()
    figure = e.plot.beeswarm()
    figure.canvas.draw()
    assert time.perf_counter() - start < 30
    dots = [part for part in figure.axes[0].collections if len(part.get_offsets()) > 2000]
    assert dots and all(part.get_rasterized() for part in dots)


def test_scatter_has_lanes_and_categories():
    e = regression()
    axes = e.plot.scatter("city").axes[0]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["Oslo", "Rome", "missing"]
    x, y = axes.collections[0].get_offsets().T
    np.testing.assert_allclose(y, e.values[:, 2])
    assert (np.rint(x[4]), np.rint(x[3])) == (2, 1)
    axes = e.plot.scatter("age").axes[0]
    assert axes.get_xticklabels()[-1].get_text() == "missing"
    x = np.asarray(axes.collections[0].get_offsets()[:, 0])
    known = np.arange(ROWS) % 7 != 0
    assert x[~known].max() < x[known].min()
    np.testing.assert_allclose(x[known], e.data[known, 0].astype(float))


def test_categories_without_a_colour_of_their_own():
    rows = cells()
    rows[:, 2] = [f"category {k % 15}" for k in range(ROWS)]
    rows[0, 2], rows[1, 2] = None, "missing"
    axes = whole(regression(data=rows).plot.scatter("hours", "city")).axes[0]
    legend = [text.get_text() for text in axes.get_legend().get_texts()]
    assert legend[-2:] == ["7 other categories", "missing"] and len(legend) == 11
    assert [len(part.get_offsets()) for part in axes.collections] == [4] * 9 + [ROWS - 37, 1]
    colours = {tuple(part.get_facecolor()[0]) for part in axes.collections}
    assert len(colours) == 11


def test_many_and_long_categories():
    rows = cells()
    rows[:, 2] = [f"category {k} " + "W" * 60 for k in range(ROWS)]
    axes = whole(regression(data=rows).plot.scatter("city", "city")).axes[0]
    assert axes.get_xticklabels()[-1].get_text() == "41 other categories"
    rows[:, 2] = ["W" * 200 if k % 2 else "$a$_b$" for k in range(ROWS)]
    whole(regression(data=rows).plot.scatter("city", "city"))


@pytest.mark.filterwarnings("ignore:Glyph")
@pytest.mark.parametrize(
    "name", ["W" * 200, "long name " * 20, "$\\frac{a$ $", "_x", "a\tb\n\x1b[31m", "\u7279\u5fb4" * 60, ""]
)
def test_names_are_never_cut(name):
    names = [name, *NAMES[1:3], name + "!"]
    e = multiclass()._like(multiclass().values, feature_names=names, classes=[name, "b", name + "!"])
    for figure in (
        e.plot.bar(),
        e.plot.beeswarm(),
        e.plot.waterfall(),
        e.plot.scatter(0, 3),
        e.plot.scatter(2, 0),
        e.plot.scatter(0, 2),
    ):
        whole(figure)
    axes = whole(e.plot.bar()).axes[0]
    said = {"".join(label.split()) for label in labels(axes)}
    assert "".join(name.replace("\t", "\ufffd").replace("\n", "\ufffd").replace("\x1b", "\ufffd").split()) in said
    # Nor does one label lie on another.
    boxes = sorted((text.get_window_extent() for text in axes.get_yticklabels()), key=lambda box: box.y0)
    assert all(low.y1 <= high.y0 + 1 for low, high in zip(boxes, boxes[1:], strict=False))


def test_a_larger_font_gets_a_larger_figure():
    with matplotlib.rc_context({"font.size": 18}):
        large = whole(regression().plot.waterfall())
    assert (large.get_size_inches() > 1.5 * regression().plot.waterfall().get_size_inches()).all()


def test_given_axes():
    figure = Figure(figsize=(14, 12), layout="constrained")
    axes = figure.subplots(2, 2).ravel()
    e = multiclass()
    assert e.plot.bar(ax=axes[0]) is figure
    assert e.plot.beeswarm(ax=axes[1]) is figure
    assert e.plot.waterfall(ax=axes[2]) is figure
    assert e.plot.scatter("age", "hours", ax=axes[3]) is figure
    whole(figure)


def test_the_same_each_time_and_shown_by_notebooks():
    first, second = (regression().plot.beeswarm()._repr_png_() for _ in range(2))
    assert first == second and first.startswith(b"\x89PNG")
    copy = pickle.loads(pickle.dumps(regression().plot.scatter("age")))
    assert copy._repr_png_().startswith(b"\x89PNG")


@pytest.mark.filterwarnings("ignore:Mean of empty slice", "ignore:invalid value")
def test_wrong_parameters():
    e = multiclass()
    with pytest.raises(ParameterError, match="nearest name is 'income'"):
        e.plot.scatter("incme")
    with pytest.raises(ParameterError, match="nearest name is 'low'"):
        e.plot.waterfall(output="lov")
    with pytest.raises(ParameterError, match="position from 0 to 2"):
        e.plot.beeswarm(output=3)
    with pytest.raises(ParameterError, match="position from 0 to 3"):
        e.plot.scatter("age", color=4)
    for row in (ROWS, -ROWS - 1, True, "a", 1.0):
        with pytest.raises(ParameterError, match="row"):
            e.plot.waterfall(row)
    for count in (0, True, 2.5, "3"):
        with pytest.raises(ParameterError, match="max_features"):
            e.plot.bar(count)
    with pytest.raises(ParameterError, match="at most 500"):
        Explanation(means=np.ones(900)).plot.bar(None)
    for plot in ("bar", "beeswarm", "waterfall"):
        with pytest.raises((DataError, ParameterError)):
            getattr(Explanation(np.zeros((0, 2))).plot, plot)()


def test_pyplot_is_not_touched():
    code = """
import sys, numpy, whylight
e = whylight.Explanation(numpy.ones((3, 2)), base_values=0., data=numpy.ones((3, 2)), model_task="regression")
plot = e.plot
assert "matplotlib" not in sys.modules
for figure in (plot.bar(), plot.beeswarm(), plot.waterfall(), plot.scatter(0, 1)):
    figure._repr_png_()
assert "matplotlib.pyplot" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_matplotlib(monkeypatch):
    plot = regression().plot
    for name in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for draw in (plot.bar, plot.beeswarm, plot.waterfall, lambda: plot.scatter("age")):
        with pytest.raises(UnsupportedError, match=r'pip install "whylight\[plot\]"'):
            draw()
