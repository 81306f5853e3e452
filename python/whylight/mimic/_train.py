"""From a teacher and rows to a surrogate: what is held out, what is tried, and which one is taken."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from .._table import row_count
from ..errors import UnsupportedError, WhylightError
from ..explanation._cells import take
from ._base import ExplainableModel, sample
from ._custom import Custom
from ._distil import augmented, stacked
from ._encode import Encoder, width
from ._fidelity import fidelity, told

#: Of so many rows a fifth is held out.
HOLDS_OUT = 20

#: Up to so many rows each fifth is held out in its turn: a fifth of so few would measure its own luck. Of so many cells
#: one has to do.
IN_TURNS, CELLS = 1000, 1_000_000

#: Up to so many rows the surrogate learns from those that were held out, too, once it was measured.
LEARNS_ALL = 5000

#: How much better than a simpler surrogate one has to be, in R², to be taken by "auto".
BETTER = 1e-3


@dataclasses.dataclass
class Trained:
    """A surrogate, and what is to be said of it."""

    surrogate: ExplainableModel
    encoder: Encoder
    #: Of the surrogate: see `fidelity`.
    fidelity: dict
    #: By surrogate that was tried: its fidelity, or why it could not be trained.
    choice: dict
    notes: list[str]
    #: Encoded rows that stand for those it learned from.
    background: Any


@dataclasses.dataclass
class Lesson:
    """What a surrogate learns from, beside the rows."""

    space: Any
    args: dict
    seed: int
    threads: int

    def teach(self, candidate, x, answers, categorical):
        """A surrogate trained on numbers, and what the model answers."""
        space = self.space
        known = {
            "multiclass": space.outputs > 1 and space.is_classes,
            "random_state": self.seed % 2**31,
            "classification": space.is_classes,
        }
        if issubclass(candidate, ExplainableModel):
            made = candidate(**{**known, **self.args})
        else:
            made = Custom(candidate, options=self.args, **known)
        return made.fit(
            x,
            space.margins(answers),
            space=space,
            probabilities=answers if space.is_probability else None,
            categorical=categorical,
            threads=self.threads,
        )


def train(lesson, teacher, rows, ask, candidates, categorical, most) -> Trained:
    """Trains the candidates, and keeps the best; `ask` asks the teacher, `most` is how often rows may be copied."""
    generator = np.random.default_rng(lesson.seed)
    count, answers, notes, choice = row_count(rows), teacher.answers, teacher.notes, {}
    parts = held_out(count, width(rows), generator)
    extra = augmented(take(rows, without(parts[0], count) if parts else slice(None)), most, generator)
    more = None
    if extra is not None:
        extra = stacked(extra)
        more = ask(extra)
        # They are made of rows that the other parts hold out.
        parts = parts[:1]
        learned = count - sum(map(len, parts))
        notes.append(f"{row_count(extra):,} rows were added to {learned:,}: their columns shuffled, each by itself")
    held = np.sort(np.concatenate(parts)) if parts else np.arange(0)
    encoders, tried = {}, []

    def taught(candidate, encoder, cells, chosen):
        x, y = cells[chosen], answers[chosen]
        if extra is not None:
            x, y = stacked([x, encoder.encode(extra)[0]]), np.concatenate([y, more])
        return lesson.teach(candidate, x, y, encoder.categorical)

    for candidate in candidates:
        one_hot = candidate.one_hot if issubclass(candidate, ExplainableModel) else True
        if one_hot not in encoders:
            encoder = Encoder.of(rows, categorical, one_hot)
            encoders[one_hot] = encoder, encoder.encode(rows)[0]
        encoder, cells = encoders[one_hot]
        found = np.empty_like(answers)
        try:
            # Of too few rows, the one that learned from all of them is measured on them.
            for part in parts or [np.arange(count)]:
                made = taught(candidate, encoder, cells, without(part, count) if parts else part)
                found[part] = made.answers(cells[part])
        except WhylightError as error:
            if len(candidates) == 1:
                raise
            choice[candidate.__name__] = {"refused": str(error)}
            continue
        measured = held if parts else np.arange(count)
        said = fidelity(lesson.space, answers[measured], found[measured], len(held), len(parts))
        choice[candidate.__name__] = said
        tried.append((said, made, candidate, encoder, cells))
    if not tried:
        reasons = "; ".join(said["refused"] for said in choice.values())
        raise UnsupportedError(f'explainable_model: "auto" found no surrogate that could be trained. {reasons}')
    least = max(_r2(said) for said, *_ in tried) - (BETTER if len(candidates) > 1 else 0.0)
    said, made, candidate, encoder, cells = next(one for one in tried if _r2(one[0]) >= least)
    notes.append(told(made._name, said))
    if not parts:
        notes.append(f"too few rows to hold some out: {count} of at least {HOLDS_OUT}")
    elif count <= LEARNS_ALL:
        made = taught(candidate, encoder, cells, np.arange(count))
        notes.append("after that it learned from all of the rows")
    if len(candidates) > 1:
        figures = ", ".join(f"{name} {_figure(said)}" for name, said in choice.items())
        notes.append(f"the surrogate was chosen by R², of those within {BETTER} the simplest: {figures}")
    return Trained(made, encoder, said, choice, notes, sample(cells, lesson.seed))


def held_out(count, columns, generator) -> list:
    """The rows that are held out, by part: each fifth of few rows, one of many rows or cells, none of too few rows."""
    if count < HOLDS_OUT:
        return []
    order = generator.permutation(count)
    ends = [count * i // 5 for i in range(6)]
    parts = [np.sort(order[start:end]) for start, end in zip(ends, ends[1:], strict=False)]
    return parts if count <= IN_TURNS and count * columns <= CELLS else parts[:1]


def without(part, count):
    return np.setdiff1d(np.arange(count), part)


def _r2(said):
    return -np.inf if said["r2"] is None else said["r2"]


def _figure(said):
    return said["refused"] if "refused" in said else f"{_r2(said):.4f}"
