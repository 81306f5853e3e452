"""Kernel SHAP of model files: the values of the model that they hold, of its raw columns."""

import warnings

import numpy as np
import onnxruntime
import pandas as pd
import pytest
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, OneHotEncoder, StandardScaler
from sklearn.svm import SVC

from whylight import KernelExplainer, TabularExplainer
from whylight.errors import FileError, ModelError, ParameterError, UnsupportedError


def numbers():
    x, y = make_classification(150, 6, n_informative=4, n_redundant=1, random_state=0)
    return x.astype(np.float32), y


def customers():
    random = np.random.default_rng(3)
    x = pd.DataFrame(
        {
            "age": random.normal(size=120).astype(np.float32),
            "city": random.choice(["Oslo", "Rome", "Wien"], 120),
            "income": random.normal(size=120).astype(np.float32),
            "plan": random.choice(["full", "none"], 120),
        }
    )
    y = ((x["city"] == "Oslo") ^ (x["income"] > 0.2)).astype(int).to_numpy()
    return x, y


def exported(model, x):
    if isinstance(x, pd.DataFrame):
        kinds = [StringTensorType if x[name].dtype.kind not in "fiu" else FloatTensorType for name in x.columns]
        columns = [(name, kind([None, 1])) for name, kind in zip(x.columns, kinds, strict=True)]
    else:
        columns = [("x", FloatTensorType([None, x.shape[1]]))]
    is_classifier = hasattr(model, "classes_")
    options = {id(model): {"zipmap": False}} if is_classifier else None
    return to_onnx(model, initial_types=columns, options=options)


def answer(model, x):
    """ONNX Runtime's, of the last output."""
    session = onnxruntime.InferenceSession(model.SerializeToString())
    if isinstance(x, pd.DataFrame):
        feed = {name: x[[name]].to_numpy(np.float32 if x[name].dtype.kind == "f" else object) for name in x.columns}
    else:
        feed = {"x": np.asarray(x, np.float32)}
    return session.run(None, feed)[-1]


def fitted(model, x, y):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(x, y)


@pytest.mark.parametrize(
    "model",
    [
        SVC(probability=True),
        make_pipeline(StandardScaler(), MLPClassifier((7,), max_iter=80, random_state=0)),
        make_pipeline(Normalizer(), LogisticRegression()),
        Ridge(),
    ],
    ids=str,
)
def test_an_onnx_model_has_the_values_of_its_answers(model, tmp_path):
    x, y = numbers()
    model = exported(fitted(model, x, y), x)
    asked = KernelExplainer(lambda z: answer(model, z), x[:20], allow_noise=True)(x[30:33])
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    for given in (model, model.SerializeToString(), tmp_path / "model.onnx", str(tmp_path / "model.onnx")):
        explainer = KernelExplainer(given, x[:20])
        got = explainer(x[30:33])
        assert got.details["model_format"] != "black box"
        # A single output of a matrix of one column.
        expected = asked.values[..., 0] if asked.values.ndim > got.values.ndim else asked.values
        np.testing.assert_allclose(got.values, expected, atol=3e-5 * np.abs(expected).max())


@pytest.mark.parametrize("last", [LogisticRegression(), SVC(probability=True)], ids=str)
def test_columns_of_text_play_as_they_are(last):
    x, y = customers()
    encode = [
        ("c", OneHotEncoder(handle_unknown="ignore"), ["city", "plan"]),
        ("n", StandardScaler(), ["age", "income"]),
    ]
    model = exported(fitted(make_pipeline(ColumnTransformer(encode), last), x, y), x)
    rows = x[40:44].assign(city=["Oslo", "Rome", "Bern", "Wien"])
    got = KernelExplainer(model, x[:20])(rows)
    assert got.feature_names == ["age", "city", "income", "plan"]
    assert [str(name) for name in got.output_names] == ["0", "1"]
    sums = np.asarray(got.values, np.float64).sum(axis=1) + got.base_values
    np.testing.assert_allclose(sums, answer(model, rows), atol=1e-5)
    raw = KernelExplainer(model, x[:20], output="raw")(rows)
    assert raw.values.shape == (4, 4)
    assert TabularExplainer(model, x[:20]).explain_local(rows).local_importance_values is not None


def test_a_file_of_trees_is_asked_for_its_margins(tmp_path):
    xgboost = pytest.importorskip("xgboost")
    x, y = numbers()
    model = xgboost.XGBClassifier(n_estimators=5, max_depth=3).fit(x, y)
    model.save_model(tmp_path / "model.json")
    got = KernelExplainer(tmp_path / "model.json", x[:20])(x[30:33])
    asked = KernelExplainer(lambda z: model.predict(z, output_margin=True), x[:20])(x[30:33])
    np.testing.assert_allclose(got.values.reshape(3, 6), asked.values.reshape(3, 6), atol=1e-5)


def test_what_a_file_cannot_do_is_named(tmp_path):
    x, y = numbers()
    ridge = exported(Ridge().fit(x, y), x)
    with pytest.raises(UnsupportedError, match="probability"):
        KernelExplainer(ridge, x[:9], output="probability")
    with pytest.raises(ParameterError, match="groups"):
        KernelExplainer(ridge, x[:9], groups={"a": [0]}, transformations=[(["0"], None)])
    with pytest.raises((ModelError, UnsupportedError)):
        KernelExplainer(b"no model", x[:9])
    with pytest.raises(FileError):
        KernelExplainer(tmp_path / "none.onnx", x[:9])
