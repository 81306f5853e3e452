"""Explanations as one .npz file: arrays bit for bit, and the rest as JSON, under the name `head`."""

from __future__ import annotations

import json
import os
import uuid
import zipfile

import numpy as np

from ..errors import DataError, FileError, ShapeError
from ._head import BROKEN, damaged, naming
from ._pack import decode, encode

ENDING = ".npz"


def is_file(path):
    return path.lower().endswith(ENDING)


def write(path, head, arrays):
    """Writes a file, which takes its name when it is complete."""
    arrays = {**arrays, "head": np.frombuffer(json.dumps(head).encode(), np.uint8)}
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


def packed(e, lists, arrays):
    """The parts of an explanation that are there, as arrays.

    `lists` have one for each example, `arrays` one for all; both are names → attributes.
    """
    found = {}
    for name, attribute in lists.items():
        parts = getattr(e, attribute)
        for i, part in enumerate(parts if parts is not None else ()):
            found[f"{name}.{i}"] = part
    for name, attribute in arrays.items():
        part = getattr(e, attribute)
        if part is not None:
            found[name] = part
    return found


def unpacked(found, count, lists, arrays):
    """The parts, by name, of so many examples."""
    parts = {name: [found[f"{name}.{i}"] for i in range(count)] for name in lists if f"{name}.0" in found}
    return parts | {name: found[name] for name in arrays if name in found}


def head_of(e, form, version, **more):
    """What the head says of an explanation of texts or images."""
    lost = []
    return {
        "format": form,
        "format_version": version,
        "explanation_id": e.id,
        "output_names": e.output_names,
        "classes": encode(e.classes, lost),
        "model_task": e.model_task,
        "model_type": encode(e.model_type, lost),
        "details": encode(e.details, lost),
        **more,
    }


def read_head(head, *texts):
    """What `head_of` said, for the constructor; `texts` have to be texts, too."""
    names, details = head["output_names"], decode(head["details"])
    if not isinstance(names, list) or not isinstance(details, dict):
        raise ValueError("names or details of the wrong type")
    texts = [head["explanation_id"], head["model_task"], *names, *texts]
    if not all(isinstance(text, str) for text in texts):
        raise ValueError("a name, an id or a document that is no text")
    return {
        "output_names": names,
        "classes": decode(head["classes"]),
        "model_task": head["model_task"],
        "model_type": decode(head["model_type"]),
        "details": details,
        "id": head["explanation_id"],
    }


def read(path, formats):
    """What is in a file: `formats` has, by the format that the head names, its version and what builds it."""
    nothing = DataError(f"{path}: it holds no explanation; name a file that save_explanation wrote")
    try:
        # Without pickles, whatever the file says is numbers.
        file = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise FileError(f"{path}: no such file; name one that save_explanation wrote") from None
    except OSError as error:
        raise FileError(f"{path}: {error.strerror or error}") from None
    except (*BROKEN, EOFError, zipfile.BadZipFile):
        raise nothing from None
    if not isinstance(file, np.lib.npyio.NpzFile):
        raise nothing
    try:
        with file, naming(path):
            if "head" not in file:
                raise nothing
            if file["head"].dtype != np.uint8:
                raise ValueError("a head that is no text")
            head = json.loads(file["head"].tobytes())
            if not isinstance(head, dict) or head.get("format") not in formats:
                raise nothing
            version, build = formats[head["format"]]
            if head.get("format_version") != version:
                raise DataError(
                    f"{path}: format version {head.get('format_version')!r}, of which this whylight reads {version}; "
                    "update whylight"
                )
            arrays = {name: file[name] for name in file.files if name != "head"}
            if any(part.dtype.kind not in "biuf" for part in arrays.values()):
                raise ValueError("an array of something else than numbers")
            return build(head, arrays)
    except ShapeError as error:
        raise damaged(path, str(error)) from None
    except (EOFError, zipfile.BadZipFile, OSError) as error:
        raise damaged(path, str(error) or type(error).__name__) from None
