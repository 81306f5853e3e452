"""Tree SHAP: exact values of tree ensembles."""

from __future__ import annotations

import json
import math
import os
import sys

import numpy as np

from . import _groups, _parameters, models
from ._base import Explainer, no_probability, unwrap, wants_probability
from ._engine import Explainer as Engine
from ._progress import bar
from ._table import held, is_a, row_count
from .errors import ParameterError, ShapeError, UnsupportedError
from .explanation import Explanation
from .summarise import Background

#: shap's names of the value functions.
VALUE_FUNCTIONS = {"tree_path_dependent": "path_dependent", "correlation_dependent": "conditional"}

#: What can be explained.
OUTPUTS = '"raw", "probability", "response" or "log_loss"'


def _spare_tensorflow(device):
    """Leaves out the drivers that crash beside TensorFlow.

    It shows its own LLVM to the whole process, and Mesa's drivers with another one then end it by a crash at its exit.
    """
    if device == "auto" and "tensorflow" in sys.modules:
        os.environ.setdefault("VK_LOADER_DRIVERS_DISABLE", "*radeon*,*lvp*")


class EngineExplainer(Explainer):
    """An explainer whose method runs in the engine, as `_engine`."""

    def _make(
        self, model, *, device, seed, threads, memory_limit, value_function, allowed, groups=None, samples=None, **more
    ):
        """Makes the engine's explainer of a model."""
        value_function = _parameters.text("value_function", value_function, allowed)
        self._seed = _parameters.count("seed", seed)
        self._memory_limit = None if memory_limit is None else _parameters.count("memory_limit", memory_limit)
        self._made_with = {
            "device": _parameters.device(device),
            "seed": self._seed,
            "threads": _parameters.count("threads", threads),
            "memory_limit": self._memory_limit,
            "value_function": VALUE_FUNCTIONS.get(value_function, value_function),
            "groups": self._grouped(groups),
            "samples": None if samples is None else _parameters.count("samples", samples, 2, bits=32),
            **more,
        }
        self._engine_model = model
        _spare_tensorflow(device)
        self._engine = Engine(model, **self._made_with)

    def _grouped(self, groups):
        """Groups as the engine takes them; None where all features play by themselves, or until rows tell of raw ones.

        Called after the background, if there is one, went through the transformations.
        """
        if groups is None:
            return None
        if self._subset is not None:
            raise ParameterError("explain_subset: not allowed together with groups: slice the result, as e[:, names]")
        if self._transformations is None:
            if isinstance(groups, str) and groups == _groups.BY_RAW:
                raise ParameterError(
                    f'groups: "{groups}" is not allowed without transformations: give them, or a Pipeline that '
                    "transforms, or a dict of names with lists of features"
                )
            return _groups.listed(groups, self._features or self._known_names(), len(self._known_features))
        if not isinstance(groups, str) or groups != _groups.BY_RAW:
            raise ParameterError(
                f'groups: {groups!r} is not allowed together with transformations: "{_groups.BY_RAW}", where each raw '
                "feature plays with all its columns; or explain the model on the columns that it takes"
            )
        self._plays_raw = True
        if self._transformations.engineered_names is None:
            return None
        return _groups.raw_features(self._transformations, self._features).groups

    def _game(self):
        """The engine's explainer of the players, and the raw features that these are, or None."""
        if not self._plays_raw:
            return self._engine, None
        raw = _groups.raw_features(self._transformations, self._features)
        engine = self._engine
        if raw.groups != self._made_with["groups"]:
            made_with = {**self._made_with, "groups": raw.groups}
            engine = Engine(self._engine_model, **made_with)
            self._made_with, self._engine = made_with, engine
        return engine, raw

    def _background(self, background) -> dict:
        """Background rows, with weights if they have some, as the engine takes them."""
        if background is None:
            return {}
        weights = None
        if isinstance(background, Background) or is_a(background, "shap.utils._legacy", "DenseData"):
            background, weights = background.data, np.ascontiguousarray(background.weights, np.float64)
        if self._transformations is not None:
            background = self._transformations.transform(background)
        given = self._table(background)
        return {"background": given.data, "background_names": given.names, "weights": weights}

    def _players(self, names):
        if self._made_with.get("used_only"):
            header = json.loads(self._engine.header())
            if names is None:
                return header["feature_names"]
            place = {column: names[i] for i, column in enumerate(header["columns"])}
            return [place[feature] for feature in header["feature_names"]]
        if self._made_with["groups"] is None:
            return names
        return _groups.renamed(json.loads(self._engine.header()), names)[0]

    def _compute(self, rows, include_local, progress):
        engine, raw = self._game()
        explain = engine.explain if include_local else engine.summarise
        *parts, trailer = explain(rows.data, rows.names, progress)
        deltas, recomputed, intercepts, fits = parts[2:] if include_local else (None,) * 4
        parts = parts[:2]
        if raw is not None:
            parts = [None if part is None else raw.all(part, axis=part.ndim - 2) for part in parts]
        details = {**json.loads(engine.header()), **json.loads(trailer)}
        names = self._features if self._transformations is None else self._transformations.engineered_names
        details["groups"] = _groups.renamed(details, names)[1]
        base = details.pop("base_values")
        one = len(details["output_names"]) == 1
        # Where rows have samples of their own, LIME has no base values but theirs.
        computed = {"base_values": (base[0] if one else base) if base else None, "details": details}
        if include_local:
            parts = [part[:, :, 0] if one and part is not None else part for part in parts]
            deltas = deltas[:, 0] if one and deltas is not None else deltas
            beside = {"standard_errors": parts[1], "completeness_delta": deltas, "recomputed": recomputed}
            if intercepts is not None:
                # Of LIME, rows have base values of their own.
                computed["base_values"] = intercepts[:, 0] if one else intercepts
                beside["local_fit"] = fits[:, 0] if one else fits
            return {**computed, "values": parts[0], **beside}
        parts = [part[:, 0] if one else part.T for part in parts]
        if one and self._output_task == "classification":
            parts = [np.stack([part, part]) for part in parts]
        return {**computed, "means": parts[0], "spread": parts[1], "is_local": False}


