"""Parameters that are of another type than they should be, refused by name."""

from __future__ import annotations

import numpy as np

from .errors import ParameterError


def text(name, value, allowed) -> str:
    """A word; `allowed` says which ones there are."""
    if not isinstance(value, str):
        raise ParameterError(f"{name}: {value!r} is not allowed: {allowed}")
    return value


def device(value) -> str:
    return text("device", value, '"auto", "cpu", "gpu" or "gpu:N"')


def count(name, value, least=0, bits=64) -> int:
    if not isinstance(value, (int, np.integer)) or not least <= value < 2**bits:
        raise ParameterError(f"{name}: {value!r} is not allowed: a whole number from {least}, below 2**{bits}")
    return int(value)


def one_of(name, value, default, other_name, other):
    """What was given under one of two names of the same parameter."""
    if other is None:
        return value
    if value != default:
        raise ParameterError(f"{other_name}: not allowed together with {name}: give one of them")
    return other


def names(name, value) -> list | None:
    """A list of names, or None where there are none."""
    if value is None:
        return None
    try:
        # A text would be a list of letters.
        listed = None if isinstance(value, (str, bytes)) else list(value)
    except TypeError:
        listed = None
    if listed is None:
        raise ParameterError(f"{name}: {value!r} is not allowed: a list of names")
    return listed


def number(name, value) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise ParameterError(f"{name}: {value!r} is not allowed: a number")
    return float(value)


def positive(name, value, zero=False) -> float:
    """A finite number above 0, or from it."""
    found = number(name, value)
    if not np.isfinite(found) or found < 0 or (found == 0 and not zero):
        raise ParameterError(f"{name}: {value!r} is not allowed: a finite number {'from' if zero else 'above'} 0")
    return found
