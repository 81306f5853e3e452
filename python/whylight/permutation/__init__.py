"""Permutation importance: how much worse a model's answers fit the labels once a column is shuffled."""

from __future__ import annotations

import json

import numpy as np

from .. import _engine, _groups, _parameters
from .._base import table_names
from .._progress import bar
from .._table import held, row_count, with_rows
from ..errors import DataError, ParameterError, ShapeError, UnsupportedError
from ..explanation import Explanation
from ._asked import Asked
from ._labels import Classes, numbers
from ._metrics import resolve
from ._native import find
from ._shuffled import is_constant, strata_of, width

#: Repeats at most.
MOST_REPEATS = 100_000


class PFIExplainer:
    """Permutation importances (Breiman 2001; Fisher, Rudin & Dominici 2019) of any model.

    `model` is an object with `predict` (and `predict_proba`), or a function of rows, whatever they are: arrays, sparse
    matrices, DataFrames with text and categories; or a torch module, or a model file of trees. An importance is by how
    much `metric` gets worse once a column is shuffled: what an error grows by, or what a score falls by. It is signed,
    and below 0 where the model answers better without the column.

    `metric` is a name of scikit-learn's, such as "f1_macro", "roc_auc", "r2" or "neg_mean_squared_error"; a scorer of
    scikit-learn's; or a function `metric(y_true, y_pred, **metric_args)`, of which `is_error_metric` says whether it
    grows as predictions get worse (False where nobody says). By default it is the F1 score, micro-averaged, of the
    classes that a classifier predicts, and the mean absolute error of others. `for_classifier_use_predict_proba` gives
    a function the probabilities instead of the classes.

    Each column is shuffled `n_repeats` times. The permutation depends on `seed`, the column's position and the repeat
    alone. `groups`, a dict of names with lists of features, are shuffled together. With `strata`, a column, a list of
    columns, or an array with a label for each row, rows are shuffled only among those of the same stratum.

    Trees, linear models, support vectors and other kernel machines, naive Bayes and perceptrons are evaluated by the
    engine, which works out what a shuffled cell changes; it is held against what the model itself predicts for some
    rows first. Any other model is asked, for the rows of as many shuffled columns at once as `memory_limit` bytes hold;
    `transformations` take raw rows to those of the model, and the raw columns are shuffled.
    """

    #: What interpret asks of an explainer.
    explainer_type = "blackbox"
    available_explanations = ["global"]

    def __init__(
        self,
        model,
        is_function=False,
        metric=None,
        metric_args=None,
        is_error_metric=None,
        n_repeats=5,
        seed=0,
        features=None,
        classes=None,
        explain_subset=None,
        transformations=None,
        allow_all_transformations=False,
        for_classifier_use_predict_proba=False,
        show_progress=None,
        model_task="unknown",
        groups=None,
        strata=None,
        device="auto",
        threads=0,
        memory_limit=None,
    ):
        self.model = model
        self._is_function = bool(is_function)
        self._n_repeats = _parameters.count("n_repeats", n_repeats, 1)
        if self._n_repeats > MOST_REPEATS:
            raise ParameterError(f"n_repeats: {n_repeats} is not allowed: a whole number from 1 to {MOST_REPEATS}")
        self._seed = _parameters.count("seed", seed)
        self._features = _parameters.names("features", features)
        self._classes = _parameters.names("classes", classes)
        self._subset = None if explain_subset is None else np.asarray(explain_subset)
        self._groups = groups
        if groups is not None and explain_subset is not None:
            raise ParameterError("explain_subset: not allowed together with groups: choose among the result's features")
        self._strata = strata
        self._show_progress = show_progress
        self._device = _parameters.device(device)
        self._threads = _parameters.count("threads", threads)
        self._memory_limit = None if memory_limit is None else _parameters.count("memory_limit", memory_limit, 1)
        self._use_proba = bool(for_classifier_use_predict_proba)
        self._before = None
        if transformations is not None:
            from ..transformations import Transformations

            self._before = Transformations(transformations, allow_all_transformations=True).transform
        task = str(getattr(model_task, "value", model_task) or "unknown")
        if task not in ("unknown", "classification", "regression"):
            raise ParameterError(
                f'model_task: {model_task!r} is not allowed: "unknown", "classification" or "regression"'
            )
        self._asked = Asked(model, self._is_function, self._before, task)
        if classes is not None and not self._asked.may_classify:
            raise ParameterError(
                f"classes: not allowed of {type(model).__qualname__}, which has no classes (no predict_proba, no "
                "classes_); leave them out"
            )
        # What is wrong with a metric is said before there are rows.
        self._notes = []
        self._metric = resolve(metric, metric_args, is_error_metric, self._notes)

    @property
    def features(self):
        return self._features

    @property
    def classes(self):
        return self._classes

    def explain_global(self, evaluation_examples, true_labels=None) -> Explanation:
        """The importance of each column for rows with their true labels."""
        if true_labels is None:
            raise UnsupportedError(
                "true_labels: None is not supported by permutation importance, which is how much worse predictions fit "
                "the labels: give one for each row"
            )
        x = with_rows(held(evaluation_examples))
        x = np.asarray(x) if isinstance(x, (list, tuple)) else x
        rows, count = row_count(x), width(x)
        labels = true_labels.toarray() if hasattr(true_labels, "toarray") else held(true_labels)
        labels = np.asarray(labels, dtype=None if hasattr(true_labels, "toarray") or np.ndim(labels) == 1 else object)
        labels = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
        if labels.ndim != 1 or len(labels) != rows:
            raise ShapeError(f"true_labels: expected one for each of {rows} rows, got {labels.shape}")
        if rows == 0:
            raise DataError("evaluation_examples: no rows; expected rows to shuffle, with their labels")
        given = table_names(x)
        names = self._features or given
        if names is not None and len(names) != count:
            raise ShapeError(f"features: expected {count} names, one per column, got {len(names)}")
        players = self._players(names, count)
        strata = None if self._strata is None else strata_of(self._strata, x, names, rows)
        notes = list(self._notes)
        task = self._asked.task_of(x, labels, self._metric)
        metric = self._metric.of(task, self._use_proba)
        truth = self._truth(labels, task, metric, x)
        native = find(self.model, self._is_function, metric, truth, x, self._asked) if self._before is None else None
        with bar(len(players), self._show_progress) as progress:
            if native is None:
                found = self._ask(x, metric, truth, players, names, strata, progress)
            else:
                found = self._evaluate(native, x, metric, truth, names, strata, progress)
        importances, details = found
        details["notes"] = [*notes, *details["notes"]]
        details["method"] = "pfi"
        details["importances"] = importances
        details["groups"] = {} if self._groups is None else dict(details["groups"])
        squares = ((importances - importances.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            details["standard_errors"] = np.sqrt(squares / (self._n_repeats - 1) / self._n_repeats)
        for name in ("means", "standard_deviations", "feature_names"):
            details.pop(name, None)
        known = None if names is None and self._groups is None else [name for name, _ in players]
        is_classifier = task == "classification"
        classes = self._classes or (truth.labels if isinstance(truth, Classes) else None)
        return Explanation(
            means=importances.mean(axis=1),
            spread=np.sqrt(squares / self._n_repeats),
            details=details,
            data=evaluation_examples,
            feature_names=known,
            classes=classes if is_classifier else None,
            model_task=task,
            model_type=str(type(self.model)),
            is_raw=self._before is not None,
            is_local=False,
            eval_y_predicted=self._later("predict", x),
            eval_y_predicted_proba=self._later("predict_proba", x),
        )

    def _players(self, names, count):
        """Who is shuffled: names, and the positions of columns, in the order of the first ones."""
        own = names if names is not None else [f"f{column}" for column in range(count)]
        if self._subset is not None:
            subset = self._subset
            if subset.ndim != 1 or subset.dtype.kind not in "iu" or ((subset < 0) | (subset >= count)).any():
                raise ParameterError(
                    f"explain_subset: {subset.tolist()} is not allowed: positions from 0 to {count - 1}"
                )
            return [(own[column], [int(column)]) for column in dict.fromkeys(subset.tolist())]
        if self._groups is None:
            return [(name, [column]) for column, name in enumerate(own)]
        named = None if names is None else [str(name) for name in names]
        groups = _groups.listed(self._groups, named, count)
        within = [column for _, columns in groups for column in columns]
        if len(set(within)) != len(within) or any(not columns for _, columns in groups):
            raise ParameterError("groups: a feature in two groups, or a group of none, is not allowed")
        alone = [(own[column], [column]) for column in sorted(set(range(count)) - set(within))]
        return sorted([*((name, sorted(columns)) for name, columns in groups), *alone], key=lambda player: player[1][0])

    def _truth(self, labels, task, metric, x):
        """Labels as numbers of classes, or as numbers."""
        if task == "classification":
            return Classes(labels, self._asked.known_classes, self._asked.extra_classes(x, metric))
        return numbers(labels) if metric.is_of_numbers else labels

    def _evaluate(self, native, x, metric, truth, names, strata, progress):
        """By the engine."""
        # As the model names them; else by position.
        rows = native.table(x)
        groups = None
        if self._groups is not None:
            groups = [player for player in self._players(names, width(x)) if player[0] in self._groups]
        importances, said = _engine.explain_permutation(
            native.model,
            rows.data,
            rows.names,
            metric.score(truth, native),
            output=native.output,
            n_repeats=self._n_repeats,
            seed=self._seed,
            groups=groups,
            subset=None if self._subset is None else self._subset.tolist(),
            strata=strata,
            device=self._device,
            threads=self._threads,
            memory_limit=self._memory_limit,
            progress=progress,
        )
        return importances, json.loads(said)

    def _ask(self, x, metric, truth, players, names, strata, progress):
        """By what the model answers to shuffled rows."""
        judge = metric.asked(truth, self._asked)
        base = judge(x, 1)[0]
        sign = 1.0 if metric.is_error else -1.0
        importances = np.zeros((len(players), self._n_repeats))
        constant = [all(is_constant(x, column) for column in columns) for _, columns in players]
        variants = [
            (player, repeat)
            for player in range(len(players))
            if not constant[player]
            for repeat in range(self._n_repeats)
        ]
        at_once = self._asked.variants_at_once(x, self._memory_limit) if metric.is_stackable else 1
        for start in range(0, len(variants), at_once):
            some = variants[start : start + at_once]
            orders = [
                (
                    players[player][1],
                    _engine.permutation(row_count(x), self._seed, players[player][1][0], repeat, strata),
                )
                for player, repeat in some
            ]
            for (player, repeat), found in zip(some, judge(x, orders), strict=True):
                if not np.isfinite(found):
                    raise DataError(
                        f"the metric {metric.name}: {found} with {players[player][0]} shuffled; expected a finite "
                        "number"
                    )
                importances[player, repeat] = sign * (found - base)
            if progress is not None:
                progress(some[-1][0] + 1)
        still = [str(name) for (name, _), is_still in zip(players, constant, strict=True) if is_still]
        notes = []
        if still:
            some = ", ".join(still[:8]) + (", …" if len(still) > 8 else "")
            notes.append(f"{len(still)} of {len(players)} features are constant, and of importance 0: {some}")
        details = {
            "metric": metric.name,
            "is_error": metric.is_error,
            "base_score": base,
            "groups": [
                [name, [str(names[c]) if names is not None else f"f{c}" for c in columns]]
                for name, columns in players
                if self._groups is not None and name in self._groups
            ],
            "n_repeats": self._n_repeats,
            "rows": row_count(x),
            "strata": None if strata is None else len(np.unique(strata)),
            "output": metric.takes,
            "model_format": type(self.model).__qualname__,
            "engine": "asked",
            "device": "cpu",
            "device_reason": "the model is asked where it is",
            "seed": self._seed,
            "version": _engine.__version__,
            "notes": notes,
        }
        return importances, details

    def _later(self, name, x):
        """A prediction of the model, made when someone asks for it."""
        predict = None if self._is_function else getattr(self.model, name, None)
        if predict is None:
            return None
        return lambda: predict(x if self._before is None else self._before(x))


__all__ = ["PFIExplainer"]
