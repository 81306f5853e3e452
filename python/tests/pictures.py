"""Images, models of images whose values are known, and a network of them."""

import numpy as np
import pytest

#: Four by six squares of four pixels.
TILES = np.repeat(np.repeat(np.arange(24).reshape(4, 6), 4, 0), 4, 1)


def photo(seed=0, shape=(16, 24, 3), dtype=np.uint8):
    """An image whose squares differ."""
    draw = np.random.default_rng(seed)
    colours = draw.integers(0, 256, (24, shape[2]))
    image = colours[TILES[: shape[0], : shape[1]]] + draw.integers(-9, 10, shape)
    return image.clip(0, 255).astype(dtype)


def weighted(images):
    """A sum over pixels: every superpixel's value is what its own pixels add."""
    weights = np.linspace(-1, 2, 16 * 24).reshape(16, 24, 1)
    return (images.astype(np.float64) * weights).mean((1, 2, 3))


def added(image, fill, segments):
    """The exact values of `weighted`."""
    weights = np.linspace(-1, 2, 16 * 24).reshape(16, 24, 1)
    each = ((image.astype(np.float64) - fill) * weights / image.size).sum(2)
    return np.bincount(segments.ravel(), each.ravel())


def bright(images):
    """Two outputs that are no sums: a patch that has to be bright while another is dark, and the opposite."""
    x = images.astype(np.float64) / 255
    patch, other = x[:, 4:8, 8:12].mean((1, 2, 3)), x[:, 12:, 20:].mean((1, 2, 3))
    answer = patch * (1 - other)
    return np.stack([answer, 1 - answer], 1)


def network(first=True, shape=(3, 16, 24)):
    """A convolution, a corner, a mean and a layer of three outputs, as ONNX."""
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper

    draw = np.random.default_rng(0)
    weights = {"w": draw.normal(size=(5, shape[0], 3, 3)), "v": draw.normal(size=(5, 3)), "b": draw.normal(size=5) / 4}
    nodes = [
        helper.make_node("Conv", ["channels", "w", "b"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("GlobalAveragePool", ["r"], ["m"]),
        helper.make_node("Flatten", ["m"], ["f"]),
        helper.make_node("MatMul", ["f", "v"], ["y"]),
    ]
    given = shape if first else (*shape[1:], shape[0])
    if first:
        nodes[0].input[0] = "x"
    else:
        nodes.insert(0, helper.make_node("Transpose", ["x"], ["channels"], perm=[0, 3, 1, 2]))
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", *given])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3])],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(made)
    return made.SerializeToString()
