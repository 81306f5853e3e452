"""Makes the cases of networks that PyTorch exports: tests/corpus/onnx_network/<case>/.

    python onnx_network.py OUT   # requirements-onnx_network-1.23.txt

`rows.npy` has the cells of all inputs of an example in a row, `answers.npy` what the module says in float64. Cases end
in `_script` and `_dynamo` after the exporter, and in the opset where it is not the exporter's own; `fixed` ones have a
batch of 1 that is fixed.
"""

import copy
import json
import os
import sys
import warnings

# A file beside this one has the name of the library that it imports.
sys.path = [p for p in sys.path if os.path.abspath(p) != os.path.dirname(os.path.abspath(__file__))]

import numpy as np
import onnx
import torch
from torch import nn
from torch.nn import functional as F

warnings.filterwarnings("ignore")
ROWS = 3


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(2, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.second = nn.Conv2d(4, 4, 3, padding=1, groups=2)
        self.skip = nn.Conv2d(2, 4, 1)
        self.out = nn.Linear(4, 3)

    def forward(self, x):
        y = F.relu(self.norm(self.first(x)))
        y = F.relu(self.second(y) + self.skip(x))
        return self.out(y.mean(dim=(2, 3)))


class Call(nn.Module):
    """A function with the parameters of modules."""

    def __init__(self, call, **parts):
        super().__init__()
        for name, part in parts.items():
            setattr(self, name, part)
        self.call = call

    def forward(self, *inputs):
        return self.call(self, *inputs)


class Attention(nn.Module):
    """Attention written out, over tokens, with a mask."""

    def __init__(self, width=8, heads=2, causal=False):
        super().__init__()
        self.token = nn.Embedding(11, width)
        self.place = nn.Parameter(torch.randn(6, width) * 0.3)
        self.project = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)
        self.feed = nn.Sequential(nn.Linear(width, 12), nn.GELU(), nn.Linear(12, width))
        self.head = nn.Linear(width, 3)
        self.heads, self.causal = heads, causal

    def forward(self, tokens, mask=None):
        x = self.token(tokens) + self.place[: tokens.shape[1]]
        b, t, w = x.shape
        q, k, v = self.project(x).reshape(b, t, 3, self.heads, w // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        scores = q @ k.transpose(-2, -1) / (w // self.heads) ** 0.5
        if self.causal:
            triangle = torch.ones(t, t, dtype=torch.bool).tril()
            scores = scores.masked_fill(~triangle, float("-inf"))
        if mask is not None:
            scores = scores.masked_fill(mask[:, None, None, :] == 0, torch.finfo(scores.dtype).min)
        y = (scores.softmax(-1) @ v).transpose(1, 2).reshape(b, t, w)
        x = self.norm(x + self.out(y))
        x = x + self.feed(x)
        return self.head(x.mean(1))


class Fused(Attention):
    """The same with PyTorch's own attention."""

    def forward(self, tokens):
        x = self.token(tokens) + self.place[: tokens.shape[1]]
        b, t, w = x.shape
        q, k, v = self.project(x).reshape(b, t, 3, self.heads, w // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=self.causal).transpose(1, 2).reshape(b, t, w)
        x = self.norm(x + self.out(y))
        return self.head((x + self.feed(x))[:, 0])


class Patches(nn.Module):
    """A small vision transformer."""

    def __init__(self):
        super().__init__()
        self.patch = nn.Conv2d(1, 8, 4, stride=4)
        self.first = nn.Parameter(torch.randn(1, 1, 8))
        self.place = nn.Parameter(torch.randn(1, 5, 8))
        self.encoder = nn.TransformerEncoderLayer(8, 2, 12, dropout=0.0, batch_first=True, activation="gelu", norm_first=True)
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        y = self.patch(x).flatten(2).transpose(1, 2)
        y = torch.cat([self.first.expand(y.shape[0], -1, -1), y], 1) + self.place
        return self.head(self.encoder(y)[:, 0])


def recurrent(kind, last=True, **options):
    layer = kind(4, 5, batch_first=True, **options)
    width = 5 * (2 if options.get("bidirectional") else 1)

    def call(self, x):
        y, _ = self.layer(x)
        return self.out(y[:, -1] if last else y.mean(1))

    return Call(call, layer=layer, out=nn.Linear(width, 2))


def modules():
    """(name, module, shapes of the inputs of an example, whether they are tokens)"""
    flat = nn.Flatten()
    for name in "ReLU LeakyReLU PReLU ELU SELU CELU GELU SiLU Hardswish Hardsigmoid Mish Softplus Sigmoid Tanh ReLU6 Hardtanh".split():
        activation = getattr(nn, name)()
        yield f"mlp_{name.lower()}", nn.Sequential(nn.Linear(4, 6), activation, nn.Linear(6, 3)), [(4,)]
    yield "mlp_gelu_tanh", nn.Sequential(nn.Linear(4, 6), nn.GELU("tanh"), nn.Linear(6, 3)), [(4,)]
    yield "mlp_softmax", nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 3), nn.Softmax(-1)), [(4,)]
    yield "mlp_log_softmax", nn.Sequential(nn.Linear(4, 6), nn.Dropout(), nn.Linear(6, 3), nn.LogSoftmax(1)), [(4,)]
    yield "mlp_layer_norm", nn.Sequential(nn.Linear(4, 6), nn.LayerNorm(6), nn.SiLU(), nn.Linear(6, 3)), [(4,)]
    yield "mlp_rms_norm", nn.Sequential(nn.Linear(4, 6), nn.RMSNorm(6), nn.SiLU(), nn.Linear(6, 3)), [(4,)]
    gated = Call(lambda s, x: s.c(F.silu(s.a(x)) * s.b(x)), a=nn.Linear(4, 5), b=nn.Linear(4, 5), c=nn.Linear(5, 2))
    yield "mlp_gated", gated, [(4,)]
    reused = Call(lambda s, x: s.c(s.act(s.b(s.act(s.a(x))))), a=nn.Linear(4, 4), b=nn.Linear(4, 4), c=nn.Linear(4, 2), act=nn.ReLU())
    yield "mlp_reused", reused, [(4,)]
    two = Call(lambda s, x, y: s.c(torch.cat([s.a(x).relu(), s.b(y).tanh()], 1)), a=nn.Linear(3, 4), b=nn.Linear(2, 4), c=nn.Linear(8, 2))
    yield "mlp_two_inputs", two, [(3,), (2,)]
    cnn = [nn.Conv2d(1, 3, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(3, 4, 2), nn.ReLU(), nn.MaxPool2d(2, ceil_mode=True), flat]
    yield "cnn", nn.Sequential(*cnn, nn.LazyLinear(8), nn.ReLU(), nn.LazyLinear(3)), [(1, 8, 8)]
    cnn = [nn.Conv1d(2, 4, 3, dilation=2, padding=2), nn.ReLU(), nn.AvgPool1d(3, 2, padding=1), flat]
    yield "conv1d", nn.Sequential(*cnn, nn.LazyLinear(2)), [(2, 9)]
    cnn = [nn.Conv3d(1, 2, 2, stride=(1, 2, 1)), nn.BatchNorm3d(2), nn.ELU(), nn.AdaptiveAvgPool3d(1), flat]
    yield "conv3d", nn.Sequential(*cnn, nn.LazyLinear(2)), [(1, 3, 4, 4)]
    cnn = [nn.Conv2d(4, 4, 3, groups=4, padding=1), nn.Hardswish(), nn.Conv2d(4, 6, 1), nn.AdaptiveAvgPool2d(2), flat]
    yield "depthwise", nn.Sequential(*cnn, nn.LazyLinear(3)), [(4, 4, 4)]
    cnn = [nn.ConvTranspose2d(2, 4, 3, stride=2, padding=1, output_padding=1, groups=2), nn.ReLU(), nn.AdaptiveMaxPool2d(1), flat]
    yield "transposed", nn.Sequential(*cnn, nn.LazyLinear(2)), [(2, 3, 3)]
    yield "residual", Residual(), [(2, 5, 5)]
    cnn = [nn.Conv2d(2, 4, 3, padding=1, padding_mode="reflect"), nn.GroupNorm(2, 4), nn.SiLU(), nn.InstanceNorm2d(4, affine=True)]
    yield "group_norm", nn.Sequential(*cnn, nn.MaxPool2d(2), flat, nn.LazyLinear(2)), [(2, 4, 4)]
    cnn = [nn.ZeroPad2d((1, 0, 0, 2)), nn.Conv2d(1, 2, 2), nn.Upsample(scale_factor=2, mode="nearest"), nn.Conv2d(2, 1, 3), flat]
    yield "resize_nearest", nn.Sequential(*cnn, nn.LazyLinear(2)), [(1, 3, 3)]
    cnn = [nn.Conv2d(1, 2, 2), nn.Upsample(scale_factor=2, mode="bilinear"), nn.ReLU(), nn.LocalResponseNorm(2), flat]
    yield "resize_linear", nn.Sequential(*cnn, nn.LazyLinear(2)), [(1, 4, 4)]
    cnn = [nn.Conv2d(1, 8, 3, padding=1), nn.PixelShuffle(2), nn.PReLU(2), nn.ReplicationPad2d(1), nn.AvgPool2d(2, ceil_mode=True), flat]
    yield "shuffle", nn.Sequential(*cnn, nn.LazyLinear(2)), [(1, 4, 4)]
    yield "lstm", recurrent(nn.LSTM), [(6, 4)]
    yield "lstm_both", recurrent(nn.LSTM, False, bidirectional=True, num_layers=2), [(4, 4)]
    yield "gru", recurrent(nn.GRU), [(6, 4)]
    yield "gru_both", recurrent(nn.GRU, False, bidirectional=True), [(4, 4)]
    yield "rnn", recurrent(nn.RNN), [(5, 4)]
    sentence = Call(
        lambda s, x: s.out(s.layer(s.token(x))[1][0][-1]),
        token=nn.Embedding(9, 4),
        layer=nn.LSTM(4, 5, batch_first=True),
        out=nn.Linear(5, 2),
    )
    yield "lstm_tokens", sentence, [[9, (5,)]]
    yield "attention", Attention(), [[11, (5,)]]
    yield "attention_causal", Attention(causal=True), [[11, (5,)]]
    yield "attention_masked", Attention(), [[11, (5,)], [2, (5,)]]
    yield "attention_fused", Fused(), [[11, (5,)]]
    yield "attention_fused_causal", Fused(causal=True), [[11, (5,)]]
    layer = nn.TransformerEncoderLayer(8, 2, 12, dropout=0.0, batch_first=True)
    yield "encoder", Call(lambda s, x: s.out(s.layer(x).mean(1)), layer=layer, out=nn.Linear(8, 2)), [(4, 8)]
    layer = nn.TransformerEncoderLayer(8, 2, 12, dropout=0.0, activation="gelu", norm_first=True)
    layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
    time_first = Call(lambda s, x: s.out(s.layer(x.transpose(0, 1))[-1]), layer=layers, out=nn.Linear(8, 2))
    yield "encoder_time_first", time_first, [(4, 8)]
    multi = Call(lambda s, x: s.out(s.layer(x, x, x, need_weights=False)[0].amax(1)), layer=nn.MultiheadAttention(8, 2, batch_first=True), out=nn.Linear(8, 2))
    yield "multihead", multi, [(4, 8)]
    yield "patches", Patches(), [(1, 8, 8)]
    einsum = Call(lambda s, x: torch.einsum("bij,kj->bki", x, s.w.weight).amax(2), w=nn.Linear(4, 3))
    yield "einsum", einsum, [(5, 4)]
    ops = Call(lambda s, x: torch.stack([x.norm(dim=1), x.std(1), x.logsumexp(1), x.max(1).values, x.clamp(-0.5, 0.7).prod(1)], 1))
    yield "reductions", ops, [(5,)]
    parts = Call(lambda s, x: torch.where(x > 0.1, x * 2, x.roll(1, 1)).chunk(2, 1)[1] + x[:, ::2].flip(1).cumsum(1))
    yield "movements", parts, [(6,)]


def settle(module):
    """Statistics and scales that are not the first ones."""
    for part in module.modules():
        for name in ("running_mean", "weight", "bias"):
            own = getattr(part, name, None)
            if isinstance(part, (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)) and own is not None:
                own.data += torch.randn_like(own) * 0.3
    return module.eval()


def example(shapes, rows):
    def one(shape):
        if isinstance(shape, list):
            return torch.randint(0 if shape[0] > 2 else 0, shape[0], (rows, *shape[1]))
        return torch.randn(rows, *shape)

    inputs = [one(shape) for shape in shapes]
    if len(inputs) > 1 and isinstance(shapes[1], list):
        inputs[1][:, 0] = 1
    return inputs


def double(value):
    return value.double() if value.is_floating_point() else value


def export(module, inputs, path, dynamo, fixed, opset=None):
    names = [f"in{i}" for i in range(len(inputs))]
    options = {"input_names": names, "output_names": ["out"], "dynamo": dynamo}
    if opset:
        options["opset_version"] = opset
    if dynamo:
        options |= {"external_data": False, "verbose": False}
        if not fixed:
            batch = torch.export.Dim("batch")
            options["dynamic_shapes"] = tuple({0: batch} for _ in inputs)
            if isinstance(module, Call):
                options["dynamic_shapes"] = (options["dynamic_shapes"],)
    elif not fixed:
        options["dynamic_axes"] = {name: {0: "batch"} for name in [*names, "out"]}
    torch.onnx.export(module, tuple(inputs), path, **options)


def main(out, only=""):
    torch.manual_seed(3)
    failed = []
    for name, module, shapes in modules():
        rows = example(shapes, ROWS)
        # Sizes that follow from those before.
        module(*rows)
        module = settle(module)
        with torch.no_grad():
            answers = copy.deepcopy(module).double()(*[double(x) for x in rows])
        for dynamo, opset in ((False, None), (True, None), (True, 23)):
            for fixed in (False, True):
                # In which attention and this norm are operators.
                if opset and (fixed or not name.startswith(("attention_fused", "mlp_rms_norm"))):
                    continue
                if fixed and not (name.startswith(("cnn", "lstm", "attention", "encoder", "residual")) and "fused" not in name):
                    continue
                case = name + ("_fixed" if fixed else "") + ("_dynamo" if dynamo else "_script") + str(opset or "")
                if only not in case:
                    continue
                folder = os.path.join(out, case)
                os.makedirs(folder, exist_ok=True)
                path = os.path.join(folder, "model.onnx")
                try:
                    export(module, example(shapes, 1 if fixed else 2), path, dynamo, fixed, opset)
                except Exception as error:
                    failed.append((case, str(error).splitlines()[0][:200]))
                    for file in os.listdir(folder):
                        os.remove(os.path.join(folder, file))
                    os.rmdir(folder)
                    continue
                model = onnx.load(path)
                for node in model.graph.node:
                    node.ClearField("doc_string")
                    node.ClearField("metadata_props")
                for function in model.functions:
                    for node in function.node:
                        node.ClearField("doc_string")
                        node.ClearField("metadata_props")
                for value in [*model.graph.value_info, *model.graph.input, *model.graph.output]:
                    value.ClearField("metadata_props")
                del model.graph.value_info[:]
                model.ClearField("producer_version")
                model.ClearField("metadata_props")
                model.graph.ClearField("metadata_props")
                onnx.save(model, path)
                cells = np.concatenate([x.reshape(ROWS, -1).double().numpy() for x in rows], 1)
                np.save(os.path.join(folder, "rows.npy"), cells.astype("<f4"))
                np.save(os.path.join(folder, "answers.npy"), answers.reshape(ROWS, -1).numpy().astype("<f8"))
                facts = {"torch": torch.__version__, "operators": sorted({n.op_type for n in model.graph.node})}
                with open(os.path.join(folder, "case.json"), "w") as file:
                    json.dump(facts, file)
                    file.write("\n")
    for case, error in failed:
        print("failed:", case, error)


if __name__ == "__main__":
    main(*sys.argv[1:])
