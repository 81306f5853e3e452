"""Path-dependent Shapley values by definition: every coalition, every path, float64."""

from itertools import combinations
from math import factorial

import numpy as np


def expectation(tree, value, row, coalition, n=0):
    """The expected value below a node when only the features of a coalition are known."""
    left, right = tree.children_left[n], tree.children_right[n]
    if left < 0:
        return value[n]
    if tree.feature[n] in coalition:
        cell = np.float32(row[tree.feature[n]])
        goes_left = bool(tree.missing_go_to_left[n]) if np.isnan(cell) else cell <= tree.threshold[n]
        return expectation(tree, value, row, coalition, left if goes_left else right)
    cover = tree.weighted_n_node_samples
    return (
        cover[left] * expectation(tree, value, row, coalition, left)
        + cover[right] * expectation(tree, value, row, coalition, right)
    ) / cover[n]


def histogram_expectation(predictor, row, coalition, n=0):
    """The same of a tree of histogram gradient boosting; `row` has its categories as the model encodes them."""
    node = predictor.nodes[n]
    if node["is_leaf"]:
        return node["value"]
    left, right = int(node["left"]), int(node["right"])
    if node["feature_idx"] in coalition:
        cell = row[node["feature_idx"]]
        if np.isnan(cell):
            goes_left = bool(node["missing_go_to_left"])
        elif node["is_categorical"]:
            category = int(cell)
            words = predictor.raw_left_cat_bitsets[node["bitset_idx"]]
            goes_left = bool(words[category // 32] >> np.uint32(category % 32) & np.uint32(1))
        else:
            goes_left = cell <= node["num_threshold"]
        return histogram_expectation(predictor, row, coalition, left if goes_left else right)
    cover = predictor.nodes["count"]
    return (
        cover[left] * histogram_expectation(predictor, row, coalition, left)
        + cover[right] * histogram_expectation(predictor, row, coalition, right)
    ) / cover[n]


def shapley(tree, value, row, features):
    """The values of one row of one scikit-learn tree; `value` is by node."""
    phi = np.zeros(features)
    for i in range(features):
        others = [j for j in range(features) if j != i]
        for size in range(features):
            weight = factorial(size) * factorial(features - size - 1) / factorial(features)
            for coalition in map(set, combinations(others, size)):
                gain = expectation(tree, value, row, coalition | {i}) - expectation(tree, value, row, coalition)
                phi[i] += weight * gain
    return phi
