"""Explanations as artifacts of MLflow runs, where mlflow is installed."""

from __future__ import annotations

import pathlib
import tempfile

from .errors import FileError, UnsupportedError
from .explanation import Explanation, load_explanation, save_explanation


def log_explanation(name, explanation, *, run_id=None) -> None:
    """Logs an explanation under a name, as interpret-community's directory, to a run: the active one by default."""
    client = _mlflow()
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "explanation"
        save_explanation(explanation, path)
        client.log_artifacts(str(path), artifact_path=f"{name}/data/explanation", run_id=run_id)


def get_explanation(run_id, name) -> Explanation:
    """The explanation that a run has under a name, this library's or interpret-community's."""
    mlflow = _mlflow()
    with tempfile.TemporaryDirectory() as folder:
        try:
            path = mlflow.artifacts.download_artifacts(
                run_id=run_id, artifact_path=f"{name}/data/explanation", dst_path=folder
            )
        except Exception as error:
            raise FileError(f'run {run_id}: no explanation "{name}" could be had ({error})') from error
        return load_explanation(path)


def _mlflow():
    try:
        import mlflow
    except ImportError as error:
        raise UnsupportedError("to log explanations takes mlflow: pip install mlflow") from error
    return mlflow
