"""Surrogates of trees."""

from __future__ import annotations

import numpy as np

from .. import _engine
from .._engine import Model
from .._table import table
from ..models.sklearn import tree_arrays
from ..tree import TreeExplainer
from ._base import TREES, ExplainableModel
from ._distil import LEAST, Space
from ._lightgbm import defaults, joined, rounds, with_base


class LGBMExplainableModel(ExplainableModel):
    """Gradient boosted trees of LightGBM; further parameters are its own, under any of their names.

    Margins are learned by their squared errors; probabilities of more than two classes by their cross-entropy, all
    classes at a time. Of up to 5,000 rows (and 1,000,000 cells) it takes more trees of smaller steps, each of a part of
    the rows, with leaves of a tenth of the rows, 10 at most; of more LightGBM's own parameters.
    """

    kind = "lightgbm"
    one_hot = False
    needs = "lightgbm"
    _threads = 0

    def _fit(self, x, margins, probabilities, categorical, threads, **more):
        import lightgbm

        options = {
            **defaults({**self._options, **more}, *x.shape, self._seed, threads),
            **self._options,
            **more,
        }
        if np.ptp(margins, axis=0).max() <= 1e-12:
            # There is nothing to split for but what is left of rounding.
            options = {"objective": "regression", "num_iterations": 1, "min_gain_to_split": 1e30, "verbosity": -1}
        trees, options = rounds(options)
        if self._space.is_probability and self._space.outputs > 1:
            self._text = _soft(x, probabilities, categorical, options, trees)
        else:
            data = _data(x, categorical)
            texts = []
            for target in margins.T:
                data.set_label(target)
                texts.append(lightgbm.train(options, data, trees).model_to_string())
            objective = "binary sigmoid:1" if self._space.is_probability else None
            self._text = texts[0] if len(texts) == 1 and objective is None else joined(texts, objective)
        self._booster = self._read = None
        self._threads = threads

    @property
    def model(self):
        """The `lightgbm.Booster`, which answers with probabilities where it was taught them."""
        import lightgbm

        if self._booster is None:
            self._booster = lightgbm.Booster(model_str=self._text)
        return self._booster

    @property
    def _trees(self):
        """The trees as the engine reads them."""
        if self._read is None:
            self._read = Model.parse(self._text.encode(), "<LightGBM surrogate>")
        return self._read

    def margins(self, dataset):
        """By the trees that are explained."""
        rows = table(dataset)
        return _engine.answers(self._trees, rows.data, None, "raw", self._threads)

    def explainer(self, background, output="raw", **options):
        return _of_trees(self._trees, background, output, options)

    def to_json(self):
        return {"model": self._text}

    @classmethod
    def from_json(cls, said, space):
        made = cls()
        made._space, made._text, made._booster, made._read = space, said["model"], None, None
        return made

    @staticmethod
    def explainable_model_type():
        return TREES


class DecisionTreeExplainableModel(ExplainableModel):
    """One decision tree of scikit-learn, for all outputs; further parameters are those of its regressor."""

    kind = "tree"

    def _fit(self, x, margins, probabilities, categorical, threads, **more):
        from sklearn.tree import DecisionTreeRegressor

        # One tree has no others to even out what a single row says.
        leaf = int(np.clip(x.shape[0] // 80, 1, 5))
        options = {"random_state": self._seed, "min_samples_leaf": leaf, **self._options, **more}
        #: The `sklearn.tree.DecisionTreeRegressor` of the margins.
        self.model = DecisionTreeRegressor(**options).fit(x, margins)
        self._arrays = tree_arrays(self.model.tree_, self.model.tree_.value[:, :, 0], None, 0)
        self._features = x.shape[1]

    def margins(self, dataset):
        """By its arrays, which a file has, too; cells are compared as float32, as scikit-learn does."""
        dataset = dataset.toarray() if hasattr(dataset, "toarray") else np.asarray(dataset)
        cells, at = dataset.astype(np.float32), np.zeros(len(dataset), np.int64)
        arrays = self._arrays
        while True:
            inner = np.flatnonzero(arrays["left"][at] >= 0)
            if not len(inner):
                return arrays["value"][at]
            node = at[inner]
            cell = cells[inner, arrays["feature"][node]]
            left = np.where(np.isnan(cell), arrays["missing_left"][node], cell <= arrays["threshold"][node])
            at[inner] = np.where(left, arrays["left"][node], arrays["right"][node])

    def explainer(self, background, output="raw", **options):
        space = self._space
        link = {"probability": "margin logistic" if space.outputs == 1 else "margin softmax"}
        model = Model.from_trees(
            "<DecisionTreeRegressor>",
            link.get(space.kind, "mean of trees"),
            [(None, None)] * self._features,
            [f"output {k}" for k in range(space.outputs)],
            [0.0] * space.outputs,
            [{**self._arrays, "output": 0 if space.outputs == 1 else None}],
            wide=False,
        )
        return _of_trees(model, background, output, options)

    def to_json(self):
        kept = ("left", "right", "feature", "threshold", "missing_left", "cover", "value")
        return {"features": self._features, "tree": {name: self._arrays[name].tolist() for name in kept}}

    @classmethod
    def from_json(cls, said, space):
        made = cls()
        kinds = {"threshold": np.float64, "cover": np.float64, "value": np.float64, "missing_left": bool}
        tree = {name: np.array(values, kinds.get(name, np.int64)) for name, values in said["tree"].items()}
        nodes = len(tree["left"])
        made._arrays = {
            **tree,
            "set": np.full(nodes, -1, np.int64),
            "sets": np.zeros((0, 8), np.uint32),
            "output": None,
            "iteration": 0,
        }
        made._space, made._features, made.model = space, said["features"], None
        return made

    @staticmethod
    def explainable_model_type():
        return TREES


def _of_trees(model, background, output, options):
    if output == "raw":
        return TreeExplainer(model, **options)
    return TreeExplainer(model, background, output=output, **options)


def _data(x, categorical, **more):
    import lightgbm

    options = {"verbosity": -1}
    return lightgbm.Dataset(x, categorical_feature=list(categorical), free_raw_data=False, params=options, **more)


def _soft(x, probabilities, categorical, options, trees) -> str:
    """Trees of the margins whose softmax has the least cross-entropy with probabilities (rows, classes)."""
    import lightgbm

    rows, classes = probabilities.shape
    base = np.log(np.clip(probabilities.mean(axis=0), LEAST / classes, 1.0))
    space = Space("probability", classes)

    def gradients(margins, _):
        found = space.answers(margins)
        # As LightGBM scales the Hessians of its own softmax.
        return found - probabilities, np.maximum(classes / (classes - 1) * found * (1.0 - found), 1e-6)

    data = _data(x, categorical, label=np.zeros(rows), init_score=np.tile(base, (rows, 1)))
    trained = lightgbm.train({**options, "objective": gradients, "num_class": classes}, data, trees)
    return with_base(trained.model_to_string(), base, rows)
