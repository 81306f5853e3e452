"""Images as people hold them → arrays (height, width, channels)."""

from __future__ import annotations

import os

import numpy as np

from .._table import held
from ..errors import DataError, FileError, ParameterError, ShapeError, UnsupportedError

#: Whether the channels come first, by the name of a layout.
LAYOUTS = {"NHWC": False, "NCHW": True}
#: How many channels tell an axis of channels from one of pixels.
CHANNELS = (1, 3, 4)


def pillow():
    try:
        import PIL.Image
    except ImportError as error:
        raise UnsupportedError('image files need Pillow: pip install "whylight[image]"') from error
    return PIL.Image


def read(given, *, layout=None, form=None, first=False, size=None, what="image") -> list[np.ndarray]:
    """The images that are given, each (height, width, channels).

    `layout` is the user's word for arrays; `form` is the shape of one example as the model takes it, where it is known,
    and `first` whether its channels come first. `size` is (height, width).
    """
    given = held(given)
    if _is_one(given):
        items = [given]
    elif isinstance(given, (list, tuple)):
        items = list(given)
        if items and isinstance(items[0], (list, int, float)):
            items = _several(np.asarray(given), layout, form, first)
    else:
        items = _several(np.asarray(given), layout, form, first)
    if len(items) == 0:
        raise ShapeError(f"the {what}s: none; expected a path, an array (height, width, channels), or a list of them")
    mode = "L" if form is not None and len(form) == 3 and form[0 if first else 2] == 1 else "RGB"
    images = [_image(item, f"{what} {i}", layout, form, first, mode) for i, item in enumerate(items)]
    return images if size is None else [resized(image, size) for image in images]


def _is_one(given):
    """Whether this is one image that is no array."""
    return isinstance(given, (str, os.PathLike)) or (hasattr(given, "convert") and hasattr(given, "getbands"))


def _several(array, layout, form, first):
    """The images in one array."""
    if array.ndim not in (2, 3, 4):
        raise ShapeError(
            f"the images: an array of shape {array.shape}; expected (height, width), (height, width, channels) or "
            "(images, height, width, channels)"
        )
    if array.ndim < 4:
        return [array]
    # Found once for all of them.
    if channels_first(array.shape[1:], layout, form, first, "the images"):
        array = np.moveaxis(array, 1, -1)
    return [_Laid(image) for image in array]


class _Laid:
    """An image whose channels are known to come last."""

    def __init__(self, array):
        self.array = array


def _image(item, name, layout, form, first, mode):
    if _is_one(item):
        array = _opened(item, name, mode)
    elif isinstance(item, _Laid):
        array = item.array
    else:
        array = np.asarray(held(item))
        if array.ndim == 3 and channels_first(array.shape, layout, form, first, name):
            array = np.moveaxis(array, 0, -1)
    if array.ndim == 2:
        array = array[:, :, np.newaxis]
    if array.ndim != 3:
        raise ShapeError(f"{name}: expected (height, width) or (height, width, channels), got the shape {array.shape}")
    if 0 in array.shape:
        raise ShapeError(f"{name}: no pixels, its shape is {array.shape}")
    if array.dtype.kind not in "biuf":
        raise DataError(f"{name}: expected numbers, got {array.dtype}")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise DataError(f"{name}: a pixel is not finite; expected finite numbers")
    if array.dtype == bool or array.dtype == np.float16:
        array = array.astype(np.uint8 if array.dtype == bool else np.float32)
    return np.ascontiguousarray(array)


def _opened(item, name, mode):
    image_module = pillow()
    if not isinstance(item, (str, os.PathLike)):
        return np.asarray(item.convert(mode))
    path = os.fsdecode(item)
    try:
        with image_module.open(path) as image:
            return np.asarray(image.convert(mode))
    except FileNotFoundError:
        raise FileError(f"{path}: no such file ({name}); expected the path of an image") from None
    except Exception as error:  # noqa: BLE001
        # Pillow raises errors of many kinds at damaged files.
        said = "no image that Pillow knows" if type(error).__name__ == "UnidentifiedImageError" else error
        raise FileError(f"{path}: it cannot be read as an image ({said}); give a PNG, a JPEG, or an array") from None


def channels_first(shape, layout, form, first, name):
    """Whether the channels of an image of three axes come first."""
    if layout is not None:
        return LAYOUTS[layout]
    if form is not None and len(form) == 3:
        as_it_takes, other = tuple(form), (form[1], form[2], form[0]) if first else (form[2], form[0], form[1])
        fits = [shape == as_it_takes, shape == other]
        if fits[0] != fits[1]:
            return first == fits[0]
    front, back = shape[0] in CHANNELS, shape[-1] in CHANNELS
    if back and not (front and first):
        return False
    if front and not back and first:
        return True
    said = "its channels may be the first axis or the last" if front and back else "no axis looks like channels"
    if front and not back:
        said = "its channels seem to come first, and functions of images get them last"
    raise ShapeError(
        f'{name}: the shape {shape} is not clear: {said}; say layout="NHWC" (channels last) or layout="NCHW" (first), '
        "or give several grey images as a list"
    )


def size_of(size):
    """(height, width) of what was given as the size."""
    if size is None:
        return None
    pair = (size, size) if isinstance(size, (int, np.integer)) else size
    try:
        height, width = (int(side) for side in pair)
        whole = (height, width) == tuple(pair) and min(height, width) > 0
    except (TypeError, ValueError):
        whole = False
    if not whole:
        raise ParameterError(f"size: {size!r} is not allowed: (height, width) in pixels, or one number for both")
    return height, width


def resized(image, size):
    """An image of another height and width, by bilinear interpolation that averages where it shrinks."""
    if image.shape[:2] == size:
        return image
    module = pillow()
    # Channel by channel in float32, which holds any kind of number alike.
    planes = [module.fromarray(np.ascontiguousarray(image[:, :, c], np.float32)) for c in range(image.shape[2])]
    made = np.stack([np.asarray(plane.resize(size[::-1], module.Resampling.BILINEAR)) for plane in planes], axis=-1)
    return made.round().astype(image.dtype) if image.dtype.kind in "iu" else made.astype(image.dtype)
