"""scikit-learn: every ensemble whose prediction is a sum over trees, through the arrays of its trees."""

from __future__ import annotations

import dataclasses

import numpy as np

from .._engine import Model
from ..errors import ModelError
from . import Trees, refused
from ._hist import hist_trees


@dataclasses.dataclass
class Sum:
    """base + Σ trees, by output."""

    #: One per tree, as `Model.from_trees` takes them.
    trees: list[dict]
    base: np.ndarray
    task: str
    classes: list | None = None
    #: What an output is: a class's probability, a margin, a prediction.
    objective: str = ""
    #: Cells are compared as float64, not rounded to float32 as most of scikit-learn's trees do.
    wide: bool = False
    #: Category labels by feature.
    categories: list | None = None


def trees(model) -> Trees:
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    try:
        check_is_fitted(model)
    except NotFittedError as error:
        raise ModelError(f"{type(model).__name__} is not fitted; call fit before it is explained") from error
    total = _sum(model)
    names = getattr(model, "feature_names_in_", None)
    count = int(model.n_features_in_)
    labels = total.categories or [None] * count
    names = [str(name) for name in names] if names is not None else [None] * count
    outputs = len(total.base)
    titles = [f"output {k}" for k in range(outputs)]
    if total.classes is not None:
        titles = [str(label) for label in (total.classes if outputs > 1 else total.classes[-1:])]
    converted = Model.from_trees(
        f"<{type(model).__name__}>",
        total.objective,
        list(zip(names, labels, strict=True)),
        titles,
        [float(value) for value in total.base],
        total.trees,
        wide=total.wide,
    )
    return Trees(converted, total.task, total.classes, None if names[0] is None else names)


def _sum(model) -> Sum:
    for kind in type(model).__mro__:
        reader = READERS.get(kind.__name__)
        if reader is not None and kind.__module__.startswith(("sklearn.", "quantile_forest.")):
            return reader(model)
    raise refused(model, "is no sum over trees")


def tree_arrays(tree, value, output, iteration, columns=None):
    """The arrays of a `sklearn.tree._tree.Tree`, with the values that its leaves add, by node and output.

    `columns` are the features of the whole model that the tree's own numbers stand for.
    """
    feature = tree.feature.astype(np.int64)
    leaf = tree.children_left < 0
    if columns is not None:
        feature = np.where(leaf, 0, np.asarray(columns, np.int64)[np.where(leaf, 0, feature)])
    missing_left = getattr(tree, "missing_go_to_left", None)
    if missing_left is None:
        missing_left = np.zeros(tree.node_count, bool)
    return {
        "left": tree.children_left.astype(np.int64),
        "right": tree.children_right.astype(np.int64),
        "feature": np.where(leaf, 0, feature),
        "threshold": np.where(leaf, 0.0, tree.threshold.astype(np.float64)),
        "missing_left": np.ascontiguousarray(missing_left).astype(bool),
        "set": np.full(tree.node_count, -1, np.int64),
        "sets": np.zeros((0, 8), np.uint32),
        "cover": tree.weighted_n_node_samples.astype(np.float64),
        "value": np.ascontiguousarray(value, np.float64).reshape(tree.node_count, -1),
        "output": output,
        "iteration": iteration,
    }


def _probabilities(tree):
    """What a classification tree predicts at each node, (nodes, classes)."""
    value = tree.value[:, 0, :]
    total = value.sum(axis=1, keepdims=True)
    return value / np.where(total > 0, total, 1.0)


def _mean(model, estimators, columns=None) -> Sum:
    """The average of trees: forests, bagging, or one tree."""
    if columns is None:
        columns = [None] * len(estimators)
    weight = 1.0 / len(estimators)
    classes = getattr(model, "classes_", None)
    parts = []
    for i, (estimator, names) in enumerate(zip(estimators, columns, strict=True)):
        if not hasattr(estimator, "tree_"):
            raise refused(estimator, f"inside {type(model).__name__} is no tree")
        tree = estimator.tree_
        if classes is None:
            parts.append(tree_arrays(tree, weight * tree.value[:, :, 0], None, i, names))
            continue
        if tree.n_outputs > 1:
            raise refused(model, "predicts the classes of several targets; explain one model per target")
        value = _probabilities(tree)
        # A tree of a forest numbers the classes of the forest.
        if len(classes) == 2:
            parts.append(tree_arrays(tree, weight * value[:, 1], 0, i, names))
        else:
            parts.append(tree_arrays(tree, weight * value, None, i, names))
    if classes is None:
        return Sum(parts, np.zeros(estimators[0].tree_.n_outputs), "regression", objective="mean of trees")
    outputs = 1 if len(classes) == 2 else len(classes)
    return Sum(parts, np.zeros(outputs), "classification", list(classes), "probability")


