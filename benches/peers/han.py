"""The network of texts learning, beside the same network in PyTorch: documents per second on one core.

    pip install numpy torch
    OMP_NUM_THREADS=1 taskset -c 0 python benches/peers/han.py [--rounds 5] [--batch 32] [--out FILE.json]

Documents of some 200 words in 10 sentences, as IMDb's reviews are, of a vocabulary whose words have Zipf's frequencies:
vectors of 50 numbers that are learned, states of 50 numbers in each direction, attention of 100. PyTorch has
`nn.Embedding`, packed `nn.GRU`s, attention that masks what is padded, gradients clipped by their norm, and Adam; with
`--sparse` the embedding's gradients are sparse, as whylight's are, with `SparseAdam`. Both take the documents of a
batch by length, the same ones, begin with the same weights, and learn in turn; what is counted is processor time. The
answers before the first step are compared. whylight is `cargo bench --bench han`, compiled before.
"""

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time

import numpy as np

WORDS, CLASSES = 20_000, 2


def corpus(count, seed=0):
    random = np.random.default_rng(seed)
    frequencies = 1 / np.arange(1, WORDS + 1)
    frequencies /= frequencies.sum()
    documents = []
    for _ in range(count):
        sentences = max(1, int(random.gamma(4, 2.5)))
        lengths = np.maximum(1, random.gamma(3, 23 / 3, sentences).astype(int))
        documents.append([random.choice(WORDS, length, p=frequencies).tolist() for length in lengths])
    first = random.random(count)
    return documents, np.stack([first, 1 - first], axis=1).astype(np.float32)


def saved(path):
    """The tensors of a safetensors file."""
    with open(path, "rb") as file:
        size = int.from_bytes(file.read(8), "little")
        header, data = json.loads(file.read(size)), file.read()
    header.pop("__metadata__")
    cut = lambda info: np.frombuffer(data[slice(*info["data_offsets"])], np.float32).reshape(info["shape"])  # noqa: E731
    return {name: cut(info) for name, info in header.items()}


def network(tensors, sparse):
    import torch
    from torch import nn
    from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

    class Level(nn.Module):
        def __init__(self, inputs):
            super().__init__()
            self.gru = nn.GRU(inputs, 50, batch_first=True, bidirectional=True)
            self.linear, self.context = nn.Linear(100, 100), nn.Parameter(torch.zeros(100))

        def forward(self, rows, lengths):
            packed = pack_padded_sequence(rows, lengths, batch_first=True, enforce_sorted=False)
            states, _ = pad_packed_sequence(self.gru(packed)[0], batch_first=True)
            scores = torch.tanh(self.linear(states)) @ self.context
            padding = torch.arange(states.shape[1])[None] >= lengths[:, None]
            weights = scores.masked_fill(padding, float("-inf")).softmax(1)
            return (weights[:, None] @ states)[:, 0]

        def load(self, name):
            with torch.no_grad():
                for way, suffix in (("forward", ""), ("backward", "_reverse")):
                    for ours, theirs in (("input", "weight_ih"), ("recurrent", "weight_hh")):
                        for bias in ("", "_bias"):
                            parameter = theirs.replace("weight", "bias") if bias else theirs
                            given = torch.from_numpy(tensors[f"{name}.{way}.{ours}{bias}"].copy())
                            getattr(self.gru, f"{parameter}_l0{suffix}").copy_(given)
                self.linear.weight.copy_(torch.from_numpy(tensors[f"{name}.attention.matrix"].copy()))
                self.linear.bias.copy_(torch.from_numpy(tensors[f"{name}.attention.bias"].copy()))
                self.context.copy_(torch.from_numpy(tensors[f"{name}.attention.context"].copy()))

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(WORDS, 50, sparse=sparse)
            self.levels, self.output = nn.ModuleList([Level(50), Level(100)]), nn.Linear(100, CLASSES)
            for level, name in zip(self.levels, ("words", "sentences"), strict=True):
                level.load(name)
            with torch.no_grad():
                self.embedding.weight.copy_(torch.from_numpy(tensors["table"].copy()))
                self.output.weight.copy_(torch.from_numpy(tensors["output.matrix"].copy()))
                self.output.bias.copy_(torch.from_numpy(tensors["output.bias"].copy()))

        def forward(self, words, lengths, counts):
            vectors = self.levels[0](self.embedding(words), lengths)
            sentences = torch.split(vectors, counts.tolist())
            rows = nn.utils.rnn.pad_sequence(sentences, batch_first=True)
            return self.output(self.levels[1](rows, counts))

    return Network()


