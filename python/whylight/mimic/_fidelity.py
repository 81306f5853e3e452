"""How well a surrogate answers as its teacher does."""

from __future__ import annotations

import numpy as np


def fidelity(space, expected, found, held_out, parts=0) -> dict:
    """Of answers (rows, width) of the teacher and of the surrogate.

    `held_out` is how many rows the surrogate was not trained on when it answered them; 0 where they are those of the
    training. They are held out in so many `parts`, each by a surrogate that learned from the rest. `r2` is
    1 − Σ (found − expected)² / Σ (expected − mean)², the mean over the outputs that vary; of classifiers `agreement` is
    the share of rows with the same class, and of probabilities `kl` the mean Kullback–Leibler divergence from the
    teacher's, in nats.
    """
    said = {"rows": len(expected), "held_out": held_out, "parts": parts, "r2": r2(expected, found), "of": space.kind}
    if space.is_classes:
        said["agreement"] = float((space.labels(expected) == space.labels(found)).mean())
    if space.is_probability:
        said["kl"] = divergence(expected, found)
    return said


def r2(expected, found) -> float | None:
    """The coefficient of determination, the mean over the outputs that vary; None where none does."""
    left = ((found - expected) ** 2).sum(axis=0)
    whole = ((expected - expected.mean(axis=0)) ** 2).sum(axis=0)
    varies = whole > 0
    return float((1.0 - left[varies] / whole[varies]).mean()) if varies.any() else None


def divergence(expected, found) -> float:
    """Σ p ln (p / q) in nats, the mean over rows."""
    expected = np.clip(expected, 0.0, None)
    logs = np.log(np.maximum(expected, 1e-300)) - np.log(np.maximum(found, 1e-12))
    return float(np.where(expected > 0, expected * logs, 0.0).sum(axis=1).mean())


def told(name, said) -> str:
    """A sentence for the notes."""
    parts = [f"R² {said['r2']:.4f}" if said["r2"] is not None else "R² unknown"]
    if "agreement" in said:
        parts.append(f"the same class for {said['agreement']:.1%}")
    if "kl" in said:
        parts.append(f"KL {said['kl']:.4f} nats")
    rows = f"{said['held_out']:,} rows held out" if said["held_out"] else f"the {said['rows']:,} training rows"
    if said["parts"] > 1:
        rows += f", in {said['parts']} parts"
    return f"{name} answers as the model does on {rows}: {', '.join(parts)}"
