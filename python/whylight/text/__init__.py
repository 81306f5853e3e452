"""Texts: what their words add to what a model answers."""

from __future__ import annotations

import os
import time

import numpy as np

from .. import _parameters
from .._engine import __version__, explain_texts
from .._progress import bar
from ..errors import ParameterError
from ..explanation import TextExplanation
from ._models import Asked, texts_of

PLAYERS = '"auto", "words", "distinct" or "sentences"'

#: Words of a document that Kernel SHAP explains at once where nobody says how.
FLAT = 256


class _Texts:
    """What explainers of texts share: a model that is asked for parts of documents."""

    #: What interpret asks of an explainer.
    explainer_type = "blackbox"
    available_explanations = ["global", "local"]

    def __init__(
        self,
        model,
        *,
        players="auto",
        mask=None,
        tokenizer=None,
        nsamples="auto",
        output="auto",
        outputs=None,
        classes=None,
        batch_size=1024,
        seed=0,
        show_progress=None,
    ):
        self.model = model
        players = _parameters.text("players", players, PLAYERS)
        if players not in ("auto", "words", "distinct", "sentences"):
            raise ParameterError(f"players: {players!r} is not allowed: {PLAYERS}")
        if mask is not None:
            mask = _parameters.text("mask", mask, "a text that stands for absent words, or None to take them out")
        if isinstance(nsamples, str) and nsamples != "auto":
            raise ParameterError(f'nsamples: {nsamples!r} is not allowed: "auto" or a number of texts')
        output = _parameters.text("output", output, '"auto", "raw" or "probability"')
        if output not in ("auto", "raw", "probability"):
            raise ParameterError(f'output: {output!r} is not allowed: "auto", "raw" or "probability"')
        self._options = {
            "tokenizer": None if tokenizer is None else os.fsdecode(tokenizer),
            "players": players,
            "mask": mask,
            "samples": None if isinstance(nsamples, str) else _parameters.count("nsamples", nsamples, 4, bits=32),
            "seed": _parameters.count("seed", seed),
            "batch": _parameters.count("batch_size", batch_size, 1, bits=32),
            "features": None,
            "kernel_width": 25.0,
        }
        self._output = output
        self._outputs = _parameters.names("outputs", outputs)
        self._classes = _parameters.names("classes", classes)
        self._show_progress = show_progress
        # What cannot be asked is refused here.
        self._asked(None)

    #: The engine's name of the method.
    _method = None

    def _asked(self, classes):
        names = self._classes if classes is None else _parameters.names("classes", classes)
        return Asked(self.model, self._output, names, self._outputs)

    def __call__(self, documents) -> TextExplanation:
        """The explanation of a text, or of a list of texts."""
        return self._explained(documents, None)

    def explain_local(self, documents, classes=None) -> TextExplanation:
        """The explanation of texts; `classes` in place of the explainer's."""
        return self._explained(documents, classes)

    def explain_global(self, documents, classes=None) -> TextExplanation:
        """The same: its `global_importance()` and `get_ranked_global_names()` rank the words over all documents."""
        return self._explained(documents, classes)

    def _explained(self, documents, classes):
        texts, asked = texts_of(documents), self._asked(classes)
        options = {**self._options, "method": self._method}
        begun = time.perf_counter()
        with bar(len(texts), self._show_progress) as progress:
            found, _, calls, count = explain_texts(texts, asked.answer, None, options, progress)
        parts = {name: [part[name] for part in found] for name in found[0]}
        methods, exact, texts_of_each = (parts.pop(name) for name in ("method", "exact", "texts"))
        for name in ("standard_errors", "local_fit"):
            parts[name] = _filled(parts[name], parts["values"] if name == "standard_errors" else parts["base_values"])
        details = {
            "method": self._name(methods),
            "methods": methods,
            "exact": exact,
            "players": options["players"],
            "mask": options["mask"],
            "tokenizer": options["tokenizer"],
            "nsamples": "auto" if options["samples"] is None else options["samples"],
            "model_calls": calls,
            "model_texts": count,
            "texts_of": texts_of_each,
            "seconds": time.perf_counter() - begun,
            "seed": options["seed"],
            "device": "cpu",
            "version": __version__,
            "notes": self._notes(methods, calls, count),
        }
        return TextExplanation(texts, details=details, model_type=str(type(self.model)), **parts, **asked.said)

    def _name(self, methods):
        names = {"kernel": "text_kernel_shap", "hierarchical": "text_kernel_shap", "leave-one-out": "leave_one_out"}
        return " and ".join(dict.fromkeys(names.get(method, f"text_{method}") for method in methods))

    def _notes(self, methods, calls, count):
        notes = [f"the model was asked {calls:,} time{'s' if calls > 1 else ''}, for {count:,} texts"]
        passages = methods.count("hierarchical")
        if passages:
            notes.append(
                f"{passages:,} of {len(methods):,} documents were explained by passages first, and by words in those "
                "that matter most; the words of the others share the value of their passage evenly"
            )
        return notes


def _filled(parts, like):
    """Numbers that some documents have, NaN for the others; None where none has."""
    if all(part is None for part in parts):
        return None
    return [np.full(np.shape(one), np.nan) if part is None else part for part, one in zip(parts, like, strict=True)]


