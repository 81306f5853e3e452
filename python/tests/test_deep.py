"""Deep SHAP from Python: networks of ONNX files, of scikit-learn, and, where torch is installed, of its modules."""

import os
import pathlib
import sys
import types

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import whylight

CORPUS = pathlib.Path(__file__).parents[2] / "tests" / "corpus"


def case(name, library="onnx_deep"):
    folder = CORPUS / library / name
    return folder / "model.onnx", {path.stem: np.load(path) for path in folder.glob("*.npy")}


@pytest.fixture(scope="module")
def cancer():
    x, y = load_breast_cancer(return_X_y=True)
    return StandardScaler().fit_transform(x), y


@pytest.mark.parametrize("name", ["mlp_relu", "mlp_gelu", "cnn_max", "cnn_transposed", "reused"])
def test_values_are_those_of_shap(name):
    path, found = case(name)
    explanation = whylight.DeepExplainer(path, found["others"])(found["rows"])
    expected = found["shap"].reshape(explanation.values.shape)
    np.testing.assert_allclose(explanation.values, expected, atol=1e-5 * np.abs(expected).max())
    assert explanation.method == "deep_shap" and explanation.estimator == "deeplift" and explanation.exact is False
    assert explanation.completeness_delta.shape == (3, expected.shape[2])
    assert np.abs(explanation.completeness_delta).max() < 1e-5


def test_images_keep_their_shape():
    path, found = case("cnn_max")
    rows, others = (found[name].reshape(-1, 2, 10, 10).astype(np.float32) for name in ("rows", "others"))
    explainer = whylight.DeepExplainer(path.read_bytes(), others)
    values = explainer.shap_values(rows)
    assert values.shape == (3, 2, 10, 10, 2)
    explanation = explainer(rows)
    (by_input,) = explanation.by_input().values()
    np.testing.assert_array_equal(by_input, values)
    np.testing.assert_array_equal(explainer(rows[0]).values, explanation.values[:1])
    total = explanation.base_values + values.sum((1, 2, 3)) - explanation.completeness_delta
    again = whylight.DeepExplainer(path, rows)
    np.testing.assert_allclose(again(rows).base_values, total.mean(0), atol=1e-5)


def test_several_inputs():
    path, found = case("mlp_two_inputs_script", "onnx_network")
    explainer = whylight.DeepExplainer(path, found["rows"])
    names = [name for name, _, _ in explainer._network.inputs()]
    shapes = {name: tuple(shape) for name, shape in explainer.layers.items() if name in names}
    first = int(np.prod(shapes[names[0]]))
    parts = [found["rows"][:, :first], found["rows"][:, first:]]
    apart = explainer(parts)
    np.testing.assert_array_equal(apart.values, explainer(found["rows"]).values)
    np.testing.assert_array_equal(explainer(dict(zip(names, parts, strict=True))).values, apart.values)
    assert list(apart.by_input()) == names
    with pytest.raises(whylight.ShapeError, match="expected 2 arrays"):
        explainer([*parts, parts[0]])
    with pytest.raises(whylight.ShapeError, match=names[1]):
        explainer({names[0]: parts[0]})


def test_rules_and_layers():
    path, found = case("cnn_max")
    explainer = whylight.DeepExplainer(path, found["others"])
    assert {rule for _, _, rule in explainer.rules} == {"linear", "rescale", "winner"}
    name, shape = next((name, shape) for name, shape in explainer.layers.items() if len(shape) == 4 and shape[1] == 3)
    layer = whylight.DeepExplainer(path, found["others"], layer=name)
    explanation = layer(found["rows"])
    assert explanation.values.shape == (3, int(np.prod(shape)), 2)
    assert explanation.feature_names[0] == f"{name}[0,0,0]"
    assert np.abs(explanation.completeness_delta).max() < 1e-5
    with pytest.raises(whylight.ParameterError, match="nowhere"):
        whylight.DeepExplainer(path, found["others"], layer="nowhere")


