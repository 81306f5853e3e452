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


@pytest.fixture(scope="session")
def cancer():
    datasets, ensemble = pytest.importorskip("sklearn.datasets"), pytest.importorskip("sklearn.ensemble")
    x, y = datasets.load_breast_cancer(return_X_y=True)
    return x, ensemble.RandomForestClassifier(50, random_state=0).fit(x, y)


@pytest.fixture(scope="session")
def iris():
    datasets, linear = pytest.importorskip("sklearn.datasets"), pytest.importorskip("sklearn.linear_model")
    x, y = datasets.load_iris(return_X_y=True)
    return x, linear.LogisticRegression(max_iter=1000).fit(x, y)


@pytest.fixture(scope="session")
def mixed():
    """A table with text, a category of numbers, moments, and numbers; a teacher that reads the text most."""
    pandas = pytest.importorskip("pandas")
    from surrogates import rent

    draw = np.random.default_rng(1)
    rows = 600
    frame = pandas.DataFrame(
        {
            "city": draw.choice(["Bern", "Oslo", "Rome", "Wien"], rows),
            "floor": draw.choice([1, 2, 7], rows),
            "when": pandas.Timestamp("2020-01-01") + pandas.to_timedelta(draw.integers(0, 900 * 86400, rows), "s"),
            "size": draw.normal(size=rows),
            "noise": draw.normal(size=rows),
        }
    )
    return frame, rent
