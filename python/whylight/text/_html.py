"""Texts with their words highlighted, as HTML."""

from __future__ import annotations

import html

import numpy as np

from .. import _parameters
from ..html import Decimals, plain

#: Orange raises, blue lowers: apart for the colour-blind, too. The ground is translucent, and lets the text be read in
#: light and dark notebooks.
RAISES, LOWERS = "213,94,0", "0,114,178"
STRONGEST = 0.55

#: The part of the largest |value| from which a word is highlighted: the rest of a long text stays small.
LEAST = 0.02


def page(e, output, max_documents):
    """The first documents of an explanation."""
    most = _parameters.count("max_documents", max_documents, 1)
    fixed = None if output is None else e._output(output)
    parts = [_head(e)]
    for i in range(min(len(e), most)):
        k = int(np.argmax(e._answers[i])) if fixed is None else fixed
        parts.append(_document(e, i, k))
    if len(e) > most:
        parts.append(f'<div style="opacity:.75;margin-top:8px">and {len(e) - most:,} more documents</div>')
    return f'<div style="font-size:14px;line-height:1.9">{"".join(parts)}</div>'


def _head(e):
    key = (
        f"{_mark('raises', 'raises the output', RAISES, STRONGEST, 'solid')} "
        f"{_mark('lowers', 'lowers the output', LOWERS, STRONGEST, 'dashed')}"
    )
    return f"<div><b>{_text(e.method)}</b> · {key}</div>"


def _text(text):
    return html.escape(plain(text))


def _running(text):
    """Text between words: line ends stay."""
    return "<br>".join(_text(line) for line in text.replace("\r\n", "\n").replace("\t", " ").split("\n"))


def _mark(word, title, colour, alpha, line):
    style = f"background:rgba({colour},{alpha:.2f});border-bottom:2px {line} rgb({colour});color:inherit;padding:1px 0"
    return f'<mark style="{style}" title="{html.escape(title)}">{word}</mark>'


def _document(e, i, k):
    text, values = e.documents[i], e._values[i][:, k]
    largest = np.abs(values).max(initial=0.0)
    decimals = Decimals([e._base[i, k], e._answers[i, k], *values])
    errors = None if e._errors is None else e._errors[i][:, k]
    found, last = [], 0
    for word, (start, end) in enumerate(e.offsets[i].tolist()):
        found.append(_running(text[last:start]))
        value, last = values[word], end
        shown = _text(text[start:end])
        if largest == 0 or abs(value) < LEAST * largest:
            found.append(shown)
            continue
        title = decimals.signed(value) + (f" ± {decimals.show(errors[word])}" if errors is not None else "")
        raises = value > 0
        alpha = STRONGEST * abs(value) / largest
        found.append(_mark(shown, title, RAISES if raises else LOWERS, alpha, "solid" if raises else "dashed"))
    found.append(_running(text[last:]))
    name = f"{_text(e.output_names[k])}: " if e.num_outputs > 1 else ""
    head = f"{name}{decimals.show(e._base[i, k])} → {decimals.show(e._answers[i, k])}"
    return f'<div style="margin-top:10px"><div style="opacity:.75">{head}</div><div>{"".join(found)}</div></div>'