@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic", "identity"])
def test_a_classifier_of_scikit_learn(cancer, activation):
    x, y = cancer
    model = MLPClassifier((8, 4), activation=activation, max_iter=30, random_state=0).fit(x, y)
    explanation = whylight.DeepExplainer(model, x[:30])(x[30:40])
    assert explanation.classes == [0, 1] and explanation.model_task == "classification"
    sums = explanation.base_values + explanation.values.sum(1)
    np.testing.assert_allclose(sums, model.predict_proba(x[30:40]), atol=1e-5)
    raw = whylight.DeepExplainer(model, x[:30], output="raw")(x[30:40])
    p = model.predict_proba(x[30:40])[:, 1]
    np.testing.assert_allclose(raw.base_values + raw.values.sum(1), np.log(p / (1 - p)), rtol=1e-3, atol=1e-4)
    if activation == "identity":
        # A network without a bend is linear: its values are exact.
        weights = model.coefs_[0] @ model.coefs_[1] @ model.coefs_[2]
        expected = (x[30:40] - x[:30].mean(0)) * weights[:, 0]
        np.testing.assert_allclose(raw.values, expected, atol=1e-5 * np.abs(expected).max())


def test_a_regressor_behind_a_pipeline_by_the_tabular_explainer():
    x, y = load_diabetes(return_X_y=True)
    model = MLPRegressor(hidden_layer_sizes=(6,), max_iter=50, random_state=0).fit(x, y / 100)
    explanation = whylight.DeepExplainer(model, x[:20])(x[20:25])
    np.testing.assert_allclose(explanation.base_values + explanation.values.sum(1), model.predict(x[20:25]), rtol=1e-4)
    # Its layers are known to Kernel SHAP.
    pipeline = make_pipeline(StandardScaler(), model).fit(x, y / 100)
    chosen = whylight.TabularExplainer(pipeline, x[:20])
    assert isinstance(chosen.explainer, whylight.KernelExplainer) and "Deep SHAP" in chosen.reasons
    deep = whylight.DeepExplainer(pipeline, x[:20])(x[20:25])
    assert deep.is_raw
    np.testing.assert_allclose(deep.base_values + deep.values.sum(1), pipeline.predict(x[20:25]), rtol=1e-4)


def test_the_tabular_explainer_takes_deep_for_a_network():
    path, found = case("mlp_elu")
    chosen = whylight.TabularExplainer(str(path), found["others"])
    assert isinstance(chosen.explainer, whylight.DeepExplainer)
    explanation = chosen.explain_global(found["rows"])
    assert len(explanation.get_ranked_global_names(top_k=2)) == 2
    assert "initialization_examples" in str(_refused(lambda: whylight.TabularExplainer(str(path))))


def _refused(make):
    with pytest.raises(whylight.WhylightError) as error:
        make()
    return error.value


def test_gradients():
    path, found = case("mlp_tanh")
    deep = whylight.DeepExplainer(path, found["others"])(found["rows"])
    integrated = whylight.GradientExplainer(path, found["others"], points=64)(found["rows"])
    assert integrated.estimator == "integrated_gradients" and integrated.standard_errors is None
    assert np.abs(integrated.completeness_delta).max() < 1e-5
    np.testing.assert_allclose(integrated.base_values, deep.base_values, atol=1e-6)
    explainer = whylight.GradientExplainer(path, found["others"], method="expected", points=4096, seed=3)
    expected = explainer(found["rows"])
    off = np.abs(expected.values - integrated.values)
    assert (off <= 8 * expected.standard_errors + 1e-6).all() and off.max() > 0
    assert explainer.rules == [] and "classifier" not in str(expected.notes)
    for bad in ({"method": "vanilla"}, {"points": 0}, {"points": "many"}):
        with pytest.raises(whylight.ParameterError):
            whylight.GradientExplainer(path, found["others"], **bad)


def test_kernel_shap_takes_any_network():
    path, found = case("mlp_layer_norm_script", "onnx_network")
    kernel = whylight.KernelExplainer(path, found["rows"])(found["rows"])
    deep = whylight.DeepExplainer(path, found["rows"])(found["rows"])
    np.testing.assert_allclose(kernel.base_values, deep.base_values, atol=1e-6)
    np.testing.assert_allclose(kernel.values.sum(1), deep.values.sum(1), atol=1e-5)


def test_groups_are_sums_of_their_cells():
    path, found = case("mlp_relu")
    apart = whylight.DeepExplainer(path, found["others"])(found["rows"])
    together = whylight.DeepExplainer(path, found["others"], groups={"a": [0, 2]})(found["rows"])
    assert together.feature_names[0] == "a"
    np.testing.assert_allclose(together.values[:, 0], apart.values[:, [0, 2]].sum(1), atol=1e-6)


