"""Raw rows to engineered rows, and importances of engineered features back to raw features.

An explainer with `transformations=` takes raw rows, explains the model on the engineered rows that the
transformations make of them, and hands the importances to the raw columns, so that every row keeps its sum.
"""

from __future__ import annotations

import warnings

import numpy as np

from ..errors import ParameterError, ShapeError
from . import _columns, _rules
from ._entries import entries_of_list, entries_of_mapper, transform_entry
from ._maps import dropped, feature_map_from_indices, is_sparse, to_raw
from ._plan import REFUSAL, Part, Walk, call, mixing, mixing_step, width

__all__ = ["Transformations", "dropped", "feature_map_from_indices", "mixing_step", "to_raw"]

#: Feature maps of up to this many cells come as arrays, whatever they hold.
DENSE_CELLS = 1 << 20

#: Bytes of a piece of rows, raw or engineered, where nobody limits them.
PIECE_BYTES = 1 << 27


class Transformations:
    """Fitted transformations between raw and engineered features.

    Takes a ColumnTransformer, a Pipeline of transformers, a DataFrameMapper, or a list of (columns, transformer)
    where columns are one label or position, a list of them, a slice or a mask, and the transformer may be None.

    A transformer over several columns must be one whose outputs come from known columns (a scaler, an encoder, an
    imputer, a selector, …) or, with `allow_all_transformations`, may be any: the importance of each of its outputs
    is then split evenly over its columns, which `notes` tells.

    Raises ParameterError for what is none of these, is not fitted, or mixes columns without being allowed to.
    """

    def __init__(self, transformations, *, allow_all_transformations=False):
        if isinstance(transformations, Transformations):
            allow_all_transformations |= transformations._allow
            transformations = transformations._source
        self._source = transformations
        self._allow = bool(allow_all_transformations)
        self._entries = None
        self._mapper = False
        self._layout = None
        self._plan = None
        #: What a reader of the raw importances should know, a sentence each. Filled by the first rows.
        self.notes: list[str] = []
        known = _rules.kinds(transformations)
        mixed = None
        if "ColumnTransformer" in known:
            mixed = mixing(transformations, getattr(transformations, "n_features_in_", 2), [])
        elif "Pipeline" in known:
            _check_steps(transformations)
            _, mixed = mixing_step(transformations) or (None, None)
        elif isinstance(transformations, (list, tuple)):
            self._entries = entries_of_list(transformations)
        elif isinstance(getattr(transformations, "features", None), (list, tuple)):
            self._mapper = True
            self._entries = entries_of_mapper(transformations)
        else:
            raise ParameterError(
                "transformations: expected a fitted ColumnTransformer, a Pipeline of transformers, a DataFrameMapper "
                f"or a list of (columns, transformer), found {type(transformations).__name__}"
            )
        for entry in self._entries or []:
            columns = entry.listed()
            mixed = mixed or mixing(entry.transformer, len(columns), columns)
        if mixed and not self._allow:
            raise ParameterError(f"{mixed}: {REFUSAL}")

    @property
    def engineered_names(self) -> list[str] | None:
        """The names of the engineered columns; None before any rows were seen."""
        return list(self._plan.names) if self._plan is not None else None

    @property
    def raw_names(self) -> list[str] | None:
        """The names of the raw columns as `transform` last saw them; None where they had none."""
        return None if self._plan is None or self._labels is None else list(self._raw_names)

    def transform(self, x):
        """Raw rows as engineered rows (rows, engineered): an array, or CSR where the transformations give that.

        `x` is a DataFrame, an array, a sparse matrix or a list; a Series, a 1-D array or a flat list is one row.
        Raises DataError for rows that cannot be transformed or do not become numbers, ShapeError for a width that
        does not fit, ParameterError for a transformer that is not fitted or mixes columns without being allowed to.
        """
        table = _columns.as_table(x)
        self._learn(table)
        if self._entries is None or self._mapper:
            engineered = _columns.matrix(call(self._source, table, self._raw_names), self._plan.names)
        else:
            parts = [transform_entry(entry, table, self._raw_names) for entry in self._entries]
            engineered = _stack(parts, self._plan.names)
        expected = (table.shape[0], self._plan.feature_map.shape[1])
        if engineered.shape != expected:
            raise ShapeError(
                f"the transformations gave engineered rows of shape {engineered.shape}, expected {expected}: "
                "what one row gives must not depend on the others"
            )
        return engineered

    def pieces(self, x, limit=None) -> Pieces:
        """Engineered rows of which only so many bytes are there at a time. Raises as `transform`."""
        table = _columns.as_table(x)
        self._learn(table)
        row = np.float64().nbytes * max(1, *self._plan.feature_map.shape)
        return Pieces(self, table, max(1, (PIECE_BYTES if limit is None else limit) // row))

    def feature_map(self, raw=None):
        """The share (raw, engineered) that each raw feature has in each engineered one; every column sums to one.

        `raw` gives the rows of the map: names of the raw columns in any order, their count, or, by default, the raw
        columns as `transform` last saw them. Raw columns that no transformer uses have rows of zeros. An array, or
        CSR if large and mostly zeros.

        Raises ParameterError before `transform` has seen any rows, ShapeError where `raw` lacks a column that is used.
        """
        if self._plan is None:
            raise ParameterError("the feature map is learnt from rows: call transform on some raw rows before")
        full = self._plan.feature_map
        if raw is not None:
            full = self._rearranged(full, raw)
        full.sort_indices()
        cells = full.shape[0] * full.shape[1]
        return full.toarray() if cells <= DENSE_CELLS or 2 * full.nnz > cells else full

    def _rearranged(self, full, raw):
        by_count = isinstance(raw, (int, np.integer))
        raw = raw if by_count else [str(name) for name in raw]
        count = int(raw) if by_count else len(raw)
        if by_count or self._labels is None:
            if count != full.shape[0]:
                raise ShapeError(f"{count} raw features were asked for, but the raw rows had {full.shape[0]} columns")
            return full
        if raw == self._raw_names:
            return full
        places = {name: i for i, name in enumerate(raw)}
        used = np.flatnonzero(np.diff(full.indptr))
        missing = [self._raw_names[i] for i in used if self._raw_names[i] not in places]
        if missing:
            raise ShapeError(
                f"the transformations use the raw columns {_columns.shorten(missing)}, "
                f"which are not among the {count} raw features asked for"
            )
        if len(places) < count:
            raise ShapeError(f"the {count} raw features asked for have only {len(places)} different names")
        rows = [places[self._raw_names[i]] for i in used]
        return (_rules.select(rows, count) @ full[used]).tocsr()

    def _learn(self, table):
        """Follows the first row, unless a table with the same columns has been seen."""
        labels = _columns.labels_of(table)
        layout = (width(table), None if labels is None else tuple(labels))
        if layout == self._layout:
            return
        walk = Walk(self._allow)
        raw_names = [f"x{i}" for i in range(width(table))] if labels is None else [str(label) for label in labels]
        row = _columns.cut(table, 0, 1)
        # Whatever is worth a warning is warned of when all rows are transformed.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            plan = self._walk(walk, row, raw_names)
        self._layout, self._plan, self._labels, self._raw_names = layout, plan, labels, raw_names
        self.notes = walk.notes

    def _walk(self, walk, row, raw_names) -> Part:
        if self._entries is None:
            if "Pipeline" in _rules.kinds(self._source):
                steps = [step for _, step in self._source.steps]
                # One raw column owns whatever is made of it.
                return walk.follow(steps, row, raw_names) if width(row) == 1 else walk.chain(steps, row, raw_names)
            return walk.columns(self._source, row, raw_names)
        from scipy.sparse import csr_matrix, hstack

        maps, names = [csr_matrix((len(raw_names), 0))], []
        for entry in self._entries:
            part = transform_entry(entry, row, raw_names, walk)
            maps.append(part.feature_map)
            names += part.names
        feature_map = hstack(maps, format="csr")
        told = getattr(self._source, "transformed_names_", None)
        if told is not None and len(told) == len(names):
            names = [str(name) for name in told]
        return Part(None, feature_map, names)


class Pieces:
    """Engineered rows, transformed a piece at a time, anew whenever someone goes through them."""

    def __init__(self, transformations, table, step):
        self._transformations, self._table, self._step = transformations, table, step
        self.rows = table.shape[0]

    def __iter__(self):
        for start in range(0, self.rows, self._step):
            yield self._transformations.transform(_columns.cut(self._table, start, start + self._step))

    def whole(self):
        return self._transformations.transform(self._table)


def _check_steps(pipeline):
    for name, step in pipeline.steps:
        if not _rules.is_passthrough(step) and not hasattr(step, "transform"):
            raise ParameterError(
                f"transformations: the step {name!r} of the pipeline, {type(step).__name__}, is no transformer; pass "
                "the steps before it (pipeline[:-1]) as transformations, and the model by itself"
            )


def _stack(parts, names):
    """Engineered parts side by side; CSR if any is sparse."""
    matrices, start = [], 0
    for part in parts:
        matrices.append(_columns.matrix(part, names[start:]))
        start += matrices[-1].shape[1]
    if any(map(is_sparse, matrices)):
        from scipy.sparse import hstack

        return hstack(matrices, format="csr")
    return np.hstack(matrices)
