"""An explanation as a small HTML summary, and the names, numbers and cells that summary and plots show."""

from __future__ import annotations

import decimal
import html
import math
import numbers
from functools import cached_property

import numpy as np

from .errors import ParameterError
from .explanation._cells import as_array

#: Bytes that a summary may take.
LIMIT = 30_000
#: Features, classes and notes that a summary names; rows up to which it shows the first one.
_FEATURES, _CLASSES, _NOTES, _ROWS = 10, 4, 6, 5


# Numbers and cells ----------------------------------------------------------------------------------------------------


def number(value) -> str:
    """At most six significant digits, without an exponent where that is readable."""
    value = float(value)
    if not math.isfinite(value) or value == 0:
        return "0" if value == 0 else str(value)
    rounded = float(f"{value:.5e}")
    if 1e-5 <= abs(rounded) < 1e7:
        return np.format_float_positional(rounded, trim="-")
    return np.format_float_scientific(rounded, trim="-", exp_digits=1).replace("e+", "e")


class Decimals:
    """Numbers that stand together: five significant digits for the largest of them."""

    def __init__(self, values):
        sizes = np.abs(np.ravel(np.asarray(values, np.float64)))
        largest = float(np.max(sizes, initial=0.0, where=~np.isnan(sizes)))
        self._places = None
        if largest == 0:
            self._places = 4
        elif 1e-6 <= largest < 1e9:
            self._places = min(max(4 - math.floor(math.log10(largest)), 0), 10)

    def show(self, value) -> str:
        return self._format(value, "")

    def signed(self, value) -> str:
        return self._format(value, "+")

    def _format(self, value, sign):
        kind = "4e" if self._places is None else f"{self._places}f"
        # Adding zero turns -0 into 0, once rounded.
        return f"{float(f'{float(value):.{kind}}') + 0.0:{sign}.{kind}}"


def plain(text) -> str:
    """Text without characters that steer."""
    return "".join(c if c.isprintable() or c == " " else "\ufffd" for c in str(text))


def is_missing(cell) -> bool:
    if cell is None or type(cell).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(cell, numbers.Real) and cell != cell


def shown(cell) -> str:
    """A cell, as a report shows it."""
    if is_missing(cell):
        return "missing"
    is_number = isinstance(cell, numbers.Real) and not isinstance(cell, bool)
    return number(cell) if is_number else plain(cell)


def as_numbers(column):
    """A column of cells as floats with NaN where missing; None where it holds text."""
    column = np.asarray(column)
    if column.dtype.kind in "biuf":
        return column.astype(np.float64)
    if column.dtype.kind != "O":
        return None
    # By type rather than by cell: there are few types and many cells.
    for kind in set(map(type, column.tolist())):
        known = issubclass(kind, (numbers.Real, decimal.Decimal, np.bool_, type(None)))
        if not known and kind.__name__ not in ("NAType", "NaTType"):
            return None
    return np.array([math.nan if is_missing(cell) else float(cell) for cell in column], np.float64)