def test_weights_of_a_background():
    path, found = case("mlp_relu")
    twice = np.concatenate([found["others"], found["others"][:1]])
    weighted = whylight.Background(found["others"], np.array([2.0, 1, 1, 1, 1]), None, "by hand")
    a, b = (whylight.DeepExplainer(path, background)(found["rows"]) for background in (twice, weighted))
    np.testing.assert_allclose(a.values, b.values, atol=1e-6)


def test_other_examples_to_compare_with_need_no_other_network():
    path, found = case("mlp_relu")
    explainer = whylight.DeepExplainer(path, found["others"])
    before = explainer(found["rows"])
    other = explainer.against(found["rows"][:1])
    fresh = whylight.DeepExplainer(path, found["rows"][:1])
    np.testing.assert_array_equal(other(found["rows"]).values, fresh(found["rows"]).values)
    assert (other(found["rows"]).values[0] == 0).all()
    np.testing.assert_array_equal(explainer(found["rows"]).values, before.values)
    with pytest.raises(whylight.ShapeError, match="no examples"):
        explainer.against(found["rows"][:0])


def test_deltas_are_sliced_and_saved(tmp_path):
    path, found = case("mlp_tanh")
    explanation = whylight.DeepExplainer(path, found["others"])(found["rows"])
    np.testing.assert_array_equal(explanation[1].completeness_delta, explanation.completeness_delta[1:2])
    whylight.save_explanation(explanation, tmp_path / "saved")
    loaded = whylight.load_explanation(tmp_path / "saved")
    np.testing.assert_array_equal(loaded.completeness_delta, explanation.completeness_delta)
    assert loaded.details["rules"] == explanation.details["rules"]


@pytest.mark.parametrize("by", ["integrated_gradients", "expected_gradients"])
def test_rows_past_the_tolerance_are_marked_and_computed_again(by, tmp_path):
    path, found = case("cnn_max")
    rows = np.concatenate([found["rows"], found["others"]])
    # Gradients of a network with corners miss the answer by different amounts.
    gradients = whylight.GradientExplainer(path, found["others"], points=2)(rows)
    sizes = np.abs(gradients.completeness_delta).max(axis=1)
    tolerance = float(np.median(sizes))
    marked = whylight.GradientExplainer(path, found["others"], points=2, tolerance=tolerance)(rows)
    np.testing.assert_array_equal(marked.past_tolerance, sizes > tolerance)
    assert marked.recomputed is None and gradients.past_tolerance is None
    assert 0 < marked.past_tolerance.sum() < len(rows)
    np.testing.assert_array_equal(marked[marked.past_tolerance].past_tolerance, True)

    # Only rounding is left of multipliers.
    plain = whylight.DeepExplainer(path, found["others"])(rows)
    sizes = np.abs(plain.completeness_delta).max(axis=1)
    tolerance = float(np.median(sizes)) + 1e-12
    explainer = whylight.DeepExplainer(path, found["others"], tolerance=tolerance, fallback=by)
    again = explainer(rows)
    assert again.fallback == by and again.tolerance == tolerance
    np.testing.assert_array_equal(again.recomputed, sizes > tolerance)
    assert 0 < again.recomputed.sum() < len(rows)
    other = whylight.GradientExplainer(path, found["others"], method=by.split("_")[0])(rows)
    chosen = np.where(again.recomputed[:, None, None], other.values, plain.values)
    np.testing.assert_array_equal(again.values, chosen)
    deltas = np.where(again.recomputed[:, None], other.completeness_delta, plain.completeness_delta)
    np.testing.assert_array_equal(again.completeness_delta, deltas)
    assert any("computed again by the fallback" in note for note in again.notes)
    np.testing.assert_array_equal(again[1:3].recomputed, again.recomputed[1:3])
    for name in ("saved", "saved.parquet", "saved.arrow"):
        whylight.save_explanation(again, tmp_path / name)
        loaded = whylight.load_explanation(tmp_path / name)
        np.testing.assert_array_equal(loaded.recomputed, again.recomputed)
        np.testing.assert_array_equal(loaded.past_tolerance, again.past_tolerance)
    with pytest.raises(whylight.ParameterError, match="without a tolerance"):
        whylight.DeepExplainer(path, found["others"], fallback=by)
    with pytest.raises(whylight.ParameterError, match="tolerance"):
        whylight.DeepExplainer(path, found["others"], tolerance=-1)
    with pytest.raises(whylight.ParameterError, match="fallback"):
        whylight.DeepExplainer(path, found["others"], tolerance=1, fallback="deeplift")