class PairsExplainer(EngineExplainer):
    """An explainer whose method computes the interactions of pairs, too."""

    #: The engine's explainer of interactions, made when first needed, behind the groups that it was made for.
    _pairs = None

    def interactions(self, x) -> np.ndarray:
        """The interactions (rows, features, features), of several outputs (rows, features, features, outputs).

        Symmetric; the interactions of a feature, with its own on the diagonal, add up to its value. As shap and
        XGBoost have them: the effect of a pair is divided between its two cells. Of `groups`, those of the players. Of
        trees for models of up to 512 features, and Shapley values of the raw output; of what is known by its answers
        alone for rows of up to 16 players that vary. UnsupportedError for others, and together with `transformations`
        of trees unless their raw features play (`groups="transformations"`).
        """
        x = held(x)
        if self._transformations is not None:
            if not self._plays_raw:
                raise UnsupportedError(
                    'interactions: not together with transformations; take groups="transformations", or explain the '
                    "model on the columns that it takes"
                )
            x = self._transformations.transform(x)
        _, raw = self._game()
        groups = self._made_with["groups"]
        if self._pairs is None or self._pairs[0] != groups:
            self._pairs = groups, Engine(self._engine_model, interactions=True, **self._made_with)
        rows = self._table(x)
        with bar(rows.rows, self._show_progress) as progress:
            values, *_ = self._pairs[1].explain(rows.data, rows.names, progress)
        players = math.isqrt(values.shape[1])
        values = values.reshape(rows.rows, players, players, -1)
        if raw is not None:
            values = raw.all(raw.all(values, axis=1), axis=2)
        if self._subset is not None:
            values = values[:, self._subset][:, :, self._subset]
        return values[..., 0] if values.shape[-1] == 1 else values

    #: shap's name of it.
    shap_interaction_values = interactions


