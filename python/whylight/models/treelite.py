"""Treelite: a Model, through the checkpoint that it makes."""

from __future__ import annotations

from .._engine import Model
from . import Trees, told


def trees(model) -> Trees:
    return told(Model.parse(model.serialize_bytes(), "<treelite model>"))
