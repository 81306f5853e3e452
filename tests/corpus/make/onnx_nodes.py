"""Makes tests/corpus/onnx_nodes/: the operator vectors of the `onnx` package, as networks.

    python onnx_nodes.py OUT   # requirements-onnx_network-1.23.txt

Of each node test some inputs stay inputs and the others become initializers, in the ways of `ways`; where all do, an
input of zeros is added to the result. `nodes.json` lists the cases, `nodes.bin` holds their models, the cells of their
inputs and the cells of their first output, in float32. The vectors are those of the package (Apache-2.0).
"""

import json
import os
import sys
import warnings

# A file beside this one has the name of the library that it imports.
sys.path = [p for p in sys.path if os.path.abspath(p) != os.path.dirname(os.path.abspath(__file__))]

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.backend.test.loader import load_model_tests

warnings.filterwarnings("ignore")
# Cells of a case, inputs and output.
MOST = 3000
# Of these all inputs of numbers may change with the example.
SYMMETRIC = """
    Add Sub Mul Div Max Min Sum Mean Concat MatMul Gemm Equal Greater GreaterOrEqual Less LessOrEqual And Or Xor Where
    Einsum
""".split()
# And of these, these.
SOME = {
    "Gather": [[0], [1]],
    "OneHot": [[0]],
    "LSTM": [[0], [0, 5, 6]],
    "GRU": [[0]],
    "RNN": [[0]],
    "Attention": [[0, 1, 2]],
    "ScatterND": [[0], [0, 2]],
    "ScatterElements": [[0], [0, 2]],
    "Loop": [[2]],
    "Scan": [[0, 1], [1]],
    "Mod": [[0]],
    "Pow": [[0]],
}
# What has no numbers, no fixed answer, or is nothing of a network.
LEFT_OUT = """
    AffineGrid ArgMax ArgMin Bernoulli BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor BlackmanWindow CenterCropPad
    Col2Im ConvInteger DFT DeformConv DequantizeLinear Det DynamicQuantizeLinear GridSample HammingWindow HannWindow
    Hardmax ImageDecoder MatMulInteger MaxRoiPool MaxUnpool MelWeightMatrix Momentum Adagrad Adam Gradient Multinomial
    NegativeLogLikelihoodLoss NonMaxSuppression Optional OptionalGetElement OptionalHasElement QLinearConv QLinearMatMul
    QuantizeLinear RandomNormal RandomUniform RegexFullMatch RoiAlign STFT Scatter SequenceAt SequenceConstruct
    SequenceEmpty SequenceErase SequenceInsert SequenceLength SequenceMap ConcatFromSequence SplitToSequence
    SoftmaxCrossEntropyLoss StringConcat StringNormalizer StringSplit TensorScatter TfIdfVectorizer TopK Unique
    ArrayFeatureExtractor Binarizer LabelEncoder TreeEnsemble Acos Acosh Asin Asinh Atan Atanh Cosh Sinh Tan
    RotaryEmbedding BitCast SwiGLU CausalConvWithState LinearAttention CumProd RandomUniformLike
""".split()


def ways(kind, node, arrays, folds):
    """Which inputs change with the example, way by way."""
    numbers = [i for i, a in enumerate(arrays) if a is not None and a.dtype.kind in "fiub" and a.size]
    if kind in SYMMETRIC:
        found = [numbers] + ([[i] for i in numbers] if 1 < len(numbers) < 4 else [])
    elif kind in SOME:
        found = [[i for i in way if i in numbers] for way in SOME[kind]]
    elif arrays and 0 in numbers:
        found = [[0]]
    else:
        found = []
    found = [way for n, way in enumerate(found) if way and way not in found[:n]]
    return found + ([[]] if folds else [])


def halves(model):
    """Whether a model computes in float16: whylight computes in float32."""
    kinds = [i.data_type for i in model.graph.initializer] + [i.type.tensor_type.elem_type for i in model.graph.input]
    casts = [a.i for n in model.graph.node for a in n.attribute if n.op_type == "Cast" and a.name == "to"]
    return bool({TensorProto.FLOAT16, TensorProto.BFLOAT16} & {*kinds, *casts})