class TreeExplainer(PairsExplainer):
    """Exact Shapley values (Lundberg et al. 2020) of a tree ensemble.

    `model` is an XGBoost, LightGBM, CatBoost or scikit-learn model, an ONNX or treelite model, or the path of a model
    file. The values of a row and the base value add up to its `output`: the "raw" margin (of forests of classifiers
    that is the probability), the "probability", the "response" (the prediction, such as a count), or the "log_loss" of
    each label that could be the true one. `model_output` is shap's name of it. All but the raw margin need a
    background, and rows of more than 16 features that vary are estimated from pairs of coalitions, `samples` of them,
    unless `estimator` says otherwise: "auto", "exact", "sampled", or "rescaled". `e.standard_errors` says how well.

    `value_function` says what the features outside a coalition do: "path_dependent" (they follow the training rows'
    cover at every split), "interventional" (they take the values of the rows of `background`), or "auto":
    interventional where there is a background. `background` are rows, or a `Background` of weighted rows; a model that
    stores no cover (ONNX) needs one. `feature_perturbation` is shap's name of the same, with its words.
    `e.details["value_function"]` says which one it was.

    `used_only=True` leaves out the features that no split tests, whose values are 0: of very wide models, with sparse
    rows, the result then takes the memory of the used features alone. `groups` are features that play as one: a dict
    of names with lists of names or positions, or with dicts of them, all of which play together; or "transformations":
    each raw feature plays with all its columns. `index` is "shapley" or "banzhaf".

    `features` and `classes` are names; `transformations` takes raw rows to the model's columns, and the values are
    then those of the raw features. `explain_subset` keeps some features, by position. `device` is "auto", "cpu",
    "gpu" or "gpu:N"; `memory_limit` in bytes bounds the batches.
    """

    def __init__(
        self,
        model,
        background=None,
        *,
        value_function="auto",
        feature_perturbation=None,
        groups=None,
        used_only=False,
        index="shapley",
        output="raw",
        model_output=None,
        estimator="auto",
        samples=None,
        explain_subset=None,
        features=None,
        classes=None,
        shap_values_output="default",
        transformations=None,
        allow_all_transformations=False,
        device="auto",
        seed=0,
        threads=0,
        memory_limit=None,
        show_progress=None,
    ):
        whole, (model, transformations) = model, unwrap(model, transformations, allow_all_transformations)
        if used_only and (groups is not None or explain_subset is not None or transformations is not None):
            raise ParameterError(
                "used_only: not allowed together with groups, explain_subset or transformations, which choose features"
            )
        trees = models.trees(model)
        self._task = trees.task
        self._outputs = len(trees.model.outputs)
        self._known_classes = trees.classes
        self._known_features = trees.feature_names or trees.model.features
        self._begin(
            model,
            background,
            features=features,
            classes=classes,
            explain_subset=explain_subset,
            transformations=transformations,
            allow_all_transformations=allow_all_transformations,
            show_progress=show_progress,
        )
        output = _parameters.text("output", output, OUTPUTS)
        output = _parameters.one_of("output", output, "raw", "model_output", model_output)
        # Forests of classifiers add up probabilities.
        if wants_probability(shap_values_output) and trees.model.objective != "probability":
            if background is None:
                raise no_probability(model, "give a background, for which they are explained, or ")
            if output not in ("raw", "probability"):
                raise ParameterError(f'shap_values_output: not allowed together with output="{output}": give one')
            output = "probability"
        self._model_type = str(type(whole))
        if trees.model.format.startswith("XGBoost"):
            self._absent = np.nan
        value_function = _parameters.one_of(
            "value_function", value_function, "auto", "feature_perturbation", feature_perturbation
        )
        self._make(
            trees.model,
            **self._background(background),
            value_function=value_function,
            allowed='"auto", "path_dependent" or "interventional"',
            groups=groups,
            used_only=bool(used_only),
            index=_parameters.text("index", index, '"shapley" or "banzhaf"'),
            output=_parameters.text("model_output", output, OUTPUTS),
            estimator=_parameters.text("estimator", estimator, '"auto", "exact", "sampled" or "rescaled"'),
            samples=samples,
            device=device,
            seed=seed,
            threads=threads,
            memory_limit=memory_limit,
        )

    def __call__(self, x, y=None) -> Explanation:
        """As of every explainer; with `output="log_loss"` and the labels `y`, of the loss of each row's own label.

        Then the values are (rows, features), and each row has a base value of its own.
        """
        if y is None:
            return super().__call__(x)
        x = held(x)
        labels = self._labels(y, row_count(x))
        return super().__call__(x)._of_each(labels, "log loss")

    def _labels(self, y, rows):
        """The numbers of the labels of so many rows."""
        output = self._made_with["output"]
        if output != "log_loss":
            raise ParameterError(f'y: not allowed with output="{output}": leave the labels out, or take "log_loss"')
        labels = np.atleast_1d(np.asarray(y))
        if labels.shape != (rows,):
            raise ShapeError(f"y: expected {rows} labels, one per row, got the shape {labels.shape}")
        known = self._known_classes or self._classes or range(max(2, self._outputs))
        numbers = {label: number for number, label in enumerate(known)}
        unknown = [label for label in labels.tolist() if label not in numbers]
        if unknown:
            some = ", ".join(map(str, list(numbers)[:8])) + (", …" if len(numbers) > 8 else "")
            raise ParameterError(f"y: the label {unknown[0]!r} is not allowed: the model's classes are {some}")
        return np.array([numbers[label] for label in labels.tolist()], np.intp)

    @property
    def _output_task(self):
        # A loss is a number for each label, and a response one of a scale of its own.
        return self._task if self._made_with["output"] in ("raw", "probability") else "unknown"
