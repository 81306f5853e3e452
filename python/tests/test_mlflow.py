"""Explanations as artifacts of MLflow runs."""

import numpy as np
import pytest

import whylight

mlflow = pytest.importorskip("mlflow")


def test_an_explanation_is_logged_and_had_back(tmp_path):
    from whylight.mlflow import get_explanation, log_explanation

    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/runs.db")
    experiment = mlflow.create_experiment("explanations", artifact_location=(tmp_path / "artifacts").as_uri())
    values = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    e = whylight.Explanation(values, base_values=0.25, feature_names=["a", "b", "c"], details={"method": "tree_shap"})
    with mlflow.start_run(experiment_id=experiment) as run:
        log_explanation("first", e)
    loaded = get_explanation(run.info.run_id, "first")
    assert (loaded.values == values).all() and loaded.base_values == 0.25 and loaded.method == "tree_shap"
    with pytest.raises(whylight.FileError, match="second"):
        get_explanation(run.info.run_id, "second")
