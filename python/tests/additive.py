"""Transformations whose map keeps sums, checked wherever one is learnt."""

import numpy as np

from whylight.transformations import Transformations, to_raw


def learnt(transformations, x, **options):
    """The transformations after they saw rows, the engineered rows, and the feature map."""
    t = Transformations(transformations, **options)
    engineered = t.transform(x)
    feature_map = t.feature_map()
    assert feature_map.shape == (np.shape(x)[1], engineered.shape[1])
    assert len(t.engineered_names) == engineered.shape[1]
    np.testing.assert_allclose(feature_map.sum(axis=0), 1.0, rtol=1e-12)
    values = np.random.default_rng(2).normal(size=(5, engineered.shape[1]))
    np.testing.assert_allclose(to_raw(values, feature_map).sum(axis=1), values.sum(axis=1), atol=1e-12)
    return t, engineered, feature_map


def rows(indices, count):
    """The map whose engineered column j belongs to raw column `indices[j]`."""
    return np.eye(count)[:, indices]


def people():
    """A frame of numbers, texts, and a constant."""
    import pandas

    generator = np.random.default_rng(4)
    return pandas.DataFrame(
        {
            "age": generator.integers(18, 90, 40),
            "city": generator.choice(["Bern", "Oslo", "Rome"], 40),
            "pay": generator.normal(size=40),
            "smoker": generator.choice(["no", "yes"], 40),
            "idle": 0.0,
        }
    )


def column_transformer(**options):
    """An unfitted transformer of `people` that leaves "idle" out."""
    from sklearn import compose, impute, pipeline, preprocessing

    numbers = pipeline.make_pipeline(impute.SimpleImputer(), preprocessing.StandardScaler())
    coder = preprocessing.OneHotEncoder(drop="if_binary")
    parts = [("number", numbers, ["pay", "age"]), ("code", coder, ["city", "smoker"])]
    return compose.ColumnTransformer(parts, **options)