@pytest.mark.parametrize(
    ("rows", "error", "said"),
    [
        (np.full((2, 7), np.nan), whylight.DataError, "finite"),
        (np.full((2, 7), 1e300), whylight.DataError, "1e300"),
        (np.zeros((2, 6)), whylight.ShapeError, "7"),
        (np.zeros((0, 7)), whylight.DataError, "no rows"),
        ([["a"] * 7], whylight.ShapeError, "numbers"),
    ],
)
def test_bad_rows_are_named(rows, error, said):
    path, found = case("mlp_relu")
    explainer = whylight.DeepExplainer(path, found["others"])
    with pytest.raises(error, match=said):
        explainer(rows)


def test_tokens_outside_of_the_table_are_named():
    path, found = case("lstm_tokens_script", "onnx_network")
    explainer = whylight.DeepExplainer(path, found["rows"])
    tokens = found["rows"].astype(np.int64)
    assert np.abs(explainer(tokens).completeness_delta).max() < 1e-5
    tokens[1, 2] = 10**6
    with pytest.raises(whylight.DataError, match=r"row 2.*1000000.*whole numbers from 0 to"):
        explainer(tokens)


def test_drivers_that_crash_beside_tensorflow_are_left_out(monkeypatch):
    path, found = case("mlp_relu")
    monkeypatch.delenv("VK_LOADER_DRIVERS_DISABLE", raising=False)
    whylight.DeepExplainer(path, found["others"])
    assert "VK_LOADER_DRIVERS_DISABLE" not in os.environ
    monkeypatch.setitem(sys.modules, "tensorflow", types.ModuleType("tensorflow"))
    whylight.DeepExplainer(path, found["others"], device="cpu")
    assert "VK_LOADER_DRIVERS_DISABLE" not in os.environ
    monkeypatch.setenv("VK_LOADER_DRIVERS_DISABLE", "mine")
    whylight.DeepExplainer(path, found["others"])
    assert os.environ["VK_LOADER_DRIVERS_DISABLE"] == "mine"
    monkeypatch.delenv("VK_LOADER_DRIVERS_DISABLE")
    whylight.DeepExplainer(path, found["others"])
    assert os.environ.pop("VK_LOADER_DRIVERS_DISABLE") == "*radeon*,*lvp*"


def test_examples_tell_all_sizes_that_a_file_leaves_open():
    onnx = pytest.importorskip("onnx")
    tensor, node = onnx.helper.make_tensor_value_info, onnx.helper.make_node
    graph = onnx.helper.make_graph(
        [node("ReduceMean", ["x"], ["m"], axes=[2, 3], keepdims=0), node("Softmax", ["m"], ["y"])],
        "open",
        [tensor("x", onnx.TensorProto.FLOAT, ["n", 3, "h", "w"])],
        [tensor("y", onnx.TensorProto.FLOAT, ["n", 3])],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)])
    images = np.random.default_rng(0).normal(size=(5, 3, 4, 6)).astype(np.float32)
    explanation = whylight.DeepExplainer(model, images[1:])(images[:1])
    assert explanation.by_input()["x"].shape == (1, 3, 4, 6, 3)
    with pytest.raises(whylight.ParameterError, match="leaves the size of its axis 2 open"):
        whylight.DeepExplainer(model, images[1:].reshape(4, -1))


def test_what_is_no_network_is_refused(cancer):
    x, y = cancer
    with pytest.raises(whylight.ParameterError, match="background"):
        whylight.DeepExplainer(b"", None)
    with pytest.raises(whylight.UnsupportedError, match="torch modules, Keras models"):
        whylight.DeepExplainer(StandardScaler(), x)
    with pytest.raises(whylight.WhylightError):
        whylight.DeepExplainer(b"\x08nonsense", x)
    with pytest.raises(whylight.WhylightError, match="not fitted"):
        whylight.DeepExplainer(MLPClassifier(), x)


