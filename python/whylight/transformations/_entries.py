"""Transformations as a list of columns and transformers, and as a sklearn-pandas DataFrameMapper."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from ..errors import DataError, ParameterError, ShapeError
from . import _columns, _rules
from ._plan import Part, call, width


@dataclasses.dataclass
class Entry:
    """A transformer (None keeps columns as they are, a list is a chain) and the columns it takes."""

    columns: Any
    transformer: Any
    #: Whether one column without brackets is first offered as a vector, as sklearn-pandas does.
    vector: bool = False
    #: Whether it takes a DataFrame rather than an array.
    frame: bool = False
    #: The columns are all those that the other entries do not take, but for the dropped ones.
    rest: list | None = None
    dropped: list = dataclasses.field(default_factory=list)
    #: The form of the columns that it took the first row in.
    form: str | None = None

    def listed(self) -> list:
        """Its columns if they are a plain list of them, which tells their number before any row is seen."""
        if isinstance(self.columns, (str, slice)) or not hasattr(self.columns, "__len__"):
            return []
        columns = list(self.columns)
        return [] if any(isinstance(column, (bool, np.bool_)) for column in columns) else columns


def entries_of_list(transformations, *, vector=False, frame=False) -> list[Entry]:
    """The entries of a list of (columns, transformer) or (columns, transformer, options). Raises ParameterError."""
    entries = []
    for i, given in enumerate(transformations):
        if not isinstance(given, (list, tuple)) or len(given) not in (2, 3):
            raise ParameterError(f"transformations, entry {i}: expected (columns, transformer), found {given!r}")
        columns, transformer = given[0], given[1]
        options = given[2] if len(given) == 3 and isinstance(given[2], dict) else {}
        if isinstance(transformer, str) and transformer == "drop":
            continue
        if isinstance(transformer, (list, tuple)):
            transformer = [step for step in transformer if step is not None]
        for step in transformer if isinstance(transformer, list) else [transformer]:
            if isinstance(step, type) or (not _rules.is_passthrough(step) and not hasattr(step, "transform")):
                found = f"the class {step.__name__}" if isinstance(step, type) else type(step).__name__
                raise ParameterError(
                    f"transformations, entry {i} over {columns!r}: expected a fitted transformer or None, found {found}"
                )
        entries.append(Entry(columns, transformer, vector, bool(options.get("input_df", frame))))
    if not entries:
        raise ParameterError("transformations: expected at least one (columns, transformer), found none")
    return entries


def entries_of_mapper(mapper) -> list[Entry]:
    """The entries of a fitted DataFrameMapper, told by its attributes. Raises ParameterError."""
    built = getattr(mapper, "built_features", None)
    if built is None:
        raise ParameterError(f"{type(mapper).__name__} is not fitted: fit it on the raw training data before")
    frame = bool(getattr(mapper, "input_df", False))
    entries = entries_of_list(built, vector=True, frame=frame) if built else []
    if getattr(mapper, "default", False) is not False:
        # As the mapper has it: what a function chooses is not taken from the others.
        taken = [columns for columns, *_ in mapper.features if not callable(columns)]
        default = getattr(mapper, "built_default", mapper.default)
        dropped = list(getattr(mapper, "drop_cols", None) or [])
        entries.append(Entry(None, default, True, frame, rest=taken, dropped=dropped))
    return entries


def transform_entry(entry, table, raw_names, walk=None):
    """What an entry makes of rows; with a walk, of one row, as a Part whose map has all raw columns as its rows."""
    places, bare = _places(entry, table)
    names = [raw_names[i] for i in places]
    if walk is None:
        picked = _columns.select(table, places, form=entry.form)
        return call(entry.transformer, picked, names)
    failure, noted = None, len(walk.notes)
    for form in _forms(entry, table, bare):
        picked = _columns.select(table, places, form=form)
        try:
            part = walk.follow(entry.transformer, picked, names)
        except (DataError, ShapeError) as error:
            # The first form is the likely one, so that its complaint is the one to tell.
            failure = failure or error
            del walk.notes[noted:]
            continue
        entry.form = form
        return Part(part.row, (_rules.select(places, width(table)) @ part.feature_map).tocsr(), part.names)
    raise failure


def _places(entry, table):
    labels = _columns.labels_of(table)
    if entry.rest is not None:
        taken = set()
        for columns in entry.rest:
            taken.update(_resolve(columns, table, labels)[0].tolist())
        labels = labels or range(width(table))
        return [i for i, label in enumerate(labels) if i not in taken and label not in entry.dropped], False
    return _resolve(entry.columns, table, labels)


def _resolve(columns, table, labels):
    if callable(columns):
        columns = columns(table)
    if isinstance(columns, tuple) and labels is not None and columns in labels:
        # A label of a frame with several levels of columns.
        columns, bare = [columns], True
    else:
        bare = _columns.is_bare(columns)
    places = _columns.positions(columns, labels, width(table), what="transformations", integers_are_labels=True)
    return places, bare


def _forms(entry, table, bare):
    """The forms to offer columns in, the likeliest first."""
    if not _columns.is_frame(table):
        flat = ["vector", "matrix"] if _wants_vector(entry) else ["matrix", "vector"]
        return flat if bare else ["matrix"]
    first = entry.transformer[0] if isinstance(entry.transformer, list) else entry.transformer
    if getattr(first, "feature_names_in_", None) is not None and not entry.frame:
        # It checks the names itself; an array would get past that check.
        return ["frame"]
    if entry.frame:
        return ["series", "frame"] if bare and entry.vector else ["frame"]
    if not bare:
        return ["matrix", "frame"]
    flat = ["vector", "matrix"] if _wants_vector(entry) else ["matrix", "vector"]
    return [*flat, "frame", "series"]


def _wants_vector(entry):
    """Whether a transformer of one column takes a vector rather than a matrix."""
    transformer = entry.transformer
    while isinstance(transformer, list) or "Pipeline" in _rules.kinds(transformer):
        transformer = transformer[0] if isinstance(transformer, list) else transformer.steps[0][1]
    known = _rules.kinds(transformer)
    if known & {"CountVectorizer", "HashingVectorizer", "LabelEncoder", "LabelBinarizer", "MultiLabelBinarizer"}:
        return True
    return entry.vector
