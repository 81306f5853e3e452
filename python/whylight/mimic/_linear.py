"""Linear surrogates."""

from __future__ import annotations

import warnings

import numpy as np

from ..kernel import KernelExplainer
from ..linear import LinearExplainer
from ._base import LINEAR, ExplainableModel
from ._distil import stacked

#: What a row weighs of which the teacher is sure.
SURE = 0.02


class LinearExplainableModel(ExplainableModel):
    """Linear regression of the margins by scikit-learn's `LinearRegression`, whose parameters are taken.

    Of probabilities it is logistic regression (`LogisticRegression`, whose parameters are taken then), on a copy of
    each row for every class, weighed by the class's probability: a teacher whose log-odds are linear is learned as it
    is, however sure it is. `sparse_data` is taken for compatibility: sparse rows stay sparse as they are.
    """

    kind = "linear"

    def __init__(
        self,
        multiclass=False,
        random_state=123,
        shap_values_output="default",
        classification=True,
        sparse_data=False,
        **options,
    ):
        super().__init__(multiclass, random_state, shap_values_output, classification, **options)

    def _fit(self, x, margins, probabilities, categorical, threads, **more):
        from sklearn.linear_model import LinearRegression, LogisticRegression

        # Columns of very different units, such as seconds beside 0 and 1, would be taken for dependent ones.
        scaled, offset, scale = _scaled(x)
        if probabilities is None:
            #: The scikit-learn model of the margins, of columns that are scaled to a deviation of 1.
            self.model = LinearRegression(**{**self._options, **more}).fit(scaled, margins)
            self._keep(x, self.model.coef_, self.model.intercept_, offset, scale)
            return
        rows, classes = probabilities.shape
        copies = stacked([scaled] * classes)
        # Weak enough to leave a linear teacher as it is; what is sure of every row would have no end otherwise.
        options = {"C": 1e2, "max_iter": 300, "random_state": self._seed, **self._options, **more}
        with warnings.catch_warnings():
            # How well it learned is measured.
            warnings.simplefilter("ignore")
            self.model = LogisticRegression(**options).fit(
                copies, np.repeat(np.arange(classes), rows), sample_weight=probabilities.T.ravel()
            )
        self._keep(x, self.model.coef_, self.model.intercept_, offset, scale)

    def _keep(self, x, coefficients, intercepts, offset, scale):
        """Keeps what was learned of scaled columns, in the units of the columns."""
        self._coefficients = np.ascontiguousarray(np.atleast_2d(coefficients) / scale, np.float64)
        self._intercepts = np.ravel(intercepts) - self._coefficients @ offset
        self._mean = np.ravel(x.mean(axis=0)).astype(np.float64)

    @property
    def coefficients(self) -> np.ndarray:
        """Of each margin and column, in the units of the column, (outputs, features)."""
        return self._coefficients

    @property
    def intercepts(self) -> np.ndarray:
        return self._intercepts

    def margins(self, dataset):
        return np.asarray(dataset @ self._coefficients.T) + self._intercepts

    def explainer(self, background, output="raw", **options):
        if output == "raw":
            return LinearExplainer((self._coefficients, self._intercepts), (self._mean, None), **options)
        from sklearn.linear_model import LogisticRegression

        # The margins' own probabilities, of which the engine has a kernel.
        model = LogisticRegression()
        model.classes_, model.n_features_in_ = np.arange(self._space.width), self._coefficients.shape[1]
        model.coef_, model.intercept_, model.n_iter_ = self._coefficients, self._intercepts, np.ones(1)
        background = background.toarray() if hasattr(background, "toarray") else background
        return KernelExplainer(model.predict_proba, background, **options)

    def to_json(self):
        return {
            "coefficients": self._coefficients.tolist(),
            "intercepts": self._intercepts.tolist(),
            "mean": self._mean.tolist(),
        }

    @classmethod
    def from_json(cls, said, space):
        made = cls()
        made._coefficients, made._intercepts, made._mean = (
            np.array(said[name], np.float64) for name in ("coefficients", "intercepts", "mean")
        )
        made._space, made.model = space, None
        return made

    @staticmethod
    def explainable_model_type():
        return LINEAR


class SGDExplainableModel(LinearExplainableModel):
    """Linear regression of the margins by stochastic gradient descent; further parameters are those of scikit-learn's
    `SGDRegressor`.

    It descends on columns and margins that are scaled to a deviation of 1, whatever their units; `coefficients` are
    those of the columns as they come. Rows weigh Σ p (1 − p) + 0.02 where there are probabilities p, after the minimum
    logit chi-square of Berkson 1944: log-odds are steepest, and least certain, where a teacher is sure.
    """

    kind = "sgd"

    def _fit(self, x, margins, probabilities, categorical, threads, **more):
        from sklearn.linear_model import SGDRegressor

        scaled, offset, scale = _scaled(x)
        weights = None
        if probabilities is not None:
            weights = SURE + (probabilities * (1.0 - probabilities)).sum(axis=1)
            weights /= weights.mean()
        options = {"random_state": self._seed, **self._options, **more}
        #: The scikit-learn models of the scaled columns and margins, one per margin.
        self.model = []
        coefficients, intercepts = [], []
        for target in margins.T:
            centre, unit = np.average(target, weights=weights), target.std() or 1.0
            fitted = SGDRegressor(**options).fit(scaled, (target - centre) / unit, sample_weight=weights)
            self.model.append(fitted)
            coefficients.append(unit * fitted.coef_)
            intercepts.append(centre + unit * fitted.intercept_[0])
        self._keep(x, coefficients, intercepts, offset, scale)


def _scaled(x):
    """Columns of deviation 1, the offsets that were taken off (none of sparse ones) and the scales."""
    from sklearn.preprocessing import StandardScaler

    is_sparse = hasattr(x, "tocsr")
    scaler = StandardScaler(with_mean=not is_sparse).fit(x)
    return scaler.transform(x), np.zeros(x.shape[1]) if is_sparse else scaler.mean_, scaler.scale_