class TextKernelExplainer(_Texts):
    """Shapley values of the words of texts (Lundberg & Lee 2017), from a model's answers to texts of some of them.

    `model` is a function of a list of texts that returns a number, or a list of numbers, for each; or an object with
    `predict_proba`, `decision_function` or `predict` of texts, such as a Pipeline of scikit-learn; or a text
    classification pipeline of transformers. A word that is absent is taken out of the text, or replaced by `mask`, such
    as "[MASK]".

    `players` are "words", each at its place, "distinct" words, all places of one together, or "sentences"; `tokenizer`
    is the path of a tokenizer.json, whose tokens are then the words. Values are exact where all coalitions are no more
    than `nsamples` texts; else they are estimated from so many, with `e.standard_errors`; "auto" is 2048 and twice the
    number of players. Where `nsamples` are less than six for each word, and beyond 1024 words, a document is explained
    by passages first, and by words in those that matter most, from at most 4096 texts where nobody says how many: see
    `hierarchical`, which does so with every document.

    The texts of all documents are asked for together, `batch_size` at a time. `outputs` are those that are kept, by
    name or position, `classes` their names. The same seed gives a text the same values, whatever else is explained.
    """

    def __init__(self, model, *, hierarchical=False, **options):
        super().__init__(model, **options)
        if not isinstance(hierarchical, (bool, np.bool_)):
            raise ParameterError(f"hierarchical: {hierarchical!r} is not allowed: True or False")
        if hierarchical and self._options["players"] not in ("auto", "words"):
            raise ParameterError("players: not allowed with hierarchical=True, which has words as players")
        self._method = "hierarchical" if hierarchical else "kernel"


class TextLIMEExplainer(_Texts):
    """LIME of texts (Ribeiro, Singh & Guestrin 2016), as lime 0.2 defines it, for many documents at once.

    The values are the slopes of a ridge regression on which words are there, of `nsamples` texts ("auto" is 5000) that
    lack a random number of them; they do not add up to the answer. `num_features` keeps the words of the largest
    slopes, None all; `kernel_width` is 25. Players are "distinct" words, as lime has them, or "words" at their places.
    `e.local_fit` is the weighted R² of the regression. `model` and the other parameters are those of
    `TextKernelExplainer`.
    """

    _method = "lime"

    def __init__(self, model, *, num_features=None, kernel_width=25.0, **options):
        super().__init__(model, **options)
        if num_features is not None:
            self._options["features"] = _parameters.count("num_features", num_features, 1, bits=32)
        self._options["kernel_width"] = _parameters.positive("kernel_width", kernel_width)


class LeaveOneOutExplainer(_Texts):
    """What a model's answer loses without each word: one text for each word, and no interactions.

    `model` and the other parameters are those of `TextKernelExplainer`; `nsamples` has no meaning here.
    """

    _method = "leave-one-out"

    def __init__(self, model, *, nsamples="auto", **options):
        if nsamples != "auto":
            raise ParameterError(f"nsamples: {nsamples!r} is not allowed: leaving one out takes a text for each word")
        super().__init__(model, **options)


#: Texts from which on a surrogate learns what a model answers.
CORPUS = 500


class TextExplainer(TextKernelExplainer):
    """Explains texts by whatever suits them: a surrogate for corpora, Kernel SHAP or LIME for a few.

    With `initialization_examples`, 500 texts or more that the model is asked for once each, and for as many documents
    at a time without them, a surrogate is trained, and corrected for each document, as by `HANTextExplainer`. Otherwise
    documents of up to 256 words are explained as by `TextKernelExplainer`, if `nsamples` are six or more for each word;
    others as by `TextLIMEExplainer`, which orders words better from as many answers; and beyond 2000 words, or three
    for each of the `nsamples`, by passages first. `explainer.reasons` says why. Parameters are those of
    `TextKernelExplainer`.
    """

    def __init__(self, model, initialization_examples=None, **options):
        if "hierarchical" in options:
            raise ParameterError("hierarchical: not allowed here: TextKernelExplainer has it")
        super().__init__(model, **options)
        self._method = "auto"
        self._given = {name: value for name, value in options.items() if name != "nsamples"}
        self._examples = None if initialization_examples is None else texts_of(initialization_examples)
        self._han = None
        #: Why a method was taken, or not, by its name.
        self.reasons = {}

    def _explained(self, documents, classes):
        texts = texts_of(documents)
        corpus = texts if self._examples is None else self._examples
        by_words = self._options["players"] in ("auto", "words")
        if len(corpus) < CORPUS or not by_words:
            self.reasons["HAN"] = (
                f"{len(corpus):,} texts are too few to learn from: {CORPUS} or more, as initialization_examples"
                if by_words
                else f"a surrogate has values of words, and {self._options['players']} play"
            )
            return super()._explained(texts, classes)
        if self._han is None or self._examples is None:
            from .han import HANTextExplainer

            options = {name: value for name, value in self._given.items() if name != "players"}
            self._han = HANTextExplainer(self.model, corpus, **options)
        self.reasons["Kernel SHAP"] = (
            f"a surrogate learned from {len(corpus):,} texts, and is asked in place of the model"
        )
        return self._han.explain_local(texts, classes)

    def _notes(self, methods, calls, count):
        notes = super()._notes(methods, calls, count)
        others = len(methods) - methods.count("kernel")
        if others:
            self.reasons["Kernel SHAP of all words"] = (
                f"{others:,} of {len(methods):,} documents have more than {FLAT} words, or more than nsamples allow"
            )
        if "lime" in methods:
            notes.append(
                f"{methods.count('lime'):,} of {len(methods):,} documents were explained by LIME, whose values do not "
                "add up to the answer"
            )
        return notes
