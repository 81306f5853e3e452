"""Images of networks: Deep SHAP by pixel, or superpixels of what they answer."""

import numpy as np
import pytest
from pictures import TILES, network, photo

import whylight
from whylight import ImageExplainer
from whylight.errors import ParameterError, ShapeError, UnsupportedError

pytest.importorskip("skimage")
pillow = pytest.importorskip("PIL.Image")


@pytest.fixture(scope="module")
def images():
    return np.stack([photo(seed).astype(np.float32) / 255 for seed in range(5)])


@pytest.mark.parametrize("first", [True, False])
def test_values_are_those_of_the_deep_explainer(images, first):
    model = network(first)
    as_taken = np.ascontiguousarray(np.moveaxis(images, -1, 1)) if first else images
    expected = whylight.DeepExplainer(model, as_taken[2:])(as_taken[:2])
    (values,) = expected.by_input().values()
    values = np.moveaxis(values, 1, 3) if first else values
    for given in (images, as_taken):
        explainer = ImageExplainer(model, given[2:], classes=["a", "b", "c"])
        assert explainer.method == "deep"
        e = explainer(given[:2])
        assert e.values.shape == (2, 16, 24, 3, 3) and e.image_segments is None
        np.testing.assert_array_equal(e.values, values)
        np.testing.assert_allclose(e.base_values, np.tile(expected.base_values, (2, 1)))
        np.testing.assert_array_equal(e.completeness_delta, expected.completeness_delta)
        np.testing.assert_array_equal(e.images, images[:2])
        assert e.output_names == ["a", "b", "c"] and e.method == "deep_shap"


def test_without_a_background_each_image_is_compared_with_itself_filled(images):
    model = network()
    as_taken = np.moveaxis(images, -1, 1)
    e = ImageExplainer(model, fill="mean")(images[:3])
    for i in range(3):
        blank = np.broadcast_to(
            as_taken[i].mean((1, 2), dtype=float).astype(np.float32)[:, None, None], as_taken[i].shape
        )
        alone = whylight.DeepExplainer(model, np.ascontiguousarray(blank)[None])(
            np.ascontiguousarray(as_taken[i : i + 1])
        )
        (values,) = alone.by_input().values()
        np.testing.assert_allclose(e.values[i], np.moveaxis(values[0], 0, 2), atol=1e-7)
        np.testing.assert_allclose(e.base_values[i], alone.base_values, atol=1e-6)
    assert np.ptp(e.base_values, axis=0).min() > 0 and e.details["fill"] == "mean"
    dark = ImageExplainer(model, fill=0)(images[:3])
    zeros = whylight.DeepExplainer(model, np.zeros((1, 3, 16, 24), np.float32))
    (values,) = zeros(np.ascontiguousarray(as_taken[:3])).by_input().values()
    np.testing.assert_allclose(dark.values, np.moveaxis(values, 1, 3), atol=1e-7)
    one = ImageExplainer(model, fill=0, outputs=[1])(images[:3])
    np.testing.assert_allclose(one.values, dark.values[..., 1], atol=1e-7)
    np.testing.assert_allclose(one.completeness_delta, dark.completeness_delta[:, 1], atol=1e-6)


def test_a_preprocess_and_files(images, tmp_path):
    paths = []
    for seed in range(2):
        paths.append(tmp_path / f"{seed}.png")
        pillow.fromarray(photo(seed)).save(paths[-1])
    explainer = ImageExplainer(network(), images[2:] * 255, preprocess=lambda x: np.moveaxis(x / 255, -1, 1))
    e = explainer(paths)
    expected = ImageExplainer(network(), images[2:])(images[:2])
    np.testing.assert_allclose(e.values, expected.values, atol=1e-6)
    assert e.images[0].dtype == np.uint8


