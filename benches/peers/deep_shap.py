"""Deep SHAP of networks beside shap's DeepExplainer and captum's DeepLiftShap: rows per second on one core.

    pip install numpy torch onnx onnxscript shap==0.54.1 captum==0.9.0
    OMP_NUM_THREADS=1 taskset -c 0 python benches/peers/deep_shap.py [--rounds 3] [--only mlp] [--out FILE.json]
    python benches/peers/deep_shap.py --memory

Networks of random weights, uniform random images of 784 cells, a background of 100 of them, and all ten outputs, which
captum explains one after the other. shap and captum explain the first few of the rows. All run in turn in one process,
and what is counted is its processor time. The values are compared on the peers' rows; captum's rule of maxima does not
add up, so its values of the second network are only timed. `--memory` has each explain the same rows in a process of its
own, and says what it takes at the most, in all and beyond what it has when the network and the rows are there.
"""

import argparse
import io
import json
import os
import statistics
import subprocess
import sys
import time
import warnings

import numpy as np

warnings.simplefilter("ignore")

#: Seconds that a round of whylight should take at the least.
ROUND = 1.0

#: Rows that whylight explains, and the peers.
ROWS = {"mlp": (100, 10), "cnn": (20, 2), "transformer": (10, 0)}

BACKGROUND = {"mlp": 100, "cnn": 100, "transformer": 20}

TITLES = {
    "mlp": "MLP 784-256-128-10, background 100, 10 outputs",
    "cnn": "CNN 28×28: conv 16 of 5×5, pool, conv 32 of 5×5, pool, dense 128, 10; background 100, 10 outputs",
    "transformer": "transformer encoder, 2 layers × 64, 4 heads, 64 tokens, background 20, 4 outputs",
}


def module(name):
    import torch
    from torch import nn

    torch.manual_seed(0)
    if name == "mlp":
        return nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10))
    if name == "cnn":
        first = [nn.Conv2d(1, 16, 5), nn.ReLU(), nn.MaxPool2d(2)]
        second = [nn.Conv2d(16, 32, 5), nn.ReLU(), nn.MaxPool2d(2)]
        return nn.Sequential(*first, *second, nn.Flatten(), nn.Linear(512, 128), nn.ReLU(), nn.Linear(128, 10))

    class Encoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(1000, 64)
            layer = nn.TransformerEncoderLayer(64, 4, 128, batch_first=True)
            self.encoder, self.last = nn.TransformerEncoder(layer, 2), nn.Linear(64, 4)

        def forward(self, tokens):
            return self.last(self.encoder(self.embedding(tokens)).mean(1))

    return Encoder().eval()


def examples(name, count, seed):
    random = np.random.default_rng(seed)
    if name == "transformer":
        return random.integers(0, 1000, (count, 64))
    shape = (784,) if name == "mlp" else (1, 28, 28)
    return random.random((count, *shape), np.float32)


def exported(name):
    import torch

    buffer = io.BytesIO()
    torch.onnx.export(module(name), (torch.from_numpy(examples(name, 1, 0)),), buffer, dynamo=False)
    return buffer.getvalue()


def explainers(name):
    """For each library a function of rows that returns their values, (rows, cells, outputs)."""
    others = examples(name, BACKGROUND[name], 1)

    def ours(source):
        import whylight

        explainer = whylight.DeepExplainer(source, others, threads=1, device="cpu")
        return lambda rows: explainer(rows)

    def shaps():
        import shap
        import torch

        explainer = shap.DeepExplainer(module(name), torch.from_numpy(others))
        return lambda rows: explainer.shap_values(torch.from_numpy(rows), check_additivity=False)

    def captums():
        import torch
        from captum.attr import DeepLiftShap

        lift, base = DeepLiftShap(module(name)), torch.from_numpy(others)
        target = lambda rows, k: lift.attribute(torch.from_numpy(rows), base, target=k).detach().numpy()  # noqa: E731
        return lambda rows: np.stack([target(rows, k) for k in range(10)], axis=-1)

    return ours, shaps, captums


def seconds(call):
    begun = time.process_time()
    result = call()
    return time.process_time() - begun, result


