"""What every explainer does beside its method: sampling, transformations, names, and both faces of a call."""

from __future__ import annotations

import numpy as np

from . import _parameters
from ._progress import bar
from ._table import held, is_a, row_count, single, table, with_rows
from .errors import ParameterError, ShapeError, UnsupportedError
from .explanation import Explanation
from .explanation._cells import take
from .sample import sample


class Explainer:
    """The base of all explainers: a model made ready, and `explain_global`, `explain_local` or a call for rows.

    A subclass sets `_outputs`, `_task`, `_known_classes` and `_known_features` before it calls `_begin`, and computes
    in `_compute`.
    """

    #: What interpret asks of an explainer.
    explainer_type = "specific"
    available_explanations = ["global", "local"]

    #: What the model takes the cells for that sparse rows leave out.
    _absent = 0.0
    #: Bytes for the rows that are worked on at a time.
    _memory_limit = None
    #: Whether the raw features of transformations play, and not the engineered ones.
    _plays_raw = False
    #: What takes the rows that `_compute` is given to those of the model, where these are others.
    _before = None

    def _begin(
        self,
        model,
        initialization_examples=None,
        *,
        features=None,
        classes=None,
        explain_subset=None,
        transformations=None,
        allow_all_transformations=False,
        show_progress=None,
    ):
        self.model = model
        self._init_data = initialization_examples
        self._show_progress = show_progress
        self._transformations = None
        if transformations is not None:
            if explain_subset is not None:
                raise ParameterError("explain_subset: not allowed together with transformations")
            from .transformations import Transformations

            self._transformations = Transformations(
                transformations, allow_all_transformations=allow_all_transformations
            )
        self._features = _parameters.names("features", features)
        self._subset = None if explain_subset is None else self._positions(explain_subset)
        self._classes = self._known_classes if classes is None else _parameters.names("classes", classes)
        expected = max(2, self._outputs)
        if classes is not None and self._task != "regression" and len(self._classes) != expected:
            raise ParameterError(
                f"classes: {len(self._classes)} names are not allowed: the model has {expected} classes"
            )
        if self._features is not None and self._transformations is None:
            count = len(self._known_features)
            if len(self._features) != count:
                raise ShapeError(
                    f"features: expected {count} names, one per feature of the model, got {len(self._features)}"
                )

    def _positions(self, subset):
        """The features of a subset, by position."""
        count = len(self._known_features)
        subset = np.asarray(subset)
        if subset.ndim != 1 or subset.dtype.kind not in "iu" or ((subset < 0) | (subset >= count)).any():
            raise ParameterError(f"explain_subset: {subset.tolist()} is not allowed: positions from 0 to {count - 1}")
        return subset

    @property
    def features(self):
        return self._features

    @property
    def classes(self):
        return self._classes

    def __call__(self, x) -> Explanation:
        """The explanation of rows: an array, DataFrame, Series, list, sparse matrix, Arrow table or tensor."""
        return self._explained(x)

    def explain_local(self, evaluation_examples) -> Explanation:
        """The explanation of single rows; of one row given as such, without an axis of rows in interpret's lists."""
        return self._explained(evaluation_examples, one_row=single(evaluation_examples), is_global=False)

    def explain_global(
        self, evaluation_examples, sampling_policy=None, include_local=True, batch_size=None
    ) -> Explanation:
        """The explanation of the model over rows.

        With `include_local=False` no local values are kept, and `transformations` take the rows piece by piece: any
        number of rows takes the same memory beside their own. A `sampling_policy` that allows it explains a sample of
        the rows, which `notes` then say and `data` holds.
        `batch_size` is taken for compatibility: the engine sizes its batches itself, by `memory_limit`.
        """
        notes = []
        if sampling_policy is not None:
            chosen = sample(evaluation_examples, sampling_policy, seed=getattr(self, "_seed", 0))
            if chosen is not None:
                rows = row_count(evaluation_examples)
                notes.append(f"{len(chosen):,} of {rows:,} rows were sampled by {sampling_policy.sampling_method}")
                evaluation_examples = take(evaluation_examples, chosen)
        return self._explained(
            evaluation_examples, include_local=include_local, one_row=single(evaluation_examples), notes=notes
        )

    def _explained(self, x, *, include_local=True, is_global=True, one_row=False, notes=()):
        x = held(x)
        if self._transformations is not None and not include_local:
            pieces = self._transformations.pieces(x, self._memory_limit)
            computed, data = self._streamed(pieces), pieces.whole
        else:
            data = x if self._transformations is None else self._transformations.transform(x)
            rows = self._table(data)
            with bar(rows.rows, self._show_progress) as progress:
                computed = self._compute(rows, include_local, progress)
            data = in_order(data, rows.given, self._known_names())
            pieces = [with_rows(data)]
        details = computed["details"]
        details["notes"] = [*notes, *details.get("notes", [])]
        task = self._output_task
        if self._classes is not None and self._task != "classification":
            of = f"its task is {self._task}"
            details["notes"].append(f"classes: their names are not used, since the model is no classifier ({of})")
        is_engineered = self._transformations is not None and not self._plays_raw
        if self._transformations is not None:
            details["notes"] += self._transformations.notes
        if is_engineered:
            names = self._transformations.engineered_names
        elif self._plays_raw:
            names, data = self._features or self._transformations.raw_names, x
        else:
            names = self._players(self._features or self._known_names() or rows.given)
        explanation = Explanation(
            **computed,
            data=data,
            feature_names=names,
            output_names=self._output_names(details),
            classes=self._classes if task == "classification" else None,
            model_task=task,
            model_type=self._model_type,
            is_raw=self._explains_raw,
            is_engineered=is_engineered,
            is_global=is_global,
            one_row=one_row,
            init_data=self._init_data,
            eval_y_predicted=self._later("predict", pieces),
            eval_y_predicted_proba=self._later("predict_proba", pieces),
        )
        if is_engineered:
            explanation = self._raw(explanation, x)
        if self._subset is not None:
            explanation = explanation.features_only(self._subset)
        return explanation

    def _streamed(self, pieces):
        """What `_compute` says of the means over rows of which only a piece is there at a time."""
        whole, done = None, 0
        with bar(pieces.rows, self._show_progress) as told:
            for piece in pieces:
                rows = self._table(piece)
                progress = told and (lambda more, before=done: told(before + more))
                whole = merged(whole, self._compute(rows, False, progress))
                done += rows.rows
        return whole

    def _table(self, rows):
        """The rows that the model sees, for the engine."""
        return table(rows, features=self._known_names(), absent=self._absent)

    def _raw(self, explanation, raw):
        given = table_names(raw)
        names = self._features or given
        count = len(names) if names is not None else np.shape(raw)[-1]
        maps = [self._transformations.feature_map(given if given is not None else count)]
        return explanation.get_raw_explanation(maps, raw_feature_names=names, eval_data=raw)

    def _known_names(self):
        names = self._known_features
        return None if any(name is None for name in names) else names

    @property
    def _explains_raw(self):
        """Whether `transformations` take what is explained to what the model is asked for."""
        return self._plays_raw

    @property
    def _output_task(self):
        """The task of what is explained, which of a classifier's outputs need not be its own."""
        return self._task

    def _players(self, names):
        """The names of those that play, of whose features these are the names, if they have some."""
        return names

    def _output_names(self, details):
        is_of_classes = self._outputs > 1 and self._task == "classification"
        if self._output_task != self._task or (is_of_classes and self._classes is None):
            return details["output_names"]
        return [str(label) for label in self._classes] if is_of_classes else None

    def _later(self, name, pieces):
        """A prediction of the model, made when someone asks for it."""
        predict, before = getattr(self.model, name, None), self._before
        if predict is None:
            return None

        def predicted():
            parts = [predict(piece if before is None else before(piece)) for piece in pieces]
            return parts[0] if len(parts) == 1 else np.concatenate(parts)

        return predicted

    def _compute(self, rows, include_local, progress) -> dict:
        """`values` or `means`, and what belongs to them, of rows, as `Explanation` takes them.

        `progress` is None or is told the rows done.
        """
        raise NotImplementedError


