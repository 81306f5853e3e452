"""Superpixels, what stands in their place where they are left out, and the images of coalitions."""

from __future__ import annotations

import numpy as np

from ..errors import ParameterError, ShapeError, UnsupportedError
from ._read import read

#: The standard deviation of the blur, as a share of the longer side.
BLUR = 0.1
FILLS = '"mean", "blur", a number, a colour, or an image'


def skimage(module, why):
    """A module of scikit-image."""
    import importlib

    try:
        return importlib.import_module(f"skimage.{module}")
    except ImportError as error:
        raise UnsupportedError(f'{why} need scikit-image: pip install "whylight[image]"') from error


# Fills ----------------------------------------------------------------------------------------------------------------


def check_fill(fill):
    if isinstance(fill, str) and fill not in ("mean", "blur"):
        # Any other text could be a path, but a typing error of these is likelier.
        if "." not in fill:
            raise ParameterError(f"fill: {fill!r} is not allowed: {FILLS}")
    return fill


def filled(image, fill, **how):
    """What the whole image is where nothing of it is there; `how` is how images are read."""
    channels, dtype = image.shape[2], image.dtype
    if isinstance(fill, str) and fill == "blur":
        filters = skimage("filters", "blurred images")
        blurred = filters.gaussian(
            image.astype(np.float64), BLUR * max(image.shape[:2]), channel_axis=-1, preserve_range=True
        )
        return _as(blurred, dtype)
    if isinstance(fill, str) and fill == "mean":
        colour = image.mean(axis=(0, 1), dtype=np.float64)
        return np.broadcast_to(_as(colour, dtype), image.shape).copy()
    if isinstance(fill, (int, float, np.integer, np.floating)) and not isinstance(fill, bool):
        return np.full(image.shape, _fitting(np.float64(fill), dtype, fill), dtype)
    flat = np.asarray(fill) if isinstance(fill, (list, tuple, np.ndarray)) else None
    if flat is not None and flat.ndim == 1 and flat.dtype.kind in "iuf":
        if len(flat) != channels:
            raise ParameterError(f"fill: a colour of {len(flat)} numbers is not allowed: the image has {channels}")
        return np.broadcast_to(_fitting(flat, dtype, fill), image.shape).copy()
    found = read(fill, size=image.shape[:2], what="fill", **how)
    if len(found) != 1:
        raise ParameterError(f"fill: {len(found)} images are not allowed: {FILLS}")
    if found[0].shape != image.shape:
        raise ShapeError(f"fill: expected an image of shape {image.shape}, as the image, got {found[0].shape}")
    return _fitting(found[0], dtype, "an image of its numbers")


def _as(numbers, dtype):
    return (np.round(numbers) if dtype.kind in "iu" else numbers).astype(dtype)


def _fitting(numbers, dtype, fill):
    """Numbers as pixels of this type, which has to hold them."""
    made = np.asarray(numbers).astype(np.float64)
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        if not ((made == made.round()) & (made >= info.min) & (made <= info.max)).all():
            raise ParameterError(
                f"fill: {fill} is not allowed in images of {dtype}: whole numbers from {info.min} to {info.max}, as "
                "their pixels are"
            )
    elif not np.isfinite(made).all():
        raise ParameterError(f"fill: {fill} is not allowed: finite numbers")
    return made.astype(dtype)


# Superpixels ----------------------------------------------------------------------------------------------------------


def segments(image, segmentation, *, n_segments, compactness, sigma, name):
    """The superpixel of each pixel, (height, width), counted from 0 without gaps."""
    if segmentation is None:
        labels = _slic(image, n_segments, compactness, sigma)
    else:
        labels = segmentation(image) if callable(segmentation) else segmentation
        labels = np.asarray(labels)
        if labels.shape != image.shape[:2] or labels.dtype.kind not in "biu":
            raise ShapeError(
                f"segmentation: expected whole numbers of shape {image.shape[:2]}, one per pixel of {name}, got "
                f"{labels.dtype} of shape {labels.shape}"
            )
    _, inverse = np.unique(labels, return_inverse=True)
    return inverse.reshape(image.shape[:2]).astype(np.int32)


def _slic(image, n_segments, compactness, sigma):
    segmentation = skimage("segmentation", "superpixels")
    scaled = image.astype(np.float64)
    low, high = scaled.min(), scaled.max()
    scaled = (scaled - low) / ((high - low) or 1.0)
    if image.shape[2] == 1:
        # In the colour space of the others the same compactness means the same.
        scaled = np.repeat(scaled, 3, axis=2)
    has_colours = scaled.shape[2] in (3, 4)
    return segmentation.slic(
        scaled[:, :, :3] if has_colours else scaled,
        n_segments=n_segments,
        compactness=compactness if has_colours else compactness / 100,
        sigma=sigma,
        start_label=0,
        convert2lab=has_colours,
        channel_axis=-1,
    )


class Coalitions:
    """The images in which some superpixels of one are there, and the others filled."""

    def __init__(self, image, fill, labels, first):
        """`first` lays the images out with their channels first."""
        self.count = int(labels.max()) + 1
        #: By superpixel, whether it is another thing than its fill.
        self.vary = np.zeros(self.count, bool)
        self.vary[labels[(image != fill).any(axis=2)]] = True
        labels = np.broadcast_to(labels[:, :, np.newaxis], image.shape)
        image, fill, labels = (np.moveaxis(a, 2, 0) if first else a for a in (image, fill, labels))
        self._shape = image.shape
        self._image, self._fill, self._labels = (np.ravel(a) for a in (image, fill, labels))

    @property
    def bytes(self):
        """What one image takes."""
        return self._image.nbytes

    def images(self, masks):
        """An image for each row of `masks`, (coalitions, superpixels)."""
        made = np.empty((len(masks), self._image.size), self._image.dtype)
        for cells, mask in zip(made, masks, strict=True):
            cells[:] = self._fill
            np.copyto(cells, self._image, where=mask[self._labels])
        return made.reshape(len(masks), *self._shape)