def test_superpixels_of_a_network(images):
    model = network()
    e = ImageExplainer(model, method="kernel", fill=0, segmentation=TILES // 6)(images[:2])
    pixels = ImageExplainer(model, fill=0)(images[:2])
    assert e.method == "kernel_shap" and len(e.values[0]) == 4
    np.testing.assert_allclose(e.base_values, pixels.base_values, atol=1e-5)
    np.testing.assert_allclose(e.sums, pixels.sums, atol=1e-5)


def test_images_past_a_tolerance_are_computed_again(images, tmp_path):
    for options in ({"background": images[2:]}, {}):
        plain = ImageExplainer(network(), **options)(images[:2])
        assert plain.past_tolerance is None and plain.recomputed is None
        explainer = ImageExplainer(network(), tolerance=1e-15, fallback="expected_gradients", **options)
        e = explainer(images[:2])
        # Rounding may leave nothing of an answer.
        assert e.recomputed.any() and e.standard_errors.shape == e.values.shape
        i = int(np.argmax(e.recomputed))
        assert (e.standard_errors[i] > 0).any() and (e.values[i] != plain.values[i]).any()
        path = tmp_path / f"{len(options)}.npz"
        whylight.save_explanation(e, path)
        loaded = whylight.load_explanation(path)
        np.testing.assert_array_equal(loaded.recomputed, e.recomputed)
        np.testing.assert_array_equal(loaded[i].standard_errors[0], e.standard_errors[i])
        np.testing.assert_array_equal(loaded.past_tolerance, e.past_tolerance)
        assert e.past_tolerance[i]
        loose = ImageExplainer(network(), tolerance=9, fallback="expected_gradients", **options)(images[:2])
        assert not loose.recomputed.any() and not loose.past_tolerance.any()
        np.testing.assert_array_equal(loose.values, plain.values)
    with pytest.raises(ParameterError, match="fallback"):
        ImageExplainer(network(), method="kernel", fallback="expected_gradients")


def test_a_flat_input():
    pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper

    weights = np.random.default_rng(1).normal(size=(24, 2)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "flat",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 24])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2])],
        [numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()
    x = np.random.default_rng(2).random((2, 4, 6, 1), np.float32)
    e = ImageExplainer(model, fill=0)(x)
    np.testing.assert_allclose(e.values, x[..., None] * weights.reshape(4, 6, 1, 2), atol=1e-6)
    colours = np.random.default_rng(2).random((2, 2, 4, 3), np.float32)
    with pytest.raises(ShapeError, match="as the network takes them"):
        ImageExplainer(model, fill=0)(colours)
    e = ImageExplainer(model, fill=0, layout="NHWC")(colours)
    np.testing.assert_allclose(e.values, colours[..., None] * weights.reshape(2, 4, 3, 2), atol=1e-6)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (np.zeros((8, 8, 3), np.float32), "size="),
        (np.zeros((16, 24), np.float32), "as many channels"),
        ([np.zeros((16, 24, 3)), np.zeros((8, 8, 3))], "different shapes"),
    ],
)
def test_images_that_do_not_fit_are_named(given, said):
    with pytest.raises(ShapeError, match=said):
        ImageExplainer(network(), fill=0)(given)


def test_a_network_of_images_of_any_size():
    onnx = pytest.importorskip("onnx")
    tensor, node = onnx.helper.make_tensor_value_info, onnx.helper.make_node
    graph = onnx.helper.make_graph(
        [
            node("Relu", ["x"], ["h"]),
            node("ReduceMean", ["h"], ["m"], axes=[2, 3], keepdims=0),
            node("Softmax", ["m"], ["y"]),
        ],
        "open",
        [tensor("x", onnx.TensorProto.FLOAT, ["n", 3, "h", "w"])],
        [tensor("y", onnx.TensorProto.FLOAT, ["n", 3])],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)]).SerializeToString()
    with pytest.raises(whylight.ParameterError, match="layout"):
        whylight.ImageExplainer(model)
    explainer = whylight.ImageExplainer(model, layout="NCHW", fill=0)
    for shape in [(4, 6), (5, 3)]:
        images = np.random.default_rng(0).normal(size=(2, 3, *shape)).astype(np.float32)
        e = explainer(images)
        assert e.values.shape == (2, *shape, 3, 3)
        answers = np.exp(np.maximum(images, 0).mean((2, 3), dtype=np.float64))
        np.testing.assert_allclose(e.sums, answers / answers.sum(1, keepdims=True), atol=1e-6)
    e = whylight.ImageExplainer(model, layout="NCHW", fill=0, method="kernel", n_segments=6)(images)
    np.testing.assert_allclose(e.sums, answers / answers.sum(1, keepdims=True), atol=1e-6)