def merged(one, other):
    """What was computed over two parts of a table without local values, as if over both at once."""
    if one is None:
        return other
    details, more = one["details"], other["details"]
    rows = [details["rows"], more["rows"]]

    def largest(name):
        # None is what JSON makes of one that is no finite number.
        both = [details[name], more[name]]
        return None if None in both else max(both)

    said = {
        "rows": sum(rows),
        "additivity_error": largest("additivity_error"),
        "additivity_rows": details["additivity_rows"] + more["additivity_rows"],
        "standard_error": largest("standard_error"),
        "approximation_error": max(details["approximation_error"], more["approximation_error"]),
        "notes": list(dict.fromkeys([*details["notes"], *more["notes"]])),
    }
    means, spreads = [np.array([part[name] for part in (one, other)]) for name in ("means", "spread")]
    mean = np.average(means, axis=0, weights=rows)
    # Within the parts, and between them.
    variance = np.average(spreads**2 + (means - mean) ** 2, axis=0, weights=rows)
    return {**one, "means": mean, "spread": np.sqrt(variance), "details": {**details, **said}}


def unwrap(model, transformations, allow_all_transformations):
    """The last step of a scikit-learn Pipeline, and the steps before it as transformations of its raw columns.

    Raises UnsupportedError for a step that mixes columns, so that another method may take the Pipeline as a whole.
    """
    if not is_a(model, "sklearn.pipeline", "Pipeline"):
        return model, transformations
    steps = [(name, step) for name, step in model.steps if step not in (None, "passthrough")]
    if len(steps) == 1:
        return steps[0][1], transformations
    if transformations is not None:
        raise ParameterError(
            "transformations: not allowed together with a Pipeline that transforms; give its last step as the model"
        )
    from sklearn.pipeline import Pipeline

    from .transformations import mixing_step

    before = Pipeline(steps[:-1])
    mixing = None if allow_all_transformations else mixing_step(before)
    if mixing is not None:
        name, what = mixing
        raise UnsupportedError(
            f"the step {name!r} of the Pipeline, {what}: it mixes columns, so that what it gives belongs to no raw "
            "column alone; split it evenly over them with allow_all_transformations=True, or explain the last step by "
            "itself, on the columns that it takes"
        )
    return steps[-1][1], before


