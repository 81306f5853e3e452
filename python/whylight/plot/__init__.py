"""Plots of an explanation as matplotlib figures."""

from __future__ import annotations

import functools

import numpy as np

from ..errors import DataError, ParameterError, UnsupportedError
from ..html import Decimals, View, as_numbers, is_missing, number, plain, position
from ._figure import (
    _BAR,
    _CATEGORIES,
    _CHARACTER,
    _CLASSES,
    _COLUMNS,
    _DOTS,
    _DOWN,
    _GREY,
    _LINE,
    _MOST,
    _NAME,
    _SWARM,
    _TITLE,
    _UP,
    _WIDTH,
    _axes,
    _colour_bar,
    _coloured,
    _columns,
    _escaped,
    _legend,
    _lines,
    _minus,
    _note,
    _room,
    _rows,
    _scale,
    _shades,
    _short,
    _size,
    _spots,
    _wider,
    _wrap,
)


def _drawn(plot):
    """A plot that says how to get matplotlib where it is missing."""

    @functools.wraps(plot)
    def draw(*given, **named):
        try:
            import matplotlib  # noqa: F401
        except ImportError as error:
            raise UnsupportedError('plots need matplotlib: pip install "whylight[plot]"') from error
        return plot(*given, **named)

    return draw


class Plots:
    """Plots of an explanation. Each returns a `matplotlib.figure.Figure`, shows nothing, and draws into `ax` if given.

    `output` is the name or the position of a class or output. Without it `bar` shows all; the others show the last
    (the second of two classes), and its name is the title. Names are wrapped, never cut: the figure grows.
    """

    def __init__(self, explanation):
        self._e = explanation
        self._view = View(explanation)

    @_drawn
    def bar(self, max_features=20, output=None, *, ax=None):
        """Mean |value| of the largest features, stacked where there are several classes; the rest as one bar."""
        view, means, names, title = self._view, self._view.means, self._view.outputs, ""
        if not np.isfinite(means).all():
            raise DataError("bar: expected finite means of one row or more: explain some rows")
        if output is not None:
            chosen = view.output(output)
            # Two classes that mirror each other have the same means.
            title, means = view.title(chosen), means[[min(chosen, len(means) - 1)]]
        means, names = _largest(means, names, view.kind)
        order = np.argsort(-means.sum(axis=0), kind="stable")
        top = _top(max_features, len(order))
        labels, lengths = [view.names[i] for i in order[:top]], means[:, order[:top]]
        if top < len(order):
            labels.append(f"sum of {len(order) - top:,} others")
            lengths = np.column_stack([lengths, means[:, order[top:]].sum(axis=1)])
        legend = [_wrap(name, 28) for name in names] if len(means) > 1 else []
        figure, ax, places = _rows(ax, labels, _BAR, title, legend)
        left, handles = np.zeros(len(labels)), []
        for length, colour in zip(lengths, _shades(len(means)), strict=True):
            handles.append(ax.barh(places, length, left=left, height=0.65 * _BAR, color=colour, linewidth=0))
            left = left + length
        said = list(map(Decimals(left).show, left))
        for place, total, text in zip(places, left, said, strict=True):
            _note(ax, total, place, text)
        ax.set_xlim(0, (left.max() or 1.0) * (1 + _room(ax, said)))
        ax.set_xlabel("mean |value|" if len(means) == 1 else f"mean |value|, summed over the {view.kind}")
        if legend:
            _legend(ax, handles, legend)
        return figure

    @_drawn
    def beeswarm(self, max_features=20, output=None, *, ax=None):
        """A dot for each row and feature, coloured by the feature's value; grey where it is missing or text.

        Where more rows share a place than dots fit, a dot stands for several rows with like values of the feature;
        dots of one place lie by the feature's value, the lowest below. No row is left out.
        """
        self._need_rows("beeswarm")
        view, chosen = self._view, self._view.output(output)
        order = np.argsort(-view.means[min(chosen, len(view.means) - 1)], kind="stable")
        top = _top(max_features, len(order))
        values = view.local(chosen, features=order[:top])
        heads = [view.title(chosen), f"the largest {top:,} of {len(order):,} features" if top < len(order) else ""]
        labels = [view.names[i] for i in order[:top]]
        figure, ax, places = _rows(ax, labels, _SWARM, ", ".join(filter(None, heads)), width=_WIDTH + 0.6)
        low, high = min(0.0, np.nanmin(values)), max(0.0, np.nanmax(values))
        parts = {"value": [], "missing": [], "text": [], "": []}
        for place, feature, column in zip(places, order, values.T, strict=False):
            cells = as_numbers(view.column(feature)) if view.has_cells else None
            x, offset, shade = _swarm(column, np.zeros(len(column)) if cells is None else _shade(cells), low, high)
            # The axis points downwards.
            dots = np.stack([x, place - 0.42 * _SWARM * offset, shade])
            if cells is None:
                parts["text" if view.has_cells else ""].append(dots)
            else:
                parts["value"].append(dots[:, ~np.isnan(shade)])
                parts["missing"].append(dots[:, np.isnan(shade)])
        ax.axvline(0, color=_GREY, linewidth=0.8, zorder=0)
        parts = {kind: np.hstack(part) for kind, part in parts.items() if part}
        parts = {kind: part for kind, part in parts.items() if part.size}
        for kind, (x, y, shade) in parts.items():
            if kind == "value":
                coloured = _spots(ax, x, y, 9, 1, c=shade, cmap=_scale(), vmin=0, vmax=1)
                _colour_bar(coloured, ax, "value of the feature", ["low", "high"])
            elif kind == "missing":
                _spots(ax, x, y, 9, 1, color=_GREY, marker="x", linewidths=0.7)
            else:
                _spots(ax, x, y, 9, 1, color=_GREY if kind == "text" else _DOWN)
        ax.set_xlim(*_wider(low, high, 0.03))
        said = [text for kind, text in (("missing", "× missing"), ("text", "grey dot: text")) if kind in parts]
        ax.set_xlabel("\n".join([f"contribution to the {view.space}", "   ".join(said)]).strip())
        return figure

    @_drawn
    def waterfall(self, row=0, max_features=10, output=None, *, ax=None):
        """From the base value to the prediction of a row: its largest values, and the others as one step."""
        self._need_rows("waterfall")
        count = len(self._e)
        if isinstance(row, bool) or not isinstance(row, (int, np.integer)) or not -count <= row < count:
            raise ParameterError(f"row: {row!r} is not allowed: a row from 0 to {count - 1}")
        row, view, chosen = int(row) % count, self._view, self._view.output(output)
        values = view.local(chosen, [row])[0]
        order = np.argsort(-np.abs(values), kind="stable")
        top = _top(max_features, len(order))
        base = view.base(chosen, row)
        steps = values[order[:top]]
        labels = [view.names[i] + (f" = {_short(view.cell(row, i))}" if view.has_cells else "") for i in order[:top]]
        if top < len(order):
            labels.append(f"the {len(order) - top:,} other features")
            steps = np.append(steps, values[order[top:]].sum())
        labels = ["no base value" if base is None else "base value", *labels, "sum" if base is None else view.space]
        sums = (base or 0.0) + np.concatenate([[0.0], np.cumsum(steps)])
        title = ", ".join(filter(None, [f"row {row}" if count > 1 else "", view.title(chosen)]))
        figure, ax, places = _rows(ax, labels, _BAR, title)
        colours = [_UP if step >= 0 else _DOWN for step in steps]
        ax.barh(places[1:-1], steps, left=sums[:-1], height=0.65 * _BAR, color=colours, linewidth=0)
        ax.vlines(sums, places[:-1], places[1:], color=_GREY, linewidth=0.8, zorder=0)
        ends = sums[[0, -1]]
        ax.plot(ends, places[[0, -1]], "D", color=ax.yaxis.label.get_color(), markersize=4.5)
        decimals = Decimals([*sums, *steps])
        said = list(map(decimals.signed, steps))
        for place, step, end, text in zip(places[1:-1], steps, sums[1:], said, strict=True):
            _note(ax, end, place, text, 1 if step >= 0 else -1)
        for place, end in zip(places[[0, -1]], ends, strict=True):
            _note(ax, end, place, decimals.show(end), weight="bold")
        ax.set_xlim(*_wider(sums.min(), sums.max(), _room(ax, [*said, *map(decimals.show, ends)])))
        ax.set_xlabel("sum of the values" if base is None else view.space)
        return figure

    @_drawn
    def scatter(self, feature, color=None, output=None, *, ax=None):
        """A feature's value against its contribution, row by row, coloured by the feature `color` if given.

        `feature` and `color` are names or positions. Text lies by category, the most frequent first; missing and
        infinite values lie in lanes of their own.
        """
        view = self._view
        feature = position(feature, view.names, "feature")
        color = None if color is None else position(color, view.names, "color")
        self._need_rows("scatter")
        if not view.has_cells:
            raise DataError(
                "scatter: this explanation holds no explained rows with a cell per feature; keep the rows: explain "
                "rows in memory, or Explanation(values, data=rows)"
            )
        chosen = view.output(output)
        y = view.local(chosen, features=[feature])[:, 0]
        x, ticks, labels, lanes = _along(view.column(feature))
        tint = None if color is None else view.column(color)
        shades = None if tint is None else as_numbers(tint)
        codes, legend, named = (None, [], 0) if tint is None or shades is not None else _categories(tint, _CLASSES)
        name, title, by = _wrap(view.names[feature], _TITLE), _wrap(view.title(chosen), _TITLE), ""
        if color is not None:
            by = _wrap(view.names[color], _NAME if codes is None else 28)
        # Names of many categories stand upright.
        upright = len(labels) > 8
        labels = [_wrap(label, _NAME if upright else 16) for label in labels]
        width, height = _WIDTH + 0.6, 3.6 + _LINE * (_lines(name) + 1.3 * _lines(title))
        if labels:
            across, down = max(map(_columns, labels)) * _CHARACTER, max(map(_lines, labels)) * _LINE
            width = max(width, len(labels) * ((down if upright else across) + 0.12))
            height += across if upright else down
        width += 0.5 + max((_columns(text) for text in [*legend, by]), default=0) * _CHARACTER if legend else 0.5
        height = max(height, _LINE * 1.3 * sum(map(_lines, [*legend, by])) + 1, _CHARACTER * _columns(by) + 1)
        figure, ax = _axes(ax, width, height)
        for lane in lanes:
            ax.axvspan(*lane, color=_GREY, alpha=0.12, linewidth=0, zorder=0)
        ax.axhline(0, color=_GREY, linewidth=0.8, zorder=0)
        size, alpha = (20, 0.85) if len(y) <= 1000 else (9, 0.6)
        if codes is not None:
            rest = [_GREY] * any(map(is_missing, tint))
            tints = _shades(named) + ["#C8C8C8"] * (len(legend) - named - len(rest)) + rest
            handles = []
            for k, colour in enumerate(tints):
                which = codes == k
                # What has no category of its own lies behind the others.
                handles.append(_spots(ax, x[which], y[which], size, alpha, color=colour, zorder=1 + (k < named)))
            _legend(ax, handles, legend).set_title(_escaped(by))
        elif shades is not None:
            _coloured(ax, x, y, shades, by, size, alpha)
        else:
            _spots(ax, x, y, size, alpha, color=_DOWN)
        if ticks is not None:
            ax.set_xticks(ticks, list(map(_escaped, labels)), rotation=90 if upright else 0, fontsize=_size(0.9))
        ax.set_xlabel(_escaped(name))
        ax.set_ylabel(f"contribution to the {view.space}")
        ax.spines[["top", "right"]].set_visible(False)
        ax.set_title(_escaped(title), loc="left", fontsize=_size(1.0))
        return figure

    def _need_rows(self, what):
        self._e._need_local(what)
        if not len(self._e):
            raise DataError(f"{what}: expected one row or more, got none: explain some rows")


