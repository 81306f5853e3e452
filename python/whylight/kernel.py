"""Kernel SHAP: values of any model from what it answers."""

from __future__ import annotations

import numpy as np

from . import _groups, _parameters
from ._base import unwrap
from ._table import held, is_a, with_rows
from .errors import ParameterError, UnsupportedError, WhylightError
from .models.function import Function, asked
from .models.native import is_file, native, of_file
from .summarise import Background
from .tree import PairsExplainer

#: How values can be computed.
ESTIMATORS = '"auto", "exact", "sampled", "regression_adjusted", "shap_sampling" or "permutation"'


class KernelExplainer(PairsExplainer):
    """Shapley values of any model (Lundberg & Lee 2017), from its answers to rows of coalitions.

    `model` is a function of rows that returns a number, or a list of numbers, for each; or an object with
    `predict_proba`, `decision_function` or `predict`; or a torch module or a fastai learner; or an ONNX model, the path
    of a model file, or its bytes, which the engine has to read. `background` are the rows that features outside a
    coalition take their values from, or a `Background` of weighted rows: the model answers for every coalition and each
    of them, so summarise them.

    The values of a row are exact where its coalitions are no more than `nsamples`, or with `estimator="exact"` up to 16
    features that vary against the background; else they are estimated from `nsamples` coalitions ("auto" is 2048 and
    twice the number of features), and `e.standard_errors` has the standard error of every value. No value is set to 0
    because others are larger. `estimator` may be "sampled", "regression_adjusted" (what "auto" takes for a model that
    is asked), "shap_sampling" or "permutation". With a `tolerance`, in the units of the output, coalitions are added
    until no standard error of the row is larger, or there are `nsamples` (16 times "auto"). `link="logit"` explains the
    log-odds of the mean answer.

    Models of scikit-learn that the engine evaluates itself are not asked: support vectors, Gaussian processes, kernel
    ridge, naive Bayes, nearest neighbours, perceptrons and linear models, alone or as the last step of a Pipeline, as
    objects or by a method such as `svc.predict_proba`. Their coalitions never become rows. The margins of linear models
    and of product kernels (RBF, Laplacian) have exact values without coalitions, for any number of features.
    `e.details["engines"]` says what computed the values. `output` of an object is "probability" (`predict_proba`) or
    "raw" (`decision_function`, or `predict`); "auto" is the first that it has.

    `groups` are features that play as one, a dict of names with lists of names or positions. With `transformations`,
    and of a Pipeline, the raw columns play. `memory_limit` in bytes bounds the rows that the model is asked for at a
    time; `e.notes` say how often it was asked, and which part of the time it took. A model that answers
    differently when a row is asked again is an error, unless `allow_noise`.

    `explainer.interactions(x)` are those of pairs of features, exactly, where up to 16 vary.
    """

    _function = None

    def __init__(
        self,
        model,
        background,
        *,
        nsamples="auto",
        link="identity",
        estimator="auto",
        output="auto",
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
        output = _parameters.text("output", output, '"auto", "raw" or "probability"')
        if output not in ("auto", "raw", "probability"):
            raise ParameterError(f'output: {output!r} is not allowed: "auto", "raw" or "probability"')
        found = None
        if is_file(model):
            found = _file(model, rows, transformations, output, groups)
        elif groups is None or transformations is None:
            found = _native(model, rows, transformations, allow_all_transformations, output, groups)
        self._model_type = str(type(model))
        if found is not None:
            native, transformations = found
            made, self._task, self._known_classes = native.model, native.task, native.classes
            self._outputs, output = native.outputs, native.output
            groups = groups if transformations is None else _groups.BY_RAW
        else:
            before = None
            if transformations is not None:
                from .transformations import Transformations

                before = Transformations(transformations, allow_all_transformations=True).transform
            names = _parameters.names("features", features)
            self._function = Function(model, rows, before, names, output)
            made, self._task, self._known_classes = self._function.model, self._function.task, self._function.classes
            self._outputs = len(made.outputs)
            output, transformations = "raw", None
        self._known_features = made.features
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
        samples = None
        if not isinstance(nsamples, str):
            samples = max(2, (_parameters.count("nsamples", nsamples, 1, bits=32) + 1) // 2)
        elif nsamples != "auto":
            raise ParameterError(f'nsamples: {nsamples!r} is not allowed: "auto" or a number of coalitions')
        self._make(
            made,
            **self._background(background),
            value_function="interventional",
            allowed='"interventional"',
            groups=groups,
            samples=samples,
            output=output,
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
        return super()._table(rows) if self._function is None else self._function.table(rows)


def _file(model, rows, transformations, output, groups):
    """The model of a file, and what transforms its rows."""
    if transformations is not None:
        if groups is not None:
            raise ParameterError("groups: not allowed together with transformations, whose raw columns play")
        from .transformations import Transformations

        transformations = Transformations(transformations)
    return of_file(model, output, np.shape(with_rows(held(rows)))[-1]), transformations


def _native(model, rows, transformations, allow_all_transformations, output, groups):
    """A model that the engine evaluates itself, and what transforms its rows; None if it does not.

    A model is taken if the engine answers some background rows as its library does.
    """
    ask = model if hasattr(model, "__self__") else None
    if ask is None and is_a(model, "sklearn.base", "BaseEstimator"):
        ask, _, _ = asked(model, output)
    method = getattr(ask, "__name__", None)
    model = getattr(ask, "__self__", None)
    if model is None or method is None:
        return None
    try:
        if transformations is None:
            model, transformations = unwrap(model, None, allow_all_transformations)
        # A Pipeline's rows have groups of their own, and what is split evenly over columns belongs to none of them.
        found = None if transformations is not None and groups is not None else native(model, method)
        if found is None:
            return None
        if transformations is not None:
            from .transformations import Transformations

            transformations = Transformations(transformations)
            rows = transformations.transform(rows)
            _groups.raw_features(transformations)
        rows = rows.toarray() if hasattr(rows, "toarray") else np.asarray(with_rows(held(rows)))
        return (found, transformations) if found.answers_alike(rows) else None
    except (WhylightError, AttributeError, LookupError, TypeError, ValueError):
        # What is wrong with the rows or the model, the other way names.
        return None


def of_tabular(model, background, **options):
    """For the explainer that chooses: refuses where another parameter is missing, rather than fails."""
    if background is None:
        raise UnsupportedError(
            f"{type(model).__qualname__}: Kernel SHAP compares a row with training rows; give them, or a sample of "
            "them, as initialization_examples"
        )
    return KernelExplainer(model, background, **options)