class View:
    """What summary and plots read off an explanation, laid out alike for every kind of it."""

    def __init__(self, explanation):
        self.of = explanation
        self.names = [plain(name) for name in explanation.feature_names]

    @cached_property
    def means(self):
        """Mean |value|, (outputs, features); of two classes that mirror each other one row."""
        means = np.atleast_2d(np.asarray(self.of._class_means, np.float64))
        if self.of._model_task == "classification" and len(means) == 2 and np.array_equal(*means):
            means = means[:1]
        return means

    @cached_property
    def outputs(self) -> list[str]:
        """A name for each output that can be asked for: both classes where one output stands for two."""
        e = self.of
        mirrors = e._mirrors or (e._values is None and len(self.means) < len(np.atleast_2d(e._class_means)))
        count = 2 if mirrors else e.num_outputs if e._values is not None else len(self.means)
        for names in (e._output_names, e._classes, e.output_names):
            if names is not None and len(names) == count:
                return [plain(name) for name in names]
        return [str(k) for k in range(count)]

    def output(self, key=None) -> int:
        """The position of an output, the last by default: a number is a position, a text a name."""
        names = self.outputs
        if key is None:
            return len(names) - 1
        return position(key, names, "output")

    def title(self, output) -> str:
        """`class NAME` or the output's name; nothing where there is but one output."""
        name = self.outputs[output]
        if len(self.outputs) == 1:
            return ""
        return f"class {name}" if self.of._model_task == "classification" and not name.startswith("output ") else name

    @property
    def kind(self) -> str:
        """What outputs are."""
        return "classes" if self.of._model_task == "classification" else "outputs"

    @property
    def space(self) -> str:
        """What values and base value add up to."""
        known = {"raw": "margin", "probability": "probability", "log_loss": "log loss"}
        return known.get(self.of.output, "prediction")

    def local(self, output, rows=slice(None), features=slice(None)):
        """Values (rows, features) of an output, dense."""
        values = self.of._values
        sign = -1.0 if self.of._mirrors and output == 0 else 1.0
        if isinstance(values, list):
            values = values[output]
        elif getattr(values, "ndim", 2) == 3:
            values = values[:, :, output]
        part = values[rows][:, features]
        return sign * np.asarray(part.toarray() if hasattr(part, "toarray") else part, np.float64)

    def base(self, output, row):
        """The base value of a row's output; None where there is none, or nothing that values add up to with it."""
        if self.of.base_values is None or self.of.index in ("banzhaf", "coefficient"):
            return None
        if self.of._has_own_bases:
            return float(np.reshape(self.of.base_values, (len(self.of), -1))[row, output])
        base = self.of.expected_values
        return float(base[output]) if len(base) == len(self.outputs) else None

    @cached_property
    def _cells(self):
        """The explained rows where each has a cell per feature, and the column of each feature; else None."""
        data, e = self.of._eval_data, self.of
        if data is None or e._values is None or not e._has_own_cells:
            return None
        if hasattr(data, "tocsc"):
            cells, named = data.tocsc(), None
        else:
            named = getattr(data, "column_names", None)
            if named is None:
                named = getattr(data, "columns", getattr(data, "index", None) if hasattr(data, "to_frame") else None)
            cells = data if hasattr(data, "iloc") and hasattr(data, "columns") else as_array(data)
        order = None
        if named is not None:
            # The engine finds columns by name wherever they are, a blank for `_`, too.
            places = {str(name).replace(" ", "_"): place for place, name in enumerate(named)}
            places.update((str(name), place) for place, name in enumerate(named))
            if all(name in places for name in e.feature_names):
                order = [places[name] for name in e.feature_names]
        if len(cells.shape) != 2 or cells.shape[0] != len(e):
            return None
        if order is None:
            # Of more columns than features nobody knows which are theirs.
            order = range(len(self.names)) if cells.shape[1] == len(self.names) else None
        return None if order is None else (cells, order)

    @property
    def has_cells(self) -> bool:
        return self._cells is not None

    def column(self, feature):
        """The cells of a feature."""
        cells, order = self._cells
        if hasattr(cells, "tocsc"):
            return cells[:, [order[feature]]].toarray()[:, 0]
        return cells.iloc[:, order[feature]].to_numpy() if hasattr(cells, "iloc") else cells[:, order[feature]]

    def cell(self, row, feature) -> str:
        cells, order = self._cells
        return shown(cells.iloc[row, order[feature]] if hasattr(cells, "iloc") else cells[row, order[feature]])


def position(key, names, what) -> int:
    """A position from a position or a name; an error names the nearest."""
    if isinstance(key, (int, np.integer)) and not isinstance(key, bool):
        if -len(names) <= key < len(names):
            return int(key) % len(names)
        raise ParameterError(f"{what}: {key} is not allowed: a position from 0 to {len(names) - 1}, or a name")
    if plain(key) in names:
        return names.index(plain(key))
    import difflib

    nearest = difflib.get_close_matches(plain(key), names, n=1, cutoff=0)
    hint = f": the nearest name is {nearest[0]!r}" if nearest else ""
    raise ParameterError(f"{what}: {key!r} is unknown{hint}")


# The summary ----------------------------------------------------------------------------------------------------------


def summary(explanation) -> str:
    """The explanation at a glance, as HTML that needs nothing else and takes at most 30 kB."""
    view = View(explanation)
    for width in (200, 80, 40, 20, 8):
        page = _page(view, width)
        if len(page.encode()) <= LIMIT:
            break
    return page


def _page(view, width):
    text = _Text(width)
    parts = [_head(view, text), _notes(view.of, text)]
    e = view.of
    if e._values is None or len(e):
        parts.append(_ranking(view, text))
    if e._is_local and 0 < len(e) <= _ROWS:
        parts.append(_row(view, text))
    # Inherited colours and translucent lines suit light and dark notebooks.
    return f'<div style="font-size:13px;line-height:1.4;overflow-x:auto">{"".join(parts)}</div>'


class _Text:
    """Escapes, after cutting at a width."""

    def __init__(self, width):
        self._width = width

    def __call__(self, text):
        text = plain(text)
        return html.escape(text if len(text) <= self._width else text[: self._width - 1] + "…")


def _count(count, thing):
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def _head(view, text):
    e = view.of
    outputs = "1 output" if len(view.outputs) == 1 else f"{len(view.outputs):,} {view.kind}"
    if len(view.outputs) > 1:
        named = [text(name) for name in view.outputs[:_CLASSES]] + ["…"] * (len(view.outputs) > _CLASSES)
        outputs += f" ({', '.join(named)})"
    facts = [
        _count(len(e), "row") if e._values is not None else "no local values",
        _count(e.num_features, "feature"),
        outputs,
        text(f"on {e.device}") if e.device else "",
        f"additivity error {float(e.additivity_error):.1e}" if e.additivity_error is not None else "",
        {True: "exact", False: "estimated"}.get(e.exact, ""),
    ]
    return f"<div><b>{text(e.method)}</b> · {' · '.join(filter(None, facts))}</div>"