# What is shown --------------------------------------------------------------------------------------------------------


def _top(max_features, count):
    """How many features are named."""
    asked = count if max_features is None else max_features
    if isinstance(asked, bool) or not isinstance(asked, (int, np.integer)) or asked < 1:
        raise ParameterError(f"max_features: {max_features!r} is not allowed: a number from 1, or None for all")
    # A single feature left over is better named than counted.
    top = count if count <= asked + 1 else int(asked)
    if top > _MOST:
        raise ParameterError(f"max_features: {max_features} is not allowed: at most {_MOST} features fit into a figure")
    return top


def _largest(means, names, kind):
    """The classes with the largest means, in their order, and the others as one."""
    if len(means) <= _CLASSES:
        return means, names
    order = np.argsort(-means.sum(axis=1), kind="stable")
    kept, rest = np.sort(order[: _CLASSES - 1]), order[_CLASSES - 1 :]
    return np.vstack([means[kept], means[rest].sum(axis=0)]), [names[k] for k in kept] + [f"{len(rest):,} other {kind}"]


def _shade(cells):
    """Numbers from 0 for low to 1 for high ones; the outermost 5 % at each end share a shade."""
    finite = cells[np.isfinite(cells)]
    low, high = np.percentile(finite, [5, 95]) if finite.size else (0.0, 1.0)
    if low == high and finite.size:
        low, high = finite.min(), finite.max()
    return np.where(np.isnan(cells), np.nan, 0.5) if low == high else ((cells - low) / (high - low)).clip(0, 1)


