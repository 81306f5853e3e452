"""LightGBM with linear_tree=True: against a background, by the library's own predictions of every coalition."""

from itertools import combinations
from math import factorial

import numpy as np
import pytest

import whylight
from whylight import TabularExplainer, TreeExplainer

lightgbm = pytest.importorskip("lightgbm")

SMALL = {"n_estimators": 6, "num_leaves": 6, "min_child_samples": 10, "linear_tree": True, "verbose": -1}


def table():
    r = np.random.RandomState(5)
    x = r.normal(size=(300, 4))
    y = x @ [1.0, -2.0, 0.5, 0.0] + np.sin(3 * x[:, 0]) + x[:, 1] * x[:, 2]
    x[r.rand(300, 4) < 0.15] = np.nan
    return x, y


def by_definition(predict, row, background):
    """The values (feature, …) of a row, from what a model predicts of every mixture with background rows."""
    features = len(row)

    def worth(coalition):
        mixed = background.copy()
        mixed[:, list(coalition)] = row[list(coalition)]
        return predict(mixed).mean(axis=0)

    values = []
    for i in range(features):
        others = [j for j in range(features) if j != i]
        values.append(
            sum(
                factorial(size) * factorial(features - size - 1) / factorial(features) * (worth((*c, i)) - worth(c))
                for size in range(features)
                for c in combinations(others, size)
            )
        )
    return np.array(values)


@pytest.mark.parametrize("kind", ["booster", "regressor", "classifier", "three"])
def test_values_are_those_of_the_librarys_own_predictions(kind):
    x, y = table()
    if kind in ("booster", "regressor"):
        model = lightgbm.LGBMRegressor(**SMALL).fit(x, y)
        model = model.booster_ if kind == "booster" else model
    else:
        labels = np.digitize(y, [-1, 1]) if kind == "three" else np.where(y > 0, "yes", "no")
        model = lightgbm.LGBMClassifier(**SMALL).fit(x, labels)
    background, rows = x[:20], x[20:26]
    assert np.isnan(background).any() and np.isnan(rows).any()
    e = TreeExplainer(model, background, device="cpu")(rows)
    for row, values in zip(rows, e.values, strict=True):
        expected = by_definition(lambda x: model.predict(x, raw_score=True), row, background)
        np.testing.assert_allclose(values, expected, atol=1e-6 * max(1, np.abs(expected).max()))
    assert e.additivity_error < 1e-5
    if kind == "classifier":
        e = TreeExplainer(model, background, output="probability", device="cpu")(rows)
        for row, values in zip(rows, e.values, strict=True):
            expected = by_definition(lambda x: model.predict_proba(x)[:, 1], row, background)
            np.testing.assert_allclose(values, expected, atol=1e-6)


def test_tabular_takes_the_rows_that_it_was_made_with_as_background():
    x, y = table()
    model = lightgbm.LGBMRegressor(**SMALL).fit(x, y)
    e = TabularExplainer(model, x[:30], device="cpu").explain_local(x[:5])
    np.testing.assert_allclose(e.values.sum(axis=1) + e.base_values, model.predict(x[:5]), atol=1e-5)


def test_path_dependent_values_are_refused_and_the_way_out_is_named():
    x, y = table()
    model = lightgbm.LGBMRegressor(**SMALL).fit(x, y)
    with pytest.raises(whylight.errors.UnsupportedError, match="linear_tree=true.*give a background"):
        TreeExplainer(model, device="cpu")