def in_order(x, given, wanted):
    """A table with its columns in the order of the model's features, which the values are in."""
    if given is None or wanted is None or given == wanted or len(given) != len(wanted):
        return x
    position = {name.replace(" ", "_"): column for column, name in enumerate(given)}
    position.update((name, column) for column, name in enumerate(given))
    order = [position.get(name, position.get(name.replace(" ", "_"))) for name in wanted]
    if None in order:
        return x
    return x.iloc[:, order] if hasattr(x, "iloc") else x.select([given[column] for column in order])


def table_names(x):
    """The column names that a table of the user has."""
    columns = getattr(x, "columns", None)
    if columns is None or callable(x):
        return None
    names = getattr(x, "column_names", None)
    return [str(name) for name in (columns if names is None else names)]


def wants_probability(shap_values_output) -> bool:
    """Whether interpret's `shap_values_output` asks for probabilities."""
    if shap_values_output not in (None, "default", "raw", "probability"):
        raise ParameterError(f'shap_values_output: {shap_values_output!r} is not allowed: "default" or "probability"')
    return shap_values_output == "probability"


def no_probability(model, instead="") -> UnsupportedError:
    """The error where probabilities are no sum over the model's parts."""
    return UnsupportedError(
        f"{type(model).__name__}: probabilities are no sum of its raw margin's parts; {instead}explain the raw margin "
        'with shap_values_output="default"'
    )
