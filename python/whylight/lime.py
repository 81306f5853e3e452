"""LIME: linear models of what a model does in the neighbourhood of rows."""

from __future__ import annotations

import copy

import numpy as np

from . import _parameters, models
from ._base import merged, table_names
from ._engine import Explainer as Engine
from ._engine import pick
from ._table import held, is_a, with_rows
from .errors import ParameterError, ShapeError, UnsupportedError
from .explanation._cells import take
from .kernel import _native
from .models.function import Function
from .models.native import is_file, of_file
from .summarise import Background, summarise
from .tree import EngineExplainer

DISCRETIZERS = '"quartile", "decile", "entropy" or None'
SELECTIONS = '"auto", "forward_selection", "highest_weights", "lasso_path" or "none"'

#: Rows that weighted ones are repeated to, at most.
REPEATED = 10_000

#: Rows that a caller's linear models are fitted to between two words of progress.
BATCH = 16


class LIMEExplainer(EngineExplainer):
    """The coefficients of a linear model about each row (Ribeiro, Singh & Guestrin 2016), as lime defines them.

    `model` is a function of rows, an object with `predict_proba` or `predict`, a Pipeline, or a model file.
    `initialization_examples` are the training rows: samples are drawn column by column as these have them, and a sample
    weighs more the more it is like the row. They are the same for all rows, so that the model is asked for them once;
    `sample_around_instance=True` (with `discretizer=None`) shifts them to each row, for which the model is then asked.

    Numbers are compared by bins (`discretizer` is "quartile", "decile", or "entropy", which needs the `labels` of the
    training rows), or are quantities in standard deviations (None). `categorical_features` are names or positions;
    columns of a DataFrame that hold no numbers are categories anyway. `kernel_width` is 0.75 times the root of the
    number of features by default, `num_samples` are those about a row, with itself. `num_features` is how many features
    a row's model has at most: all by default, where interpret-community's LIMEExplainer had 10 and 0 for all others.
    `feature_selection` chooses them: "auto", "forward_selection", "highest_weights", "lasso_path" or "none".
    `linear_model` is a regressor of scikit-learn that is fitted in place of a ridge with penalty 1.

    Of classifiers the probabilities are explained, of each class in its place. A result has the intercept of each row
    as its base value, `e.standard_errors` over other draws of the samples, `e.local_fit` (the weighted R²), and
    `e.rules` and `e.as_list`, which name what is compared. `sp_lime` picks few rows that show the whole model.

    `nclusters` and `allow_all_transformations` are taken for compatibility: raw columns are perturbed, so that any
    transformations will do; only if `nclusters` is given, samples are drawn from so many centres of the training
    rows, as interpret-community did. A `Background`, or shap's `DenseData`, stands for its rows as often as their
    weights say. `is_function=True` refuses a model that is none.
    """

    explainer_type = "blackbox"

    _function = None

    def __init__(
        self,
        model,
        initialization_examples,
        is_function=False,
        explain_subset=None,
        nclusters=None,
        features=None,
        classes=None,
        verbose=False,
        categorical_features=(),
        show_progress=None,
        transformations=None,
        allow_all_transformations=False,
        model_task="unknown",
        *,
        discretizer="quartile",
        labels=None,
        kernel_width=None,
        num_features=None,
        num_samples=5000,
        feature_selection="auto",
        sample_around_instance=False,
        linear_model=None,
        output="auto",
        seed=0,
        device="auto",
        threads=0,
        memory_limit=None,
    ):
        if initialization_examples is None:
            raise ParameterError(
                "initialization_examples: None is not allowed: samples are drawn from the columns of the training rows"
            )
        if is_function and not callable(model):
            raise ParameterError(f"is_function: {type(model).__qualname__} is no function of rows")
        examples = initialization_examples
        if isinstance(examples, Background) or is_a(examples, "shap.utils._legacy", "DenseData"):
            examples = _repeated(examples.data, np.asarray(examples.weights, np.float64))
        if nclusters is not None:
            examples = summarise(examples, _parameters.count("nclusters", nclusters, 1, bits=32), seed=seed).data
        output = _parameters.text("output", output, '"auto", "raw" or "probability"')
        if output not in ("auto", "raw", "probability"):
            raise ParameterError(f'output: {output!r} is not allowed: "auto", "raw" or "probability"')
        self._model_type = str(type(model))
        if transformations is not None and explain_subset is not None:
            raise ParameterError("explain_subset: not allowed together with transformations")
        names = _parameters.names("features", features)
        made, output = self._made(model, examples, transformations, names, output)
        self._known_features = made.features
        self._begin(
            model,
            initialization_examples,
            features=features,
            classes=classes,
            explain_subset=explain_subset,
            show_progress=show_progress,
        )
        if model_task not in ("unknown", None):
            if model_task not in ("classification", "regression"):
                raise ParameterError(
                    f'model_task: {model_task!r} is not allowed: "classification", "regression" or "unknown"'
                )
            self._task = model_task
        self._verbose = bool(verbose)
        self._linear_model = _regressor(linear_model)
        given = self._names_of(examples)
        lime = {
            "discretizer": "none"
            if discretizer is None
            else _parameters.text("discretizer", discretizer, DISCRETIZERS),
            "labels": None if labels is None else _numbered(labels),
            "categorical": self._categories(categorical_features, given),
            "kernel_width": None if kernel_width is None else _parameters.positive("kernel_width", kernel_width),
            "num_features": None if num_features is None else _parameters.count("num_features", num_features, 1),
            "num_samples": _parameters.count("num_samples", num_samples),
            "feature_selection": _parameters.text("feature_selection", feature_selection, SELECTIONS),
            "sample_around_instance": bool(sample_around_instance),
        }
        rows = self._table(examples)
        self._make(
            made,
            background=rows.data,
            background_names=rows.names,
            value_function="auto",
            allowed='"auto"',
            output=output,
            lime=lime,
            device=device,
            seed=seed,
            threads=threads,
            memory_limit=memory_limit,
        )

    def _made(self, model, examples, transformations, names, output):
        """The model as the engine has it, and its output. Raw columns are explained: these are what is perturbed."""
        if is_file(model):
            if transformations is not None:
                raise UnsupportedError(
                    "transformations: of a model file, they are not supported by LIME; give a function that transforms "
                    "its rows and asks the model"
                )
            found = self._trees(model, output)
            if found is not None:
                return found
            found = of_file(model, output, np.shape(with_rows(held(examples)))[-1])
        elif transformations is None and is_a(examples, "numpy", "ndarray") and not _is_pipeline(model):
            found = _native(model, examples, None, False, output, None)
            found = None if found is None else found[0]
        else:
            found = None
        if found is not None:
            self._task, self._known_classes, self._outputs = found.task, found.classes, found.outputs
            return found.model, found.output
        if not callable(model) and not hasattr(model, "get_params"):
            # A booster takes its own kind of rows.
            trees = self._trees(model, output)
            if trees is not None:
                return trees
        if transformations is not None:
            from .transformations import Transformations

            # Of raw columns, it does not matter which of them are mixed.
            self._before = Transformations(transformations, allow_all_transformations=True).transform
        self._function = Function(model, examples, self._before, names, output)
        self._task, self._known_classes = self._function.task, self._function.classes
        self._outputs = len(self._function.model.outputs)
        return self._function.model, "raw"

    def _trees(self, model, output):
        """A tree ensemble with what it predicts: the probability of classifiers; None if it is none."""
        try:
            trees = models.trees(model)
        except UnsupportedError:
            return None
        self._task, self._known_classes, self._outputs = trees.task, trees.classes, len(trees.model.outputs)
        if output == "auto":
            output = "probability" if trees.task == "classification" else "response"
        if trees.model.format.startswith("XGBoost"):
            self._absent = np.nan
        return trees.model, "raw" if trees.model.objective == "probability" else output

    @property
    def _explains_raw(self):
        return self._before is not None

    def _names_of(self, examples):
        return self._features or self._known_names() or table_names(with_rows(held(examples)))

    def _categories(self, given, names):
        """The positions of categorical features."""
        given = [] if given is None else given
        if isinstance(given, (str, bytes)):
            raise ParameterError(f"categorical_features: {given!r} is not allowed: a list of names or positions")
        count = len(self._known_features)
        places = {str(name): place for place, name in enumerate(names or [])}
        positions = set()
        for feature in given:
            place = places.get(feature) if isinstance(feature, str) else feature
            is_place = isinstance(place, (int, np.integer)) and not isinstance(place, bool)
            if not is_place or not 0 <= place < count:
                raise ParameterError(
                    f"categorical_features: {feature!r} is not allowed: names of the features, or positions from 0 to "
                    f"{count - 1}"
                )
            positions.add(int(place))
        if self._function is not None:
            positions.update(self._function.categories)
        return sorted(positions)

    def _table(self, rows):
        return super()._table(rows) if self._function is None else self._function.table(rows)

    def _compute(self, rows, include_local, progress):
        if self._linear_model is not None:
            computed = self._fitted(rows, include_local, progress)
        else:
            computed = super()._compute(rows, include_local, progress)
        if self._verbose and include_local:
            fits = np.reshape(computed["local_fit"], (rows.rows, -1))
            bases = np.reshape(computed["base_values"], (rows.rows, -1))
            for row, (fit, base) in enumerate(zip(fits, bases, strict=True)):
                print(f"row {row}: intercept {np.array2string(base)}, local fit {np.array2string(fit)}")
        return computed

    def _fitted(self, rows, include_local, progress):
        """As `_compute`, by the caller's linear model, row by row."""
        computed = None
        for start in range(0, rows.rows, BATCH):
            some = [self._fit(rows, row) for row in range(start, min(start + BATCH, rows.rows))]
            values, bases, fits = (np.array(part) for part in zip(*some, strict=True))
            part = self._said(values, bases, fits, include_local)
            if computed is None:
                computed = part
            elif include_local:
                joined = {
                    key: np.concatenate([computed[key], part[key]]) for key in ("values", "base_values", "local_fit")
                }
                computed = {**computed, **joined, "details": {**part["details"]}}
                computed["details"]["rows"] = len(joined["values"])
            else:
                computed = merged(computed, part)
            if progress is not None:
                progress(start + len(some))
        return computed

    def _fit(self, rows, row):
        """The coefficients (features, outputs), the intercepts and the fits of one row."""
        samples, weights, answers, used = self._engine.local_samples(one_row(rows.data, row), rows.names)
        values = np.zeros((samples.shape[1], answers.shape[1]))
        intercepts, fits = np.zeros(answers.shape[1]), np.zeros(answers.shape[1])
        for output, target in enumerate(answers.T):
            chosen = samples[:, used[output]]
            fitted = copy.deepcopy(self._linear_model)
            fitted.fit(chosen, target, sample_weight=weights)
            values[used[output], output] = np.ravel(fitted.coef_)
            intercepts[output] = np.ravel(fitted.intercept_)[0]
            said = chosen @ values[used[output], output] + intercepts[output]
            left = np.average((target - said) ** 2, weights=weights)
            spread = np.average((target - np.average(target, weights=weights)) ** 2, weights=weights)
            fits[output] = 1.0 - left / spread if spread > 0 else float(left == 0)
        return values.astype(np.float32), intercepts, fits.astype(np.float32)

    def _said(self, values, bases, fits, include_local):
        import json

        header = json.loads(self._engine.header())
        base = header.pop("base_values")
        header["estimator"] = type(self._linear_model).__name__
        trailer = {
            "rows": len(values),
            "additivity_error": None,
            "additivity_rows": 0,
            "standard_error": 0.0,
            "approximation_error": 0.0,
            "engines": [],
            "notes": ["the linear model is the caller's, and its coefficients have no standard errors"],
        }
        details = {**header, **trailer}
        one = len(header["output_names"]) == 1
        if include_local:
            cut = (lambda part: part[..., 0]) if one else (lambda part: part)
            return {"values": cut(values), "base_values": cut(bases), "local_fit": cut(fits), "details": details}
        sizes = np.abs(values.astype(np.float64))
        parts = [sizes.mean(axis=0), sizes.std(axis=0)]
        parts = [part[:, 0] if one else part.T for part in parts]
        if one and self._output_task == "classification":
            parts = [np.stack([part, part]) for part in parts]
        base = (base[0] if one else base) if base else None
        return {"base_values": base, "means": parts[0], "spread": parts[1], "is_local": False, "details": details}

    def sp_lime(self, evaluation_examples, budget=5, num_features=None):
        """The positions of at most `budget` rows that show the most of what the model does, and their explanation.

        Rows are taken one by one, each time that which covers the most of what none before showed: what a feature does
        in a bin or category weighs the root of the sum of its coefficients' sizes over all rows and outputs (Ribeiro,
        Singh & Guestrin 2016, §4). With `num_features`, that many of each row count, chosen as the explainer chooses
        them.
        """
        budget = _parameters.count("budget", budget, 1)
        explainer = self
        if num_features is not None:
            lime = {
                **self._made_with["lime"],
                "num_features": _parameters.count("num_features", num_features, 1),
            }
            explainer = copy.copy(self)
            explainer._made_with = {**self._made_with, "lime": lime}
            explainer._engine = Engine(self._engine_model, **explainer._made_with)
        explanation = explainer(evaluation_examples)
        rows = self._table(with_rows(held(evaluation_examples)))
        components = np.reshape(explainer._engine.components(rows.data, rows.names), (rows.rows, -1))
        if self._subset is not None:
            components = components[:, self._subset]
        values = np.reshape(explanation.values, (*components.shape, -1)).astype(np.float32)
        picked = np.array(pick(values, components.ravel().tolist(), budget), np.intp)
        return picked, explanation[picked]


