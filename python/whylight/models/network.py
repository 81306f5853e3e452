"""Networks as people hold them → the engine's, through ONNX in memory."""

from __future__ import annotations

import dataclasses
import io
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Callable

import numpy as np

from .._engine import Model
from .._table import held
from ..errors import ModelError, ParameterError, ShapeError, UnsupportedError
from .native import is_file, native

#: Examples on which the engine has to answer as the library does, and how far it may be off, beside the largest answer.
CHECKED, TOLERANCE = 2, 1e-3

#: scikit-learn's.
PERCEPTRONS = ("MLPClassifier", "MLPRegressor")


@dataclasses.dataclass
class Network:
    """A network as the engine runs it."""

    model: Model
    task: str
    classes: list | None
    #: The library's own answer to arrays of examples, one for each input; None of a file.
    ask: Callable | None


def arrays(x) -> list[np.ndarray]:
    """Examples as one array for each input: of an array, a tensor, a table, or a list, tuple or dict of them.

    Sparse rows become dense: a network reads every cell.
    """
    if isinstance(x, dict):
        x = list(x.values())
    several = isinstance(x, (list, tuple)) and len(x) > 0 and all(np.ndim(held(part)) > 1 for part in x)
    if several and isinstance(x, list) and isinstance(x[0], list):
        # Rows in lists are a table.
        several = False
    found = [held(part) for part in (x if several else [x])]
    found = [np.asarray(part.toarray() if hasattr(part, "tocsr") else part) for part in found]
    if len({len(part) for part in found}) > 1:
        counts = ", ".join(str(len(part)) for part in found)
        raise ShapeError(f"the inputs: expected as many examples of each, got {counts}")
    return found


def flat(parts: list[np.ndarray]) -> np.ndarray:
    """Examples as a table: the cells of an example, one input after the other."""
    for part in parts:
        if part.dtype.kind not in "biuf":
            raise ShapeError(f"the examples: expected arrays of numbers, got {part.dtype}")
    tables = [part.reshape(len(part), int(np.prod(part.shape[1:]))) for part in parts]
    wide = any(table.dtype.kind in "iu" and table.dtype.itemsize > 2 or table.dtype == np.float64 for table in tables)
    return np.concatenate([table.astype(np.float64 if wide else np.float32) for table in tables], axis=1)


def network(model, examples: list[np.ndarray], output=None, space="auto") -> Network:
    """The network in a model: a torch module, a Keras model, a perceptron of scikit-learn, or an ONNX model.

    Raises UnsupportedError for a model that is none.
    """
    sizes = {"cells": int(sum(np.prod(part.shape[1:]) for part in examples))}
    if len(examples) > 1 or examples[0].ndim > 2:
        sizes["examples"] = [part.shape[1:] for part in examples]
    if is_file(model):
        if isinstance(model, (str, os.PathLike)):
            return Network(Model.network(os.fspath(model), **sizes, output=output), "unknown", None, None)
        content = bytes(model) if isinstance(model, (bytes, bytearray)) else model.SerializeToString()
        return Network(Model.network(content, "<ONNX model>", **sizes, output=output), "unknown", None, None)
    check(model)
    kind = _kind(model)
    if output is not None:
        raise ParameterError("output_name: only the outputs of ONNX models have names")
    if _is_torch(model):
        content, ask = _of_torch(model, examples), _torch_answers(model)
    elif _is_keras(model):
        ask = _keras_answers(model)
        # Keras exports what was called once.
        ask([part[:1] for part in examples])
        content = _of_keras(model)
    else:
        return _perceptron(model, space, kind)
    made = Network(Model.network(content, kind, **sizes), "unknown", None, ask)
    _check(made, examples, kind)
    return made


def _is_torch(model):
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(model, torch.nn.Module)


def _is_keras(model):
    found = (sys.modules.get(name) for name in ("keras", "tf_keras", "tensorflow.keras"))
    kinds = (getattr(module, "Model", None) for module in found if module is not None)
    return any(kind is not None and isinstance(model, kind) for kind in kinds)


def check(model):
    """Refuses what is no network, before its examples become arrays."""
    if is_file(model) or _is_torch(model) or _is_keras(model) or type(model).__name__ in PERCEPTRONS:
        return
    raise UnsupportedError(
        f"{_kind(model)}: Deep SHAP explains torch modules, Keras models, scikit-learn's perceptrons and ONNX files; "
        "Kernel SHAP explains any model"
    )


def _kind(model):
    return f"{type(model).__module__}.{type(model).__qualname__}"


def _perceptron(model, space, kind):
    """A perceptron of scikit-learn."""
    classes = getattr(model, "classes_", None)
    fitted = hasattr(model, "out_activation_")
    found = native(model, "predict" if classes is None else "predict_proba") if fitted else None
    if found is None:
        raise UnsupportedError(f"{kind}: it is not fitted, or has more than one answer for each class")
    probability = classes is not None and space != "raw"
    task = "regression" if classes is None else "classification"
    labels = None if classes is None else list(classes)
    return Network(found.model.as_network(probability), task, labels, None)