def tensors_of(documents):
    """A batch as PyTorch reads it: padded sentences, their lengths, and the sentences of each document."""
    import torch

    sentences = [torch.tensor(sentence) for document in documents for sentence in document]
    padded = torch.nn.utils.rnn.pad_sequence(sentences, batch_first=True)
    lengths = torch.tensor([len(sentence) for sentence in sentences])
    return padded, lengths, torch.tensor([len(document) for document in documents])


class Torch:
    def __init__(self, path, documents, targets, size, sparse):
        import torch

        self.torch, self.network = torch, network(saved(path), sparse)
        self.first = self.network(*tensors_of(documents[:8])).softmax(1).detach().numpy()
        order = sorted(range(len(documents)), key=lambda i: sum(map(len, documents[i])))
        cut = [order[i : i + size] for i in range(0, len(order), size)]
        self.batches = [(tensors_of([documents[i] for i in batch]), torch.from_numpy(targets[batch])) for batch in cut]
        self.count = len(documents)
        table = list(self.network.embedding.parameters())
        rest = [p for p in self.network.parameters() if p is not table[0]]
        self.rest = rest if sparse else rest + table
        self.steps = [torch.optim.Adam(self.rest)] + ([torch.optim.SparseAdam(table)] if sparse else [])

    def epoch(self):
        for batch in np.random.default_rng(0).permutation(len(self.batches)):
            inputs, targets = self.batches[batch]
            for step in self.steps:
                step.zero_grad()
            loss = self.torch.nn.functional.cross_entropy(self.network(*inputs), targets)
            loss.backward()
            # Norms of sparse gradients are not to be had: with --sparse the table is not clipped.
            self.torch.nn.utils.clip_grad_norm_(self.rest, 5.0)
            for step in self.steps:
                step.step()

    def rate(self):
        begun = time.process_time()
        self.epoch()
        return self.count / (time.process_time() - begun)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--batches", type=int, default=32, help="at most 32: those that whylight sorts together")
    parser.add_argument("--program", help="what `cargo bench --bench han --no-run` compiled, in place of asking cargo")
    parser.add_argument("--sparse", action="store_true")
    parser.add_argument("--out", help="a JSON file for the record")
    arguments = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    documents, targets = corpus(arguments.batch * arguments.batches)
    with tempfile.TemporaryDirectory() as folder:
        source, path = os.path.join(folder, "corpus.json"), os.path.join(folder, "network.safetensors")
        with open(source, "w") as file:
            given = {"words": WORDS, "batch": arguments.batch, "documents": documents, "targets": targets.tolist()}
            json.dump(given, file)
        program = [arguments.program] if arguments.program else ["cargo", "bench", "-q", "--bench", "han", "--"]
        call = [*program, source, path, "1"]
        threads = {**os.environ, "RAYON_NUM_THREADS": "1"}

        def ours():
            done = subprocess.run(call, capture_output=True, text=True, check=True, env=threads)
            return json.loads(done.stdout.splitlines()[-1])

        first = ours()
        peer = Torch(path, documents, targets, arguments.batch, arguments.sparse)
        difference = float(np.abs(np.array(first["answers"]) - peer.first).max())
        peer.rate()
        rates = {"whylight": [], "torch": []}
        for _ in range(arguments.rounds):
            rates["whylight"].append(ours()["rates"][0])
            rates["torch"].append(peer.rate())
    middle = {who: statistics.median(found) for who, found in rates.items()}
    ratios = [a / b for a, b in zip(*rates.values(), strict=True)]
    words = sum(len(sentence) for document in documents for sentence in document) / len(documents)
    print(f"{words:.0f} words a document, batches of {arguments.batch}, one thread, torch {torch.__version__}")
    print("| whylight, documents/s | torch | ratio | from | to | difference of the first answers |")
    print("|---|---|---|---|---|---|")
    print(
        f"| {middle['whylight']:.0f} | {middle['torch']:.0f} | {statistics.median(ratios):.2f}× | {min(ratios):.2f}× "
        f"| {max(ratios):.2f}× | {difference:.0e} |"
    )
    if arguments.out:
        with open(arguments.out, "w") as file:
            record = {"words": words, "rates": rates, "difference": difference, "torch": torch.__version__}
            # Where things are is nobody's business.
            said = {name: value for name, value in vars(arguments).items() if name not in ("program", "out")}
            json.dump(said | record, file, indent=1)


if __name__ == "__main__":
    main()
