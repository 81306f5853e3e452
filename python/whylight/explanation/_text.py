"""The explanation of texts: values of their words and sentences."""

from __future__ import annotations

import uuid

import numpy as np

from ..errors import ParameterError, ShapeError
from ._details import Details
from ._text_global import WordImportance


class TextExplanation(Details):
    """What the words of documents add to what a model says of them.

    - `documents`: the texts; `words` the words of each; `offsets` their places, (words, 2), in characters:
      `document[start:end]` is the word; `sentences` the sentences of each, `sentence_offsets` their places, and
      `sentence_of` the sentence of each word;
    - `values`: for each document (words[, outputs]); the last axis is there for models of several outputs. Words that
      were explained together share their value evenly: `player_of` numbers, for each word, with whom it was.
      `sentence_values` are the sums over the words of each sentence;
    - `base_values`: (documents[, outputs]): what values begin at, the answer to the text without its words, or LIME's
      intercept; `answers`: (documents[, outputs]): the model's answers. Shapley values lead from the one to the other;
    - `standard_errors`: laid out as the values are, where they are estimated, else None;
    - `local_fit`: (documents[, outputs]): the weighted R² of LIME's model, None of other methods;
    - `attention`, `sentence_attention`, `fidelity`, `surrogate_answers`: of a surrogate, None of methods without: the
      weights of words in their sentences, and of sentences; how well it answers other texts as the model does; and its
      own answers to these, (documents[, outputs]), beside `answers`;
    - `output_names`, `details`: a name for each output; everything that was computed and how.

    Slicing by documents gives the explanation of those documents. `html()` shows the texts with their words
    highlighted, `global_importance()` ranks words over all documents.
    """

    def __init__(
        self,
        documents,
        *,
        offsets,
        sentence_offsets,
        sentence_of,
        player_of,
        values,
        base_values,
        answers,
        standard_errors=None,
        local_fit=None,
        attention=None,
        sentence_attention=None,
        fidelity=None,
        output_names=None,
        classes=None,
        model_task="unknown",
        model_type=None,
        details=None,
        id=None,
    ):
        """Every array of values with an axis of outputs at its end."""

        def arrays(parts, kind=np.float64):
            return None if parts is None else [np.asarray(part, kind) for part in parts]

        self.documents = list(documents)
        self.offsets, self.sentence_offsets = arrays(offsets, np.int64), arrays(sentence_offsets, np.int64)
        self.sentence_of, self.player_of = arrays(sentence_of, np.int64), arrays(player_of, np.int64)
        self._values, self._errors = arrays(values), arrays(standard_errors)
        self._base, self._answers = np.asarray(base_values, np.float64), np.asarray(answers, np.float64)
        self._fit = None if local_fit is None else np.asarray(local_fit, np.float64)
        self.attention, self.sentence_attention, self.fidelity = arrays(attention), arrays(sentence_attention), fidelity
        self._check()
        outputs = self.num_outputs
        self.output_names = [f"output {k}" for k in range(outputs)] if output_names is None else list(output_names)
        if len(self.output_names) != outputs:
            raise ShapeError(f"output_names: expected {outputs}, one per output, got {len(self.output_names)}")
        self._classes = None if classes is None else list(classes)
        self.model_task, self.model_type = model_task, model_type
        self.details = dict(details or {})
        self.id = id or str(uuid.uuid4())

    def _check(self):
        """Refuses arrays that do not belong together."""
        count = len(self.documents)
        if self._base.ndim != 2 or 0 in self._base.shape or len(self._base) != count:
            raise ShapeError(f"base_values: expected ({count}, outputs), got {self._base.shape}")
        for name, array in (("answers", self._answers), ("local_fit", self._fit)):
            if array is not None and array.shape != self._base.shape:
                raise ShapeError(f"{name}: expected {self._base.shape}, got {array.shape}")
        lists = {
            "offsets": self.offsets,
            "sentence_offsets": self.sentence_offsets,
            "sentence_of": self.sentence_of,
            "player_of": self.player_of,
            "values": self._values,
            "standard_errors": self._errors,
            "attention": self.attention,
            "sentence_attention": self.sentence_attention,
        }
        for name, parts in lists.items():
            if parts is not None and len(parts) != count:
                raise ShapeError(f"{name}: expected those of {count} documents, got {len(parts)}")
        for i, text in enumerate(self.documents):
            words, sentences = len(self.offsets[i]), len(self.sentence_offsets[i])
            for name, found in (("offsets", self.offsets[i]), ("sentence_offsets", self.sentence_offsets[i])):
                ends = found.ravel()
                inside = not len(ends) or (ends[0] >= 0 and ends[-1] <= len(text) and (np.diff(ends) >= 0).all())
                if found.ndim != 2 or found.shape[1] != 2 or not inside:
                    raise ShapeError(f"{name}: those of document {i} are no places in it, one after the other")
            for name, found in (("sentence_of", self.sentence_of[i]), ("player_of", self.player_of[i])):
                most = sentences if name == "sentence_of" else words
                if found.shape != (words,) or (words and not 0 <= found.min() <= found.max() < most):
                    raise ShapeError(f"{name}: expected one for each of the {words} words of document {i}")
            for name, parts in (("values", self._values), ("standard_errors", self._errors)):
                if parts is not None and parts[i].shape != (words, self.num_outputs):
                    raise ShapeError(
                        f"{name}: expected ({words}, {self.num_outputs}) of document {i}, got {parts[i].shape}"
                    )

    # What was computed ----------------------------------------------------------------------------------------------

    def _of_outputs(self, array):
        """Without the axis of outputs where there is one alone."""
        return array[..., 0] if array is not None and self.num_outputs == 1 else array

    @property
    def words(self) -> list:
        return [
            [text[start:end] for start, end in offsets.tolist()]
            for text, offsets in zip(self.documents, self.offsets, strict=True)
        ]

    @property
    def sentences(self) -> list:
        return [
            [text[start:end].strip() for start, end in offsets.tolist()]
            for text, offsets in zip(self.documents, self.sentence_offsets, strict=True)
        ]

    @property
    def values(self) -> list:
        return [self._of_outputs(part) for part in self._values]

    @property
    def standard_errors(self):
        return None if self._errors is None else [self._of_outputs(part) for part in self._errors]

    @property
    def sentence_values(self) -> list:
        """For each document the values of its sentences, (sentences[, outputs]): the sums over their words."""
        found = []
        for values, of, places in zip(self._values, self.sentence_of, self.sentence_offsets, strict=True):
            sums = np.zeros((len(places), self.num_outputs))
            np.add.at(sums, of, values)
            found.append(self._of_outputs(sums))
        return found

    @property
    def base_values(self):
        return self._of_outputs(self._base)

    @property
    def answers(self):
        return self._of_outputs(self._answers)

    @property
    def local_fit(self):
        return self._of_outputs(self._fit)

    @property
    def num_outputs(self) -> int:
        return self._base.shape[1]

    @property
    def sums(self):
        """Base value and values together, (documents[, outputs]): of Shapley values, what the model answers."""
        return self._of_outputs(self._base + np.array([part.sum(axis=0) for part in self._values]))

    @property
    def surrogate_answers(self):
        found = self.details.get("surrogate_answers")
        return None if found is None else self._of_outputs(np.asarray(found, np.float64))

    @property
    def exact(self) -> bool:
        """Whether all values are exact up to rounding."""
        return all(self.details.get("exact", [False]))

    # interpret's face -----------------------------------------------------------------------------------------------

    @property
    def explanation_type(self) -> str:
        return "local"

    @property
    def num_examples(self) -> int:
        return len(self)

    @property
    def classes(self):
        """The names of a classifier's outputs, or None."""
        return self._classes

    @property
    def expected_values(self) -> list:
        """The base values: [document], of several outputs [output][document]."""
        return self.base_values.T.tolist()

    def _laid(self, of):
        """Something of each document's values of an output: [document], of several outputs [output][document]."""
        found = [[of(i, part[:, k]) for i, part in enumerate(self._values)] for k in range(self.num_outputs)]
        return found[0] if self.num_outputs == 1 else found

    @property
    def local_importance_values(self) -> list:
        """[document][word]; of several outputs [output] before the document."""
        return self._laid(lambda _, values: values.tolist())

    @property
    def local_importance_rank(self) -> list:
        """The positions of the words by value, descending, laid out as `local_importance_values`."""
        return self._laid(lambda _, values: _descending(values).tolist())

    @property
    def ordered_local_importance_values(self) -> list:
        """The values in that order."""
        return self.get_ranked_local_values()

    def get_ranked_local_names(self, top_k=None) -> list:
        """The words by value, descending, laid out as `local_importance_values`."""
        words = self.words
        return self._laid(lambda i, values: [words[i][word] for word in _descending(values)[:top_k]])

    def get_ranked_local_values(self, top_k=None) -> list:
        return self._laid(lambda _, values: values[_descending(values)][:top_k].tolist())

    # Over documents -------------------------------------------------------------------------------------------------

    def global_importance(self, *, min_count=1, case=False) -> WordImportance:
        """The words of all documents with what they add on average, those of the largest mean |value| first.

        Words are one where they are spelled alike, but for the case unless `case`; those that are less than `min_count`
        times in the documents are left out.
        """
        return WordImportance.of(self, min_count, case)

    @property
    def global_importance_values(self) -> list:
        """The mean |value| of the words of `get_ranked_global_names`, over outputs."""
        return self.get_ranked_global_values()

    def get_ranked_global_names(self, top_k=None, *, min_count=1) -> list:
        return self.global_importance(min_count=min_count).words[:top_k]

    def get_ranked_global_values(self, top_k=None, *, min_count=1) -> list:
        return self.global_importance(min_count=min_count).overall[:top_k].tolist()

    def get_feature_importance_dict(self, top_k=None, *, min_count=1) -> dict:
        found = self.global_importance(min_count=min_count)
        return dict(zip(found.words[:top_k], found.overall[:top_k].tolist(), strict=True))

    # Documents ------------------------------------------------------------------------------------------------------

    def __len__(self):
        return len(self.documents)

    def __getitem__(self, documents) -> TextExplanation:
        """The explanation of some documents: a position, a slice, or an array of positions or truths."""
        if isinstance(documents, (int, np.integer)):
            chosen = [self._position(documents)]
        else:
            chosen = np.arange(len(self))[documents].tolist()
        if not isinstance(chosen, list) or not chosen:
            raise IndexError(f"{documents!r}: no documents of {len(self)}")

        def of(parts):
            return None if parts is None else [parts[i] for i in chosen]

        details = {
            name: of(part) if name in ("methods", "exact", "texts_of", "surrogate_answers") else part
            for name, part in self.details.items()
        }
        return TextExplanation(
            of(self.documents),
            offsets=of(self.offsets),
            sentence_offsets=of(self.sentence_offsets),
            sentence_of=of(self.sentence_of),
            player_of=of(self.player_of),
            values=of(self._values),
            base_values=self._base[chosen],
            answers=self._answers[chosen],
            standard_errors=of(self._errors),
            local_fit=None if self._fit is None else self._fit[chosen],
            attention=of(self.attention),
            sentence_attention=of(self.sentence_attention),
            fidelity=self.fidelity,
            output_names=self.output_names,
            classes=self._classes,
            model_task=self.model_task,
            model_type=self.model_type,
            details=details,
        )

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def _position(self, index) -> int:
        if isinstance(index, bool) or not isinstance(index, (int, np.integer)) or not -len(self) <= index < len(self):
            raise IndexError(f"document {index} of {len(self)}")
        return int(index) % len(self)

    def _output(self, output) -> int:
        """The position of an output, by its name or position."""
        if isinstance(output, str) and output in self.output_names:
            return self.output_names.index(output)
        whole = isinstance(output, (int, np.integer)) and not isinstance(output, bool)
        if not whole or not 0 <= output < self.num_outputs:
            names = ", ".join(self.output_names[:8]) + (", …" if self.num_outputs > 8 else "")
            raise ParameterError(
                f"output: {output!r} is not allowed: a position from 0 to {self.num_outputs - 1}, or one of {names}"
            )
        return int(output)

    def html(self, output=None, *, max_documents=10) -> str:
        """The texts with their words highlighted, as HTML that needs nothing else.

        Words that raise the output have an orange ground and a solid line below, those that lower it a blue one and a
        dashed line; the larger the value, the stronger. `output` is a name or a position; without it, the one of the
        largest answer of each document.
        """
        from ..text._html import page

        return page(self, output, max_documents)

    def _repr_html_(self):
        return self.html(max_documents=3)

    def to_shap(self):
        """A `shap.Explanation`, for `shap.plots.text`: a token is a word with what follows it up to the next."""
        import shap

        tokens, values = [], []
        for text, offsets, part in zip(self.documents, self.offsets, self._values, strict=True):
            starts = [0, *offsets[1:, 0].tolist(), len(text)]
            pieces = [text[start:end] for start, end in zip(starts, starts[1:], strict=False)]
            tokens.append(np.array(pieces if len(offsets) else [text], dtype=object))
            values.append(self._of_outputs(part if len(offsets) else np.zeros((1, self.num_outputs))))
        if len(self) > 1:
            # Documents of one length would become an array of more axes.
            parts = np.empty(len(self), dtype=object), np.empty(len(self), dtype=object)
            parts[0][:], parts[1][:] = values, tokens
            values, tokens = parts
        else:
            values, tokens = np.array(values), np.array(tokens)
        return shap.Explanation(
            values,
            base_values=self.base_values,
            data=tokens,
            output_names=self.output_names if self.num_outputs > 1 else None,
        )

    def __repr__(self):
        count, words, outputs = len(self), sum(map(len, self.offsets)), self.num_outputs
        documents = f"{count:,} document{'s' if count > 1 else ''} of {words:,} words"
        return f"TextExplanation({self.method}: {documents}, {outputs} output{'s' if outputs > 1 else ''})"


def _descending(values):
    return np.argsort(-values, kind="stable")
