"""Explanations of images as one .npz file: their arrays bit for bit, and the rest as JSON."""

from __future__ import annotations

import numpy as np

from ..errors import UnsupportedError
from . import _npz
from ._image import ImageExplanation

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
    more = {"images": len(e), "is_of_superpixels": e.image_segments is not None}
    _npz.write(path, _npz.head_of(e, FORMAT, VERSION, **more), _npz.packed(e, LISTS, ARRAYS))


def built(head, arrays) -> ImageExplanation:
    count = head["images"]
    if type(count) is not int or count < 1 or f"images.{count - 1}" not in arrays:
        raise ValueError(f"{count!r} images are announced, and are not there")
    parts = _npz.unpacked(arrays, count, LISTS, ARRAYS)
    if ("image_segments" in parts) is not head["is_of_superpixels"]:
        raise ValueError("superpixels are announced and are not there, or the other way")
    if not head["is_of_superpixels"]:
        parts |= {name: np.stack(parts[name]) for name in ("values", "standard_errors") if name in parts}
    return ImageExplanation(**_npz.read_head(head), **parts)
