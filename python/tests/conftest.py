"""Rows with everything that trees treat apart: missing values, infinities, zeros, thresholds hit exactly."""

import numpy as np
import pytest


@pytest.fixture(scope="session")
def rows():
    generator = np.random.default_rng(3)
    x = generator.normal(size=(400, 6)).round(2)
    x[generator.random(x.shape) < 0.1] = np.nan
    return x


@pytest.fixture(scope="session")
def complete(rows):
    return np.nan_to_num(rows, nan=0.25)


@pytest.fixture(scope="session")
def target(complete):
    return complete[:, 0] * complete[:, 1] + np.sin(3 * complete[:, 2]) + 0.5 * (complete[:, 3] > 0)


@pytest.fixture(scope="session")
def binary(target):
    return np.where(target > np.median(target), "yes", "no")


@pytest.fixture(scope="session")
def three(target):
    return np.digitize(target, np.quantile(target, [1 / 3, 2 / 3]))


@pytest.fixture
def draw():
    return np.random.default_rng(5)