def convert(case, way):
    """The model of a case with the inputs of a way, their cells and the answer."""
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    graph = model.graph
    given, answers = case.data_sets[0]
    answer = np.asarray(answers[0])
    inputs = list(graph.input)
    del graph.input[:]
    cells, shapes = [], {}
    for i, value in enumerate(inputs):
        array = np.asarray(given[i])
        if i in way:
            graph.input.append(value)
            del value.type.tensor_type.shape.dim[:]
            value = graph.input[-1]
            value.type.tensor_type.shape.ClearField("dim")
            for size in array.shape:
                value.type.tensor_type.shape.dim.add().dim_value = size
            shapes[value.name] = list(array.shape)
            cells.append(array.astype(np.float32).ravel())
        else:
            graph.initializer.append(numpy_helper.from_array(array, value.name))
    first = graph.output[0]
    del graph.output[1:]
    if not way:
        kind = first.type.tensor_type.elem_type
        name = first.name
        if kind != TensorProto.FLOAT:
            graph.node.append(helper.make_node("Cast", [name], ["as floats"], to=TensorProto.FLOAT))
            name = "as floats"
        graph.node.append(helper.make_node("Add", [name, "zero"], ["the sum"]))
        graph.input.append(helper.make_tensor_value_info("zero", TensorProto.FLOAT, [1]))
        first.name = "the sum"
        first.type.tensor_type.elem_type = TensorProto.FLOAT
        shapes["zero"] = [1]
        cells.append(np.zeros(1, np.float32))
    model.ClearField("producer_name")
    for node in graph.node:
        node.ClearField("doc_string")
    return model, shapes, np.concatenate(cells), answer.astype(np.float32).ravel()


def main(out):
    os.makedirs(out, exist_ok=True)
    cases, data, left_out = [], bytearray(), {}
    known, large = set(), 0
    for case in sorted(load_model_tests(kind="node"), key=lambda case: case.name):
        node = case.model.graph.node[0] if len(case.model.graph.node) == 1 else None
        name = case.name.removeprefix("test_")
        opset = {o.domain: o.version for o in case.model.opset_import}
        given, answers = case.data_sets[0]

        def leave(reason):
            left_out.setdefault(reason, []).append(name)

        kinds = {n.op_type for n in case.model.graph.node}
        if kinds & set(LEFT_OUT):
            leave("operator")
            continue
        if node is None and not name.endswith("_expanded"):
            leave("more than a node")
            continue
        if set(opset) - {""} or opset[""] < 11:
            leave("opset")
            continue
        plain = all(isinstance(a, np.ndarray) and a.dtype.kind in "fiub" for a in [*given, *answers[:1]])
        names = [i.name for i in case.model.graph.input]
        if not plain or len(given) != len(names) or len(set(names)) != len(names):
            leave("types")
            continue
        answer = np.asarray(answers[0])
        if answer.size == 0 or not np.isfinite(answer.astype(np.float64)).all():
            leave("infinite or empty")
            continue
        if sum(np.asarray(a).size for a in given) + answer.size > MOST:
            leave("large")
            continue
        if any(a.dtype.name not in ("float32", "int64", "int32", "bool", "uint8", "int8", "float64", "float16") for a in given):
            leave("types")
            continue
        kind = node.op_type if node else "expanded"
        small = sum(np.asarray(a).size for a in given) < 500
        for way in ways(kind, node, given, folds=node is not None and small):
            if any(np.asarray(given[i]).dtype.kind == "f" and not np.isfinite(given[i]).all() for i in way):
                continue
            if any(np.abs(np.asarray(given[i], dtype=np.float64)).max() > 2**24 for i in way):
                continue
            # Tokens count from 0.
            if kind == "Gather" and way == [1] and (np.asarray(given[1]) < 0).any():
                continue
            model, shapes, cells, answer_cells = convert(case, way)
            del model.graph.value_info[:]
            bytes_ = model.SerializeToString()
            # Of the large ones that are much alike, some.
            if len(bytes_) > 5000:
                large += 1
                if large % 6:
                    continue
            entry = {
                "name": name + ("" if way == list(range(len(given))) else "." + "".join(map(str, way)) if way else ".folded"),
                "operator": kind,
                "opset": opset[""],
                "shapes": shapes,
                "tolerance": 1e-3 if halves(model) or name.endswith("starts_on_pad") else 1e-5,
                "model": [len(data), len(bytes_)],
            }
            data += bytes_
            data += b"\0" * (-len(data) % 4)
            entry["cells"] = [len(data), len(cells)]
            data += cells.astype("<f4").tobytes()
            entry["answer"] = [len(data), len(answer_cells)]
            data += answer_cells.astype("<f4").tobytes()
            cases.append(entry)
            known.add(kind)
    lines = ",\n".join(json.dumps(case) for case in cases)
    with open(os.path.join(out, "nodes.json"), "w") as file:
        file.write(f"[\n{lines}\n]\n")
    with open(os.path.join(out, "nodes.bin"), "wb") as file:
        file.write(data)
    print(f"{len(cases)} cases of {len(known)} operators, {len(data)} bytes")
    for reason, names in left_out.items():
        print(f"left out ({reason}): {len(names)}")
    operators = sorted(known)
    print(" ".join(operators))


if __name__ == "__main__":
    main(sys.argv[1])
