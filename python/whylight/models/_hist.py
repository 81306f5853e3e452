"""Histogram gradient boosting of scikit-learn: float64 thresholds, missing values, categories."""

from __future__ import annotations

import numpy as np


def hist_trees(model):
    """The arrays of all trees, and the category labels by raw feature (None where there are none)."""
    is_categorical = model.is_categorical_
    count = int(model.n_features_in_)
    order, labels, known = np.arange(count), [None] * count, {}
    if is_categorical is not None and np.any(is_categorical):
        is_categorical = np.asarray(is_categorical, bool)
        # Its own preprocessing puts the categorical columns first, as ordinal codes.
        if getattr(model, "_preprocessor", None) is not None:
            order = np.concatenate([np.flatnonzero(is_categorical), np.flatnonzero(~is_categorical)])
            encoder = model._preprocessor.named_transformers_["encoder"]
            for feature, categories in zip(np.flatnonzero(is_categorical), encoder.categories_, strict=True):
                present = [label for label in categories if not _is_missing(label)]
                labels[feature] = [_text(label) for label in present]
                known[feature] = np.arange(len(present))
        else:
            for feature in np.flatnonzero(is_categorical):
                labels[feature] = None
    parts = []
    for i, predictors in enumerate(model._predictors):
        for k, predictor in enumerate(predictors):
            parts.append(_arrays(predictor, k, i, order, known))
    return parts, labels


def _is_missing(label):
    return label is None or isinstance(label, float) and np.isnan(label)


def _text(label):
    """A label as text; a whole number without a point, as the engine writes cells."""
    if isinstance(label, (float, np.floating)) and float(label).is_integer():
        return str(int(label))
    return str(label)


def _arrays(predictor, output, iteration, order, known):
    nodes = predictor.nodes
    leaf = nodes["is_leaf"].astype(bool)
    raw = np.where(leaf, 0, order[np.where(leaf, 0, nodes["feature_idx"]).astype(np.int64)])
    missing_left = nodes["missing_go_to_left"].astype(bool)
    sets, numbers = [], np.full(len(nodes), -1, np.int64)
    for n in np.flatnonzero(~leaf & nodes["is_categorical"].astype(bool)):
        left = predictor.raw_left_cat_bitsets[nodes["bitset_idx"][n]].astype(np.uint32)
        if missing_left[n]:
            # Those that part from the missing ones are then the known categories that go right.
            all_known = np.zeros(8, np.uint32)
            for category in known.get(raw[n], np.arange(256)):
                all_known[category // 32] |= np.uint32(1 << (category % 32))
            left = all_known & ~left
        numbers[n] = len(sets)
        sets.append(left)
    return {
        "left": np.where(leaf, -1, nodes["left"].astype(np.int64)),
        "right": np.where(leaf, -1, nodes["right"].astype(np.int64)),
        "feature": raw.astype(np.int64),
        "threshold": np.where(leaf, 0.0, nodes["num_threshold"].astype(np.float64)),
        "missing_left": missing_left,
        "set": numbers,
        "sets": np.array(sets, np.uint32).reshape(-1, 8),
        "cover": nodes["count"].astype(np.float64),
        "value": nodes["value"].astype(np.float64).reshape(-1, 1),
        "output": output,
        "iteration": iteration,
    }