def _bagging(model) -> Sum:
    classes = getattr(model, "classes_", None)
    if classes is not None:
        if not hasattr(model.estimators_[0], "predict_proba"):
            raise refused(model, "counts votes of models without probabilities")
        for estimator in model.estimators_:
            if len(estimator.classes_) != len(classes):
                raise refused(model, "has members that never saw some class")
    return _mean(model, model.estimators_, model.estimators_features_)


def _margin(model) -> str:
    """The raw margin of a boosted model, and what its prediction makes of it."""
    classes = getattr(model, "classes_", None)
    if classes is None:
        return "raw margin, exp" if model.loss in ("poisson", "gamma") else "raw margin"
    if model.loss == "exponential":
        return "raw margin, logistic:2"
    return "raw margin, logistic" if len(classes) == 2 else "raw margin, softmax"


def _gradient_boosting(model) -> Sum:
    if not (model.init_ == "zero" or type(model.init_).__module__ == "sklearn.dummy"):
        raise refused(model, f"starts from {type(model.init_).__name__}, which is no constant")
    classes = getattr(model, "classes_", None)
    parts = []
    iterations, outputs = model.estimators_.shape
    for i in range(iterations):
        for k in range(outputs):
            tree = model.estimators_[i, k].tree_
            parts.append(tree_arrays(tree, model.learning_rate * tree.value[:, 0, 0], k, i))
    # The start is a constant of the loss: what the prediction of any row has beside its trees.
    row = np.zeros((1, model.n_features_in_), np.float32)
    seen = np.zeros(outputs)
    for i in range(iterations):
        for k in range(outputs):
            tree = model.estimators_[i, k].tree_
            seen[k] += model.learning_rate * tree.value[tree.apply(row)[0], 0, 0]
    raw = model.decision_function if classes is not None else model.predict
    base = np.ravel(_quietly(raw, row)) - seen
    task = "regression" if classes is None else "classification"
    return Sum(parts, base, task, None if classes is None else list(classes), _margin(model))


def _hist_gradient_boosting(model) -> Sum:
    classes = getattr(model, "classes_", None)
    parts, categories = hist_trees(model)
    base = np.ravel(model._baseline_prediction).astype(np.float64)
    task = "regression" if classes is None else "classification"
    return Sum(
        parts, base, task, None if classes is None else list(classes), _margin(model), wide=True, categories=categories
    )


def _isolation_forest(model) -> Sum:
    """The expected path length over the trees: what the anomaly score is a decreasing function of."""
    parts = []
    weight = 1.0 / len(model.estimators_)
    pairs = zip(model.estimators_, model.estimators_features_, strict=True)
    for i, (estimator, columns) in enumerate(pairs):
        tree = estimator.tree_
        depth = np.zeros(tree.node_count)
        for n in range(tree.node_count):
            for child in (tree.children_left[n], tree.children_right[n]):
                if child >= 0:
                    depth[child] = depth[n] + 1
        length = depth + _average_path(tree.n_node_samples)
        parts.append(tree_arrays(tree, weight * length, 0, i, columns))
    return Sum(parts, np.zeros(1), "unknown", objective="expected path length")


def _average_path(samples):
    """The mean path length of an unsuccessful search in a binary tree of so many samples (Liu et al. 2008)."""
    samples = np.asarray(samples, np.float64)
    many = np.where(samples > 2, samples, 3.0)
    length = 2.0 * (np.log(many - 1.0) + np.euler_gamma) - 2.0 * (many - 1.0) / many
    return np.where(samples > 2, length, np.where(samples == 2, 1.0, 0.0))


