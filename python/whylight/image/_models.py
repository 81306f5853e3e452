"""How a model is asked about images."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Callable

import numpy as np

from .._engine import Model
from .._table import held
from ..errors import ParameterError
from ..models import network as networks
from ..models.function import asked, numbers
from ..models.native import is_file
from ._read import CHANNELS, LAYOUTS


@dataclasses.dataclass
class Asked:
    """A model, and what it takes."""

    name: str
    is_network: bool
    #: The answer to an array of examples.
    ask: Callable
    #: Whether channels come first, and the shape of one example, where they are known.
    first: bool | None
    form: tuple | None
    task: str = "unknown"
    classes: list | None = None

    def answer(self, examples):
        """The answer to examples, float64 (examples, outputs)."""
        return numbers(self.ask(examples), len(examples), self.name)

    def channels_first(self, layout) -> bool:
        """Whether it takes the channels before the pixels; `layout` is the user's word."""
        if layout is not None:
            return LAYOUTS[layout]
        if self.first is not None:
            return self.first
        if self.form is not None and len(self.form) < 3:
            return False
        said = "is not known" if self.form is None else f"{self.form} does not say where the channels are"
        raise ParameterError(
            f'layout: the shape of the network\'s input {said}: give layout="NHWC" (channels last) or layout="NCHW" '
            "(channels first)"
        )


def of(model, output, output_name) -> Asked:
    """What is known of a model before it sees an image."""
    name = getattr(model, "__qualname__", type(model).__qualname__)
    if is_file(model):
        return _file(model, output_name)
    if output_name is not None:
        raise ParameterError("output_name: only the outputs of ONNX models have names")
    # On torch, Keras's models are modules, too.
    if networks._is_keras(model):
        ask = networks._keras_answers(model)
        form = getattr(model, "input_shape", None)
        form = tuple(form[1:]) if isinstance(form, tuple) and None not in form[1:] else None
        return Asked(name, True, lambda x: ask([_floats(x)]), _first(form), form)
    if networks._is_torch(model):
        ask = networks._torch_answers(model)
        return Asked(name, True, lambda x: ask([_floats(x)]), True, None)
    ask, task, classes = asked(model, output)
    return Asked(name, False, ask, False, None, task, classes)


def _floats(x):
    x = np.asarray(held(x))
    return x if x.dtype.kind == "f" else x.astype(np.float32)


def _file(model, output_name):
    if isinstance(model, (str, os.PathLike)):
        name, source = os.fspath(model), (os.fspath(model),)
    else:
        content = bytes(model) if isinstance(model, (bytes, bytearray)) else model.SerializeToString()
        name, source = "<ONNX model>", (content, "<ONNX model>")

    @functools.cache
    def made(shape):
        return Model.network(*source, output=output_name, cells=int(np.prod(shape)), examples=[shape])

    def ask(x):
        x = np.asarray(held(x))
        return made(x.shape[1:]).answers(np.ascontiguousarray(networks.flat([x]), np.float64), False)

    try:
        inputs = Model.network(*source, output=output_name).inputs()
    except ParameterError as error:
        if "the file leaves the size" not in str(error):
            raise
        # Images of any size: the first ones tell.
        return Asked(name, True, ask, None, None)
    form = tuple(inputs[0][1]) if len(inputs) == 1 else None
    # Of one example.
    form = form[1:] if form is not None and len(form) > 1 and form[0] == 1 else form
    return Asked(name, True, ask, _first(form), form)


def _first(form):
    """Whether channels come first in examples of this shape; None where that is not clear."""
    if form is None or len(form) != 3 or (form[0] in CHANNELS) == (form[2] in CHANNELS):
        return None
    return form[0] in CHANNELS
