"""Explanations of images as one .npz file: their arrays bit for bit, and the rest as JSON."""

from __future__ import annotations

import json
import os
import uuid
import zipfile

import numpy as np

from ..errors import DataError, FileError, ShapeError, UnsupportedError
from ._head import BROKEN, damaged, naming
from ._image import ImageExplanation
from ._pack import decode, encode

ENDING = ".npz"
FORMAT, VERSION = "whylight image explanation", 1
#: Parts with an array for each image, and those with one for all.
LISTS = {"images": "images", "image_segments": "image_segments", "values": "_values", "standard_errors": "_errors"}
ARRAYS = {"base_values": "_base", "completeness_delta": "_delta", "recomputed": "recomputed"}


def is_file(path):
    return path.lower().endswith(ENDING)


def save(e, path):
    if not is_file(path):
        raise UnsupportedError(
            f"{path}: an explanation of images is not supported by directories and tables: give a path that ends in "
            f"{ENDING}"
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
    arrays["head"] = np.frombuffer(json.dumps(head).encode(), np.uint8)
    part = f"{path}.{uuid.uuid4().hex}.part"
    try:
        try:
            with open(part, "wb") as file:
                np.savez_compressed(file, **arrays)
            os.replace(part, path)
        finally:
            if os.path.exists(part):
                os.remove(part)
    except OSError as error:
        raise FileError(f"{path}: {error.strerror or error}") from None


def load(path) -> ImageExplanation:
    try:
        # Without pickles, whatever the file says is numbers.
        file = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise FileError(f"{path}: no such file; name one that save_explanation wrote") from None
    except OSError as error:
        raise FileError(f"{path}: {error.strerror or error}") from None
    except (*BROKEN, EOFError, zipfile.BadZipFile):
        raise DataError(f"{path}: it holds no explanation; name a file that save_explanation wrote") from None
    if not isinstance(file, np.lib.npyio.NpzFile):
        raise DataError(f"{path}: it holds no explanation; name a file that save_explanation wrote")
    try:
        with file, naming(path):
            return _built(file, path)
    except ShapeError as error:
        raise damaged(path, str(error)) from None
    except (EOFError, zipfile.BadZipFile, OSError) as error:
        raise damaged(path, str(error) or type(error).__name__) from None


def _built(file, path):
    if "head" not in file:
        raise DataError(f"{path}: it holds no explanation; name a file that save_explanation wrote")
    if file["head"].dtype != np.uint8:
        raise ValueError("a head that is no text")
    head = json.loads(file["head"].tobytes())
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        raise DataError(f"{path}: it holds no explanation of images; name a file that save_explanation wrote")
    if head.get("format_version") != VERSION:
        raise DataError(
            f"{path}: format version {head.get('format_version')!r}, of which this whylight reads {VERSION}; update "
            "whylight"
        )
    count = head["images"]
    if type(count) is not int or count < 1 or f"images.{count - 1}" not in file:
        raise ValueError(f"{count!r} images are announced, and are not there")
    names, details = head["output_names"], decode(head["details"])
    texts = [head["explanation_id"], head["model_task"], *names]
    if not isinstance(names, list) or not isinstance(details, dict) or not all(isinstance(t, str) for t in texts):
        raise ValueError("details, names or an id of the wrong type")
    numbers = [file[name] for name in file.files if name != "head"]
    if any(part.dtype.kind not in "biuf" for part in numbers):
        raise ValueError("an array of something else than numbers")
    parts = {name: [file[f"{name}.{i}"] for i in range(count)] for name in LISTS if f"{name}.0" in file}
    parts |= {name: file[name] for name in ARRAYS if name in file}
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
