"""What words add on average over documents."""

from __future__ import annotations

import numpy as np

from .. import _parameters


class WordImportance:
    """Words over documents, those of the largest mean |value| first.

    - `words`: as they are spelled, in lower case unless the case counts;
    - `counts`, `document_counts`: how often each is in the documents, and in how many;
    - `mean_abs`, `mean`: the means of |value| and value over its places, (words[, outputs]);
    - `overall`: the mean of `mean_abs` over the outputs, by which words are ranked.
    """

    def __init__(self, words, counts, document_counts, mean_abs, mean):
        """The means with an axis of outputs at their end."""
        self.words, self.counts, self.document_counts = words, counts, document_counts
        self._abs, self._mean = mean_abs, mean

    @classmethod
    def of(cls, explanation, min_count, case):
        min_count = _parameters.count("min_count", min_count, 1)
        numbers, places, documents = {}, [], []
        for i, words in enumerate(explanation.words):
            found = [numbers.setdefault(word if case else word.lower(), len(numbers)) for word in words]
            places += found
            documents += [(number, i) for number in set(found)]
        values = np.concatenate(explanation._values)
        counts = np.bincount(places, minlength=len(numbers))
        within = np.bincount([number for number, _ in documents], minlength=len(numbers))
        sums = np.zeros((2, len(numbers), values.shape[1]))
        np.add.at(sums[0], places, np.abs(values))
        np.add.at(sums[1], places, values)
        means = sums / np.maximum(counts, 1)[:, np.newaxis]
        spelled = list(numbers)
        kept = [k for k in np.argsort(-means[0].mean(axis=1), kind="stable").tolist() if counts[k] >= min_count]
        return cls([spelled[k] for k in kept], counts[kept], within[kept], means[0][kept], means[1][kept])

    def _of_outputs(self, array):
        return array[..., 0] if array.shape[-1] == 1 else array

    @property
    def mean_abs(self):
        return self._of_outputs(self._abs)

    @property
    def mean(self):
        return self._of_outputs(self._mean)

    @property
    def overall(self):
        return self._abs.mean(axis=1)

    def __len__(self):
        return len(self.words)

    def __repr__(self):
        first = ", ".join(f"{word} {value:.3g}" for word, value in zip(self.words[:5], self.overall[:5], strict=True))
        return f"WordImportance({len(self):,} words: {first}{', …' if len(self) > 5 else ''})"
