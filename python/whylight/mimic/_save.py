"""Explainers as JSON files, without pickle: a surrogate, its columns, and what it explained of its training rows."""

from __future__ import annotations

import json
import os

import numpy as np

from .. import _parameters
from .._engine import __version__
from ..errors import DataError, FileError, ParameterError, UnsupportedError
from ..transformations import Transformations
from ._distil import Space, Teacher
from ._encode import Encoder
from ._surrogates import SURROGATES

#: What the files call themselves, and the version of their layout.
FORMAT, VERSION = "whylight mimic", 1


def write(explainer, path) -> None:
    said = {
        "format": FORMAT,
        "version": VERSION,
        "whylight": __version__,
        "surrogate": explainer._surrogate._name,
        "space": {"kind": explainer._space.kind, "width": explainer._space.width},
        # Before the summary, which takes time: it says what cannot be saved.
        "model": explainer._surrogate.to_json(),
        "encoder": explainer._encoder.to_json(),
        "task": explainer._task,
        "classes": _labels(explainer._known_classes),
        "named_classes": None if explainer._classes is explainer._known_classes else _labels(explainer._classes),
        "features": _labels(explainer._features),
        "known_features": _labels(explainer._known_features),
        "subset": None if explainer._subset is None else explainer._subset.tolist(),
        "shap_values_output": explainer._output,
        "reset_index": explainer._reset_index,
        "index_names": _labels(explainer._index_names),
        "seed": explainer._seed,
        "transformations": explainer._transformations is not None,
        "fidelity": explainer.fidelity,
        "choice": explainer.choice,
        "notes": explainer._notes,
        "background": _rows(explainer._background) if explainer._output != "default" else None,
        "summary": _summary(explainer),
    }
    text = json.dumps(said, ensure_ascii=False)
    part = f"{os.fspath(path)}.part"
    try:
        with open(part, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(part, path)
    except OSError as error:
        raise FileError(f"{os.fspath(path)}: {error.strerror or error}") from error


def read(cls, path, model, transformations=None, *, device="auto", threads=0, memory_limit=None, show_progress=None):
    said = _parsed(path)
    if said["transformations"] != (transformations is not None):
        needs = (
            "it was made with transformations: give the same ones"
            if said["transformations"]
            else ("it was made without transformations: leave them out")
        )
        raise ParameterError(f"transformations: {os.fspath(path)}: {needs}")
    try:
        return _made(cls, said, model, transformations, device, threads, memory_limit, show_progress)
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        if isinstance(error, UnsupportedError):
            raise
        raise DataError(
            f"{os.fspath(path)}: a part is missing or is of another kind ({error!r}); save it anew"
        ) from None


def _parsed(path) -> dict:
    try:
        with open(path, encoding="utf-8") as file:
            said = json.load(file)
    except OSError as error:
        raise FileError(f"{os.fspath(path)}: {error.strerror or error}") from error
    except ValueError as error:
        raise DataError(f"{os.fspath(path)}: expected a saved MimicExplainer, which is JSON; {error}") from None
    if not isinstance(said, dict) or said.get("format") != FORMAT:
        raise DataError(f"{os.fspath(path)}: expected a saved MimicExplainer; its format is not {FORMAT!r}")
    if said.get("version") != VERSION or said.get("surrogate") not in SURROGATES or "transformations" not in said:
        raise DataError(
            f"{os.fspath(path)}: expected version {VERSION} of the format, got {said.get('version')!r}, with the "
            f"surrogate {said.get('surrogate')!r}; it was written by whylight {said.get('whylight')}"
        )
    return said


def _made(cls, said, model, transformations, device, threads, memory_limit, show_progress):
    made = cls.__new__(cls)
    space = Space(said["space"]["kind"], said["space"]["width"])
    made._output, made._reset_index, made._seed = said["shap_values_output"], said["reset_index"], said["seed"]
    made._memory_limit = None if memory_limit is None else _parameters.count("memory_limit", memory_limit)
    made._options = {
        "device": _parameters.device(device),
        "seed": made._seed,
        "threads": _parameters.count("threads", threads),
        "memory_limit": made._memory_limit,
        "show_progress": False,
    }
    made._index_names = said.get("index_names") or []
    made._space, made._task, made._known_classes = space, said["task"], said["classes"]
    made._outputs = space.outputs
    made._known_features = said["known_features"]
    made._encoder = Encoder.from_json(said["encoder"])
    made._surrogate = SURROGATES[said["surrogate"]].from_json(said["model"], space)
    made.fidelity, made.choice, made._notes = said["fidelity"], said["choice"], said["notes"]
    made._background = None if said["background"] is None else np.array(said["background"], np.float64)
    made._teacher = Teacher.known(model, space)
    made._model_type = str(type(model))
    made._make()
    made._begin(
        model,
        None,
        features=said["features"],
        classes=said["named_classes"],
        explain_subset=said["subset"],
        transformations=None if transformations is None else Transformations(transformations),
        show_progress=show_progress,
    )
    made._summary = said["summary"]
    return made


def _summary(explainer) -> dict:
    """What `Explanation` is made of, of the training rows."""
    if explainer._summary is not None:
        return explainer._summary
    e = explainer.explain_global(include_local=False)
    return {
        "means": e._class_means.tolist(),
        "spread": None if e._class_spread is None else e._class_spread.tolist(),
        "base_values": np.asarray(e.base_values).tolist(),
        "feature_names": _labels(e._features),
        "output_names": e._output_names,
        "classes": _labels(e._classes),
        "model_task": e.model_task,
        "model_type": e.model_type,
        "details": _plain(e.details),
        "is_raw": e.is_raw,
    }


def _plain(details) -> dict:
    return json.loads(json.dumps(details, default=str))


def _labels(labels):
    """Names or classes as JSON has them."""
    if labels is None:
        return None
    plain = [label.item() if isinstance(label, np.generic) else label for label in labels]
    strange = [label for label in plain if label is not None and not isinstance(label, (str, int, float, bool))]
    if strange:
        raise UnsupportedError(f"the name {strange[0]!r} cannot be saved; expected text or a number")
    return plain


def _rows(rows):
    """Rows of numbers; missing ones are null."""
    rows = rows.toarray() if hasattr(rows, "toarray") else np.asarray(rows, np.float64)
    return np.where(np.isnan(rows), None, rows).tolist()