def test_a_layout_that_nothing_tells_is_asked_for():
    model = network(shape=(2, 16, 24))
    with pytest.raises(ParameterError, match="layout"):
        ImageExplainer(model)
    e = ImageExplainer(model, layout="NCHW", fill=0)(np.random.default_rng(0).random((1, 2, 16, 24)))
    assert e.values.shape == (1, 16, 24, 2, 3)
    for name, given in {
        "segmentation": TILES,
        "nsamples": 9,
        "link": "logit",
        "n_segments": 9,
    }.items():
        with pytest.raises(ParameterError, match=name):
            ImageExplainer(network(), **{name: given})


def test_torch(images):
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnx")
    torch.manual_seed(0)
    layers = (
        torch.nn.Conv2d(3, 4, 3),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2),
        torch.nn.Flatten(),
        torch.nn.Dropout(),
    )
    module = torch.nn.Sequential(*layers, torch.nn.LazyLinear(2))
    module(torch.zeros(1, 3, 16, 24))
    tensors = torch.from_numpy(np.ascontiguousarray(np.moveaxis(images, -1, 1)))
    for given in (images, tensors):
        e = ImageExplainer(module, given[2:])(given[:2])
        with torch.no_grad():
            answers = module.eval()(tensors[:2]).numpy()
        module.train()
        np.testing.assert_allclose(e.sums, answers, atol=1e-5)
    with pytest.raises(ParameterError, match="n_segments"):
        ImageExplainer(module, images[2:]).explain_local(images[:1], n_segments=9)

    def prepared(pixels):
        return torch.from_numpy(pixels).permute(0, 3, 1, 2) * 2

    both = [
        ImageExplainer(module, method=method, preprocess=prepared, fill=0)(images[:1] / 2)
        for method in ("deep", "kernel")
    ]
    np.testing.assert_allclose(both[0].sums, both[1].sums, atol=1e-5)
    e = ImageExplainer(module, method="kernel", nsamples=60)(images[:1])
    np.testing.assert_allclose(e.sums[0], answers[0], atol=1e-5)
    assert module.training


def test_keras(images, monkeypatch):
    pytest.importorskip("torch")
    pytest.importorskip("onnx")
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras")
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((16, 24, 3)),
            layers.Conv2D(4, 3),
            layers.ReLU(),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2),
        ]
    )
    answers = model.predict(images[:2], verbose=0)
    for options in ({"background": images[2:]}, {"method": "kernel", "nsamples": 60}):
        e = ImageExplainer(model, **options)(images[:2])
        np.testing.assert_allclose(e.sums, answers, atol=1e-5)
    with pytest.raises(ShapeError, match="size="):
        ImageExplainer(model, fill=0)(images[0][:8])


def test_a_module_without_a_graph_is_asked(images):
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnx")

    class Spectrum(torch.nn.Module):
        def forward(self, x):
            return torch.fft.fft2(x).abs().mean((1, 2, 3))[:, None]

    with pytest.raises(UnsupportedError):
        ImageExplainer(Spectrum(), method="deep")(images[:1])
    explainer = ImageExplainer(Spectrum())
    e = explainer(images[:1])
    assert explainer.method == "kernel" and "DFT" in explainer.reasons["Deep SHAP"] and e.method == "kernel_shap"