class TestKeras:
    """Models of Keras, where it and what exports them to ONNX are installed."""

    @pytest.fixture(scope="class")
    def keras(self):
        keras = pytest.importorskip("keras")
        pytest.importorskip("tf2onnx" if keras.backend.backend() == "tensorflow" else "onnxscript")
        keras.utils.set_random_seed(0)
        return keras

    @staticmethod
    def check(model, rows, others):
        answers = [np.asarray(model.predict(part, verbose=0), np.float64) for part in (rows, others)]
        explanation = whylight.DeepExplainer(model, others)(rows)
        total = explanation.values.reshape(len(answers[0]), -1, answers[0].shape[1]).sum(1) + explanation.base_values
        np.testing.assert_allclose(np.ravel(explanation.base_values), answers[1].mean(0), atol=1e-5)
        np.testing.assert_allclose(total, answers[0], atol=1e-5)
        return explanation

    def test_images(self, keras):
        layers, random = keras.layers, np.random.default_rng(0)
        model = keras.Sequential(
            [
                keras.Input((9, 9, 3)),
                layers.Conv2D(4, 3, activation="relu"),
                layers.BatchNormalization(),
                layers.MaxPooling2D(),
                layers.SeparableConv2D(6, 2, padding="same", activation="celu"),
                layers.GlobalAveragePooling2D(),
                layers.Dense(3, activation="softmax"),
            ]
        )
        images = random.normal(size=(7, 9, 9, 3)).astype(np.float32)
        explanation = self.check(model, images[:3], images[3:])
        assert next(iter(explanation.by_input().values())).shape == (3, 9, 9, 3, 3)

    @pytest.mark.parametrize("kind", ["LSTM", "GRU", "SimpleRNN"])
    def test_sequences(self, keras, kind):
        layers, random = keras.layers, np.random.default_rng(1)
        cell = getattr(layers, kind)
        model = keras.Sequential(
            [
                keras.Input((6, 4)),
                layers.Bidirectional(cell(5, return_sequences=True)),
                cell(4),
                layers.LayerNormalization(),
                layers.Dense(2),
            ]
        )
        sequences = random.normal(size=(6, 6, 4)).astype(np.float32)
        self.check(model, sequences[:2], sequences[2:])

    def test_tokens_and_attention(self, keras):
        layers, random = keras.layers, np.random.default_rng(2)
        tokens = keras.Input((6,), dtype="int32")
        embedded = layers.Embedding(20, 8)(tokens)
        attended = layers.LayerNormalization()(embedded + layers.MultiHeadAttention(2, 4)(embedded, embedded))
        pooled = layers.GlobalMaxPooling1D()(layers.Dense(5, activation="gelu")(attended))
        model = keras.Model(tokens, layers.Dense(2)(pooled))
        rows = random.integers(0, 20, (6, 6)).astype(np.int32)
        assert self.check(model, rows[:2], rows[2:]).values.shape == (2, 6, 2)


class TestTorch:
    """Modules of torch, where it is installed."""

    @pytest.fixture(scope="class")
    def torch(self):
        pytest.importorskip("onnx")
        torch = pytest.importorskip("torch")
        torch.manual_seed(0)
        return torch

    def test_a_module_is_explained_and_stays_as_it_was(self, torch):
        module = torch.nn.Sequential(
            torch.nn.Linear(6, 8), torch.nn.Dropout(0.5), torch.nn.SiLU(), torch.nn.LayerNorm(8), torch.nn.Linear(8, 2)
        )
        module.train()
        x, others = torch.randn(4, 6), torch.randn(9, 6)
        explanation = whylight.DeepExplainer(module, others)(x)
        assert module.training and module[1].training
        module.eval()
        with torch.no_grad():
            answers = module(x).numpy()
        np.testing.assert_allclose(explanation.base_values + explanation.values.sum(1), answers, atol=1e-5)

    def test_tokens(self, torch):
        class Classifier(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.embedding = torch.nn.Embedding(20, 8)
                layer = torch.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
                self.encoder, self.last = torch.nn.TransformerEncoder(layer, 2), torch.nn.Linear(8, 3)

            def forward(self, tokens):
                return self.last(self.encoder(self.embedding(tokens)).mean(1))

        module = Classifier()
        tokens, others = torch.randint(0, 20, (3, 6)), torch.randint(0, 20, (5, 6))
        explanation = whylight.DeepExplainer(module, others)(tokens)
        assert explanation.values.shape == (3, 6, 3)
        module.eval()
        with torch.no_grad():
            answers = module(tokens).numpy()
        np.testing.assert_allclose(explanation.base_values + explanation.values.sum(1), answers, atol=1e-5)

    def test_a_module_that_changes_with_the_batch_is_refused(self, torch):
        class Centred(torch.nn.Module):
            def forward(self, x):
                return x - x.mean(0, keepdim=True)

        with pytest.raises(whylight.ModelError, match="does not answer as it does"):
            whylight.DeepExplainer(Centred(), torch.randn(5, 3))