def _swarm(values, shade, low, high):
    """Dots (x, offset from -1 to 1, shade) of values: columns of dots, as high as there are rows in them.

    Rows are sorted once; a column with more rows than dots divides its rows, in the order of their shades, among them.
    """
    known = np.isfinite(values)
    values, shade = values[known], shade[known]
    if not len(values):
        return values, values, shade
    column = np.rint((values - low) / ((high - low) or 1.0) * (_COLUMNS - 1)).astype(np.intp)
    order = np.lexsort((shade, column))
    values, shade, column = values[order], shade[order], column[order]
    counts = np.bincount(column)
    rank = np.arange(len(column)) - (np.cumsum(counts) - counts)[column]
    # Relative to nearly the fullest column: one spike, as at 0 of a sparse feature, must not flatten the others.
    full = max(_DOTS, np.quantile(counts[counts > 0], 0.95))
    slots = np.minimum(np.ceil(counts * (_DOTS / full)), _DOTS).astype(np.intp)
    slot = rank * slots[column] // counts[column]
    first = np.flatnonzero(np.diff(column * (_DOTS + 1) + slot, prepend=-1))
    sizes = np.diff(first, append=len(column))
    missing = np.add.reduceat(np.isnan(shade).astype(np.intp), first)
    with np.errstate(invalid="ignore"):
        mean = np.add.reduceat(np.nan_to_num(shade), first) / (sizes - missing)
    mean[2 * missing > sizes] = np.nan
    offset = (slot[first] - (slots[column[first]] - 1) / 2) / (_DOTS / 2)
    return np.add.reduceat(values, first) / sizes, offset, mean


