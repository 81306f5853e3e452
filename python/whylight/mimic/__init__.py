"""Mimic explanations: a surrogate that learns to answer as a model does, explained in its place."""

from __future__ import annotations

import numpy as np

from .. import _parameters
from .._base import Explainer, merged, table_names
from .._engine import __version__
from .._table import Table, held, is_a, row_count, single, with_rows
from ..errors import DataError, ParameterError
from ..explanation import Explanation
from ..explanation._cells import as_array, take
from ..transformations import Transformations
from ._custom import Custom
from ._distil import Teacher
from ._encode import width
from ._fidelity import r2
from ._linear import LinearExplainableModel, SGDExplainableModel
from ._surrogates import CANDIDATES, surrogate
from ._train import Lesson, train
from ._trees import DecisionTreeExplainableModel, LGBMExplainableModel

__all__ = [
    "DecisionTreeExplainableModel",
    "LGBMExplainableModel",
    "LinearExplainableModel",
    "MimicExplainer",
    "SGDExplainableModel",
]

#: Bytes of the cells and values that are worked on at a time, where nobody limits them.
PIECE_BYTES = 1 << 27

OUTPUTS = ("default", "probability", "teacher_probability")
RESETS = ("ignore", "reset", "reset_teacher")


class MimicExplainer(Explainer):
    """Explains any model by a surrogate: a model that is trained to answer as it does (a global surrogate; of soft
    labels, as in Hinton, Vinyals & Dean 2015), and has exact Shapley values of its own.

    `model` is a function of rows, an object with `predict_proba`, `decision_function` or `predict`, a torch module, or
    a model file. `initialization_examples` are the rows that it is asked for. `explainable_model` is
    `LGBMExplainableModel`, `LinearExplainableModel`, `SGDExplainableModel`, `DecisionTreeExplainableModel`, a class of
    your own, or "auto": the one that answers best on rows held out. `explainable_model_args` are parameters of it.

    A fifth of the rows is held out, of up to 1,000 rows each fifth in its turn, and `fidelity` says how well the
    surrogate answers there; so do `e.details["fidelity"]` and `e.notes` of every explanation. Read it before the
    values. Of up to 5,000 rows, the surrogate then learns from those that were held out, too.

    The values are those of the surrogate's margin, or with `shap_values_output="probability"` of its probability, or
    with "teacher_probability" of that, moved so that they add up to the model's own probability of each row, which is
    an approximation. Text, what pandas calls categorical, the columns named by `categorical_features`, and moments
    become numbers for the surrogate, and their values are summed back: the columns of the rows are explained.

    With `augment_data`, fewer rows than columns are joined by copies whose columns are shuffled, up to
    `max_num_of_augmentations` times. The index of a DataFrame plays no part ("ignore"), is the model's index and a
    column that is explained ("reset"), or is there for the model alone ("reset_teacher"), by `reset_index`.
    `model_task` is "classification" or "regression" where the model does not tell.
    """

    explainer_type = "blackbox"

    def __init__(
        self,
        model,
        initialization_examples,
        explainable_model,
        explainable_model_args=None,
        is_function=False,
        augment_data=True,
        max_num_of_augmentations=10,
        explain_subset=None,
        features=None,
        classes=None,
        transformations=None,
        allow_all_transformations=False,
        shap_values_output="default",
        categorical_features=None,
        model_task="unknown",
        reset_index="ignore",
        seed=0,
        device="auto",
        threads=0,
        memory_limit=None,
        show_progress=None,
    ):
        self._output = _chosen("shap_values_output", shap_values_output, OUTPUTS)
        # Older code of interpret-community has truths here.
        if isinstance(reset_index, (bool, np.bool_)):
            reset_index = "reset" if reset_index else "ignore"
        self._reset_index = _chosen("reset_index", reset_index, RESETS)
        self._seed = _parameters.count("seed", seed)
        self._memory_limit = None if memory_limit is None else _parameters.count("memory_limit", memory_limit)
        most = _parameters.count("max_num_of_augmentations", max_num_of_augmentations)
        self._options = {
            "device": _parameters.device(device),
            "seed": self._seed,
            "threads": _parameters.count("threads", threads),
            "memory_limit": self._memory_limit,
            "show_progress": False,
        }
        candidates = CANDIDATES if _is_auto(explainable_model) else (surrogate(explainable_model),)
        if len(candidates) > 1 and explainable_model_args:
            raise ParameterError('explainable_model_args: not allowed with "auto": name the surrogate that takes them')
        if transformations is not None:
            if self._reset_index != "ignore":
                raise ParameterError("reset_index: not allowed together with transformations, which see no index")
            transformations = Transformations(transformations, allow_all_transformations=allow_all_transformations)
        if initialization_examples is None:
            raise ParameterError("initialization_examples: None is not allowed: the rows that the model is asked for")
        #: Of the index that the model sees and the surrogate has columns of.
        self._index_names = _index_names(initialization_examples) if self._reset_index == "reset" else []
        rows = self._prepared(initialization_examples)
        if row_count(rows) == 0:
            raise DataError("initialization_examples: no rows; expected the training rows, or a sample of them")
        rows = rows if transformations is None else transformations.transform(rows)
        teacher = Teacher(model, self._for_teacher(rows), is_function, model_task, classes is not None)
        most = most if augment_data else 0
        self._learn(teacher, rows, candidates, explainable_model_args or {}, categorical_features, most)
        self._model_type = str(type(model))
        self._begin(
            model,
            initialization_examples,
            features=features,
            classes=classes,
            explain_subset=explain_subset,
            transformations=transformations,
            allow_all_transformations=allow_all_transformations,
            show_progress=show_progress,
        )

    def _learn(self, teacher, rows, candidates, args, categorical, most):
        """Trains the surrogate."""
        self._teacher, self._space = teacher, teacher.space
        self._task, self._outputs, self._known_classes = teacher.task, teacher.space.outputs, teacher.classes
        names = table_names(rows)
        self._known_features = [None] * width(rows) if names is None else names
        lesson = Lesson(teacher.space, args, self._seed, self._options["threads"])
        trained = train(
            lesson, teacher, rows, lambda more: teacher.ask(self._for_teacher(more)), candidates, categorical, most
        )
        self._surrogate, self._encoder, self._background = trained.surrogate, trained.encoder, trained.background
        #: How well the surrogate answers as the model does: rows, held_out, r2, and kl and agreement of classifiers.
        self.fidelity = trained.fidelity
        #: By surrogate that was tried: its fidelity, or why it could not be trained.
        self.choice = trained.choice
        self._notes, self._summary = trained.notes, None
        self._make()

    def _make(self):
        """Makes the explainer of the surrogate."""
        # What is moved to the predictions of a regression are the values of the surrogate's.
        is_moved = self._output == "teacher_probability" and self._space.kind == "number"
        output = "raw" if self._output == "default" or is_moved else "probability"
        if output == "probability" and not self._space.is_probability:
            raise ParameterError(
                f'shap_values_output: "{self._output}" is not allowed: the model gives no probabilities; take "default"'
            )
        self._explainer = self._surrogate.explainer(self._background, output, **self._options)

    @property
    def surrogate_model(self):
        """The surrogate."""
        return self._surrogate.model if isinstance(self._surrogate, Custom) else self._surrogate

    @property
    def explainable_model(self):
        return self.surrogate_model

    # Rows -------------------------------------------------------------------------------------------------------------

    def _prepared(self, x):
        """Rows as a table of columns; with its index as one, where that was asked for."""
        x = with_rows(held(x))
        if self._reset_index == "ignore":
            return as_array(x) if isinstance(x, (list, tuple)) else x
        if not is_a(x, "pandas", "DataFrame"):
            raise ParameterError(
                f'reset_index: "{self._reset_index}" is not allowed with rows of {type(x).__name__}, which have no '
                "index: give a DataFrame"
            )
        try:
            return x.reset_index() if self._reset_index == "reset" else x
        except ValueError as error:
            raise ParameterError(f"reset_index: {error}; name the index otherwise") from None

    def _for_teacher(self, rows):
        """Rows as the model is asked for them: without an index of their own, unless it is asked for."""
        if self._reset_index == "reset_teacher" or not is_a(rows, "pandas", "DataFrame"):
            return rows
        if self._reset_index == "reset":
            made = rows.set_index(list(rows.columns[: len(self._index_names)]))
            made.index.names = self._index_names
            return made
        return rows.reset_index(drop=True)

    def _table(self, rows):
        made = Table(None, None, row_count(rows), table_names(rows))
        made.source = rows
        return made

    # Explanations -----------------------------------------------------------------------------------------------------

    def explain_global(self, evaluation_examples=None, include_local=True, batch_size=100) -> Explanation:
        """The explanation of the model over rows, or over those that the surrogate was trained with.

        Importances are the means of |value| over them, with rows as without. An explainer that was loaded has the means
        alone. `batch_size` is taken for compatibility: `memory_limit` sizes the pieces.
        """
        if evaluation_examples is None:
            if self._summary is not None:
                return Explanation(**self._summary, is_local=False, eval_y_predicted=None)
            evaluation_examples = self._init_data
        return self._explained(evaluation_examples, include_local=include_local, one_row=single(evaluation_examples))

    def _explained(self, x, **more):
        return super()._explained(self._prepared(x), **more)

    def _compute(self, rows, include_local, progress):
        if include_local:
            return self._part(rows.source, progress)
        row = 8 * max(1, len(self._encoder.parents)) * (2 + self._outputs)
        step = max(1, (self._memory_limit or PIECE_BYTES) // row)
        whole = None
        for start in range(0, rows.rows, step):
            told_of = progress and (lambda done, before=start: progress(before + done))
            part = self._part(take(rows.source, slice(start, start + step)), told_of)
            whole = merged(whole, self._means(part))
        return whole

    def _means(self, part):
        """A part without its local values."""
        size = np.abs(np.asarray(part.pop("values"), np.float64))
        part.pop("standard_errors", None)
        said = [size.mean(axis=0).T, size.std(axis=0).T]
        if self._outputs == 1 and self._task == "classification":
            said = [np.stack([statistic, statistic]) for statistic in said]
        return {**part, "means": said[0], "spread": said[1], "is_local": False}

    def _part(self, source, progress):
        """The values of the raw columns of some rows."""
        cells, unseen = self._encoder.encode(source)
        computed = self._explainer._compute(self._explainer._table(cells), True, progress)
        values, base = computed["values"], computed["base_values"]
        errors = computed.get("standard_errors")
        if self._outputs == 1 and values.ndim == 3:
            # Of both classes, the second.
            values, base = values[:, :, 1], base[1]
            errors = None if errors is None else errors[:, :, 1]
        values = self._encoder.to_raw(values)
        # No more than the sum, however those of a column's parts go together.
        errors = None if errors is None else self._encoder.to_raw(errors)
        details = self._details(computed["details"], unseen)
        if self._output == "teacher_probability":
            values, error = self._to_teacher(source, values, base)
            details.update(exact=False, additivity_error=error, additivity_rows=len(values))
        return {"values": values, "base_values": base, "standard_errors": errors, "details": details}

    def _to_teacher(self, source, values, base):
        """Values moved so that they add up to the model's probabilities: what is left of each row is divided among its
        features as |value|, evenly where all are 0."""
        expected = self._teacher.ask(self._for_teacher(source))
        # Of one number it is the last column, and of two classes the second one's.
        expected = expected[:, -1] if self._outputs == 1 else expected
        values = np.asarray(values, np.float64)
        left = expected - values.sum(axis=1) - np.asarray(base)
        size = np.abs(values)
        total = size.sum(axis=1, keepdims=True)
        share = np.where(total > 0, size / np.where(total > 0, total, 1.0), 1.0 / values.shape[1])
        values = (values + share * left[:, None]).astype(np.float32)
        error = np.abs(values.sum(axis=1, dtype=np.float64) + np.asarray(base) - expected).max(initial=0.0)
        return values, float(error)

    def _details(self, details, unseen):
        names = [f"f{i}" if name is None else str(name) for i, name in enumerate(self._known_features)]
        notes = [*self._notes, *details.get("notes", [])]
        for i, count in unseen.items():
            notes.append(
                f"column {names[i]}: {count:,} cell{'s' if count > 1 else ''} hold categories that were not among the "
                "training rows; all of them are taken for one"
            )
        if self._output == "teacher_probability":
            notes.append(
                "the values are an approximation: those of the surrogate's answer, with what is left of the model's "
                "own divided among the features as their |value|"
            )
        return {
            **details,
            "method": f"mimic.{self._surrogate.kind}",
            "surrogate": self._surrogate._name,
            "surrogate_method": details.get("method"),
            "fidelity": dict(self.fidelity),
            "shap_values_output": self._output,
            "feature_names": names,
            "columns": names,
            "groups": {},
            "notes": notes,
            "version": details.get("version", __version__),
            "seed": self._seed,
        }

    # Fidelity ---------------------------------------------------------------------------------------------------------

    def get_surrogate_model_replication_measure(self, training_data) -> float:
        """How well the surrogate answers as the model does on these rows: of a classifier the share of the same class,
        else R²."""
        rows = self._prepared(training_data)
        rows = rows if self._transformations is None else self._transformations.transform(rows)
        expected = self._teacher.ask(self._for_teacher(rows))
        found = self._surrogate.answers(self._encoder.encode(rows)[0])
        if self._space.is_classes:
            return float((self._space.labels(expected) == self._space.labels(found)).mean())
        measure = r2(expected, found)
        if measure is None:
            raise DataError("training_data: the model answers all of these rows alike; R² needs answers that differ")
        return measure

    # Files ------------------------------------------------------------------------------------------------------------

    def save(self, path) -> None:
        """Writes the surrogate, and its importances over its training rows, as JSON, for `load`; without the model.

        Raises UnsupportedError for a surrogate of your own, and for categories that are neither text nor numbers.
        """
        from ._save import write

        write(self, path)

    @classmethod
    def load(cls, path, model, transformations=None, **options) -> MimicExplainer:
        """The explainer that `save` wrote, of the same model, which is not trained again.

        `transformations` are those that it was made with; `options` are `device`, `threads`, `memory_limit` and
        `show_progress`. Raises FileError for a file that cannot be read, DataError for one that is no saved explainer.
        """
        from ._save import read

        return read(cls, path, model, transformations, **options)


def _chosen(name, value, allowed):
    value = getattr(value, "value", value)
    if not isinstance(value, str) or value not in allowed:
        words = ", ".join(f'"{word}"' for word in allowed)
        raise ParameterError(f"{name}: {value!r} is not allowed: one of {words}")
    return value


def _index_names(rows):
    return list(rows.index.names) if is_a(rows, "pandas", "DataFrame") else []


def _is_auto(explainable_model):
    return isinstance(explainable_model, str) and explainable_model == "auto"
