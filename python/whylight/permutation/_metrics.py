"""Metrics as people give them: names, functions, and scorers of scikit-learn."""

from __future__ import annotations

import dataclasses
import enum
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import _engine
from ..errors import DataError, ParameterError, UnsupportedError, WhylightError
from ._labels import Classes

#: What the engine's metrics take as `metric_args`, beside `pos_label`.
NUMBERS, WORDS = ("alpha", "beta"), ("average", "multi_class")
AVERAGES = ("micro", "macro", "weighted")

#: Of a name, what tells an error from a score.
ERRORS = ("error", "loss", "deviance")

#: How far apart numbers are that differ by rounding alone; the engine has it, too.
TIE = 1e-12


@dataclasses.dataclass
class Metric:
    """A metric before the task is known: of the engine, a function, or a scorer; or none, for the default."""

    name: str | None = None
    is_error: bool = False
    #: Of the engine: "classes", "scores", "probabilities" or "numbers".
    takes: str | None = None
    args: dict[str, Any] = dataclasses.field(default_factory=dict)
    function: Callable | None = None
    scorer: Any = None

    def of(self, task, use_proba) -> Bound:
        """The metric for a task, "classification" or "regression"."""
        is_classifier = task == "classification"
        if self.scorer is not None:
            return Bound(self, "model")
        if self.function is not None:
            default = ("probabilities" if use_proba else "classes") if is_classifier else "numbers"
            return Bound(self, self.takes or default)
        if self.name is None:
            default = named("f1_micro" if is_classifier else "mean_absolute_error", {})
            return Bound(default, default.takes)
        if (self.takes == "numbers") == is_classifier:
            kinds = ("numbers", "classes") if is_classifier else ("classes", "numbers")
            raise ParameterError(
                f"metric: {self.name} is not allowed: it is of {kinds[0]}, and the task is {task}, of {kinds[1]}"
            )
        return Bound(self, self.takes)


@dataclasses.dataclass
class Bound:
    """A metric that knows what it takes: "classes", "scores", "probabilities", "numbers", or the "model"."""

    metric: Metric
    takes: str

    @property
    def name(self):
        return self.metric.name

    @property
    def is_error(self):
        return self.metric.is_error

    @property
    def is_of_numbers(self):
        """Whether labels have to be numbers."""
        return self.takes == "numbers" and self.metric.function is None

    @property
    def is_stackable(self):
        """Whether the model is asked apart from the metric."""
        return self.takes != "model"

    def judge(self, truth, decide="largest", above=0.5):
        """The engine's metric with labels."""
        args = dict(self.metric.args)
        positive = None
        if isinstance(truth, Classes):
            label = args.pop("pos_label", None)
            positive = truth.positive if label is None else truth.place(label)
        numbers = [(name, float(args.pop(name))) for name in NUMBERS if name in args]
        average = args.pop("average", None)
        # Which class is positive is a matter of metrics of one class alone.
        positive = positive if positive not in (None, 1) or "pos_label" in self.metric.args else None
        given = (truth.of, truth.count) if isinstance(truth, Classes) else truth
        words = {"above": above, "average": average, "numbers": numbers}
        if positive is not None:
            try:
                return _engine.Judge(self.name, given, decide, positive=positive, **words)
            except ParameterError:
                if "pos_label" in self.metric.args:
                    raise
        return _engine.Judge(self.name, given, decide, **words)

    def score(self, truth, native):
        """What scores the answers of the engine."""
        if self.metric.function is None:
            judge = self.judge(truth, native.decide, native.above)
            self.metric.name = judge.name
            return judge
        labels = truth.given if isinstance(truth, Classes) else truth
        classes = np.asarray(truth.labels) if isinstance(truth, Classes) else None

        def scored(answers):
            if self.takes == "classes":
                predicted = classes[native.classes(answers)]
            elif self.takes == "numbers":
                predicted = answers[:, 0]
            else:
                predicted = np.column_stack([1.0 - answers, answers]) if answers.shape[1] == 1 else answers
            return self.called(labels, predicted)

        return scored, self.name, self.is_error

    def called(self, labels, predicted) -> float:
        """What a function says."""
        try:
            found = self.metric.function(labels, predicted, **self.metric.args)
        except WhylightError:
            raise
        except Exception as error:
            raise ParameterError(f"metric: {self.name} failed: {type(error).__name__}: {error}") from error
        return self.number(found)

    def number(self, found) -> float:
        try:
            return float(found)
        except (TypeError, ValueError):
            raise ParameterError(f"metric: {self.name} returned {found!r}; expected a finite number") from None

    def asked(self, truth, asked):
        """A function that gives the scores of rows as they are (for 1), or shuffled by some (columns, order)."""
        if self.takes == "model":
            labels = truth.given if isinstance(truth, Classes) else truth
            one = asked.scored_by(self, labels)
        elif self.metric.function is None:
            judge = self.judge(truth)
            self.metric.name = judge.name
            if self.takes == "classes":

                def one(answers):
                    return judge.score_classes(asked.class_numbers(answers, truth))
            else:

                def one(answers):
                    return judge.score(asked.matrix(answers))
        else:
            labels = truth.given if isinstance(truth, Classes) else truth

            def one(answers):
                return self.called(labels, asked.predicted(answers, self.takes, truth))

        def scores(x, orders):
            found = [one(answers) for answers in asked.answers(x, self.takes, orders)]
            if orders == 1 and not np.isfinite(found[0]):
                raise DataError(f"the metric {self.name}: {found[0]} of the rows as they are; expected a finite number")
            return found

        return scores


