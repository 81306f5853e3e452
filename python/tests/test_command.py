"""The command with models that only Python's libraries make or run: ONNX files, and programs."""

import json
import os
import pickle
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from coalitions import single, worths
from coalitions import values as shapley
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsRegressor
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

COMMAND = os.environ.get("WHYLIGHT_COMMAND", Path(__file__).parents[2] / "target" / "debug" / "whylight")
FEATURES = list("abcde")


@pytest.fixture
def tables(tmp_path, complete):
    """Four rows to explain against six, as files; and as arrays."""
    parts = complete[:4, :5], complete[4:10, :5]
    for name, part in zip(("data", "background"), parts, strict=True):
        pd.DataFrame(part, columns=FEATURES).to_csv(tmp_path / f"{name}.csv", index=False)
    return parts


def call(folder, *options, **environment):
    """What the command says and ends with."""
    line = [COMMAND, "explain", "--data", "data.csv", "--background", "background.csv", *map(str, options)]
    environment = {"XDG_RUNTIME_DIR": str(folder), "NODEVICE_SELECT": "1"} | environment
    inherited = {name: text for name, text in os.environ.items() if name != "ORT_DYLIB_PATH"}
    return subprocess.run(line, cwd=folder, capture_output=True, text=True, env=inherited | environment)


def explained(folder, *options, **environment):
    done = call(folder, *options, "--out", "out.json", **environment)
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "out.json").read_text())


def close(result, predict, tables):
    """Whether the values (rows, features, outputs) are those of a function of rows, from all coalitions."""
    rows, background = tables
    players = single(len(FEATURES))
    expected = np.array([shapley(worths(predict, row, background, players)) for row in rows])
    found = np.array(result["values"])
    assert np.abs(expected).max() > 0.01
    assert np.abs(found.reshape(expected.shape) - expected).max() < 1e-5


@pytest.fixture(scope="module")
def library():
    onnxruntime = pytest.importorskip("onnxruntime")
    found = (Path(onnxruntime.__file__).parent / "capi").glob("*onnxruntime.[sd]*")
    return next(found)


def save(folder, model, example, **options):
    """Converts a model to ONNX, and gives what ONNX Runtime itself predicts."""
    skl2onnx = pytest.importorskip("skl2onnx")
    converted = skl2onnx.to_onnx(model, example, **options).SerializeToString()
    (folder / "model.onnx").write_bytes(converted)
    session = pytest.importorskip("onnxruntime").InferenceSession(converted)
    kinds = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(int64)": np.int64}
    inputs = [(one.name, kinds[one.type]) for one in session.get_inputs()]

    def predict(rows):
        if len(inputs) == 1:
            feed = {inputs[0][0]: rows.astype(inputs[0][1])}
        else:
            feed = {name: rows[:, [column]].astype(kind) for column, (name, kind) in enumerate(inputs)}
        return session.run(None, feed)[-1]

    return predict


@pytest.fixture(scope="module")
def classifier(complete, binary):
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(complete[:, :5], binary)


def test_onnx_runtime_runs_what_whylight_does_not_read(tmp_path, library, tables, complete, target):
    model = KNeighborsRegressor(3).fit(complete[:60, :5], target[:60])
    for kind in np.float32, np.float64:
        predict = save(tmp_path, model, complete[:1, :5].astype(kind))
        for options, environment in [(("--onnxruntime", library), {}), ((), {"ORT_DYLIB_PATH": str(library)})]:
            result = explained(tmp_path, "--model", "model.onnx", *options, **environment)
            assert result["method"] == "kernel_shap"
            assert result["model_format"] == "black box, model.onnx"
            assert result["feature_names"] == FEATURES
            close(result, predict, tables)


def test_onnx_probabilities_are_explained_and_not_labels(tmp_path, library, tables, complete, classifier):
    predict = save(tmp_path, classifier, complete[:1, :5], options={"zipmap": False})
    result = explained(tmp_path, "--model", "model.onnx", "--onnxruntime", library)
    assert result["output_names"] == ["output 0", "output 1"]
    close(result, predict, tables)


def test_onnx_inputs_of_a_column_each(tmp_path, library, tables, complete, target):
    x = pd.DataFrame(complete[:, :5], columns=FEATURES)
    x["b"] = np.arange(len(x)) % 7
    network = MLPRegressor(hidden_layer_sizes=(8,), max_iter=50, random_state=0)
    model = make_pipeline(StandardScaler(), network).fit(x, target)
    predict = save(tmp_path, model, x[:1])
    parts = x.iloc[:4], x.iloc[4:10]
    for name, part in zip(("data", "background"), parts, strict=True):
        # Matched by name.
        part[FEATURES[::-1]].to_csv(tmp_path / f"{name}.csv", index=False)
    result = explained(tmp_path, "--model", "model.onnx", "--onnxruntime", library)
    assert result["feature_names"] == FEATURES
    close(result, predict, [part.to_numpy(float) for part in parts])
    x.assign(b=0.5)[4:10].to_csv(tmp_path / "background.csv", index=False)
    failed = call(tmp_path, "--model", "model.onnx", "--onnxruntime", library)
    assert 'model.onnx: not a usable black box model: at input "b": 0.5 is no whole number' in failed.stderr


