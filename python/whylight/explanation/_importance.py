"""Importances by feature, class and row, name for name as in interpret-community."""

from __future__ import annotations

from inspect import isroutine

import numpy as np

from ..errors import ParameterError
from ._statistics import deviation, mean, over_rows


class Importance:
    """interpret's face of an explanation."""

    @property
    def method(self) -> str:
        return self.details.get("method", "unknown")

    @property
    def id(self) -> str:
        return self._id

    @property
    def explanation_type(self) -> str:
        """ "global", or "local" for an explanation of single rows."""
        return "global" if self._is_global else "local"

    @property
    def name(self) -> str:
        return f"{self.method} {self._id[:8]}"

    @property
    def model_task(self) -> str:
        """ "classification", "regression" or "unknown"."""
        return self._model_task

    @property
    def model_type(self):
        """The class of the explained model, as text."""
        return self._model_type

    @property
    def model_id(self):
        return self._model_id

    @property
    def features(self):
        """The names of the features; None where neither the user nor the data named them."""
        return self._features

    @property
    def num_features(self) -> int:
        if self._values is None:
            return self._means.shape[-1]
        return self._values[0].shape[1] if isinstance(self._values, list) else self._values.shape[1]

    @property
    def is_raw(self) -> bool:
        return self._is_raw

    @property
    def is_engineered(self) -> bool:
        return self._is_eng

    # Datasets -------------------------------------------------------------------------------------------------------

    @property
    def init_data(self):
        return _listed(self._init_data)

    @property
    def eval_data(self):
        return _listed(self._dataset("_eval_data"))

    @property
    def eval_y_predicted(self):
        return _listed(self._dataset("_eval_y_predicted"))

    @property
    def eval_y_predicted_proba(self):
        return _listed(self._dataset("_eval_y_predicted_proba"))

    def _dataset(self, name):
        """A dataset, made now if nobody asked before."""
        value = getattr(self, name)
        if isroutine(value):
            value = value()
            setattr(self, name, value)
        return value

    # Local ----------------------------------------------------------------------------------------------------------

    def _need_local(self, what):
        if not self._is_local:
            raise AttributeError(
                f"{what}: this explanation holds no local values; explain with include_local=True, or explain_local"
            )

    @property
    def is_local_sparse(self) -> bool:
        return isinstance(self._values, list) or hasattr(self._values, "tocsr")

    @property
    def _local_importance_values(self):
        """[class][row][feature] of a classifier or several outputs, else [row][feature]; one row given as such has
        no axis of rows."""
        self._need_local("local_importance_values")
        if self.is_local_sparse:
            return [-self._values, self._values] if self._mirrors else self._values
        values = np.asarray(self._values)
        if values.ndim == 3:
            values = np.moveaxis(values, 2, 0)
        elif self._mirrors:
            values = np.stack([-values, values])
        return values[..., 0, :] if self._one_row else values

    @property
    def local_importance_values(self) -> list:
        """[class][row][feature] of a classifier, else [row][feature]; sparse matrices as they are."""
        values = self._local_importance_values
        return values if self.is_local_sparse else values.tolist()

    @property
    def num_examples(self) -> int:
        self._need_local("num_examples")
        return len(self)

    def _dense(self):
        values = self._local_importance_values
        if isinstance(values, list):
            return np.stack([matrix.toarray() for matrix in values])
        return values.toarray() if self.is_local_sparse else values

    def get_local_importance_rank(self) -> list:
        """Features by value, descending, laid out as `local_importance_values`."""
        return _descending(self._dense()).tolist()

    def get_ranked_local_names(self, top_k=None) -> list:
        return self._named(_descending(self._dense())[..., : _top(top_k)])

    def get_ranked_local_values(self, top_k=None) -> list:
        values = self._dense()
        return np.take_along_axis(values, _descending(values), axis=-1)[..., : _top(top_k)].tolist()

    # Base values ----------------------------------------------------------------------------------------------------

    @property
    def expected_values(self) -> list[float]:
        """One per class of a classifier, else one per output, or per row where each has its own."""
        if self.base_values is None:
            raise AttributeError("expected_values: this explanation holds no base values")
        base = np.atleast_1d(np.asarray(self.base_values, np.float64)).tolist()
        if self._mirrors and len(base) == 1:
            is_probability = self.details.get("objective") == "probability" or self.output == "probability"
            return [1.0 - base[0] if is_probability else -base[0], base[0]]
        return base

    # Global ---------------------------------------------------------------------------------------------------------

    def _need_global(self, what):
        if not self._is_global:
            raise AttributeError(f"{what}: this explanation is of single rows; use explain_global")

    def _over_rows(self, statistic):
        """A statistic over rows of |value|, (features,), or (classes, features)."""
        found = over_rows(self._values, statistic)
        return np.stack([found, found]) if self._mirrors else found

    @property
    def _class_means(self):
        """Mean |value|, (features,), or (classes, features)."""
        if self._means is None:
            self._means = self._over_rows(mean)
        return self._means

    @property
    def _class_spread(self):
        """Standard deviation of |value|, laid out as the means; None where only the means are known."""
        if self._spread is None and self._values is not None:
            self._spread = self._over_rows(deviation)
        return self._spread

    @property
    def spread(self):
        """The standard deviation of |value| over rows, (features,) or (classes, features); of permutation importances
        the one over repeats.

        How much a feature matters to one row more than to another. None for raw features whose engineered ones have
        global values only: that of a sum is not known from those of its parts.
        """
        self._need_global("spread")
        return self._class_spread

    @property
    def _global_importance_values(self):
        self._need_global("global_importance_values")
        means = self._class_means
        return means.mean(axis=0) if means.ndim == 2 else means

    @property
    def global_importance_values(self) -> list[float]:
        """The mean |value| of each feature, of several classes or outputs the mean over them; of permutation importance
        the signed mean over repeats."""
        return self._global_importance_values.tolist()

    @property
    def global_importance_rank(self) -> list[int]:
        return _descending(self._global_importance_values).tolist()

    @property
    def global_importance_names(self):
        return self.get_ranked_global_names() if self._features is not None else None

    def get_ranked_global_names(self, top_k=None) -> list:
        return self._named(_descending(self._global_importance_values)[: _top(top_k)])

    def get_ranked_global_values(self, top_k=None) -> list[float]:
        values = self._global_importance_values
        return values[_descending(values)][: _top(top_k)].tolist()

    def get_feature_importance_dict(self, top_k=None) -> dict:
        return dict(zip(self.get_ranked_global_names(top_k), self.get_ranked_global_values(top_k), strict=True))

    # Classes --------------------------------------------------------------------------------------------------------

    @property
    def _mirrors(self):
        """Whether one output stands for two classes."""
        return self._model_task == "classification" and self.num_outputs == 1 and not isinstance(self._values, list)

    def _need_classes(self, what):
        if self._model_task != "classification":
            raise AttributeError(f"{what}: the model is no classifier (model_task is {self._model_task!r})")

    @property
    def classes(self):
        self._need_classes("classes")
        return self._classes

    @property
    def num_classes(self) -> int:
        self._need_classes("num_classes")
        if self.importances is not None and self._classes is not None:
            # Permutation importances have classes, but are of none of them.
            return len(self._classes)
        if self._means is not None:
            return len(np.atleast_2d(self._means))
        return 2 if self._mirrors else self.num_outputs

    @property
    def _per_class_values(self):
        self._need_classes("per_class_values")
        if self.importances is not None:
            raise AttributeError("per_class_values: permutation importances are of the model, and of no class")
        self._need_global("per_class_values")
        return np.atleast_2d(self._class_means)

    @property
    def per_class_values(self) -> list[list[float]]:
        """The mean |value| of each feature, by class."""
        return self._per_class_values.tolist()

    @property
    def per_class_rank(self) -> list[list[int]]:
        return _descending(self._per_class_values).tolist()

    @property
    def per_class_names(self):
        return self.get_ranked_per_class_names() if self._features is not None else None

    def get_ranked_per_class_names(self, top_k=None) -> list[list]:
        return self._named(_descending(self._per_class_values)[:, : _top(top_k)])

    def get_ranked_per_class_values(self, top_k=None) -> list[list[float]]:
        values = self._per_class_values
        return np.take_along_axis(values, _descending(values), axis=1)[:, : _top(top_k)].tolist()

    # Raw features ---------------------------------------------------------------------------------------------------

    def get_raw_explanation(self, feature_maps, raw_feature_names=None, eval_data=None):
        """The explanation in raw features: each engineered feature's importance is divided among its raw parents.

        `feature_maps` are (raw, engineered) weights, one per step from raw to engineered. Global importances are those
        of the raw local values where there are any.
        """
        from ..transformations import dropped, to_raw

        lost = dropped(feature_maps)
        # What is known of a sum's parts is not known of the sum.
        details = {key: value for key, value in self.details.items() if key not in ("importances", "standard_errors")}
        if len(lost):
            names = ", ".join(self.feature_names[i] for i in lost[:5]) + (", …" if len(lost) > 5 else "")
            note = f"{len(lost)} engineered features have no raw feature and are left out: {names}"
            details = {**details, "notes": [*(self.notes or []), note]}
        values = means = None
        if not self._is_local:
            means = to_raw(self._class_means, feature_maps)
        elif isinstance(self._values, list):
            values = [to_raw(matrix, feature_maps) for matrix in self._values]
        elif self.is_local_sparse or self._values.ndim == 2:
            values = to_raw(self._values, feature_maps)
        else:
            values = np.moveaxis(to_raw(np.moveaxis(self._values, 2, 0), feature_maps), 0, 2)
        self._is_eng = True
        return self._like(
            values,
            means=means,
            feature_names=raw_feature_names,
            details=details,
            eval_data=eval_data,
            is_raw=True,
            is_engineered=False,
            engineered=self,
            completeness_delta=None if lost else self.completeness_delta,
            recomputed=self.recomputed,
            local_fit=self.local_fit,
        )

    def get_raw_feature_importances(self, feature_maps) -> list:
        """The global importances in raw features; of single rows, laid out as `local_importance_values`."""
        from ..transformations import to_raw

        values = self._global_importance_values if self._is_global else self._dense()
        return to_raw(values, feature_maps).tolist()

    # interpret's data and views -------------------------------------------------------------------------------------

    def mli_data(self, key=None) -> dict:
        """What interpret and its dashboard read: everything for -1, a row for its number, the global part for None."""
        scores = self._dense() if self._is_local else None
        base = self.expected_values if self.base_values is not None else []
        if key is None:
            return self._overall() if self._is_global else {"mli": []}
        if key != -1:
            return self._row(scores, base, key)
        mli = []
        if self._is_local:
            value = {"scores": scores.tolist(), "intercept": base, "perf": [None] * self.num_examples}
            mli.append({"explanation_type": "local_feature_importance", "value": value})
        if self._is_global:
            overall = self._overall()
            value = {"scores": overall["scores"], "feature_list": self.features, "intercept": base}
            part = {"explanation_type": "global_feature_importance", "value": value}
            if self._model_task == "classification":
                part["explanation_class_dimension"] = "multiclass" if self.num_classes > 2 else "binary"
            mli.append(part)
        rows = range(self.num_examples) if self._is_local else ()
        return {
            "overall": self._overall() if self._is_global else None,
            "specific": [self._row(scores, base, row) for row in rows] or None,
            "mli": mli,
        }

    def _overall(self):
        part = {"mli": [], "type": "univariate", "names": self.features, "scores": self.global_importance_values}
        return {**part, "intercept": self.expected_values} if self.base_values is not None else part

    def _row(self, scores, base, row):
        self._need_local("data(row)")
        if not 0 <= row < self.num_examples:
            raise ParameterError(f"key: {row} is not allowed: a row from 0 to {self.num_examples - 1}, -1 or None")
        cells = self.data
        return {
            "type": "univariate",
            "names": self.features,
            "scores": scores,
            "intercept": base,
            "perf": None,
            "values": None if self._eval_data is None else np.asarray(cells)[row],
            "mli": [],
        }

    def visualize(self, key=None):
        """A plot: the global importances, or those of a row."""
        return self.plot.bar() if key is None else self.plot.waterfall(key)

    @property
    def selector(self):
        """The rows of a local explanation, or the features of a global one, as a DataFrame."""
        import pandas

        if self._is_local:
            return pandas.DataFrame({"row": range(self.num_examples)})
        names = self._features if self._features is not None else list(range(self.num_features))
        return pandas.DataFrame({"Name": names, "Importance": self.global_importance_values})

    def _named(self, ranks):
        """Names in the place of ranks, where there are any."""
        if self._features is None:
            return ranks.tolist()
        return np.asarray(self._features, dtype=object)[ranks].tolist()

    @staticmethod
    def _does_quack(explanation) -> bool:
        from ..interpret import BaseExplanation

        return BaseExplanation._does_quack(explanation)


def _descending(values):
    return np.argsort(-np.asarray(values), axis=-1, kind="stable")


def _top(top_k):
    if top_k is not None and (not isinstance(top_k, (int, np.integer)) or isinstance(top_k, bool) or top_k < 1):
        raise ParameterError(f"top_k: {top_k!r} is not allowed: a number of features from 1, or None for all")
    return top_k


def _listed(data):
    """A dataset as interpret gives it: lists for dense ones, sparse matrices as they are."""
    if data is None or hasattr(data, "tocsr"):
        return data
    if hasattr(data, "columns") and hasattr(data, "to_numpy"):
        return data.to_numpy().tolist()
    return data.tolist() if hasattr(data, "tolist") else data