def _categories(cells, most):
    """A code for each cell, a label for each code, and how many are of single categories.

    Categories come by frequency, then the others as one, then the missing.
    """
    missing = np.array([is_missing(cell) for cell in cells])
    names, inverse, counts = np.unique(
        np.array(["" if is_missing(cell) else str(cell) for cell in cells]), return_inverse=True, return_counts=True
    )
    counts = counts - np.bincount(inverse[missing], minlength=len(names))
    order = np.argsort(-counts, kind="stable")
    order = order[counts[order] > 0]
    kept = order if len(order) <= most else order[: most - 1]
    code = np.full(len(names), len(kept))
    code[kept] = np.arange(len(kept))
    labels = [_short(plain(names[i])) for i in kept]
    if len(kept) < len(order):
        labels.append(f"{len(order) - len(kept):,} other categories")
    codes = np.where(missing, len(labels), code[inverse])
    return codes, labels + ["missing"] * bool(missing.any()), len(kept)


def _along(cells):
    """Where cells lie on an axis; ticks and their labels where the axis has no scale of its own; shaded lanes."""
    # Evenly spread and the same each time.
    jitter = (np.arange(len(cells)) * 0.618034) % 1 - 0.5
    x = as_numbers(cells)
    if x is None:
        codes, labels, _ = _categories(cells, _CATEGORIES)
        lanes = [(len(labels) - 1.5, len(labels) - 0.5)] if any(map(is_missing, cells)) else []
        return codes + 0.5 * jitter, np.arange(len(labels)), labels, lanes
    finite = np.isfinite(x)
    low, high = (x[finite].min(), x[finite].max()) if finite.any() else (0.0, 0.0)
    span = (high - low) or 1.0
    kinds = [("missing", np.isnan(x), -1), ("-inf", np.isneginf(x), -1), ("inf", np.isposinf(x), 1)]
    kinds = [kind for kind in kinds if kind[1].any()]
    if not kinds:
        return x, None, [], []
    from matplotlib.ticker import MaxNLocator

    ticks = [tick for tick in MaxNLocator(6).tick_values(low, high) if low <= tick <= high] if finite.any() else []
    labels, lanes, used = [_minus(number(tick)) for tick in ticks], [], {-1: 0, 1: 0}
    x = x.copy()
    for label, which, side in kinds:
        used[side] += 1
        centre = (low if side < 0 else high) + side * (0.12 * used[side] + 0.02) * span
        x[which] = centre + 0.06 * span * jitter[which]
        ticks, labels = [*ticks, centre], [*labels, _minus(label)]
        lanes.append((centre - 0.05 * span, centre + 0.05 * span))
    return x, ticks, labels, lanes
