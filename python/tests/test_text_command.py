"""The command on texts, with models that only Python's libraries make or run."""

import csv
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

COMMAND = os.environ.get("WHYLIGHT_COMMAND", Path(__file__).parents[2] / "target" / "debug" / "whylight")
TEXTS = ["good film", 'a "good" one,\nand\n\nnot bad', "", "bad film film"]
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "good", "bad", "film", "not"]


def call(folder, *options):
    with open(folder / "corpus.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["text"], *([text] for text in TEXTS)])
    line = [COMMAND, "text", "--corpus", "corpus.csv", "--out", "out.json", *map(str, options)]
    inherited = {name: text for name, text in os.environ.items() if name != "ORT_DYLIB_PATH"}
    done = subprocess.run(line, cwd=folder, capture_output=True, text=True, env=inherited)
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "out.json").read_text())["documents"]


PROGRAM = """
import csv, sys
csv.field_size_limit(sys.maxsize)
rows = csv.reader(sys.stdin)
next(rows)
for count, in rows:
    texts = [next(rows)[0] for _ in range(int(count))]
    print(len(texts))
    for text in texts:
        print(text.count("good"), text.count(chr(10)), sep=",")
    sys.stdout.flush()
"""

ARROW = """
import sys
import pyarrow as pa
writer = None
for batch in pa.ipc.open_stream(sys.stdin.buffer):
    texts = batch.column("text").to_pylist()
    outputs = [pa.array([t.count("good") for t in texts]), pa.array([t.count(chr(10)) for t in texts])]
    answer = pa.record_batch(outputs, names=["good", "lines"])
    writer = writer or pa.ipc.new_stream(sys.stdout.buffer, answer.schema)
    writer.write_batch(answer)
    sys.stdout.buffer.flush()
"""


@pytest.mark.parametrize("way", ["csv", "arrow"])
def test_a_program_of_texts(tmp_path, way):
    if way == "arrow":
        pytest.importorskip("pyarrow")
    (tmp_path / "model.py").write_text(PROGRAM if way == "csv" else ARROW)
    program = shlex.join([sys.executable, "model.py"])
    found = call(tmp_path, "--teacher-command", program, "--teacher-format", way)
    assert [document["text"] for document in found] == TEXTS
    assert [document["answers"] for document in found] == [[t.count("good"), t.count("\n")] for t in TEXTS]
    first = {row["word"]: row["value"] for row in found[0]["words"] if row["output"] == "output 0"}
    assert first == pytest.approx({"good": 1, "film": 0}, abs=1e-12)


@pytest.fixture
def classifier(tmp_path):
    """A bag of embeddings as an ONNX classifier of token ids, with its tokenizer; and what it answers."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    from onnx import TensorProto, helper, numpy_helper

    weights = np.zeros((len(WORDS), 3), np.float32)
    weights[4:] = [[2, 0, 0], [-1, 1, 0], [0.5, 0, 0.25], [0, 0, 1]]
    names = ("input_ids", "attention_mask", "token_type_ids")
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, ["n", "tokens"]) for name in names]
    nodes = [
        helper.make_node("Gather", ["weights", "input_ids"], ["all"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["there"]),
        helper.make_node("Mul", ["all", "there"], ["masked"]),
        helper.make_node("ReduceSum", ["masked", "one"], ["sum"], keepdims=0),
        helper.make_node("ReduceMax", ["token_type_ids"], ["types"], axes=[0, 1], keepdims=0),
        helper.make_node("Cast", ["types"], ["type"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["sum", "type"], ["logits"]),
    ]
    constants = [
        numpy_helper.from_array(weights, "weights"),
        numpy_helper.from_array(np.array([-1]), "last"),
        numpy_helper.from_array(np.array([1]), "one"),
    ]
    output = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 3])
    graph = helper.make_graph(nodes, "bag", inputs, [output], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, tmp_path / "model.onnx")
    special = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    tokenizer = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": i, "content": WORDS[i], **special} for i in range(4)],
        "normalizer": {"type": "Lowercase"},
        "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
        "decoder": None,
        "model": {"type": "WordLevel", "vocab": {word: i for i, word in enumerate(WORDS)}, "unk_token": "[UNK]"},
    }
    (tmp_path / "tokenizer.json").write_text(json.dumps(tokenizer))

    def logits(text):
        words = "".join(c if c.isalnum() else " " for c in text.lower()).split()
        known = [weights[WORDS.index(word)] for word in words if word in WORDS]
        return np.sum([np.zeros(3), *known], axis=0)

    return logits


def library():
    import onnxruntime

    return next((Path(onnxruntime.__file__).parent / "capi").glob("libonnxruntime.so*"))


@pytest.mark.parametrize("probability", [False, True])
def test_an_onnx_classifier_with_its_tokenizer(tmp_path, classifier, probability):
    options = ["--probability"] if probability else []
    found = call(
        tmp_path,
        *(
            "--teacher",
            "model.onnx",
            "--tokenizer",
            "tokenizer.json",
            "--onnxruntime",
            library(),
            "--players",
            "tokens",
        ),
        *options,
    )
    for document, text in zip(found, TEXTS, strict=True):
        expected = classifier(text)
        if probability:
            expected = np.exp(expected) / np.exp(expected).sum()
        np.testing.assert_allclose(document["answers"], expected, atol=1e-6)
        sums = np.array(document["base_values"])
        for row in document["words"]:
            sums[int(row["output"].split()[1])] += row["value"]
            if not probability:
                alone = classifier(row["word"])[int(row["output"].split()[1])]
                assert row["value"] == pytest.approx(alone, abs=1e-5)
        np.testing.assert_allclose(sums, document["answers"], atol=1e-6)
