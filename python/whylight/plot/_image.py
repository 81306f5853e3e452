"""Images under the values of their pixels or superpixels."""

from __future__ import annotations

import math

import numpy as np

from ..errors import ParameterError
from ..html import number, plain
from . import _drawn
from ._figure import _LINE, _axes, _escaped, _lines, _minus, _size, _wrap

#: Inches of a panel's longer side and of the column of colour bars, at a font of 10 points.
_PANEL, _BAR = 2.6, 0.85
#: Values of pixels beyond this share of them have the strongest colour: a few of them outshine all others.
_SHARE = 99.5
#: Characters of a title on a line.
_TITLE = 26


@_drawn
def figure(e, index, output, max_outputs, alpha):
    """A row for each image: itself, then an output each."""
    if isinstance(max_outputs, bool) or not isinstance(max_outputs, (int, np.integer)) or max_outputs < 1:
        raise ParameterError(f"max_outputs: {max_outputs!r} is not allowed: a number of outputs from 1")
    if isinstance(alpha, bool) or not isinstance(alpha, (int, float)) or not 0 < alpha <= 1:
        raise ParameterError(f"alpha: {alpha!r} is not allowed: a number above 0, up to 1")
    images = [e._position(i) for i in ([index] if isinstance(index, (int, np.integer)) else index)]
    if not images:
        raise ParameterError("index: no images are not allowed: a position, or a list of them")
    chosen = [_outputs(e, i, output, max_outputs) for i in images]
    columns = 1 + max(map(len, chosen))
    titles = [[_title(e, i, k) for k in outputs] for i, outputs in zip(images, chosen, strict=True)]
    heads = _LINE * 1.2 * sum(max(map(_lines, those)) for those in titles)
    ratio = max(e.images[i].shape[0] / e.images[i].shape[1] for i in images)
    wide = _PANEL / max(1.0, ratio)
    whole, first = _axes(None, columns * wide + _BAR, len(images) * (wide * ratio + 0.15) + heads)
    first.remove()
    grid = whole.add_gridspec(len(images), columns)
    for row, (i, outputs, heads) in enumerate(zip(images, chosen, titles, strict=True)):
        axes = [whole.add_subplot(grid[row, column]) for column in range(columns)]
        _picture(axes[0], e, i)
        _values(whole, axes, e, i, outputs, alpha)
        for ax, head in zip(axes[1:], heads, strict=False):
            ax.set_title(_escaped(head), fontsize=_size(0.9))
        for ax in axes:
            ax.set_axis_off()
    return whole


def _outputs(e, index, output, most):
    """The outputs that are drawn of an image, the largest answer first unless they are named."""
    if output is not None:
        listed = [output] if isinstance(output, (str, int, np.integer)) else list(output)
        if not listed:
            raise ParameterError("output: none are not allowed: a name, a position, or a list of them")
        return [e._output(one) for one in listed]
    return np.argsort(-e._sums[index], kind="stable")[:most].tolist()


def _title(e, index, output):
    """The output's name, and the way from the base value to the answer."""
    name = _wrap(plain(e.output_names[output]), _TITLE) if e.num_outputs > 1 or e.classes else ""
    base, answer = _alike(e._base[index, output], e._sums[index, output])
    return "\n".join(filter(None, [name, _minus(f"{base} → {answer}")]))


def _alike(*values):
    """Numbers to as many places: three digits of the largest."""
    largest = max(map(abs, values))
    if not 1e-4 <= largest < 1e7:
        return [number(f"{value:.2e}") for value in values]
    places = max(0, 2 - math.floor(math.log10(largest)))
    return [f"{round(value, places) + 0.0:.{places}f}" for value in values]