def one_row(data, row):
    """A row of what the engine takes as a table."""
    if isinstance(data, np.ndarray):
        return np.ascontiguousarray(data[row : row + 1])
    if isinstance(data, tuple):
        raise UnsupportedError("linear_model: with sparse rows it is not supported by LIME; give dense ones")
    return [
        (np.ascontiguousarray(column[0][row : row + 1]), column[1])
        if isinstance(column, tuple)
        else np.ascontiguousarray(column[row : row + 1])
        for column in data
    ]


def _repeated(rows, weights):
    """Weighted rows, each as often as its weight says: in the smallest whole numbers that do, or the nearest ones."""
    shares = weights / weights.sum()
    times = np.arange(1, REPEATED + 1)[:, None] * shares
    exact = np.abs(times - np.round(times)).max(axis=1) < 1e-6
    times = np.round(times[exact.argmax() if exact.any() else -1]).astype(np.intp)
    return take(rows, np.repeat(np.arange(len(times)), times))


def _is_pipeline(model):
    return is_a(getattr(model, "__self__", model), "sklearn.pipeline", "Pipeline")


def _regressor(model):
    if model is not None and not hasattr(model, "fit"):
        raise ParameterError(
            f"linear_model: {model!r} is not allowed: a regressor with fit(X, y, sample_weight), coef_ and intercept_"
        )
    return model


def _numbered(labels):
    """A number for each label."""
    labels = np.asarray(labels)
    if labels.ndim != 1:
        raise ShapeError(f"labels: expected one per training row, got the shape {labels.shape}")
    return np.unique(labels, return_inverse=True)[1].astype(np.uint32).tolist()
