"""Follows one row through transformers, to learn which raw column every engineered column comes from."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from ..errors import DataError, ParameterError, ShapeError, WhylightError
from . import _columns, _rules

REFUSAL = (
    "Many to many or many to one transformers not supported in raw explanations when explainer instantiated with "
    "allow_all_transformations is set to False. Change this parameter to True in order to get explanations."
)


@dataclasses.dataclass
class Part:
    """What a transformer makes of one row."""

    #: The row it gives.
    row: Any
    #: (inputs, outputs), CSR, columns that sum to one.
    feature_map: Any
    names: list[str]


def width(x) -> int:
    return x.shape[1] if len(x.shape) == 2 else 1


def label(transformer) -> str:
    return "passthrough" if _rules.is_passthrough(transformer) else type(transformer).__name__


def call(transformer, x, names):
    """`transformer.transform(x)`, whose errors name the transformer and its columns."""
    if _rules.is_passthrough(transformer):
        return x
    if isinstance(transformer, list) or _is_plain_pipeline(transformer):
        # Step by step: errors then name the step, and a last step that keeps no state, by which newer versions of
        # scikit-learn take a pipeline for unfitted, is run like any other.
        for step in transformer if isinstance(transformer, list) else [step for _, step in transformer.steps]:
            x = call(step, x, names)
        return x
    try:
        return transformer.transform(x)
    except (MemoryError, WhylightError):
        raise
    except Exception as error:
        where = f"{label(transformer)} over {_columns.shorten(names)}"
        if any(c.__name__ == "NotFittedError" for c in type(error).__mro__):
            raise ParameterError(f"{where} is not fitted: fit it on the raw training data before ({error})") from error
        raise DataError(f"{where} cannot transform these rows: {error}") from error


def _is_plain_pipeline(transformer):
    """Whether it is scikit-learn's own Pipeline, not a subclass that may do more than its steps."""
    return type(transformer).__name__ == "Pipeline" and type(transformer).__module__ == "sklearn.pipeline"


def mixing(transformer, inputs, names):
    """What of a transformer mixes several columns, and which, as far as is known before any row is seen; else None."""
    if inputs < 2 or isinstance(transformer, list):
        return None
    known = _rules.kinds(transformer)
    if "ColumnTransformer" in known:
        labels = getattr(transformer, "feature_names_in_", None)
        parts = [
            (child, len(places), [i if labels is None else labels[i] for i in places])
            for _, child, places in children(transformer)
        ]
    elif "FeatureUnion" in known:
        parts = [(child, inputs, names) for _, child in _union(transformer)]
    elif "Pipeline" in known or _rules.is_known(transformer):
        return None
    else:
        return f"{label(transformer)} over {_columns.shorten(names) if len(names) else 'several columns'}"
    return next(filter(None, (mixing(*part) for part in parts)), None)


def mixing_step(pipeline):
    """The name of the first step of a Pipeline that mixes columns, and what `mixing` says of it; None without one."""
    # Who does not know its number of inputs is taken to have several, unless the Pipeline has one, which then owns
    # whatever is made of it.
    if getattr(pipeline, "n_features_in_", 2) < 2:
        return None
    for name, step in pipeline.steps:
        inputs, names = getattr(step, "n_features_in_", 2), getattr(step, "feature_names_in_", [])
        what = mixing(step, inputs, names) if hasattr(step, "transform") else None
        if what is not None:
            return name, what
    return None


def children(column_transformer):
    """(name, transformer, positions of its columns in the fitted table) of what a ColumnTransformer did not drop."""
    fitted = getattr(column_transformer, "transformers_", None)
    if fitted is None:
        raise ParameterError("ColumnTransformer is not fitted: fit it on the raw training data before")
    labels = getattr(column_transformer, "feature_names_in_", None)
    labels = list(labels) if labels is not None else None
    found = []
    for name, transformer, spec in fitted:
        if isinstance(transformer, str) and transformer == "drop":
            continue
        what = f"columns of {name!r} in the ColumnTransformer"
        places = _columns.positions(spec, labels, column_transformer.n_features_in_, what=what)
        if len(places):
            found.append((name, transformer, places))
    return found


