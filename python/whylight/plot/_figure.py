"""Figures that fit their labels, and the text on them."""

from __future__ import annotations

import functools
import io
import textwrap
import unicodedata

import numpy as np

# A light and a dark one, so that they differ in grey, too, and of hues that the colour-blind tell apart.
_UP, _DOWN, _GREY = "#E69F00", "#1F6FB2", "#8A8A8A"
#: Inches at a font of 10 points: a row of bars, a row of dots, the axes, a character, a line.
_BAR, _SWARM, _WIDTH, _CHARACTER, _LINE = 0.32, 0.5, 5.6, 0.075, 0.155
#: Dots one above the other in a row at most, columns of dots; classes and categories that are named.
_DOTS, _COLUMNS, _CLASSES, _CATEGORIES = 18, 160, 10, 20
#: Features in one figure; more would not fit into an image.
_MOST = 500
#: Dots from which a vector image holds a picture of them.
_MANY = 2000
#: Characters of a name on a line, of a cell in all (a cell may be a whole document), and of a title on a line.
_NAME, _CELL, _TITLE = 40, 200, 50


# Figures --------------------------------------------------------------------------------------------------------------


def _axes(ax, width, height):
    """A figure of this size at a font of 10 points and its axes, or the given axes and their figure."""
    if ax is not None:
        return ax.figure.canvas.figure, ax
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # No pyplot: it would keep every figure alive. Notebooks ask a figure that pyplot does not know for its PNG.
    figure = Figure(figsize=(width * _size(0.1), height * _size(0.1)), layout="constrained")
    FigureCanvasAgg(figure)
    figure._repr_png_ = functools.partial(_png, figure)
    return figure, figure.add_subplot()


def _png(figure):
    image = io.BytesIO()
    figure.savefig(image, format="png")
    return image.getvalue()


def _rows(ax, labels, row, title, legend=(), width=_WIDTH):
    """Axes with a labelled row for each label, higher where the label takes several lines."""
    labels, title = [_wrap(label, _NAME) for label in labels], _wrap(title, _TITLE)
    heights = np.array([max(row, _LINE * _lines(label) + 0.06) for label in labels])
    places, height = np.cumsum(heights) - heights / 2, heights.sum()
    width += max(map(_columns, labels)) * _CHARACTER
    if legend:
        width += max(map(_columns, legend)) * _CHARACTER + 0.6
    needed = max(height, _LINE * 1.4 * sum(map(_lines, legend)))
    figure, ax = _axes(ax, width, needed + 0.75 + _LINE * 1.2 * _lines(title))
    ax.set_yticks(places, list(map(_escaped, labels)), fontsize=_size(0.9))
    ax.set_ylim(height, 0)
    ax.tick_params(axis="y", length=0)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.set_title(_escaped(title), loc="left", fontsize=_size(1.0))
    return figure, ax, places


def _spots(ax, x, y, size, alpha, **how):
    size *= _size(0.1) ** 2
    return ax.scatter(x, y, s=size, **{"alpha": alpha, "linewidths": 0, "rasterized": len(x) > _MANY, **how})


def _coloured(ax, x, y, shades, name, size, alpha):
    """Dots in the colours of numbers, grey crosses where they are missing."""
    missing, finite = np.isnan(shades), shades[np.isfinite(shades)]
    if missing.any():
        _spots(ax, x[missing], y[missing], size, alpha, color=_GREY, marker="x", linewidths=0.8)
        name += "\n(× missing)"
    low, high = np.percentile(finite, [2, 98]) if finite.size else (0.0, 1.0)
    low, high = (low, high) if low < high else _wider(low, high, 0.5)
    rest = ~missing
    dots = _spots(ax, x[rest], y[rest], size, alpha, c=shades[rest].clip(low, high), cmap=_scale(), vmin=low, vmax=high)
    _colour_bar(dots, ax, name)


def _colour_bar(dots, ax, label, ends=()):
    # As wide in a low figure as in a high one.
    aspect = max(ax.get_window_extent().height / ax.figure.dpi / 0.13, 5)
    bar = ax.figure.colorbar(dots, ax=ax, aspect=aspect, pad=0.02, fraction=0.06, ticks=[0, 1] if ends else None)
    if ends:
        bar.ax.set_yticklabels(ends)
    bar.solids.set_alpha(1)
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0, labelsize=_size(0.9))
    bar.set_label(_escaped(label), fontsize=_size(0.9), labelpad=-8 if ends else None)


def _legend(ax, handles, labels):
    """A legend beside the axes."""
    legend = ax.legend(
        handles,
        # matplotlib leaves out labels that begin with `_`, so they come afterwards.
        ["."] * len(labels),
        loc="upper left",
        bbox_to_anchor=(1.01, 1),
        borderaxespad=0,
        frameon=False,
        fontsize=_size(0.9),
        title_fontsize=_size(0.9),
    )
    for text, label in zip(legend.get_texts(), labels, strict=True):
        text.set_text(_escaped(label))
    return legend


def _note(ax, x, y, text, side=1, **how):
    """A number beside the end of a bar."""
    align = "left" if side > 0 else "right"
    where = {"xytext": (5 * side, 0), "textcoords": "offset points", "ha": align, "va": "center"}
    ax.annotate(_minus(text), (x, y), fontsize=_size(0.85), **where, **how)


def _room(ax, texts):
    """The share of the axis that the longest of these numbers needs beside it."""
    wide = ax.get_window_extent().width / ax.figure.dpi
    needed = (max(map(len, texts)) * _CHARACTER + 0.15) * _size(0.1)
    return needed / max(min(wide, _WIDTH * _size(0.1)) - 2 * needed, needed)


def _wider(low, high, share):
    span = (high - low) or abs(high) or 1.0
    return low - share * span, high + share * span


def _size(share):
    import matplotlib

    return share * matplotlib.rcParams["font.size"]


def _scale():
    """From dark for low to light for high."""
    import matplotlib
    from matplotlib.colors import ListedColormap

    # No shade of it is grey, which is for the missing; the lightest yellow is hard to see on white.
    return ListedColormap(matplotlib.colormaps["viridis"](np.linspace(0, 0.94, 128)))


def _shades(count):
    """Colours that differ in lightness."""
    import matplotlib

    return [_DOWN] if count == 1 else list(matplotlib.colormaps["viridis"](np.linspace(0.1, 0.94, count)))


# Text -----------------------------------------------------------------------------------------------------------------


def _short(cell):
    return cell if len(cell) <= _CELL else cell[: _CELL - 1] + "…"


def _weighed(text):
    """Text with a NUL after each character that takes about two columns."""
    return "".join(c + "\0" if c in "WMmw@%" or unicodedata.east_asian_width(c) in "WF" else c for c in text)


def _wrap(text, columns):
    lines = (line.replace("\0", "") for line in textwrap.wrap(_weighed(text), columns))
    return "\n".join(filter(None, lines))


def _columns(text):
    return max(map(len, _weighed(text).split("\n")))


def _lines(text):
    return text.count("\n") + 1 if text else 0


def _minus(text):
    """A number with the sign that matplotlib's axes use."""
    return text.replace("-", "\N{MINUS SIGN}")


def _escaped(text):
    """Text in which matplotlib sees no formula."""
    return text.replace("$", r"\$")
