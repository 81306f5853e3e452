"""The one result of every method, with two faces: shap's attributes and interpret's methods."""

from __future__ import annotations

import uuid
from inspect import isroutine

import numpy as np

from ..errors import ShapeError
from . import _rules
from ._cells import as_array, cells, take
from ._exports import Exports
from ._importance import Importance


class Explanation(Exports, Importance):
    """Values that add up, with the base value, to what the model says of a row.

    Attributes of shap's face:

    - `values`: (rows, features) for a model of one output, else (rows, features, outputs);
    - `base_values`: a number, or one per output: what the values of a row are added to; an array with one per row
      where each row has an output of its own, as the loss of its label; None where there are none;
    - `standard_errors`: where values are estimated an array like `values`, NaN where one is not known, else None;
    - `completeness_delta`: of networks (rows, outputs), or (rows,) for one output: how much more base value and values
      add up to than the network answers, else None; with a `tolerance`, `past_tolerance` are the rows that pass it;
    - `local_fit`: of LIME (rows,), or (rows, outputs): the weighted R² of the linear model of each row, else None; its
      rows have base values of their own, the intercepts; `rules` and `as_list` say in words what was compared;
    - `importances`: of permutation importance (features, repeats), else None; then `standard_errors` are by feature,
      `base_score` is the score of the rows as they are, and `metric` what scored them;
    - `recomputed`: with a `fallback`, the rows that it computed, (rows,) of truths, else None;
    - `data`: the explained rows; `feature_names`, `output_names`: a name each;
    - `details`: everything that was computed and how (method, value_function, output, exact, device, seed, version,
      additivity_error, engines, notes, …), most of it as attributes, too.

    Slicing by rows gives the explanation of those rows. A global explanation without local values
    (`include_local=False`) holds no `values`: then `values` is None, and what needs them raises AttributeError.
    """

    def __init__(
        self,
        values=None,
        *,
        base_values=None,
        data=None,
        feature_names=None,
        output_names=None,
        classes=None,
        model_task="unknown",
        model_type=None,
        details=None,
        means=None,
        spread=None,
        standard_errors=None,
        completeness_delta=None,
        recomputed=None,
        local_fit=None,
        id=None,
        is_raw=False,
        is_engineered=False,
        is_local=True,
        is_global=True,
        one_row=False,
        init_data=None,
        eval_data=None,
        eval_y_predicted=None,
        eval_y_predicted_proba=None,
        model_id=None,
        engineered=None,
    ):
        if values is None and means is None:
            raise ShapeError("an explanation: expected local values or their global means, got neither")
        if isinstance(values, (list, tuple)) and not all(hasattr(part, "tocsr") for part in values):
            values = np.asarray(values)
        self._values = values
        #: Mean |value|, (features,) or (classes, features).
        self._means = None if means is None else np.asarray(means, np.float64)
        #: Standard deviation of |value|, laid out as the means.
        self._spread = None if spread is None else np.asarray(spread, np.float64)
        self.details = dict(details or {})
        # Of permutation importance, they are by feature.
        self.standard_errors = self.details.get("standard_errors") if standard_errors is None else standard_errors
        self.completeness_delta = completeness_delta
        self.recomputed = recomputed
        self.local_fit = local_fit
        self.base_values = base_values
        #: As they were given; shap's face has them as text.
        self._features = None if feature_names is None else list(feature_names)
        if self._features is not None and len(self._features) != self.num_features:
            raise ShapeError(
                f"features: expected {self.num_features} names, one per feature, got {len(self._features)}"
            )
        self._output_names = None if output_names is None else [str(name) for name in output_names]
        self._classes = None if classes is None else list(classes)
        self._model_task = model_task
        self._model_type = model_type
        self._id = id or str(uuid.uuid4())
        self._is_raw = bool(is_raw)
        self._is_eng = bool(is_engineered)
        self._is_local = bool(is_local) and values is not None
        self._is_global = bool(is_global)
        self._one_row = bool(one_row)
        self._init_data = init_data
        self._eval_data = data if eval_data is None else eval_data
        self._eval_y_predicted = eval_y_predicted
        self._eval_y_predicted_proba = eval_y_predicted_proba
        self._model_id = model_id
        #: The explanation of the engineered features that a raw one came from, else None.
        self.engineered = engineered

    # What was computed ----------------------------------------------------------------------------------------------

    def _detail(name, doc):  # noqa: N805
        return property(lambda self: self.details.get(name), doc=doc)

    value_function = _detail("value_function", "The value function, such as `path_dependent`.")
    output = _detail("output", "The output space: `raw` margin, `probability`, `response` or `log_loss`.")
    index = _detail("index", "How a value weighs coalitions: `shapley`, or `banzhaf`, whose values do not add up.")
    estimator = _detail("estimator", "How values are computed: `exact`, `sampled`, `auto` (by row), or `rescaled`.")
    tolerance = _detail("tolerance", "Of networks: the completeness delta that rows should not pass.")
    fallback = _detail("fallback", "Of networks: what rows that pass the tolerance are computed by.")
    exact = _detail("exact", "Whether the values are exact up to rounding.")
    device = _detail("device", "The device that computed the values.")
    device_reason = _detail("device_reason", "Why this device.")
    seed = _detail("seed", "The seed.")
    version = _detail("version", "The version of whylight.")
    additivity_error = _detail(
        "additivity_error", "The largest |base value + Σ values − margin| over the rows that were checked."
    )
    engines = _detail("engines", "Which engine took how many trees.")
    importances = _detail("importances", "Of permutation importance, by feature and repeat; else None.")
    base_score = _detail("base_score", "Of permutation importance: the score of the rows as they are.")
    metric = _detail("metric", "Of permutation importance: what scores answers.")
    notes = _detail("notes", "What is worth knowing: fallbacks, sampling, what was left out.")
    del _detail

    # shap's face ----------------------------------------------------------------------------------------------------

    @property
    def values(self):
        """(rows, features), or (rows, features, outputs); None where no local values are held."""
        if isinstance(self._values, list):
            return np.stack([matrix.toarray() for matrix in self._values], axis=-1)
        return self._values.toarray() if hasattr(self._values, "toarray") else self._values

    @property
    def data(self):
        """The explained rows as an array; called with a key, interpret's `data(key)`."""
        return cells(self._dataset("_eval_data"), self)

    @property
    def feature_names(self) -> list[str]:
        if self._features is not None:
            return [str(name) for name in self._features]
        return [f"f{feature}" for feature in range(self.num_features)]

    @property
    def output_names(self) -> list[str]:
        return self._output_names or [f"output {k}" for k in range(self.num_outputs)]

    @property
    def num_outputs(self) -> int:
        """Outputs of `values`: 1 for a model of two classes."""
        if isinstance(self._values, list):
            return len(self._values)
        if self._values is None:
            if self.base_values is not None:
                return np.size(self.base_values)
            if self.details.get("output_names"):
                return len(self.details["output_names"])
            several = len(np.atleast_2d(self._means))
            return 1 if several == 2 and self._model_task == "classification" else several
        return self._values.shape[2] if self._values.ndim == 3 else 1

    @property
    def shape(self):
        if isinstance(self._values, list):
            return (*self._values[0].shape, len(self._values))
        return None if self._values is None else self._values.shape

    def by_input(self) -> dict:
        """The values of a network by its inputs: name → (rows, *shape of an example), of several outputs one axis more.

        Numbers of rows of a table, tokens among them, have one value each.
        """
        inputs = self.details.get("inputs")
        if self._values is None or not inputs or sum(int(np.prod(shape)) for _, shape in inputs) != self.num_features:
            raise AttributeError("by_input: there are no local values of the inputs of a network")
        found, start = {}, 0
        for name, shape in inputs:
            end = start + int(np.prod(shape))
            part = self.values[:, start:end]
            found[name] = part.reshape(len(part), *shape, *part.shape[2:])
            start = end
        return found

    def __len__(self):
        return 0 if self._values is None else self.shape[0]

    @property
    def past_tolerance(self):
        """By row, whether its completeness delta passes the tolerance; None where there is none."""
        if self.tolerance is None or self.completeness_delta is None:
            return None
        deltas = np.asarray(self.completeness_delta, np.float64).reshape(len(self), -1)
        # What is no number passes any tolerance.
        return ~(np.abs(deltas) <= self.tolerance).all(axis=1)

    def __getitem__(self, rows) -> Explanation:
        """The explanation of some rows: a position, a slice, or an array of positions or truths.

        A tuple (rows, features[, outputs]) slices `values` as shap's explanations are sliced.
        """
        self._need_local("slicing")
        if isinstance(rows, tuple):
            return self._cut(*rows)
        if isinstance(rows, (int, np.integer)):
            if not -len(self) <= rows < len(self):
                raise IndexError(f"row {rows} of {len(self)}")
            rows = slice(rows % len(self), rows % len(self) + 1)
        return self._like(
            [matrix[rows] for matrix in self._values] if isinstance(self._values, list) else self._values[rows],
            standard_errors=None if self.standard_errors is None else self.standard_errors[rows],
            completeness_delta=None if self.completeness_delta is None else self.completeness_delta[rows],
            recomputed=None if self.recomputed is None else self.recomputed[rows],
            local_fit=None if self.local_fit is None else self.local_fit[rows],
            base_values=self.base_values[rows] if self._has_own_bases else self.base_values,
            eval_data=take(self._eval_data, rows) if not self._one_row else self._eval_data,
            eval_y_predicted=self._taken("_eval_y_predicted", rows),
            eval_y_predicted_proba=self._taken("_eval_y_predicted_proba", rows),
            engineered=None if self.engineered is None else self.engineered[rows],
        )

    def _taken(self, name, rows):
        """These rows of a prediction, made when someone asks for it."""
        if isroutine(getattr(self, name)):
            return lambda: take(self._dataset(name), rows)
        return take(getattr(self, name), rows)

    def features_only(self, features) -> Explanation:
        """The importances of some features, by position; the explained rows stay whole."""
        names = None if self._features is None else [self._features[i] for i in features]
        if self._values is None:
            spread = None if self._class_spread is None else self._class_spread[..., features]
            details = dict(self.details)
            for name in ("importances", "standard_errors"):
                if details.get(name) is not None:
                    details[name] = details[name][features]
            means = self._class_means[..., features]
            return self._like(None, means=means, spread=spread, feature_names=names, details=details)
        several = isinstance(self._values, list)
        values = [matrix[:, features] for matrix in self._values] if several else self._values[:, features]
        errors = None if self.standard_errors is None else self.standard_errors[:, features]
        return self._like(
            values,
            standard_errors=errors,
            feature_names=names,
            recomputed=self.recomputed,
            local_fit=self.local_fit,
            details=_rules.kept(self.details, features),
        )

    def _of_each(self, outputs, name) -> Explanation:
        """The explanation of one output of each row, by position."""
        rows = np.arange(len(self))
        base = np.asarray(self.base_values, np.float64)
        return self._like(
            self._values[rows, :, outputs],
            standard_errors=None if self.standard_errors is None else self.standard_errors[rows, :, outputs],
            completeness_delta=None if self.completeness_delta is None else self.completeness_delta[rows, outputs],
            recomputed=self.recomputed,
            local_fit=None if self.local_fit is None else self.local_fit[rows, outputs],
            base_values=base[rows, outputs] if self._has_own_bases else base[outputs],
            output_names=[name],
            engineered=None if self.engineered is None else self.engineered._of_each(outputs, name),
        )

    @property
    def _has_own_bases(self):
        """Whether each row has a base value of its own, or one per output."""
        base = self.base_values
        shape = (len(self),) if self.num_outputs == 1 else (len(self), self.num_outputs)
        return isinstance(base, np.ndarray) and self._values is not None and base.shape == shape

    @property
    def _has_own_cells(self):
        """Whether the explained rows may have a column per feature: with groups they are those of the model."""
        return self._is_raw or not self.details.get("groups")

    def _cut(self, rows, features=slice(None), outputs=slice(None)):
        part = self[rows]
        chosen = np.atleast_1d(np.arange(self.num_features)[self._positions(features, self.feature_names)])
        values, errors, changed = part.values[:, chosen], part.standard_errors, {}
        errors = None if errors is None else errors[:, chosen]
        if values.ndim == 3 and not (isinstance(outputs, slice) and outputs == slice(None)):
            kept = np.atleast_1d(np.arange(self.num_outputs)[self._positions(outputs, self.output_names)])
            base, fits = np.asarray(part.base_values), part.local_fit
            values, base = values[:, :, kept], base[..., kept]
            fits = None if fits is None else fits[:, kept]
            errors = None if errors is None else errors[:, :, kept]
            if len(kept) == 1:
                values, base = values[:, :, 0], base[:, 0] if part._has_own_bases else float(base[0])
                fits = None if fits is None else fits[:, 0]
                errors = None if errors is None else errors[:, :, 0]
            # Some outputs of a classifier are no classifier.
            changed = {
                "base_values": base,
                "local_fit": fits,
                "output_names": [self.output_names[k] for k in kept],
                "classes": None,
                "model_task": "unknown",
            }
        data = part._eval_data
        if data is not None and self._has_own_cells:
            changed["eval_data"] = (data if hasattr(data, "tocsr") else as_array(data))[:, chosen]
        changed["feature_names"] = [self.feature_names[i] for i in chosen]
        changed["details"] = _rules.kept(self.details, chosen)
        changed.setdefault("local_fit", part.local_fit)
        if len(chosen) == self.num_features and "base_values" not in changed:
            changed["completeness_delta"] = part.completeness_delta
        return part._like(values, standard_errors=errors, recomputed=part.recomputed, **changed)

    @staticmethod
    def _positions(key, names):
        if isinstance(key, str):
            if key not in names:
                raise KeyError(key)
            return names.index(key)
        return key

    def _like(self, values=None, *, means=None, **changed):
        """An explanation that differs in these parts."""
        same = {
            "base_values": self.base_values,
            "feature_names": self._features,
            "output_names": self._output_names,
            "classes": self._classes,
            "model_task": self._model_task,
            "model_type": self._model_type,
            "details": self.details,
            "is_raw": self._is_raw,
            "is_engineered": self._is_eng,
            "is_local": self._is_local,
            "is_global": self._is_global,
            "init_data": self._init_data,
            "eval_data": self._eval_data,
            "eval_y_predicted": self._eval_y_predicted,
            "eval_y_predicted_proba": self._eval_y_predicted_proba,
            "model_id": self._model_id,
            "one_row": self._one_row,
        }
        return Explanation(values, means=means, **{**same, **changed})

    def rules(self, row) -> list[str]:
        """Of LIME, what the samples that count have in common with a row: a text per feature, such as `age <= 28.0`."""
        self._need_local("rules")
        return _rules.rules(self, row)

    def as_list(self, row=0, output=None) -> list[tuple[str, float]]:
        """Of LIME, the rules of a row with their coefficients, the largest first, without those that are 0.

        `output` is a position or a name; the last one by default.
        """
        said, values = self.rules(row), self.values[row]
        if values.ndim == 2:
            names = self.output_names
            place = -1 if output is None else self._positions(output, names)
            values = values[:, place]
        order = np.argsort(-np.abs(values), kind="stable")
        return [(said[i], float(values[i])) for i in order if values[i] != 0]

    def __repr__(self):
        of = f"{len(self):,} rows, " if self._values is not None else "no local values, "
        has_error = self.additivity_error is not None and self.details.get("lime") is None
        error = f", additivity error {self.additivity_error:.1e}" if has_error else ""
        on = f" on {self.device}" if self.device else ""
        return (
            f"Explanation({self.method}: {of}{self.num_features} features, {self.num_outputs} "
            f"output{'s' if self.num_outputs > 1 else ''}{on}{error})"
        )
