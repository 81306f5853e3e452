"""Explanations of texts as one .npz file: their arrays bit for bit, the texts and the rest as JSON."""

from __future__ import annotations

from ..errors import UnsupportedError
from . import _npz
from ._pack import decode, encode
from ._text import TextExplanation

FORMAT, VERSION = "whylight text explanation", 1
#: Parts with an array for each document, those with one for all, and those that need not be there.
LISTS = {
    "offsets": "offsets",
    "sentence_offsets": "sentence_offsets",
    "sentence_of": "sentence_of",
    "player_of": "player_of",
    "values": "_values",
    "standard_errors": "_errors",
    "attention": "attention",
    "sentence_attention": "sentence_attention",
}
ARRAYS = {"base_values": "_base", "answers": "_answers", "local_fit": "_fit"}


def save(e, path):
    if not _npz.is_file(path):
        raise UnsupportedError(
            f"{path}: an explanation of texts is not supported by directories and tables: give a path that ends in "
            f"{_npz.ENDING}"
        )
    more = {"documents": e.documents, "fidelity": encode(e.fidelity, [])}
    _npz.write(path, _npz.head_of(e, FORMAT, VERSION, **more), _npz.packed(e, LISTS, ARRAYS))


def built(head, arrays) -> TextExplanation:
    documents = head["documents"]
    if not isinstance(documents, list) or not documents:
        raise ValueError("no documents")
    parts = _npz.unpacked(arrays, len(documents), LISTS, ARRAYS)
    return TextExplanation(documents, fidelity=decode(head["fidelity"]), **_npz.read_head(head, *documents), **parts)
