"""Kernel SHAP: values of any model from what it answers."""

from __future__ import annotations

from . import _parameters
from ._table import is_a
from .errors import ParameterError, UnsupportedError
from .models.function import Function
from .summarise import Background
from .tree import PairsExplainer

#: How values can be computed.
ESTIMATORS = '"auto", "exact", "sampled", "regression_adjusted", "shap_sampling" or "permutation"'


class KernelExplainer(PairsExplainer):
    """Shapley values of any model (Lundberg & Lee 2017), from its answers to rows of coalitions.

    `model` is a function of rows that returns a number, or a list of numbers, for each; or an object with
    `predict_proba`, `decision_function` or `predict`; or a torch module. `background` are the rows that features
    outside a coalition take their values from, or a `Background` of weighted rows: the model answers for every
    coalition and each of them, so summarise them.

    The values of a row are exact where its coalitions are no more than `nsamples`, or with `estimator="exact"` up to 16
    features that vary against the background; else they are estimated from `nsamples` coalitions ("auto" is 2048 and
    twice the number of features), and `e.standard_errors` has the standard error of every value. No value is set to 0
    because others are larger. `estimator` may also be "regression_adjusted", "shap_sampling" or "permutation". With a
    `tolerance`, in the units of the output, coalitions are added until no standard error of the row is larger, or there
    are `nsamples` (16 times "auto"). `link="logit"` explains the log-odds of the mean answer.

    `groups` are features that play as one, a dict of names with lists of names or positions. With `transformations`,
    and of a Pipeline, the raw columns play. `memory_limit` in bytes bounds the rows that the model is asked for at a
    time; `e.notes` say how often it was asked, and which part of the time it took. A model that answers
    differently when a row is asked again is an error, unless `allow_noise`.

    `explainer.interactions(x)` are those of pairs of features, exactly, where up to 16 vary.
    """

    def __init__(
        self,
        model,
        background,
        *,
        nsamples="auto",
        link="identity",
        estimator="auto",
        tolerance=None,
        allow_noise=False,
        groups=None,
        explain_subset=None,
        features=None,
        classes=None,
        transformations=None,
        allow_all_transformations=False,
        device="auto",
        seed=0,
        threads=0,
        memory_limit=None,
        show_progress=None,
    ):
        if background is None:
            raise ParameterError(
                "background: None is not allowed: features outside a coalition take the values of training rows, or of "
                "a sample of them"
            )
        rows = background
        if isinstance(background, Background) or is_a(background, "shap.utils._legacy", "DenseData"):
            rows = background.data
        before = None
        if transformations is not None:
            from .transformations import Transformations

            chosen = Transformations(transformations, allow_all_transformations=True)
            before = chosen.transform
        self._function = Function(model, rows, before, _parameters.names("features", features))
        self._task = self._function.task
        self._outputs = len(self._function.model.outputs)
        self._known_classes = self._function.classes
        self._known_features = self._function.model.features
        self._model_type = str(type(model))
        self._begin(
            model,
            background,
            features=features,
            classes=classes,
            explain_subset=explain_subset,
            show_progress=show_progress,
        )
        samples = None
        if not isinstance(nsamples, str):
            samples = max(2, (_parameters.count("nsamples", nsamples, 1, bits=32) + 1) // 2)
        elif nsamples != "auto":
            raise ParameterError(f'nsamples: {nsamples!r} is not allowed: "auto" or a number of coalitions')
        self._make(
            self._function.model,
            **self._background(background),
            value_function="interventional",
            allowed='"interventional"',
            groups=groups,
            samples=samples,
            link=_parameters.text("link", link, '"identity" or "logit"'),
            estimator=_parameters.text("estimator", estimator, ESTIMATORS),
            tolerance=None if tolerance is None else _parameters.number("tolerance", tolerance),
            allow_noise=bool(allow_noise),
            device=device,
            seed=seed,
            threads=threads,
            memory_limit=memory_limit,
        )

    def _table(self, rows):
        return self._function.table(rows)


def of_tabular(model, background, **options):
    """For the explainer that chooses: refuses where another parameter is missing, rather than fails."""
    if background is None:
        raise UnsupportedError(
            f"{type(model).__qualname__}: Kernel SHAP compares a row with training rows; give them, or a sample of "
            "them, as initialization_examples"
        )
    return KernelExplainer(model, background, **options)