def _picture(ax, e, index):
    image = e.images[index]
    channels = image.shape[2]
    if channels in (3, 4):
        ax.imshow(_scaled(image)[:, :, :3], interpolation="nearest")
    else:
        ax.imshow(_grey(image), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    ax.set_title(f"image {index}" if len(e) > 1 else "image", fontsize=_size(0.9))


def _values(whole, axes, e, index, outputs, alpha):
    """The values of an image's outputs, on one scale."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    segments = None if e.image_segments is None else e.image_segments[index]
    if segments is None:
        maps = [e._values[index, :, :, :, k].sum(axis=2) for k in outputs]
        sizes = np.abs(np.stack(maps))
        # Of few values that are not 0 none is an exception.
        sizes = sizes[sizes > 0]
        limit = np.percentile(sizes, _SHARE) if sizes.size else 0.0
    else:
        maps = [e._values[index][:, k][segments] for k in outputs]
        limit = max(np.abs(part).max() for part in maps)
    limit = float(limit) or 1.0
    scale, norm = _scale(), Normalize(-limit, limit)
    height, width = e.images[index].shape[:2]
    extent = (-0.5, width - 0.5, height - 0.5, -0.5)
    grey = 0.25 + 0.75 * _grey(e.images[index])
    for ax, part in zip(axes[1:], maps, strict=False):
        ax.imshow(grey, cmap="gray", vmin=0, vmax=1, extent=extent, interpolation="nearest")
        strength = alpha * np.clip(np.abs(part) / limit, 0, 1) ** 0.7
        drawn = ax.imshow(part, cmap=scale, norm=norm, alpha=strength, extent=extent, interpolation="nearest")
        drawn.set_gid("values")
        if segments is not None:
            _borders(ax, segments)
    beyond = max(float(np.abs(part).max()) for part in maps) > limit * (1 + 1e-6)
    bar = whole.colorbar(
        ScalarMappable(norm, scale),
        ax=axes,
        fraction=0.05,
        pad=0.015,
        shrink=0.9,
        aspect=18,
        extend="both" if beyond else "neither",
    )
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=2, labelsize=_size(0.8))
    bar.locator = _ticks()
    bar.update_ticks()
    bar.set_label("value of a pixel" if segments is None else "value of a superpixel", fontsize=_size(0.8))


def _ticks():
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(5, symmetric=True)


def _borders(ax, segments):
    """Thin lines between superpixels."""
    from matplotlib.collections import LineCollection

    rows, columns = np.nonzero(segments[:, 1:] != segments[:, :-1])
    upright = np.stack([np.stack([columns + 0.5, rows - 0.5], 1), np.stack([columns + 0.5, rows + 0.5], 1)], 1)
    rows, columns = np.nonzero(segments[1:] != segments[:-1])
    level = np.stack([np.stack([columns - 0.5, rows + 0.5], 1), np.stack([columns + 0.5, rows + 0.5], 1)], 1)
    lines = np.concatenate([upright, level])
    ax.add_collection(LineCollection(lines, colors="white", linewidths=0.4, alpha=0.6), autolim=False)


def _scale():
    """From blue through white to red."""
    from matplotlib.colors import LinearSegmentedColormap

    colours = ["#08519c", "#3182bd", "#9ecae1", "#f7f7f7", "#fcae91", "#de2d26", "#a50f15"]
    return LinearSegmentedColormap.from_list("whylight_values", colours)


def _scaled(image):
    """An image from 0 to 1: of bytes as they are shown anywhere, of others by their range."""
    numbers = image.astype(np.float64)
    if image.dtype == np.uint8:
        return numbers / 255
    low, high = numbers.min(), numbers.max()
    if 0 <= low and high <= 1:
        return numbers
    if 0 <= low and high <= 255 and high > 2:
        return numbers / 255
    return (numbers - low) / ((high - low) or 1.0)


def _grey(image):
    """The lightness of an image, from 0 to 1."""
    scaled = _scaled(image)
    if image.shape[2] in (3, 4):
        return scaled[:, :, :3] @ [0.299, 0.587, 0.114]
    return scaled.mean(axis=2)