def test_onnx_models_of_a_fixed_number_of_rows(tmp_path, library, tables, complete, classifier):
    onnx = pytest.importorskip("onnx")
    predict = save(tmp_path, classifier, complete[:1, :5], options={"zipmap": False})
    model = onnx.load(tmp_path / "model.onnx")
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 7
    for output in model.graph.output:
        output.type.tensor_type.shape.dim[0].dim_value = 7
    onnx.save(model, tmp_path / "model.onnx")
    close(explained(tmp_path, "--model", "model.onnx", "--onnxruntime", library), predict, tables)


def test_trees_by_onnx_runtime_are_those_that_whylight_reads(tmp_path, library, tables, complete, target):
    forest = RandomForestRegressor(5, max_depth=4, random_state=0).fit(complete[:, :5], target)
    predict = save(tmp_path, forest, complete[:1, :5].astype(np.float32))
    for options in [(), ("--method", "kernel"), ("--onnxruntime", library)]:
        result = explained(tmp_path, "--model", "model.onnx", *options)
        assert result["method"] == ("kernel_shap" if options else "tree_shap")
        close(result, predict, [part.astype(np.float32) for part in tables])


def test_onnx_models_that_do_not_fit_are_told(tmp_path, library, tables, complete, target, classifier):
    def fails(*options, **environment):
        failed = call(tmp_path, "--model", "model.onnx", *options, **environment)
        assert failed.returncode == 1
        return failed.stderr

    save(tmp_path, classifier, complete[:1, :5].astype(np.float32))
    assert "the probabilities are a list of maps" in fails("--onnxruntime", library)
    assert '{"zipmap": False}' in fails("--onnxruntime", library)
    neighbours = KNeighborsRegressor(3).fit(complete[:60, :5], target[:60])
    save(tmp_path, neighbours, complete[:1, :5])
    for environment in [{}, {"ORT_DYLIB_PATH": "/absent/onnxruntime.so"}]:
        absent = fails(**environment)
        assert "is not supported by the ONNX loader, nor by this machine as it is, without ONNX Runtime" in absent
        assert "install it (pip install onnxruntime" in absent and "--onnxruntime PATH" in absent
    (other,) = library.parent.glob("*onnxruntime_providers_shared.[sd]*")
    assert "does not export `OrtGetApiBase`" in fails("--onnxruntime", other)
    pd.DataFrame({"a": ["x"] * 5, "b": range(5)}).pipe(lambda x: save_text(tmp_path, x))
    assert '"a" takes tensors of String; expected numbers' in fails("--onnxruntime", library)
    (tmp_path / "model.onnx").write_bytes(b"\x08\x07 no model")
    assert "model.onnx: not a usable black box model: at its graph: " in fails("--onnxruntime", library)


def save_text(folder, x):
    """A model with an input of strings."""
    from sklearn.compose import make_column_transformer
    from sklearn.preprocessing import OneHotEncoder

    encoder = make_column_transformer((OneHotEncoder(), ["a"]), remainder="passthrough")
    model = make_pipeline(encoder, LogisticRegression()).fit(x, [0, 1, 0, 1, 0])
    converted = pytest.importorskip("skl2onnx").to_onnx(model, x[:1], options={"zipmap": False})
    (folder / "model.onnx").write_bytes(converted.SerializeToString())


def programs():
    """The programs in the documentation of models that are programs."""
    text = (Path(__file__).parents[2] / "src" / "model" / "black_box" / "process.rs").read_text()
    lines = [line.removeprefix("///").removeprefix(" ") for line in text.splitlines() if line.startswith("///")]
    return re.findall("```python\n(.*?)```", "\n".join(lines), re.DOTALL)


@pytest.mark.parametrize("which", ["csv", "arrow"])
def test_the_documented_programs_are_models(tmp_path, tables, classifier, which):
    if which == "arrow":
        pytest.importorskip("pyarrow")
    # Those of texts come after them.
    csv, arrow = programs()[:2]
    with open(tmp_path / "model.pickle", "wb") as file:
        pickle.dump(classifier, file)
    begin = "import pickle\n\nmodel = pickle.load(open('model.pickle', 'rb'))\n"
    (tmp_path / "model.py").write_text(begin + (csv if which == "csv" else arrow))
    line = f"{shlex.quote(sys.executable)} -W ignore model.py"
    # More than one batch.
    options = "--model-format", which, "--rows-per-request", 50
    close(explained(tmp_path, "--model-command", line, *options), classifier.predict_proba, tables)


def test_the_last_words_of_a_program_are_told(tmp_path, tables):
    (tmp_path / "model.py").write_text("import sys\nnext(sys.stdin)\nraise ValueError('no such weights')\n")
    failed = call(tmp_path, "--model-command", f"{shlex.quote(sys.executable)} model.py")
    assert failed.returncode == 1
    assert "it ended (exit status: 1) before it had answered 1 rows; its last words: Traceback" in failed.stderr
    assert "ValueError: no such weights" in failed.stderr