def _ada_boost(model) -> Sum:
    if getattr(model, "algorithm", "SAMME") == "SAMME.R":
        raise refused(model, "with algorithm SAMME.R sums logarithms of probabilities; fit it with SAMME")
    classes = list(model.classes_)
    count = len(classes)
    weights = np.asarray(model.estimator_weights_, np.float64)[: len(model.estimators_)]
    parts = []
    for i, (estimator, weight) in enumerate(zip(model.estimators_, weights / weights.sum(), strict=True)):
        if not hasattr(estimator, "tree_"):
            raise refused(estimator, f"inside {type(model).__name__} is no tree")
        # A tree votes for the class that it predicts.
        known = [classes.index(label) for label in estimator.classes_]
        chosen = np.asarray(known)[_probabilities(estimator.tree_).argmax(axis=1)]
        votes = np.where(chosen[:, None] == np.arange(count), weight, -weight / (count - 1))
        if count == 2:
            parts.append(tree_arrays(estimator.tree_, votes[:, 1] - votes[:, 0], 0, i))
        else:
            parts.append(tree_arrays(estimator.tree_, votes, None, i))
    return Sum(parts, np.zeros(1 if count == 2 else count), "classification", classes, "decision function")


def _voting(model) -> Sum:
    """An average of sums is a sum."""
    classes = getattr(model, "classes_", None)
    if classes is not None and model.voting != "soft":
        raise refused(model, "counts votes; with voting='soft' it is a sum")
    weights = model.weights if model.weights is not None else [1.0] * len(model.estimators)
    weights = [weight for weight, (_, member) in zip(weights, model.estimators, strict=True) if member != "drop"]
    members = [_sum(member) for member in model.estimators_]
    if classes is not None and any(member.objective != "probability" for member in members):
        raise refused(model, "averages probabilities that are no sums over trees")
    if len({(len(member.base), member.wide) for member in members}) > 1 or any(m.categories for m in members):
        raise refused(model, "has members that read the cells in different ways")
    total = sum(weights)
    parts = []
    for member, weight in zip(members, weights, strict=True):
        parts += [{**tree, "value": tree["value"] * (weight / total)} for tree in member.trees]
    for i, tree in enumerate(parts):
        tree["iteration"] = i
    base = sum(weight / total * member.base for member, weight in zip(members, weights, strict=True))
    first = members[0]
    labels = None if classes is None else list(classes)
    return Sum(parts, base, first.task, labels, first.objective, first.wide)


def _several_regressors(model) -> Sum:
    """A model for each target."""
    members = [_sum(member) for member in model.estimators_]
    if len({member.wide for member in members}) > 1 or any(any(m.categories or []) for m in members):
        raise refused(model, "has members that read the cells in different ways; explain each of its estimators_")
    parts = [{**tree, "output": k} for k, member in enumerate(members) for tree in member.trees]
    base = np.concatenate([member.base for member in members])
    return Sum(parts, base, "regression", objective=members[0].objective, wide=members[0].wide)


def _quietly(function, *arguments):
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*arguments)


def _refuse(reason):
    def reader(model):
        raise refused(model, reason)

    return reader


READERS = {
    "DecisionTreeClassifier": lambda model: _mean(model, [model]),
    "DecisionTreeRegressor": lambda model: _mean(model, [model]),
    "RandomForestClassifier": lambda model: _mean(model, model.estimators_),
    "RandomForestRegressor": lambda model: _mean(model, model.estimators_),
    "ExtraTreesClassifier": lambda model: _mean(model, model.estimators_),
    "ExtraTreesRegressor": lambda model: _mean(model, model.estimators_),
    "BaggingClassifier": _bagging,
    "BaggingRegressor": _bagging,
    "GradientBoostingClassifier": _gradient_boosting,
    "GradientBoostingRegressor": _gradient_boosting,
    "HistGradientBoostingClassifier": _hist_gradient_boosting,
    "HistGradientBoostingRegressor": _hist_gradient_boosting,
    "IsolationForest": _isolation_forest,
    "AdaBoostClassifier": _ada_boost,
    "AdaBoostRegressor": _refuse("takes a weighted median of its trees, which is no sum"),
    "VotingClassifier": _voting,
    "VotingRegressor": _voting,
    "MultiOutputRegressor": _several_regressors,
    "MultiOutputClassifier": _refuse("predicts the classes of several targets; explain each of its estimators_"),
    "BaseForestQuantileRegressor": _refuse(
        "takes quantiles of the training targets in the leaves of its trees, which is no sum over trees; "
        "GradientBoostingRegressor(loss='quantile') predicts a quantile that is one"
    ),
    "CalibratedClassifierCV": _refuse("bends the sum by its calibration; explain its estimator"),
}