def resolve(metric, args, is_error, notes) -> Metric:
    """The metric that is meant; what is wrong with it is said by name."""
    args = dict(args or {})
    if isinstance(metric, enum.Enum):
        metric = metric.value
    if metric is None:
        if args or is_error is not None:
            raise ParameterError("metric_args, is_error_metric: not allowed without a metric")
        return Metric()
    if isinstance(metric, str):
        found = _by_name(metric, args)
    elif type(metric).__module__.startswith("sklearn.metrics") and hasattr(metric, "_score_func"):
        found = _of_scorer(metric, args)
    elif callable(metric):
        name = getattr(metric, "__name__", type(metric).__qualname__)
        if is_error is None and any(word in name for word in ERRORS):
            notes.append(
                f"metric: {name} is a function, and taken for a score, of which more is better, since is_error_metric "
                "does not say otherwise"
            )
        return Metric(name, bool(is_error), args=args, function=metric)
    else:
        raise ParameterError(
            f"metric: {metric!r} is not allowed: a name, a function metric(y_true, y_pred), or a scorer of scikit-learn"
        )
    if is_error is not None and bool(is_error) != found.is_error and not is_error_of(found, metric, is_error):
        kind = "an error" if found.is_error else "a score"
        raise ParameterError(f"is_error_metric: {is_error} is not allowed: {found.name} is {kind}; leave it out")
    return found


def is_error_of(found, metric, is_error) -> bool:
    """Whether a scorer of scikit-learn's that is the negative of an error may be called no error."""
    return isinstance(metric, str) and metric.startswith("neg_") and not is_error


def named(name, args) -> Metric:
    """A metric of the engine, which takes these arguments."""
    own, is_error, takes = _engine.metric(name)
    return Metric(own, is_error, takes, args)


def _by_name(name, args) -> Metric:
    try:
        found = named(name, args)
    except ParameterError as error:
        return _of_sklearn(name, args, error)
    takes = {*NUMBERS, *WORDS, "pos_label"}
    if set(args) <= takes and args.get("multi_class", "ovr") in ("ovr", "raise"):
        found.args = {key: value for key, value in args.items() if key != "multi_class" and value is not None}
        return found
    plain, _, average = found.name.rpartition("_")
    if average in AVERAGES:
        found.args = {"average": average, **args}
    else:
        plain = found.name.partition(" ")[0]
    function = _function(plain)
    if function is None:
        unknown = ", ".join(sorted(set(args) - takes))
        raise ParameterError(
            f"metric_args: {unknown} is not allowed for {name} without scikit-learn, whose function takes it"
        )
    return Metric(found.name, found.is_error, found.takes, found.args, function)


def _function(name):
    """scikit-learn's function of a name, with or without its ending."""
    try:
        import sklearn.metrics as metrics
    except ImportError:
        return None
    endings = ("", "_score", "_loss")
    return next((getattr(metrics, name + end) for end in endings if hasattr(metrics, name + end)), None)


def _of_sklearn(name, args, error) -> Metric:
    """A scorer, or a function, that scikit-learn has and the engine has not."""
    try:
        from sklearn.metrics import get_scorer
    except ImportError:
        raise error from None
    try:
        scorer = get_scorer(name)
    except (ValueError, KeyError):
        function = _function(name)
        if function is None:
            raise error from None
        return Metric(name, any(word in name for word in ERRORS), args=args, function=function)
    if args:
        raise ParameterError(f"metric_args: not allowed together with the scorer {name!r}: give its function")
    return Metric(name, scorer=scorer)


def _of_scorer(scorer, args) -> Metric:
    """A scorer of scikit-learn, by the engine's metric if that is the same."""
    if args:
        raise ParameterError("metric_args: not allowed together with a scorer, which has its own")
    function, kwargs = scorer._score_func, dict(getattr(scorer, "_kwargs", {}))
    name = getattr(function, "__name__", type(scorer).__qualname__)
    if getattr(sys.modules.get("sklearn.metrics"), name, None) is function:
        try:
            found = named(name, {})
            if set(kwargs) <= {*NUMBERS, "average", "pos_label"} and found.is_error == (scorer._sign < 0):
                found.args = {key: value for key, value in kwargs.items() if value is not None}
                return found
        except ParameterError:
            pass
    return Metric(name, scorer=scorer)


def unstackable(name) -> UnsupportedError:
    return UnsupportedError(
        f"the scorer {name} is not supported by permutation importance of a function: it asks an estimator; give a "
        "function metric(y_true, y_pred), or a metric by name"
    )
