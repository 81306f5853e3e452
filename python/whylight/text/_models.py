"""Models of texts: what is asked of them, and what they answer."""

from __future__ import annotations

import numpy as np

from ..errors import ModelError, ParameterError
from ..image._outputs import named
from ..models.function import asked, numbers


class Asked:
    """A model of texts: a function of a list of texts, or an object that predicts.

    A pipeline of transformers, or a function that answers as one, gives for each text a list of dicts with a `label`
    and a `score`; its outputs are the labels, sorted.
    """

    def __init__(self, model, output, classes, outputs):
        self.name = getattr(model, "__qualname__", type(model).__qualname__)
        self._pipeline = any(kind.__module__.startswith("transformers.pipelines") for kind in type(model).__mro__)
        if self._pipeline:
            self._ask, self.task, self.known = model, "classification", None
        else:
            self._ask, self.task, self.known = asked(model, output)
        self._classes, self._wanted = classes, outputs
        self._kept = None
        self.said = {}

    def answer(self, texts):
        """The answers to texts: float64 (texts, kept outputs)."""
        # All scores, and not that of the likeliest label alone.
        answer = self._ask(texts, top_k=None) if self._pipeline else self._ask(texts)
        if isinstance(answer, (list, tuple)) and answer and _is_scores(answer[0]):
            answer = self._scores(answer)
        answer = numbers(answer, len(texts), self.name)
        if len(answer) != len(texts):
            raise ModelError(f"{self.name}: {len(answer)} answers to {len(texts)} texts; expected one for each text")
        if self._kept is None:
            known = self.known if self._classes is None else self._classes
            self._kept, self.said = named(answer.shape[1], known, self._classes is not None, self._wanted)
            self._count = answer.shape[1]
        elif answer.shape[1] != self._count:
            raise ModelError(
                f"{self.name}: {answer.shape[1]} outputs, but {self._count} before; expected the same for every text"
            )
        return np.ascontiguousarray(answer[:, self._kept])

    def _scores(self, answer):
        """The scores of dicts with labels, by label."""
        labels = sorted({str(score["label"]) for scores in answer for score in _list(scores)})
        if self.known is None:
            self.known = labels
        found = np.full((len(answer), len(self.known)), np.nan)
        for row, scores in zip(found, answer, strict=True):
            for score in _list(scores):
                if str(score["label"]) in self.known:
                    row[self.known.index(str(score["label"]))] = score["score"]
        if np.isnan(found).any():
            raise ModelError(
                f"{self.name}: it answers with a score for some labels alone; let it give all of them (of "
                "transformers, pipeline(..., top_k=None))"
            )
        return found


def _list(scores):
    return [scores] if isinstance(scores, dict) else scores


def _is_scores(answer):
    first = _list(answer)
    return (
        isinstance(first, list) and bool(first) and isinstance(first[0], dict) and {"label", "score"} <= set(first[0])
    )


def texts_of(documents):
    """A list of texts, from one or several."""
    listed = [documents] if isinstance(documents, str) else documents
    if isinstance(listed, (bytes, dict)) or not hasattr(listed, "__iter__"):
        raise ParameterError(f"documents: {type(documents).__name__} is not allowed: a text, or a list of texts")
    listed = list(listed)
    if not listed:
        raise ParameterError("documents: none are not allowed: give at least one text")
    for i, text in enumerate(listed):
        if not isinstance(text, str):
            raise ParameterError(f"documents: entry {i} is a {type(text).__name__}; expected a text")
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ParameterError(
                f"documents: entry {i} holds half of a character (a lone surrogate); decode it with errors='replace'"
            ) from None
    # Those of NumPy are texts, and more.
    return [str(text) for text in listed]
