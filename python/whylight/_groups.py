"""Who plays the game: groups of features as people name them, or raw features by their engineered columns."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from .errors import ParameterError

#: The groups that transformations tell: the columns of each raw feature.
BY_RAW = "transformations"


def listed(groups, names, count) -> list[tuple[str, list[int]]]:
    """The groups of a dict, by the positions of their features; all within a nested dict plays under its outer name.

    `names` are those of the `count` features, or None.
    """
    if not isinstance(groups, Mapping):
        raise ParameterError(
            f'groups: {groups!r} is not allowed: a dict of names with lists of features, or "{BY_RAW}"'
        )
    places = {name: place for place, name in enumerate(names or [])}

    def position(feature, group):
        if isinstance(feature, (int, np.integer)) and not isinstance(feature, bool) and 0 <= feature < count:
            return int(feature)
        # XGBoost and LightGBM may have trained on such names.
        name = str(feature)
        place = places.get(name, places.get(name.replace(" ", "_"))) if isinstance(feature, str) else None
        if place is None:
            known = "which have no names: name them with features" if names is None else ", ".join(names[:8])
            more = ", …" if names is not None and count > 8 else ""
            raise ParameterError(
                f'groups: {feature!r} in the group "{group}" is not allowed: positions from 0 to {count - 1}, or names '
                f"of the model's features, {known}{more}"
            )
        return place

    made = [(str(name), [position(f, name) for f in _leaves(name, members)]) for name, members in groups.items()]
    grouped = {place for _, members in made for place in members}
    for group, _ in made:
        if places.get(group) not in {None, *grouped}:
            raise ParameterError(
                f'groups: the name "{group}" is not allowed: a feature outside the group has it; choose another'
            )
    return made


def _leaves(group, members):
    """All features within a group."""
    if isinstance(members, Mapping):
        return [leaf for name, inner in members.items() for leaf in _leaves(name, inner)]
    if isinstance(members, (str, bytes)) or not hasattr(members, "__iter__"):
        raise ParameterError(f'groups: {members!r} as the group "{group}" is not allowed: a list of features')
    return list(members)


def renamed(header, names) -> tuple[list[str], dict[str, list[str]]]:
    """The names of the players, and of the features in the groups among them; `names` are those of all features."""
    own = dict(zip(header["columns"], names or header["columns"], strict=True))
    groups = {name: [own[column] for column in columns] for name, columns in header["groups"]}
    return [name if name in groups else own[name] for name in header["feature_names"]], groups


@dataclasses.dataclass
class RawFeatures:
    """Raw features as players: each plays with all its engineered columns."""

    #: Those that have columns, in the order of their first ones, and the positions of these.
    groups: list[tuple[str, list[int]]]
    #: By group its place among the raw features.
    places: list[int]
    count: int

    def all(self, values, axis):
        """The values of the players as those of all raw features: 0 where a feature has no columns."""
        shape = list(values.shape)
        shape[axis] = self.count
        whole = np.zeros(shape, values.dtype)
        whole[(slice(None),) * axis + (self.places,)] = values
        return whole


def raw_features(transformations, names=None) -> RawFeatures:
    """The raw features of transformations that have seen rows; `names` are those that the user gave them."""
    feature_map = transformations.feature_map()
    count = feature_map.shape[0]
    names = names or transformations.raw_names or [f"f{raw}" for raw in range(count)]
    columns = {}
    parents = [[] for _ in range(feature_map.shape[1])]
    for raw, column in zip(*map(np.ndarray.tolist, feature_map.nonzero()), strict=True):
        parents[column].append(raw)
    for column, raws in enumerate(parents):
        if len(raws) != 1:
            of = ", ".join(str(names[raw]) for raw in raws) or "no raw feature"
            raise ParameterError(
                f'groups: "{BY_RAW}" is not allowed where a column comes from several raw features: '
                f'"{transformations.engineered_names[column]}" comes from {of}; leave groups out, which divides the '
                "values of such columns evenly"
            )
        columns.setdefault(raws[0], []).append(column)
    return RawFeatures([(str(names[raw]), own) for raw, own in columns.items()], list(columns), count)
