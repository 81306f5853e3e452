"""The surrogate of a model of texts: a hierarchical attention network that learns what the model answers."""

from __future__ import annotations

import json
import os
import sys
import time

import numpy as np

from .. import _parameters
from .._engine import Surrogate, __version__
from .._progress import bar, is_shown
from ..errors import ParameterError, UnsupportedError
from ..explanation import TextExplanation
from . import _Texts
from ._models import texts_of

#: Texts of a document that the model is asked for in an epoch of tuning, and epochs of it at most.
SAMPLES, MOST = 40, 50


class HANTextExplainer(_Texts):
    """Explains texts by a surrogate: a hierarchical attention network (Yang et al. 2016) that has learned the model's
    answers to a corpus, and reads words in their sentences, and sentences in their document.

    `model` is that of `TextKernelExplainer`; `initialization_examples` are the texts that it is asked for, once each,
    and that the surrogate learns from, a few hundred at the least. `train_model` trains it; without it, the first
    explanation does, with its defaults. One tenth of the texts is held out: `explainer.fidelity` says how well the
    surrogate answers them as the model does (`r2` of each output, `agreement` and `divergence` of probabilities).

    Values of words are signed: their vectors times the surrogate's gradients, at `points` points of the way from
    vectors of 0 (integrated gradients), for each output. `explain_local` corrects them with `tune_epochs` times 40
    answers of the model to parts of the document: a local linear model begins at the surrogate's values, and changes
    what the answers contradict. Without any, base value and values add up to the surrogate's answer; with some, about
    to the model's. `e.attention` and `e.sentence_attention` are the network's raw attention, `e.fidelity` its fidelity
    on the texts held out, and `e.surrogate_answers` beside `e.answers` that on each document.

    `hidden` numbers of a state in each direction, `attention`, `embedding` (that of the vectors, where there are
    some), `dropout` and `word_dropout`, `learning_rate` and `batch` documents of a step are the network's; `device` is
    where it is trained. The same seed gives the same surrogate. Nothing is written anywhere but by `save`.
    """

    _method = "han"

    def __init__(
        self,
        model,
        initialization_examples=None,
        *,
        hidden=50,
        attention=100,
        embedding=50,
        dropout=0.0,
        word_dropout=0.0,
        learning_rate=2e-3,
        batch=32,
        held_out=0.1,
        min_count=5,
        points=8,
        device="auto",
        **options,
    ):
        for name in ("players", "nsamples"):
            if name in options:
                raise ParameterError(f"{name}: not allowed here: the surrogate has a value for each word")
        super().__init__(model, **options)
        self._texts = None if initialization_examples is None else texts_of(initialization_examples)
        self._network = {
            "embedding": _parameters.count("embedding", embedding, 1, bits=16),
            "hidden": _parameters.count("hidden", hidden, 1, bits=16),
            "attention": _parameters.count("attention", attention, 1, bits=16),
            "dropout": _parameters.number("dropout", dropout),
            "word_dropout": _parameters.number("word_dropout", word_dropout),
            "learning_rate": _parameters.positive("learning_rate", learning_rate),
            "batch": _parameters.count("batch", batch, 1, bits=16),
            "held_out": _parameters.number("held_out", held_out),
            "min_count": _parameters.count("min_count", min_count, 1, bits=32),
            "buckets": 1024,
            "seed": self._options["seed"],
            "device": _parameters.device(device),
        }
        self._points = _parameters.count("points", points, 1, bits=8)
        self._surrogate = self._learned = None

    # Training -------------------------------------------------------------------------------------------------------

    def train_model(
        self,
        classes=None,
        word_embedding_path=None,
        train_epochs=None,
        *,
        word_embedding_words=None,
        learns_embedding=True,
        patience=2,
        answers=None,
    ):
        """Trains the surrogate on the texts of the constructor, and returns the explainer.

        `word_embedding_path` is a file of word vectors: GloVe's or word2vec's text, Parquet, or .npy, with the words
        in the file `word_embedding_words`; words without a vector begin at random ones. Without vectors all do. They
        are trained, too, unless `learns_embedding=False`. `train_epochs` are the epochs at most, by default 6, or more
        of small corpora; the training ends where `patience` epochs in a row did not lower the loss of the texts that
        are held out, and then takes the best. `answers` (texts, outputs) are the model's, where they are known. Called
        again, or for a surrogate that was loaded, and without vectors, it goes on where it ended, up to `train_epochs`
        in all. Ctrl-C ends it, and leaves what was learned.
        """
        texts = self._corpus()
        if classes is not None:
            self._classes = _parameters.names("classes", classes)
        asked = self._asked(None)
        training = {
            **self._network,
            "vectors": None if word_embedding_path is None else os.fsdecode(word_embedding_path),
            "words": None if word_embedding_words is None else os.fsdecode(word_embedding_words),
            "learns_embedding": bool(learns_embedding),
            "epochs": None if train_epochs is None else _parameters.count("train_epochs", train_epochs, 1, bits=32),
            "patience": None if patience is None else _parameters.count("patience", patience, 1, bits=32),
        }
        if answers is not None:
            answers = np.asarray(answers, np.float64)
            answers = answers[:, np.newaxis] if answers.ndim == 1 else answers
            first = asked.answer(texts[:1])
            if answers.ndim != 2 or answers.shape[1] != first.shape[1]:
                raise ParameterError(
                    f"answers: shape {answers.shape} is not allowed: expected ({len(texts)}, {first.shape[1]}), one "
                    "for each text and output of the model"
                )
        elif self._learned is not None:
            answers = self._learned
        else:
            answers = self._answers(asked, texts)
        options = {**self._options, "method": self._method}
        with _Losses(self._show_progress) as progress:
            if self._surrogate is not None and word_embedding_path is None:
                ended = self._surrogate.learn(texts, answers, training, options, progress)
            else:
                names = asked.said.get("output_names") or [f"output {k}" for k in range(answers.shape[1])]
                self._surrogate, ended = Surrogate.train(
                    texts, answers, [str(name) for name in names], training, options, progress
                )
        self._learned = answers
        if ended is not None:
            raise ended
        return self

    def _corpus(self):
        if self._texts is None:
            raise UnsupportedError(
                "train_model: there are no texts to learn from; give initialization_examples, a few hundred at "
                "the least"
            )
        return self._texts

    def _answers(self, asked, texts):
        """The model's answers to texts, in batches."""
        size, parts = self._options["batch"], []
        with bar(len(texts), self._show_progress) as progress:
            for start in range(0, len(texts), size):
                parts.append(asked.answer(texts[start : start + size]))
                if progress:
                    progress(min(len(texts), start + size))
        return np.concatenate(parts)

    @property
    def fidelity(self) -> dict:
        """How well the surrogate answers as the model does, on texts that it was not trained on."""
        names, said = self._trained().fidelity()
        found = json.loads(said)
        # JSON has no NaN.
        found["r2"] = {n: float("nan") if r is None else r for n, r in zip(names, found["r2"], strict=True)}
        coverage = self._surrogate.coverage()
        if coverage is not None:
            types, types_found, tokens, tokens_found = coverage
            found["coverage"] = {"types": types_found / max(1, types), "tokens": tokens_found / max(1, tokens)}
        found["epochs"] = [{"loss": loss, "held_out": held} for loss, held in self._surrogate.epochs()]
        found["device"] = self._surrogate.device()
        return found

    def _trained(self):
        if self._surrogate is None:
            self.train_model()
        return self._surrogate

    def predict(self, documents) -> np.ndarray:
        """The surrogate's own answers to texts, (texts, outputs)."""
        return self._trained().answers(texts_of(documents), {**self._options, "method": self._method})

    def save(self, path):
        """Writes the surrogate to the folder `path`, with what its training needs to go on."""
        self._trained().save(os.fsdecode(path))

    @classmethod
    def load(cls, path, model, initialization_examples=None, **options) -> HANTextExplainer:
        """The explainer of a surrogate that was saved, and its model."""
        made = cls(model, initialization_examples, **options)
        made._surrogate = Surrogate.load(os.fsdecode(path))
        return made

    # Explaining -----------------------------------------------------------------------------------------------------

    def __call__(self, documents) -> TextExplanation:
        return self.explain_local(documents)

    def explain_local(self, documents, classes=None, tune_epochs=5) -> TextExplanation:
        """The explanation of texts; the model is asked for each, or for 40 parts of each in every epoch of tuning."""
        return self._told(documents, classes, _epochs(tune_epochs))

    def explain_global(self, documents, classes=None, tune_epochs=0) -> TextExplanation:
        """The explanation of a corpus, without tuning: its `global_importance()` ranks the words over all documents."""
        return self._told(documents, classes, _epochs(tune_epochs))

    def _told(self, documents, classes, epochs):
        texts, asked = texts_of(documents), self._asked(classes)
        surrogate, begun = self._trained(), time.perf_counter()
        options = {**self._options, "method": self._method}
        answers = self._answers(asked, texts) if epochs == 0 else None
        with bar(len(texts), self._show_progress) as progress:
            found, names, calls, count = surrogate.explain(
                texts, asked.answer, self._points, epochs * SAMPLES, options, progress
            )
        parts = {name: [part[name] for part in found] for name in found[0]}
        methods, exact, texts_of_each = (parts.pop(name) for name in ("method", "exact", "texts"))
        own = parts.pop("surrogate_answers")
        for name in ("standard_errors", "local_fit"):
            if any(part is None for part in parts[name]):
                parts[name] = None
        if answers is not None:
            # What was explained is the surrogate's answer; what it stands for, the model's.
            parts["answers"], count, calls = answers, len(texts), -(-len(texts) // options["batch"])
        fidelity = self.fidelity
        details = {
            "method": "han",
            "methods": methods,
            "exact": exact,
            "players": "words",
            "mask": options["mask"],
            "tokenizer": options["tokenizer"],
            "points": self._points,
            "tune_epochs": epochs,
            "nsamples": epochs * SAMPLES,
            "model_calls": calls,
            "model_texts": count,
            "texts_of": texts_of_each,
            "surrogate_answers": own,
            "seconds": time.perf_counter() - begun,
            "seed": options["seed"],
            "device": fidelity["device"],
            "version": __version__,
            "notes": [self._fidelity_note(fidelity), *self._notes(methods, calls, count)],
        }
        said = {"output_names": names, **asked.said}
        return TextExplanation(
            texts, details=details, model_type=str(type(self.model)), fidelity=fidelity, **parts, **said
        )

    @staticmethod
    def _fidelity_note(fidelity):
        where = "that it was not trained on" if fidelity["is_held_out"] else "that it was trained on"
        said = f"R² {np.nanmean(list(fidelity['r2'].values())):.3f}"
        if fidelity["agreement"] is not None:
            said = f"agreement {fidelity['agreement']:.1%}, {said}"
        return f"the surrogate answers {fidelity['documents']:,} documents {where} as the model does: {said}"


def _epochs(tune_epochs):
    epochs = _parameters.count("tune_epochs", tune_epochs, 0, bits=8)
    if epochs > MOST:
        raise ParameterError(f"tune_epochs: {epochs} is not allowed: up to {MOST}")
    return epochs


class _Losses:
    """A line with the loss and the documents per second, where a terminal shows it."""

    def __init__(self, shown):
        self._shown, self._last = is_shown(shown), 0.0

    def __enter__(self):
        return self._tell

    def _tell(self, epoch, done, loss, held_out, rate):
        now = time.monotonic()
        if self._shown and (held_out is not None or now - self._last > 0.2):
            self._last = now
            rest = "" if held_out is None else f", held out {held_out:.4f}"
            sys.stderr.write(
                f"\repoch {epoch + 1}: {done:,} documents, loss {loss:.4f}{rest}, {rate:,.0f} documents/s "
            )
            sys.stderr.flush()

    def __exit__(self, *_):
        if self._shown and self._last:
            sys.stderr.write("\n")
