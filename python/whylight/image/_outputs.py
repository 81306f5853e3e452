"""What is said of the outputs of a model, and of the values of its images."""

from __future__ import annotations

import numpy as np

from ..errors import ParameterError, ShapeError
from ._read import CHANNELS, LAYOUTS


def named(count, known, given, outputs):
    """The outputs that are kept of so many, by position, and what the result says of them.

    `known` are the names of all, which the user has `given` or the model has.
    """
    if known is not None and len(known) != count and not (len(known) == 2 and count == 1):
        if given:
            raise ParameterError(f"classes: {len(known)} names are not allowed: the model has {count} outputs")
        known = None
    if known is None:
        names = [f"output {k}" for k in range(count)]
    else:
        # One output stands for the second of two classes.
        names = [str(label) for label in known][-count:]
    if outputs is None:
        task = "unknown" if known is None else "classification"
        return np.arange(count), {"output_names": names, "classes": known, "model_task": task}
    kept = []
    for output in outputs:
        place = names.index(output) if isinstance(output, str) and output in names else output
        if isinstance(place, bool) or not isinstance(place, (int, np.integer)) or not 0 <= place < count:
            some = ", ".join(names[:8]) + (", …" if count > 8 else "")
            raise ParameterError(f"outputs: {output!r} is not allowed: positions from 0 to {count - 1}, or {some}")
        kept.append(int(place))
    if not kept:
        raise ParameterError("outputs: none are not allowed: name one, or leave it out for all")
    # Some outputs of a classifier are no classifier.
    return np.array(kept), {"output_names": [names[k] for k in kept]}


def part(e, kept) -> dict:
    """The kept outputs of an explanation of examples, each array with an axis of them at its end."""

    def several(array, axes):
        return None if array is None else array.reshape(*array.shape[:axes], -1)[..., kept]

    return {
        "values": several(e.values, 2),
        "standard_errors": several(e.standard_errors, 2),
        "base_values": np.tile(np.ravel(e.base_values)[kept], (len(e), 1)),
        "completeness_delta": several(e.completeness_delta, 1),
        "recomputed": e.recomputed,
        "details": e.details,
    }


def joined(parts) -> dict:
    """The arrays of parts one after the other; what only some have is 0 in the others."""
    whole = {}
    for name in parts[0]:
        if name == "details":
            continue
        if all(part[name] is None for part in parts):
            whole[name] = None
            continue
        # Errors are laid out as the values are.
        whole[name] = np.concatenate(
            [np.zeros_like(part["values"]) if part[name] is None else part[name] for part in parts]
        )
    return whole


def laid(values, shape, image, layout, first, known):
    """Values (n, cells, outputs) of examples of a shape as (n, height, width, channels, outputs).

    `first` is whether the channels of the examples come first, or None where a function of the user made them of images
    of the shape `image`; `known` is then what the model takes, where it says so.
    """
    n, outputs = len(values), values.shape[-1]
    if layout is not None:
        first = LAYOUTS[layout]
    if len(shape) == 1 and shape[0] == int(np.prod(image)) and (image[2] == 1 or layout is not None):
        shape = (image[2], *image[:2]) if first else image
    elif len(shape) == 2:
        shape, first = (*shape, 1), False
    if len(shape) != 3:
        raise ShapeError(
            f"preprocess: what it makes of an image, {shape}, cannot be laid back to pixels; give an array (n, "
            'height, width, channels) or (n, channels, height, width), or say with layout="NHWC" or "NCHW" how the '
            "cells of a row follow each other"
        )
    if first is None:
        last_fits, first_fits = shape[:2] == image[:2], shape[1:] == image[:2]
        if last_fits != first_fits:
            first = first_fits
        elif known is not None:
            first = known
        elif (shape[0] in CHANNELS) != (shape[2] in CHANNELS):
            first = shape[0] in CHANNELS
        else:
            raise ShapeError(
                f"preprocess: what it makes of an image, {shape}, does not say where the channels are: give "
                'layout="NHWC" (channels last) or layout="NCHW" (channels first)'
            )
    values = values.reshape(n, *shape, outputs)
    return np.ascontiguousarray(np.moveaxis(values, 1, 3)) if first else values


def details(parts, count):
    """What was computed of all images, of what was of each."""
    of_cells = ("feature_names", "columns", "groups", "output_names", "inputs")
    one = {name: value for name, value in parts[0].items() if name not in of_cells}
    errors = [part.get("additivity_error") for part in parts]
    several = len(parts) > 1
    notes = [
        f"image {i}: {note}" if several else note for i, part in enumerate(parts) for note in part.get("notes", [])
    ]
    return {
        **one,
        "rows": count,
        # None is what JSON makes of an infinite one.
        "additivity_error": None if None in errors else max(errors),
        "standard_error": max(part.get("standard_error", 0.0) for part in parts),
        "notes": notes,
    }


def said(fill):
    """A fill in words."""
    return fill if isinstance(fill, (str, int, float)) else "a colour" if np.ndim(fill) == 1 else "an image"
