"""Explanations of images as one .npz file: their arrays bit for bit, and the rest as JSON."""

from __future__ import annotations

import numpy as np

from ..errors import UnsupportedError
from . import _npz
from ._image import ImageExplanation
from ._pack import decode, encode

FORMAT, VERSION = "whylight image explanation", 1
#: Parts with an array for each image, and those with one for all.
LISTS = {"images": "images", "image_segments": "image_segments", "values": "_values", "standard_errors": "_errors"}
ARRAYS = {"base_values": "_base", "completeness_delta": "_delta", "recomputed": "recomputed"}


def save(e, path):
    if not _npz.is_file(path):
        raise UnsupportedError(
            f"{path}: an explanation of images is not supported by directories and tables: give a path that ends in "
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
        "images": len(e),
        "is_of_superpixels": e.image_segments is not None,
        "explanation_id": e.id,
        "output_names": e.output_names,
        "classes": encode(e.classes, lost),
        "model_task": e.model_task,
        "model_type": encode(e.model_type, lost),
        "details": encode(e.details, lost),
    }
    _npz.write(path, head, arrays)


def built(head, arrays) -> ImageExplanation:
    count = head["images"]
    if type(count) is not int or count < 1 or f"images.{count - 1}" not in arrays:
        raise ValueError(f"{count!r} images are announced, and are not there")
    names, details = head["output_names"], decode(head["details"])
    texts = [head["explanation_id"], head["model_task"], *names]
    if not isinstance(names, list) or not isinstance(details, dict) or not all(isinstance(t, str) for t in texts):
        raise ValueError("details, names or an id of the wrong type")
    parts = {name: [arrays[f"{name}.{i}"] for i in range(count)] for name in LISTS if f"{name}.0" in arrays}
    parts |= {name: arrays[name] for name in ARRAYS if name in arrays}
    if ("image_segments" in parts) is not head["is_of_superpixels"]:
        raise ValueError("superpixels are announced and are not there, or the other way")
    if not head["is_of_superpixels"]:
        parts |= {name: np.stack(parts[name]) for name in ("values", "standard_errors") if name in parts}
    return ImageExplanation(
        output_names=names,
        classes=decode(head["classes"]),
        model_task=head["model_task"],
        model_type=decode(head["model_type"]),
        details=details,
        id=head["explanation_id"],
        **parts,
    )
