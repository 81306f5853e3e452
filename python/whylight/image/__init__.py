"""Images: Deep SHAP by pixel of networks, Kernel SHAP by superpixel of anything that can be asked."""

from __future__ import annotations

import numpy as np

from .. import _parameters
from .._progress import bar
from .._table import held
from ..deep import DeepExplainer
from ..errors import ModelError, ParameterError, ShapeError, UnsupportedError
from ..explanation import ImageExplanation
from ..kernel import KernelExplainer
from . import _models, _outputs
from ._read import LAYOUTS, read, size_of
from ._superpixels import Coalitions, check_fill, filled, segments

METHODS = '"auto", "deep" or "kernel"'

#: Coalitions of an image; more where there are so many superpixels.
COALITIONS, PER_SUPERPIXEL = 1024, 4

#: Bytes of the images that a model is asked for at a time, where nobody says otherwise.
BATCH = 1 << 26

#: What only superpixels have, and how it is where nobody says otherwise.
OF_SUPERPIXELS = {
    "n_segments": 50,
    "compactness": 10.0,
    "sigma": 1.0,
    "segmentation": None,
    "nsamples": "auto",
    "estimator": "auto",
    "link": "identity",
    "allow_noise": False,
}


class ImageExplainer:
    """Shapley values of images: of pixels where the model is a network, else of superpixels.

    `model` is a network (a torch module, a Keras model, an ONNX model, the path of its file, or its bytes), a function
    of images (n, height, width, channels) that returns a number, or a list of numbers, for each, or an object with
    `predict_proba` or `predict` of such. Images are a path or a list of paths, images of Pillow, arrays (height,
    width), (height, width, channels), (n, height, width, channels), or lists of arrays; of networks also arrays as the
    network takes them. `size` (height, width) resizes them all; `preprocess` takes an array (n, height, width,
    channels) to what the model takes: nothing else is done to the pixels. `layout` is "NHWC" or "NCHW", where shapes do
    not say where the channels are.

    `method="deep"` is Deep SHAP (`DeepExplainer`), for networks: values of pixels, against the images of `background`,
    or without one each image against itself, filled. `method="kernel"` is Kernel SHAP (`KernelExplainer`), for any
    model: superpixels play, and those outside a coalition are filled. "auto" takes Deep SHAP for networks, and Kernel
    SHAP for the rest; `explainer.reasons` says why.

    `fill` is "mean" (the image's mean colour), "blur", a number, a colour, or an image. Superpixels are those of SLIC
    (`n_segments` at most, `compactness`, `sigma`), or of `segmentation`: an array (height, width) of labels, or a
    function that returns one for an image. `nsamples`, `estimator`, `tolerance`, `link` and `allow_noise` are those of
    `KernelExplainer`; "auto" asks for 1024 coalitions, or four for each superpixel. Of Deep SHAP, `tolerance` and
    `fallback` are those of `DeepExplainer`. `memory_limit` in bytes bounds the images that the model is asked for at a
    time.

    `classes` are the names of the model's outputs, and `outputs` those that are kept, by name or position. The same
    seed gives an image the same values, whatever other images there are.
    """

    #: What interpret asks of an explainer.
    explainer_type = "blackbox"
    available_explanations = ["global", "local"]

    def __init__(
        self,
        model,
        background=None,
        *,
        size=None,
        preprocess=None,
        layout=None,
        method="auto",
        n_segments=50,
        compactness=10.0,
        sigma=1.0,
        segmentation=None,
        fill="mean",
        nsamples="auto",
        estimator="auto",
        tolerance=None,
        fallback=None,
        link="identity",
        allow_noise=False,
        output="auto",
        output_name=None,
        outputs=None,
        classes=None,
        device="auto",
        seed=0,
        threads=0,
        memory_limit=None,
        show_progress=None,
    ):
        self.model = model
        #: Why a method was not taken, by its name.
        self.reasons = {}
        if layout is not None and layout not in LAYOUTS:
            raise ParameterError(f'layout: {layout!r} is not allowed: "NHWC", "NCHW", or None to find out')
        if preprocess is not None and not callable(preprocess):
            raise ParameterError(f"preprocess: {preprocess!r} is not allowed: a function of images, or None")
        method = _parameters.text("method", method, METHODS)
        if method not in ("auto", "deep", "kernel"):
            raise ParameterError(f"method: {method!r} is not allowed: {METHODS}")
        self._layout, self._preprocess, self._size = layout, preprocess, size_of(size)
        self._slic = {
            "n_segments": _parameters.count("n_segments", n_segments, 1, bits=31),
            "compactness": _parameters.positive("compactness", compactness),
            "sigma": _parameters.positive("sigma", sigma, zero=True),
        }
        self._fill = check_fill(fill)
        if background is not None and not (isinstance(fill, str) and fill == "mean"):
            raise ParameterError("fill: not allowed together with a background, which stands in its place")
        self._of_superpixels = {
            **self._slic,
            "segmentation": segmentation,
            "nsamples": nsamples,
            "estimator": estimator,
            "link": link,
            "allow_noise": allow_noise,
        }
        self._classes = _parameters.names("classes", classes)
        self._outputs = _parameters.names("outputs", outputs)
        self._memory_limit = None if memory_limit is None else _parameters.count("memory_limit", memory_limit, 1)
        self._show_progress = show_progress
        self._runs = {"device": _parameters.device(device), "seed": _parameters.count("seed", seed), "threads": threads}
        self._output, self._output_name = output, output_name
        self._tolerance, self._fallback = tolerance, fallback
        self._asked = _models.of(model, output, output_name)
        self._wanted, self.method = method, self._chosen(method)
        # Of what `preprocess` makes nothing is known.
        self._first = False if preprocess is not None else self._asked.channels_first(layout)
        self._deep = self._deep_shape = self._background = None
        if background is not None:
            if self.method == "kernel":
                raise ParameterError(
                    "background: not allowed for superpixels: those outside a coalition take `fill`, which may be an "
                    "image"
                )
            self._background = self._prepared(self._stacked(self._read(background, what="background image")))
            self._deep = self._network(self._background)

    def _chosen(self, method):
        """The method for the model."""
        if method == "auto":
            method = "deep" if self._asked.is_network else "kernel"
            if method == "kernel":
                self.reasons["Deep SHAP"] = f"{self._asked.name}: it is asked, and has no graph"
        if method == "deep":
            for name, usual in OF_SUPERPIXELS.items():
                given = self._of_superpixels[name]
                if given is not usual and not (isinstance(given, (str, bool)) and given == usual):
                    raise _of_pixels(name)
        elif self._fallback is not None:
            raise ParameterError("fallback: not allowed for superpixels: it is for networks, with Deep SHAP")
        return method

    # The two faces of a call ----------------------------------------------------------------------------------------

    def __call__(self, images) -> ImageExplanation:
        """The explanation of images: a path, an image of Pillow, an array, or a list of them."""
        return self._explained(images)

    def explain_local(self, images, n_segments=None, classes=None) -> ImageExplanation:
        """The explanation of images; `n_segments` and `classes` in place of the explainer's."""
        return self._explained(images, n_segments, classes)

    def explain_global(self, images) -> ImageExplanation:
        """The explanation of images whose pixels, or superpixels, are the same players: it has their mean |value|.

        So of networks, and of a `segmentation` that is an array.
        """
        segmentation = self._of_superpixels["segmentation"]
        if self.method == "kernel" and (segmentation is None or callable(segmentation)):
            raise UnsupportedError(
                "explain_global: the superpixels of one image are not those of another; take explain_local, or give an "
                "array of labels for all images as the segmentation"
            )
        return self._explained(images)

    def _explained(self, images, n_segments=None, classes=None):
        slic = dict(self._slic)
        if n_segments is not None:
            if self.method == "deep":
                raise ParameterError(
                    'n_segments: not allowed for Deep SHAP, which explains pixels: take method="kernel"'
                )
            slic["n_segments"] = _parameters.count("n_segments", n_segments, 1, bits=31)
        classes = self._classes if classes is None else _parameters.names("classes", classes)
        images = self._read(images)
        if self.method == "deep" and self._background is None:
            self._made_for(images)
        found = (
            self._by_pixels(images, classes) if self.method == "deep" else self._by_superpixels(images, slic, classes)
        )
        return ImageExplanation(images=images, model_type=str(type(self.model)), **found)

    def _kept(self, count, classes):
        """The outputs that are kept of so many, and what the result says of them."""
        known = self._asked.classes if classes is None else classes
        return _outputs.named(count, known, classes is not None, self._outputs)

    # Images in, and what the model takes ----------------------------------------------------------------------------

    def _read(self, images, what="image"):
        return read(images, size=self._size, what=what, **self._arrays)

    @property
    def _arrays(self):
        """How arrays are read."""
        form = self._asked.form if self._preprocess is None else None
        return {"layout": self._layout, "form": form, "first": self._first}

    def _stacked(self, images):
        """Images of one shape as one array."""
        shapes = list(dict.fromkeys(image.shape for image in images))
        if len(shapes) > 1:
            raise ShapeError(
                f"the images: of different shapes, {shapes[0]} and {shapes[1]}, and Deep SHAP takes them together; "
                'give size=(height, width), or take method="kernel"'
            )
        return np.stack(images)

    def _prepared(self, images):
        """What the network gets for images (n, height, width, channels), as an array of floats."""
        made = self._put(np.ascontiguousarray(np.moveaxis(images, -1, 1)) if self._first else images)
        made = np.asarray(held(made))
        if made.dtype.kind not in "biuf":
            raise ShapeError(f"preprocess: expected an array of numbers, got {made.dtype}")
        return made if made.dtype.kind == "f" else made.astype(np.float32)

    def _put(self, images):
        """Images, laid out as the model takes them where nothing else is done to them, as the model takes them."""
        if self._preprocess is not None:
            made = self._preprocess(images)
            if not hasattr(made, "shape") or len(made) != len(images):
                raise ShapeError(
                    f"preprocess: expected an array with an entry for each of {len(images)} images, got "
                    f"{type(made).__name__} of {len(made) if hasattr(made, '__len__') else 'no'} entries"
                )
            return made
        form = self._asked.form
        if form is None or images.shape[1:] == form:
            return images
        single = self._layout is not None or 1 in (images.shape[1], images.shape[3])
        if len(form) < 3 and single and int(np.prod(form)) == images[0].size:
            return images.reshape(len(images), *form)
        way = "give size=(height, width), or a preprocess"
        if len(form) == 3 and form[0 if self._first else 2] != images.shape[1 if self._first else 3]:
            way = "give images of as many channels, or a preprocess"
        raise ShapeError(
            f"the images: expected examples of shape {form} as the network takes them, got {images.shape[1:]}; {way}"
        )

    # Deep SHAP ------------------------------------------------------------------------------------------------------

    def _network(self, examples):
        """The explainer of a network, with examples to compare with."""
        return DeepExplainer(
            self.model,
            examples,
            output=self._output,
            output_name=self._output_name,
            tolerance=self._tolerance,
            fallback=self._fallback,
            memory_limit=self._memory_limit,
            show_progress=False,
            **self._runs,
        )

    def _made_for(self, images):
        """Makes the explainer of a network for images of a shape, of which none was seen before."""
        examples = self._prepared(self._stacked(images[:1]))
        if self._deep is not None and self._deep_shape == examples.shape[1:]:
            return
        try:
            self._deep, self._deep_shape = self._network(examples), examples.shape[1:]
        except UnsupportedError as error:
            if self._wanted != "auto":
                raise
            self.reasons["Deep SHAP"], self.method = str(error), "kernel"

    def _by_pixels(self, images, classes):
        stacked = self._stacked(images)
        examples = self._prepared(stacked)
        fills = None
        if self._background is None:
            fills = np.stack([filled(image, self._fill, **self._arrays) for image in images])
            fills = self._prepared(fills)
            if (fills == fills[:1]).all():
                fills = fills[:1]
        elif examples.shape[1:] != self._background.shape[1:]:
            raise ShapeError(
                f"the images: expected the shape of the background, {self._background.shape[1:]} as the network takes "
                f"it, got {examples.shape[1:]}; give size=(height, width)"
            )
        kept, said = self._kept(len(self._deep._network.outputs), classes)
        parts = []
        # One by one where each is compared with an image of its own, and where few of many outputs are to be kept.
        alone = fills is not None and len(fills) > 1 or self._outputs is not None
        with bar(len(images), self._show_progress) as progress:
            for start in range(0, len(images), 1 if alone else len(images)):
                these = slice(start, start + 1 if alone else None)
                deep = self._deep
                if fills is not None:
                    deep = deep.against(fills[these] if len(fills) > 1 else fills)
                parts.append(_outputs.part(deep(examples[these]), kept))
                if progress:
                    progress(min(len(images), these.stop or len(images)))
        first = self._first if self._preprocess is None else None
        whole = _outputs.joined(parts)
        for name in ("values", "standard_errors"):
            if whole[name] is not None:
                shapes = examples.shape[1:], stacked.shape[1:]
                whole[name] = _outputs.laid(whole[name], *shapes, self._layout, first, self._asked.first)
        details = _outputs.details([part["details"] for part in parts], len(images))
        if fills is not None:
            details["fill"] = _outputs.said(self._fill)
        return {**whole, "details": details, **said}

    # Kernel SHAP ----------------------------------------------------------------------------------------------------

    def _by_superpixels(self, images, slic, classes):
        parts, labels, kept, said = [], [], None, None
        with bar(len(images), self._show_progress) as progress:
            for i, image in enumerate(images):
                found = segments(image, self._of_superpixels["segmentation"], name=f"image {i}", **slic)
                fill = filled(image, self._fill, **self._arrays)
                game = Coalitions(image, fill, found, self._first)
                if kept is None:
                    count = self._answer(game.images(np.zeros((1, game.count), bool))).shape[1]
                    kept, said = self._kept(count, classes)
                parts.append(self._game(game, kept))
                labels.append(found)
                if progress:
                    progress(i + 1)
        details = _outputs.details([e.details for e in parts], len(images))
        # The engine's background is that no superpixel is there.
        del details["cover"]
        details |= {"fill": _outputs.said(self._fill), "n_segments": [int(part.max()) + 1 for part in labels]}
        return {
            "values": [e.values.reshape(-1, len(kept)) for e in parts],
            "standard_errors": [e.standard_errors.reshape(-1, len(kept)) for e in parts],
            "base_values": np.array([np.ravel(e.base_values) for e in parts]),
            "image_segments": labels,
            "details": details,
            **said,
        }

    def _game(self, game, kept):
        """The values of the superpixels of one image: the engine knows coalitions alone, and no pixel."""
        step = max(1, (BATCH if self._memory_limit is None else self._memory_limit) // game.bytes)

        def answer(masks):
            masks = masks > 0.5
            parts = [self._answer(game.images(masks[i : i + step])) for i in range(0, len(masks), step)]
            if len({part.shape[1] for part in parts}) > 1:
                raise ModelError(f"{self._asked.name}: it does not answer with the same number of outputs every time")
            return np.concatenate(parts)[:, kept]

        answer.__qualname__ = self._asked.name
        options = {name: self._of_superpixels[name] for name in ("estimator", "link", "allow_noise")}
        nsamples = self._of_superpixels["nsamples"]
        if isinstance(nsamples, str) and nsamples == "auto":
            nsamples = max(COALITIONS, PER_SUPERPIXEL * game.count)
        explainer = KernelExplainer(
            answer,
            np.zeros((1, game.count)),
            nsamples=nsamples,
            tolerance=self._tolerance,
            show_progress=False,
            **options,
            **self._runs,
        )
        # A superpixel that is what it would be filled with plays no part.
        return explainer(game.vary[np.newaxis].astype(np.float64))

    def _answer(self, images):
        found = self._asked.answer(self._put(images))
        if len(found) != len(images):
            raise ModelError(
                f"{self._asked.name}: {len(found)} answers to {len(images)} images; expected one for each image"
            )
        return found


def _of_pixels(name):
    return ParameterError(
        f'{name}: not allowed for Deep SHAP, which explains pixels: superpixels are explained with method="kernel"'
    )
