"""Explanations as one .npz file: arrays bit for bit, and the rest as JSON, under the name `head`."""

from __future__ import annotations

import json
import os
import uuid
import zipfile

import numpy as np

from ..errors import DataError, FileError, ShapeError
from ._head import BROKEN, damaged, naming

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
