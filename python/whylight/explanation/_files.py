"""Explanations in files: a directory that interpret-community reads, too, or one table file."""

from __future__ import annotations

import os

from ..errors import FileError, UnsupportedError
from . import _compact, _directory, _image_file, _npz, _text_file
from ._image import ImageExplanation
from ._result import Explanation
from ._text import TextExplanation

#: What an .npz file can hold, by the format that it names.
NPZ = {file.FORMAT: (file.VERSION, file.built) for file in (_image_file, _text_file)}


def save_explanation(explanation, path, exist_ok=False):
    """Saves an explanation: all of it, bit for bit.

    A path that ends in `.parquet`, `.pq`, `.arrow`, `.feather` or `.arrows` becomes one table file, which any reader
    of such tables opens: a column per feature (and output), and the explained rows as further columns if they are
    numbers. It suits millions of rows; what it cannot hold (rows that are no numbers, sparse values) is left out with
    a warning, or refused. Any other path becomes a directory of JSON files as interpret-community's `save_explanation`
    writes it, with a file of our own, `whylight.json`, for what that format loses.

    An explanation of images or texts becomes one file, whose path ends in `.npz`.

    A path that exists is refused, or replaced with `exist_ok=True`.
    """
    if not isinstance(explanation, (Explanation, ImageExplanation, TextExplanation)):
        raise UnsupportedError(
            f"{type(explanation).__name__} is not supported by save_explanation: give a whylight.Explanation"
        )
    path = os.fsdecode(path)
    if os.path.lexists(path) and not exist_ok:
        raise FileError(f"{path}: it exists already; choose a new path, or replace it with exist_ok=True")
    if isinstance(explanation, ImageExplanation):
        _image_file.save(explanation, path)
        return
    if isinstance(explanation, TextExplanation):
        _text_file.save(explanation, path)
        return
    (_compact if _compact.is_table(path) else _directory).save(explanation, path)


def load_explanation(path) -> Explanation | ImageExplanation | TextExplanation:
    """The explanation in a directory, of whylight or of interpret-community, or in a table or .npz file of whylight."""
    path = os.fsdecode(path)
    if _npz.is_file(path) and not os.path.isdir(path):
        return _npz.read(path, NPZ)
    is_file = _compact.is_table(path) and not os.path.isdir(path)
    return (_compact if is_file else _directory).load(path)