class Walk:
    """Follows one row. `notes` tells of every transformer whose outputs were split evenly over several inputs."""

    def __init__(self, allow):
        self.allow = allow
        self.notes: list[str] = []

    def follow(self, transformer, x, names) -> Part:
        """The part of any transformer over `x`, one row (or a vector of one value) with names for its columns."""
        n = width(x)
        if isinstance(transformer, list):
            return self._pipeline(transformer, x, names)
        known = _rules.kinds(transformer)
        # All outputs of one column are its own, whatever happens inside.
        if n > 1:
            if "ColumnTransformer" in known:
                return self.columns(transformer, x, names)
            if "FeatureUnion" in known:
                return self._union(transformer, x, names)
            if "Pipeline" in known:
                return self._pipeline([step for _, step in transformer.steps], x, names)
        row = call(transformer, x, names)
        m = self._outputs(transformer, row, names)
        if n == 1:
            feature_map = _rules.blocks([m])
        else:
            feature_map = _rules.parents(transformer, n)
            if feature_map is None:
                feature_map = self._mixture(transformer, n, m, names)
        if feature_map.shape != (n, m):
            raise ShapeError(
                f"{label(transformer)} over {_columns.shorten(names)} gives {m} columns from {n}, but by its fitted "
                f"attributes its feature map has the shape {feature_map.shape}; give it one column at a time"
            )
        return Part(row, feature_map, names_out(transformer, names, feature_map))

    def _outputs(self, transformer, row, names):
        shape = getattr(row, "shape", None)
        if not shape or len(shape) > 2 or shape[0] != 1:
            raise ShapeError(
                f"{label(transformer)} over {_columns.shorten(names)}: expected one row of outputs for one row, "
                f"got {type(row).__name__} of shape {shape}"
            )
        return width(row)

    def _mixture(self, transformer, n, m, names):
        where = f"{label(transformer)} over {_columns.shorten(names)}"
        if not self.allow:
            raise ParameterError(f"{where}: {REFUSAL}")
        feature_map, exact = _rules.mixture(transformer, n, m)
        parents = "the columns it was made from" if exact else f"all {n} columns"
        self.notes.append(f"{where} mixes columns: the importance of each output was split evenly over {parents}")
        return feature_map

    def chain(self, steps, x, names) -> Part:
        """The part of steps one after the other."""
        part = Part(x, _rules.select(np.arange(width(x)), width(x)), names)
        for step in steps:
            after = self.follow(step, part.row, part.names)
            part = Part(after.row, (part.feature_map @ after.feature_map).tocsr(), after.names)
        return part

    def _pipeline(self, steps, x, names):
        # Unknown steps are spread here without being allowed to, as interpret-community does; `notes` tells of it.
        inner = Walk(allow=True)
        part = inner.chain(steps, x, names)
        if width(x) > 1:
            self.notes += inner.notes
        return part

    def _union(self, union, x, names):
        parts = [(name, self.follow(child, x, names)) for name, child in _union(union)]
        whole = call(union, x, names)
        prefix = getattr(union, "verbose_feature_names_out", True)
        named = [f"{name}__{out}" if prefix else out for name, part in parts for out in part.names]
        return self._stacked(union, whole, [part.feature_map for _, part in parts], named, names)

    def columns(self, transformer, x, names):
        maps, named = [], []
        prefix = getattr(transformer, "verbose_feature_names_out", True)
        for name, child, places in children(transformer):
            places = self._places(transformer, x, name, places)
            bare = any(name == known and _columns.is_bare(spec) for known, _, spec in transformer.transformers_)
            picked = _columns.select(x, places, form="series" if bare else "same")
            part = self.follow(child, picked, [names[i] for i in places])
            expected = getattr(transformer, "output_indices_", {}).get(name)
            if expected is not None and expected.stop - expected.start != part.feature_map.shape[1]:
                raise ShapeError(
                    f"{name!r} in the ColumnTransformer gave {expected.stop - expected.start} columns when it was "
                    f"fitted and now gives {part.feature_map.shape[1]}: fit it again"
                )
            maps.append(_rules.select(places, len(names)) @ part.feature_map)
            named += [f"{name}__{out}" if prefix else out for out in part.names]
        return self._stacked(transformer, call(transformer, x, names), maps, named, names)

    def _places(self, transformer, x, name, places):
        """Where the columns of a child are in this row: a frame may hold those it was fitted on in another order."""
        fitted = getattr(transformer, "feature_names_in_", None)
        what = f"columns of {name!r} in the ColumnTransformer"
        if fitted is not None and _columns.is_frame(x):
            return _columns.positions(
                [fitted[i] for i in places], list(x.columns), width(x), what=what, integers_are_labels=True
            )
        if width(x) != transformer.n_features_in_:
            raise ShapeError(
                f"the ColumnTransformer was fitted on {transformer.n_features_in_} columns, "
                f"but the rows have {width(x)}: pass the same raw columns"
            )
        spec = next(spec for known, _, spec in transformer.transformers_ if known == name)
        if fitted is not None:
            # Raises for columns named by a text, which an array cannot have.
            _columns.positions(spec, None, width(x), what=what)
        return places

    def _stacked(self, transformer, row, maps, named, names):
        from scipy.sparse import csr_matrix, hstack

        feature_map = hstack(maps, format="csr") if maps else csr_matrix((len(names), 0))
        m = self._outputs(transformer, row, names)
        if feature_map.shape[1] != m:
            raise ShapeError(
                f"{label(transformer)} over {_columns.shorten(names)} gives {m} columns, "
                f"but its transformers give {feature_map.shape[1]}"
            )
        return Part(row, feature_map, _declared(transformer, names, m) or named)


def _union(union):
    return [(name, child) for name, child in union.transformer_list if not isinstance(child, str) or child != "drop"]


def names_out(transformer, names, feature_map) -> list[str]:
    """Names of a transformer's outputs: its own, with the column's in front, or derived from the columns'."""
    n, m = feature_map.shape
    if _rules.is_passthrough(transformer):
        return names
    declared = _declared(transformer, names, m)
    if declared is not None:
        if n > 1:
            return declared
        column = names[0]
        return [name if name == column or name.startswith(f"{column}_") else f"{column}_{name}" for name in declared]
    by_output = feature_map.tocsc()
    outputs = np.diff(feature_map.indptr)
    derived, used = [], [0] * n
    for j in range(m):
        parents = by_output.indices[by_output.indptr[j] : by_output.indptr[j + 1]]
        if len(parents) != 1:
            derived.append(f"{label(transformer).lower()}{j}")
            continue
        i = parents[0]
        derived.append(names[i] if outputs[i] == 1 else f"{names[i]}_{used[i]}")
        used[i] += 1
    return derived


def _declared(transformer, names, m):
    if not hasattr(transformer, "get_feature_names_out"):
        return None
    # Names that differ from those it was fitted on are refused; it then tells its own.
    for given in (names, None):
        try:
            found = transformer.get_feature_names_out(given)
        except Exception:
            # A step without names, or a class that takes no argument: names are a convenience, not worth an error.
            continue
        if len(found) == m:
            return [str(name) for name in found]
    return None