def measure(name, rounds):
    make, shaps, captums = explainers(name)
    ours, (count, few) = make(exported(name)), ROWS[name]
    rows = examples(name, count, 2)
    peers = {"shap": shaps(), "captum": captums()} if few else {}
    rates, values = {"whylight": [], **{who: [] for who in peers}}, {}
    ours(rows[:1])
    for _ in range(rounds):
        spent, explained = seconds(lambda: ours(rows))
        repeats = max(1, int(ROUND / max(spent, 1e-9)))
        spent, _ = seconds(lambda: [ours(rows) for _ in range(repeats)])  # noqa: B023
        rates["whylight"].append(count * repeats / spent)
        for who, peer in peers.items():
            spent, values[who] = seconds(lambda: peer(rows[:few]))  # noqa: B023
            rates[who].append(few / spent)
    off = {}
    for who, theirs in values.items():
        theirs = np.asarray(theirs).reshape(few, -1, 10)
        off[who] = float(np.abs(explained.values[:few] - theirs).max() / np.abs(theirs).max())
    change = np.abs(explained.values.sum(1)).max()
    return rates, off, float(np.abs(explained.completeness_delta).max() / change)


def peak(name, who, path):
    """In a process of its own: megabytes at the most, in all and beyond those before the work."""
    make, shaps, captums = explainers(name)
    rows = examples(name, ROWS[name][1], 2)
    if who != "whylight":
        import torch

        torch.set_num_threads(1)
    explain = {"whylight": lambda: make(path), "shap": shaps, "captum": captums}[who]
    before = high_water()
    explain()(rows)
    print(json.dumps([high_water(), high_water() - before]))


def high_water():
    """Mebibytes of this process at the most; unlike `ru_maxrss` without those of the process that started it."""
    with open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def memory():
    print("| case | library | peak, MiB | beyond the start, MiB |")
    print("|---|---|---|---|")
    for name in ("mlp", "cnn"):
        path = f"/tmp/deep_shap_{os.getpid()}.onnx"
        with open(path, "wb") as file:
            file.write(exported(name))
        for who in ("whylight", "shap", "captum"):
            call = [sys.executable, __file__, "--peak", name, who, path]
            done = subprocess.run(call, capture_output=True, text=True, check=True)
            whole, more = json.loads(done.stdout.splitlines()[-1])
            print(f"| {name} | {who} | {whole:.0f} | {more:.0f} |", flush=True)
        os.remove(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="mlp, cnn or transformer")
    parser.add_argument("--out", help="a JSON file for the record")
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--peak", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peak:
        return peak(*arguments.peak)
    if arguments.memory:
        return memory()
    import captum
    import shap
    import torch

    import whylight

    torch.set_num_threads(1)
    record = {
        "versions": {library.__name__: library.__version__ for library in (whylight, shap, captum, torch)},
        "cores": sorted(os.sched_getaffinity(0)),
        "cases": [],
    }
    print("| case | whylight, rows/s | shap | captum | ratio to the faster | spread | difference | delta |")
    print("|---|---|---|---|---|---|---|---|")
    for name, title in TITLES.items():
        if arguments.only not in name:
            continue
        rates, off, delta = measure(name, arguments.rounds)
        middle = {who: statistics.median(found) for who, found in rates.items()}
        peers = [found for who, found in rates.items() if who != "whylight"]
        ratios = [ours / max(theirs) for ours, *theirs in zip(rates["whylight"], *peers, strict=True)] if peers else []
        ratio = f"{statistics.median(ratios):.1f}×" if ratios else "–"
        spread = f"{100 * (max(ratios) - min(ratios)) / statistics.median(ratios):.0f} %" if ratios else "–"
        theirs = [f"{middle[who]:.3g}" if who in middle else "–" for who in ("shap", "captum")]
        said = ", ".join(f"{who} {found:.0e}" for who, found in off.items()) or "–"
        print(
            f"| {title} | {middle['whylight']:.3g} | {theirs[0]} | {theirs[1]} | {ratio} | {spread} | {said} | {delta:.0e} |",
            flush=True,
        )
        record["cases"].append({"name": title, "rates": rates, "difference": off, "delta": delta})
    if arguments.out:
        with open(arguments.out, "w") as file:
            json.dump(record, file, indent=1)


if __name__ == "__main__":
    main()
