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