def _notes(e, text):
    notes = [e.notes] if isinstance(e.notes, str) else list(e.notes or [])
    lines = [text(note) for note in notes[:_NOTES]]
    if len(notes) > _NOTES:
        lines.append(f"{len(notes) - _NOTES} more in details[&quot;notes&quot;]")
    return "".join(f'<div style="opacity:.75">Note: {line}</div>' for line in lines)


def _table(heads, rows):
    """A table of cells that are HTML already; the first column holds names, the others numbers."""
    line = "border-bottom:1px solid rgba(128,128,128,.35)"
    sides = ["left"] + ["right"] * (len(heads) - 1)
    head = "".join(
        f'<th scope="col" style="text-align:{side};padding:2px 8px;{line}">{cell}</th>'
        for side, cell in zip(sides, heads, strict=True)
    )
    styles = ["text-align:left;padding:2px 8px;overflow-wrap:anywhere"]
    styles += ["text-align:right;padding:2px 8px"] * (len(heads) - 1)
    body = ""
    for row in rows:
        tds = (f'<td style="{style}">{cell}</td>' for style, cell in zip(styles, row, strict=True))
        body += f"<tr>{''.join(tds)}</tr>"
    return (
        '<table style="border-collapse:collapse;margin-top:8px;font-variant-numeric:tabular-nums">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def _bar(share, label, size):
    width = size * share if math.isfinite(share) else 0.0
    return (
        '<div style="display:flex;gap:8px;align-items:center;justify-content:flex-end">'
        f'<span>{label}</span><span style="width:{size}px;text-align:left">'
        f'<span style="display:inline-block;height:10px;width:{width:.1f}px;background:#3d85c6"></span></span></div>'
    )


def _ranking(view, text):
    """Mean |value| of the largest features, and of each class where there are several."""
    means = view.means
    overall = means.mean(axis=0)
    order = np.argsort(-overall, kind="stable")
    # A single feature left over is better named than counted.
    top = _FEATURES + 1 if len(order) == _FEATURES + 1 else _FEATURES
    groups = [[i] for i in order[:top]] + ([list(order[top:])] if len(order) > top else [])
    names = [text(view.names[i]) for i in order[:top]]
    names += [f"the {len(order) - top:,} others together"] * (len(order) > top)
    several = len(means) > 1
    columns = [("mean |value|", overall)]
    if several:
        columns = [(f"mean |value| over {len(means):,} {view.kind}", overall)]
        columns += [(text(view.title(k)), means[k]) for k in range(min(len(means), _CLASSES))]
    sums = np.array([[column[group].sum() for group in groups] for _, column in columns])
    # One scale for the classes, so that their bars compare.
    decimals, scale = Decimals(sums), sums.max(initial=0.0) or 1.0
    cells = [[_bar(s / scale, decimals.show(s), 60 if several else 160) for s in column] for column in sums]
    more = ""
    if several and len(means) > _CLASSES:
        more = f'<div style="opacity:.75">and {len(means) - _CLASSES:,} more</div>'
    return _table(["feature", *(head for head, _ in columns)], zip(names, *cells, strict=True)) + more


def _row(view, text):
    """The values of the first row."""
    e, count = view.of, len(view.outputs)
    # Of two classes that mirror each other, the second.
    chosen = [view.output()] if e._mirrors else list(range(count))[:_CLASSES]
    values = np.stack([view.local(k, [0])[0] for k in chosen], axis=1)
    order = np.argsort(-np.abs(values).sum(axis=1), kind="stable")
    top = _FEATURES + 1 if len(order) == _FEATURES + 1 else _FEATURES
    base = [view.base(k, 0) for k in chosen]
    known = None not in base
    base = np.array(base if known else [0.0] * len(chosen))
    sums = base + values.sum(axis=0)
    decimals = Decimals([*base, *sums, *np.ravel(values)])
    blank = [""] if view.has_cells else []
    rows = []
    if known:
        rows.append(["base value", *blank, *map(decimals.show, base)])
    for i in order[:top]:
        cell = [text(view.cell(0, i))] if blank else []
        rows.append([text(view.names[i]), *cell, *map(decimals.signed, values[i])])
    if len(order) > top:
        rest = values[order[top:]].sum(axis=0)
        rows.append([f"the {len(order) - top:,} other features", *blank, *map(decimals.signed, rest)])
    last = view.space if known else "sum"
    rows.append([f"<b>{last}</b>", *blank, *(f"<b>{decimals.show(total)}</b>" for total in sums)])
    heads = [f"row 0 of {len(e)}" if len(e) > 1 else "the row", *(["value"] if blank else [])]
    heads += [text(view.title(k)) or "contribution" for k in chosen]
    more = f'<div style="opacity:.75">and {count - len(chosen):,} more</div>' if count > len(chosen) > 1 else ""
    return _table(heads, rows) + more