def _check(made, examples, kind):
    """Refuses a network that the engine does not answer for as its library does."""
    examples = [part[:CHECKED] for part in examples]
    expected = np.asarray(made.ask(examples), np.float64).reshape(len(examples[0]), -1)
    got = made.model.answers(np.ascontiguousarray(flat(examples), np.float64), False)
    off = np.abs(got - expected).max() if got.shape == expected.shape else np.inf
    if not off <= TOLERANCE * max(1.0, np.abs(expected).max()):
        raise ModelError(
            f"{kind}: its ONNX export does not answer as it does (off by {off:.1e}); does it change with every call, "
            "or with the batch?"
        )


# torch ---------------------------------------------------------------------------------------------------------------


class _evaluating:
    """A module as it is for predictions, and afterwards as it was."""

    def __init__(self, module):
        self._modules = [(part, part.training) for part in module.modules()]
        self._module = module

    def __enter__(self):
        self._module.eval()

    def __exit__(self, *_):
        for part, training in self._modules:
            part.training = training


class _quiet:
    """Without the warnings of a logger and of those below it."""

    def __init__(self, name):
        self._logger = logging.getLogger(name)

    def __enter__(self):
        self._level = self._logger.level
        self._logger.setLevel(logging.ERROR)

    def __exit__(self, *_):
        self._logger.setLevel(self._level)


def _tensors(module, examples):
    torch = sys.modules["torch"]
    parameter = next(iter(module.parameters()), None)
    device = parameter.device if parameter is not None else "cpu"
    number = parameter.dtype if parameter is not None and parameter.is_floating_point() else torch.float32
    tensors = [torch.from_numpy(np.ascontiguousarray(part)).to(device) for part in examples]
    return tuple(tensor.to(number) if tensor.is_floating_point() else tensor for tensor in tensors)


def _torch_answers(module):
    def ask(examples):
        torch = sys.modules["torch"]
        with torch.no_grad(), _evaluating(module):
            answer = module(*_tensors(module, examples))
        answer = answer[0] if isinstance(answer, (tuple, list)) else answer
        answer = getattr(answer, "logits", answer)
        return answer.detach().cpu().double().numpy()

    return ask


def _of_torch(module, examples) -> bytes:
    """A module's graph for one example, by torch's exporter."""
    torch = sys.modules["torch"]
    inputs = _tensors(module, [part[:1] for part in examples])
    refused = []
    with torch.no_grad(), _evaluating(module), warnings.catch_warnings(), _quiet("torch.onnx"):
        warnings.simplefilter("ignore")
        for export in (_dynamo, _script):
            try:
                return export(torch, module, inputs)
            except Exception as error:  # noqa: BLE001
                refused.append(f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}")
    raise UnsupportedError(
        f"{type(module).__module__}.{type(module).__qualname__}: torch cannot export it to ONNX "
        f"({'; '.join(refused)}); with the package onnxscript it exports more; or give an ONNX file, or take "
        "Kernel SHAP"
    )


def _dynamo(torch, module, inputs):
    import onnxscript  # noqa: F401

    program = torch.onnx.export(module, inputs, dynamo=True, verbose=False, optimize=True)
    return program.model_proto.SerializeToString()


def _script(torch, module, inputs):
    buffer = io.BytesIO()
    torch.onnx.export(module, inputs, buffer, dynamo=False)
    return buffer.getvalue()


# Keras ---------------------------------------------------------------------------------------------------------------


def _keras_answers(model):
    def ask(examples):
        answer = model.predict(examples if len(examples) > 1 else examples[0], verbose=0)
        return np.asarray(answer[0] if isinstance(answer, (list, tuple)) else answer)

    return ask


def _of_keras(model) -> bytes:
    """A model's graph, by Keras's exporter, or by tf2onnx where it is older."""
    kind = f"{type(model).__module__}.{type(model).__qualname__}"
    try:
        if hasattr(model, "export") and sys.modules.get("keras") is not None:
            with tempfile.TemporaryDirectory() as folder:
                path = os.path.join(folder, "model.onnx")
                model.export(path, format="onnx", verbose=False)
                with open(path, "rb") as file:
                    return file.read()
        import tf2onnx

        graph, _ = tf2onnx.convert.from_keras(model)
        return graph.SerializeToString()
    except Exception as error:  # noqa: BLE001
        raise UnsupportedError(
            f"{kind}: it cannot be exported to ONNX ({type(error).__name__}: {error}); install onnx and tf2onnx (for "
            "the torch backend onnxscript), or give an ONNX file, or take Kernel SHAP"
        ) from error
