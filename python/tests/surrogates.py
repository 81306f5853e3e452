"""What the tests of surrogates share: teachers, and explainers on one thread of the CPU."""

import numpy as np
import pytest

from whylight import (
    DecisionTreeExplainableModel,
    LGBMExplainableModel,
    LinearExplainableModel,
    MimicExplainer,
    SGDExplainableModel,
)

pytest.importorskip("lightgbm")
datasets = pytest.importorskip("sklearn.datasets")
ensemble = pytest.importorskip("sklearn.ensemble")
linear_model = pytest.importorskip("sklearn.linear_model")
pandas = pytest.importorskip("pandas")

SURROGATES = [LGBMExplainableModel, LinearExplainableModel, SGDExplainableModel, DecisionTreeExplainableModel]
KINDS = {
    LGBMExplainableModel: "lightgbm",
    LinearExplainableModel: "linear",
    SGDExplainableModel: "sgd",
    DecisionTreeExplainableModel: "tree",
}


def mimic(*teacher, **options):
    return MimicExplainer(*teacher, **{"device": "cpu", "threads": 1, **options})


def sums(e):
    return np.asarray(e.values, np.float64).sum(axis=1) + np.asarray(e.base_values)


def rent(frame):
    of_city = frame["city"].map({"Bern": 3.0, "Oslo": 1.0, "Rome": -2.0, "Wien": 0.0}).fillna(9.0)
    of_floor = frame["floor"].map({1: 0.0, 2: 1.5, 7: -1.0})
    return (of_city + of_floor + 0.8 * frame["size"] + 0.7 * (frame["when"].dt.year - 2020)).to_numpy()


class Mean:
    """A surrogate of the user's: least squares, explained by its own coefficients."""

    def __init__(self, shrink=0.0, classification=True):
        self.shrink, self.classification = shrink, classification
        self.model = None

    def fit(self, dataset, labels, **more):
        centred = np.column_stack([dataset, np.ones(len(dataset))])
        self.model = np.linalg.lstsq(centred, labels, rcond=None)[0]
        self.centre = dataset.mean(axis=0)

    def predict(self, dataset):
        margin = dataset @ self.model[:-1] + self.model[-1]
        return margin > 0 if self.classification else margin

    def predict_proba(self, dataset):
        second = 1 / (1 + np.exp(-(dataset @ self.model[:-1] + self.model[-1])))
        return np.column_stack([1 - second, second])

    def explain_global(self, **more):
        return np.abs(self.model[:-1])

    def explain_local(self, dataset, **more):
        return (dataset - self.centre) * self.model[:-1]

    @property
    def expected_values(self):
        return self.centre @ self.model[:-1] + self.model[-1]

    @staticmethod
    def explainable_model_type():
        return "linear_explainable_model_type"
