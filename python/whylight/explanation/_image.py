"""The explanation of images: values of pixels, or of superpixels."""

from __future__ import annotations

import uuid

import numpy as np

from ..errors import ParameterError, ShapeError
from ._details import Details, detail


class ImageExplanation(Details):
    """Values that add up, with the base value, to what the model says of an image.

    - `values`: of pixels an array (images, height, width, channels[, outputs]); of superpixels, of which every image
      has its own, a list of an array (superpixels[, outputs]) for each image. The last axis is there for models of
      several outputs;
    - `base_values`: (images[, outputs]): what the values of an image are added to;
    - `images`: the explained ones, each (height, width, channels);
    - `image_segments`: the superpixel of each pixel, (height, width), for each image; None for values of pixels;
    - `standard_errors`: where values are estimated, laid out as they are, else None;
    - `completeness_delta`: of pixels, (images[, outputs]): how much more base value and values add up to than the
      network answers, else None; with a `tolerance`, `past_tolerance` are the images that pass it, (images,) of truths;
    - `recomputed`: with a `fallback`, the images that it computed, (images,) of truths, else None;
    - `output_names`, `details`: a name for each output; everything that was computed and how.

    Slicing by images gives the explanation of those images. `pixel_values(i)` is a map (height, width), `plot(i)` a
    figure.
    """

    def __init__(
        self,
        values,
        *,
        base_values,
        images,
        image_segments=None,
        standard_errors=None,
        completeness_delta=None,
        recomputed=None,
        output_names=None,
        classes=None,
        model_task="unknown",
        model_type=None,
        details=None,
        id=None,
    ):
        """Every array with an axis of outputs at its end."""
        self._base = np.asarray(base_values, np.float64)
        self._values = list(values) if image_segments is not None else np.asarray(values)
        self._errors = standard_errors
        if standard_errors is not None:
            self._errors = np.asarray(standard_errors) if image_segments is None else list(standard_errors)
        self.recomputed = None if recomputed is None else np.asarray(recomputed)
        self._delta = None if completeness_delta is None else np.asarray(completeness_delta)
        self.images = [np.asarray(image) for image in images]
        self.image_segments = None if image_segments is None else [np.asarray(part) for part in image_segments]
        self._check()
        outputs = self.num_outputs
        self.output_names = [f"output {k}" for k in range(outputs)] if output_names is None else list(output_names)
        if len(self.output_names) != outputs:
            raise ShapeError(f"output_names: expected {outputs}, one per output, got {len(self.output_names)}")
        self._classes = None if classes is None else list(classes)
        self.model_task, self.model_type = model_task, model_type
        self.details = dict(details or {})
        self.id = id or str(uuid.uuid4())

    def _check(self):
        """Refuses arrays that do not belong together."""
        if self._base.ndim != 2 or 0 in self._base.shape:
            raise ShapeError(f"base_values: expected (images, outputs), got {self._base.shape}")
        count, outputs = self._base.shape
        if len(self.images) != count or any(image.ndim != 3 for image in self.images):
            raise ShapeError(f"images: expected {count} of (height, width, channels), as there are base values")
        if self.image_segments is None:
            if self._values.ndim != 5 or self._values.shape[0] != count or self._values.shape[4] != outputs:
                raise ShapeError(
                    f"values: expected ({count}, height, width, channels, {outputs}), got {self._values.shape}"
                )
            if self._delta is not None and self._delta.shape != self._base.shape:
                raise ShapeError(f"completeness_delta: expected {self._base.shape}, got {self._delta.shape}")
            if self._errors is not None and self._errors.shape != self._values.shape:
                raise ShapeError("standard_errors: expected one for each value")
            if self.recomputed is not None and self.recomputed.shape != (count,):
                raise ShapeError(f"recomputed: expected {count} truths, got the shape {self.recomputed.shape}")
            return
        if len(self._values) != count or len(self.image_segments) != count:
            raise ShapeError(f"values: expected those of {count} images, as there are base values")
        for i, (values, segments) in enumerate(zip(self._values, self.image_segments, strict=True)):
            if segments.shape != self.images[i].shape[:2] or segments.dtype.kind not in "iu":
                raise ShapeError(f"image_segments: expected one for each pixel of image {i}, got {segments.shape}")
            if values.shape != (int(segments.max()) + 1, outputs) or segments.min() < 0:
                raise ShapeError(
                    f"values: those of image {i} have the shape {values.shape}, and do not fit its segments"
                )
        if self._errors is not None:
            shapes = [np.shape(part) for part in self._errors]
            if shapes != [part.shape for part in self._values]:
                raise ShapeError("standard_errors: expected one for each value")

    # What was computed ----------------------------------------------------------------------------------------------

    def _of_outputs(self, array):
        """Without the axis of outputs where there is one alone."""
        return array[..., 0] if array is not None and self.num_outputs == 1 else array

    @property
    def values(self):
        if self.image_segments is None:
            return self._of_outputs(self._values)
        return [self._of_outputs(part) for part in self._values]

    @property
    def base_values(self):
        return self._of_outputs(self._base)

    @property
    def standard_errors(self):
        if self._errors is None or self.image_segments is None:
            return self._of_outputs(self._errors)
        return [self._of_outputs(part) for part in self._errors]

    @property
    def completeness_delta(self):
        return self._of_outputs(self._delta)

    @property
    def past_tolerance(self):
        """By image, whether its completeness delta passes the tolerance; None where there is none."""
        if self.details.get("tolerance") is None or self._delta is None:
            return None
        # What is no number passes any tolerance.
        return ~(np.abs(self._delta) <= self.details["tolerance"]).all(axis=1)

    @property
    def num_outputs(self) -> int:
        return self._base.shape[1]

    @property
    def sums(self):
        """Base value and values together, (images[, outputs]): what the model answers."""
        return self._of_outputs(self._sums)

    @property
    def _sums(self):
        if self.image_segments is None:
            return self._base + self._values.sum(axis=(1, 2, 3), dtype=np.float64)
        return self._base + np.array([part.sum(axis=0, dtype=np.float64) for part in self._values])

    estimator = detail("estimator", "How values are computed.")
    exact = detail("exact", "Whether the values are exact up to rounding.")
    additivity_error = detail("additivity_error", "The largest |base value + Σ values − answer| that was found.")

    # interpret's face -----------------------------------------------------------------------------------------------

    @property
    def explanation_type(self) -> str:
        return "local"

    @property
    def num_examples(self) -> int:
        return len(self)

    @property
    def classes(self):
        """The names of a classifier's outputs, or None."""
        return self._classes

    @property
    def expected_values(self) -> list:
        """The base values: [image], of several outputs [output][image]."""
        return self.base_values.T.tolist()

    @property
    def local_importance_values(self) -> list:
        """[image][superpixel], or [image][row][column][channel]; of several outputs [output] before the image."""
        if self.num_outputs == 1:
            return [part.tolist() for part in self.values]
        return [[part[..., k].tolist() for part in self._values] for k in range(self.num_outputs)]

    @property
    def global_importance_values(self):
        """The mean |value| over images, laid out as the values of one, where they all have the same players."""
        if self.image_segments is None:
            return np.abs(self.values).mean(axis=0, dtype=np.float64)
        if any(not np.array_equal(part, self.image_segments[0]) for part in self.image_segments[1:]):
            raise AttributeError(
                "global_importance_values: the superpixels of one image are not those of another; explain with an "
                "array of labels for all of them as the segmentation"
            )
        return np.abs(np.stack(self.values)).mean(axis=0, dtype=np.float64)

    # Images ---------------------------------------------------------------------------------------------------------

    def __len__(self):
        return len(self.images)

    def __getitem__(self, images) -> ImageExplanation:
        """The explanation of some images: a position, a slice, or an array of positions or truths."""
        if isinstance(images, (int, np.integer)):
            chosen = [self._position(images)]
        else:
            chosen = np.arange(len(self))[images].tolist()
        if not isinstance(chosen, list) or not chosen:
            raise IndexError(f"{images!r}: no images of {len(self)}")

        def of(parts):
            return None if parts is None else [parts[i] for i in chosen]

        def cut(array):
            return None if array is None else array[chosen]

        laid = cut if self.image_segments is None else of
        return ImageExplanation(
            laid(self._values),
            base_values=self._base[chosen],
            images=of(self.images),
            image_segments=of(self.image_segments),
            standard_errors=laid(self._errors),
            completeness_delta=cut(self._delta),
            recomputed=cut(self.recomputed),
            output_names=self.output_names,
            classes=self._classes,
            model_task=self.model_task,
            model_type=self.model_type,
            details=self.details,
        )

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def _position(self, index) -> int:
        if isinstance(index, bool) or not isinstance(index, (int, np.integer)) or not -len(self) <= index < len(self):
            raise IndexError(f"image {index} of {len(self)}")
        return int(index) % len(self)

    def _output(self, output) -> int:
        """The position of an output, by its name or position."""
        if isinstance(output, str) and output in self.output_names:
            return self.output_names.index(output)
        whole = isinstance(output, (int, np.integer)) and not isinstance(output, bool)
        if not whole or not 0 <= output < self.num_outputs:
            names = ", ".join(self.output_names[:8]) + (", …" if self.num_outputs > 8 else "")
            raise ParameterError(
                f"output: {output!r} is not allowed: a position from 0 to {self.num_outputs - 1}, or one of {names}"
            )
        return int(output)

    def pixel_values(self, index=0, output=None) -> np.ndarray:
        """The values of an image as a map (height, width), of several outputs (height, width, outputs).

        A pixel has the sum over its channels, or an even share of its superpixel's value: either way the map adds up
        to the answer less the base value.
        """
        index = self._position(index)
        if self.image_segments is None:
            found = self._values[index].sum(axis=2)
        else:
            segments = self.image_segments[index]
            sizes = np.bincount(segments.ravel())
            found = (self._values[index] / sizes[:, np.newaxis])[segments]
        return self._of_outputs(found) if output is None else found[..., self._output(output)]

    def plot(self, index=0, output=None, *, max_outputs=3, alpha=0.85):
        """A figure of an image, or of a list of them, with the values of outputs over it in grey.

        Red raises the output, blue lowers it, at a strength up to `alpha`; the colours of an image are on one scale.
        Superpixels have their own value, pixels the sum over channels. `output` is a name, a position, or a list of
        them; without it, those with the largest answers, `max_outputs` at most.
        """
        from ..plot._image import figure

        return figure(self, index, output, max_outputs, alpha)

    def to_shap(self):
        """A `shap.Explanation`, for `shap.plots.image`: values of pixels, those of superpixels in even shares."""
        import shap

        shapes = {image.shape for image in self.images}
        if len(shapes) > 1:
            raise ShapeError("to_shap: the images have different shapes; take one, as e[0].to_shap()")
        if self.image_segments is None:
            values = self._values
        else:
            channels = self.images[0].shape[2]
            maps = np.stack([self.pixel_values(i).reshape(*self.images[i].shape[:2], -1) for i in range(len(self))])
            values = np.repeat(maps[:, :, :, np.newaxis] / channels, channels, axis=3)
        return shap.Explanation(
            self._of_outputs(values),
            base_values=self.base_values,
            data=np.stack(self.images),
            output_names=self.output_names if self.num_outputs > 1 else None,
        )

    def __repr__(self):
        count, outputs = len(self), self.num_outputs
        what = "pixels" if self.image_segments is None else "superpixels"
        on = f" on {self.device}" if self.device else ""
        return (
            f"ImageExplanation({self.method}: {count:,} image{'s' if count > 1 else ''} by {what}, {outputs} "
            f"output{'s' if outputs > 1 else ''}{on})"
        )

    def _repr_png_(self):
        """The first images, where matplotlib is installed."""
        try:
            import matplotlib  # noqa: F401
        except ImportError:
            return None
        return self.plot(list(range(min(4, len(self)))))._repr_png_()
