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
    lost, arrays = [], {}
    for name, attribute in LISTS.items():
        parts = getattr(e, attribute)
        for i, part in enumerate(parts if parts is not None else ()):
            arrays[f"{name}.{i}"] = part
    for name, attribute in ARRAYS.items():
        part = getattr(e, attribute)
        if part is not None:
            arrays[name] = part
    head = {
        "format": FORMAT,
        "format_version": VERSION,
        "documents": e.documents,
        "explanation_id": e.id,
        "output_names": e.output_names,
        "classes": encode(e.classes, lost),
        "model_task": e.model_task,
        "model_type": encode(e.model_type, lost),
        "fidelity": encode(e.fidelity, lost),
        "details": encode(e.details, lost),
    }
    _npz.write(path, head, arrays)


def built(head, arrays) -> TextExplanation:
    documents, names, details = head["documents"], head["output_names"], decode(head["details"])
    if not isinstance(names, list) or not isinstance(documents, list) or not isinstance(details, dict):
        raise ValueError("documents, names or details of the wrong type")
    texts = [head["explanation_id"], head["model_task"], *names, *documents]
    if not documents or not all(isinstance(text, str) for text in texts):
        raise ValueError("no documents, or documents, names or an id that are no text")
    parts = {name: [arrays[f"{name}.{i}"] for i in range(len(documents))] for name in LISTS if f"{name}.0" in arrays}
    parts |= {name: arrays[name] for name in ARRAYS if name in arrays}
    return TextExplanation(
        documents,
        output_names=names,
        classes=decode(head["classes"]),
        model_task=head["model_task"],
        model_type=decode(head["model_type"]),
        fidelity=decode(head["fidelity"]),
        details=details,
        id=head["explanation_id"],
        **parts,
    )
