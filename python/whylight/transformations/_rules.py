"""What is known of transformers: which inputs each of their outputs comes from.

scikit-learn is not imported: its classes are told by their names and modules. Each rule reads documented fitted
attributes; whoever uses a rule compares the map's width with what the transformer really gave.
"""

from __future__ import annotations

import numpy as np


def kinds(transformer) -> set[str]:
    """The names of scikit-learn's classes that a transformer is an instance of."""
    return {c.__name__ for c in type(transformer).__mro__ if c.__module__.split(".")[0] == "sklearn"}


def is_passthrough(transformer) -> bool:
    return transformer is None or (isinstance(transformer, str) and transformer == "passthrough")


def parents(transformer, n):
    """The map (n, outputs) of a transformer whose outputs each come from known inputs, as CSR; None if unknown."""
    rule = _rule(transformer)
    return rule(transformer, n) if rule is not None else None


def is_known(transformer) -> bool:
    """Whether `parents` has a map for a transformer, told without its fitted attributes."""
    return _rule(transformer) is not None


def mixture(transformer, n, m):
    """The map (n, m) of a transformer that mixes inputs: exact parents where they are known, else all of them.

    Each output is split evenly over its parents. Returns the map and whether the parents are known.
    """
    from scipy.sparse import csr_matrix

    known = kinds(transformer)
    weights = None
    if "PolynomialFeatures" in known:
        weights = (np.asarray(transformer.powers_).T > 0).astype(np.float64)
    elif "FeatureAgglomeration" in known:
        weights = (np.asarray(transformer.labels_)[:, None] == np.arange(m)).astype(np.float64)
    if weights is None:
        return csr_matrix(np.full((n, m), 1.0 / n)), False
    # The constant output of a polynomial has no parent. All share it, so that nothing is lost.
    weights[:, weights.sum(axis=0) == 0] = 1.0
    return csr_matrix(weights / weights.sum(axis=0)), True


def select(indices, n):
    """The map (n, outputs) whose output j is input `indices[j]`, as CSR."""
    from scipy.sparse import csr_matrix

    indices = np.asarray(indices, dtype=np.intp)
    return csr_matrix((np.ones(len(indices)), (indices, np.arange(len(indices)))), shape=(n, len(indices)))


def blocks(widths):
    """The map of inputs with `widths` outputs each, one input's after another's, as CSR."""
    from scipy.sparse import csr_matrix

    ends = np.concatenate([[0], np.cumsum(np.asarray(widths, dtype=np.intp))])
    total = int(ends[-1])
    return csr_matrix((np.ones(total), np.arange(total), ends), shape=(len(ends) - 1, total))


def _identity(_, n):
    return select(np.arange(n), n)


def _rule(transformer):
    if is_passthrough(transformer):
        return _identity
    known = kinds(transformer)
    if "FunctionTransformer" in known:
        # A function may mix columns, unless it is none at all, a ufunc of one argument, or declared to keep features.
        func = transformer.func
        same = func is None or (isinstance(func, np.ufunc) and func.nin == func.nout == 1)
        declared = isinstance(getattr(transformer, "feature_names_out", None), str)
        return _identity if same or declared else None
    return next((rule for name, rule in RULES.items() if name in known), None)


def _one_hot(encoder, _):
    """Per input: its categories, less those grouped as infrequent, plus their group, less a dropped one."""
    widths = [len(categories) for categories in encoder.categories_]
    # Asked for on an encoder without grouping, the attribute raises in some versions.
    grouped = getattr(encoder, "infrequent_categories_", None)
    for i, rare in enumerate(grouped if grouped is not None else []):
        if rare is not None:
            widths[i] -= len(rare) - 1
    gone = getattr(encoder, "drop_idx_", None)
    for i, drop in enumerate(gone if gone is not None else []):
        if drop is not None:
            widths[i] -= 1
    return blocks(widths)


def _imputer(imputer, n):
    """Inputs that were missing throughout are gone, and indicators of missing cells may follow the others."""
    given = getattr(imputer, "feature_names_in_", None)
    given = [f"x{i}" for i in range(n)] if given is None else list(given)
    indicator = imputer.indicator_ if imputer.add_indicator else None
    flagged = [] if indicator is None else list(indicator.features_)
    names = list(imputer.get_feature_names_out())
    kept = []
    # The kept names are a subsequence of the given ones, so that looking on from the last match is exact.
    for name in names[: len(names) - len(flagged)]:
        start = kept[-1] + 1 if kept else 0
        kept.append(given.index(name, start))
    return select(kept + flagged, n)


def _bins(discretizer, n):
    return blocks(discretizer.n_bins_) if str(discretizer.encode).startswith("onehot") else _identity(discretizer, n)


def _target(encoder, n):
    """With several classes, an output per input and class."""
    several = getattr(encoder, "target_type_", None) == "multiclass"
    return blocks([len(encoder.classes_) if several else 1] * n)


#: Maps by class, the first that fits. Newer versions of scikit-learn mark most of the elementwise classes as
#: OneToOneFeatureMixin, and other people's classes may be marked so too.
RULES = {
    "OneHotEncoder": _one_hot,
    "KBinsDiscretizer": _bins,
    "TargetEncoder": _target,
    "SplineTransformer": lambda splines, n: blocks([splines.n_features_out_ // n] * n),
    "MissingIndicator": lambda indicator, n: select(indicator.features_, n),
    "IterativeImputer": _imputer,
    "KNNImputer": _imputer,
    "SimpleImputer": _imputer,
    "SelectorMixin": lambda selector, n: select(selector.get_support(indices=True), n),
    "Binarizer": _identity,
    "KernelCenterer": _identity,
    "LabelEncoder": _identity,
    "MaxAbsScaler": _identity,
    "MinMaxScaler": _identity,
    "Normalizer": _identity,
    "OneToOneFeatureMixin": _identity,
    "OrdinalEncoder": _identity,
    "PowerTransformer": _identity,
    "QuantileTransformer": _identity,
    "RobustScaler": _identity,
    "StandardScaler": _identity,
}
