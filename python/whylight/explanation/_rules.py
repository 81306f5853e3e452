"""What LIME compared: the bin or the category of each cell, in words."""

from __future__ import annotations

import math

import numpy as np

from ..errors import ParameterError
from ._cells import as_array


def rules(e, row) -> list[str]:
    """A rule per feature of a row, such as `age <= 28.0`, `sex=Male`, or the name of a quantity."""
    bins = _bins(e)
    if bins is None:
        raise AttributeError("rules: this explanation is not LIME's, or its features are not those that were compared")
    if not -len(e) <= row < len(e):
        raise ParameterError(f"row: {row} is not allowed: a row from 0 to {len(e) - 1}")
    cells = _cells(e, row, bins)
    return [_rule(name, part, cell) for name, part, cell in zip(e.feature_names, bins, cells, strict=True)]


def kept(details, features) -> dict:
    """The details of some features, by position."""
    lime = details.get("lime")
    if not lime or "bins" not in lime:
        return details
    # The column that a feature is of the rows, which stay whole.
    placed = [{**part, "place": part.get("place", place)} for place, part in enumerate(lime["bins"])]
    return {**details, "lime": {**lime, "bins": [placed[i] for i in features]}}


def _bins(e):
    lime = e.details.get("lime") or {}
    bins = lime.get("bins")
    return bins if bins is not None and len(bins) == e.num_features else None


def _cells(e, row, bins):
    """The cells of a row, by feature."""
    data = e._eval_data
    if data is None:
        raise AttributeError("rules: this explanation holds no explained rows")
    named = [str(name) for name in data.columns] if hasattr(data, "columns") and hasattr(data, "iloc") else None
    if named is not None:
        whole = data.iloc[row]
        row_cells = [whole.iloc[place] for place in range(len(named))]
    else:
        cells = as_array(data.tocsr()[[row]].toarray() if hasattr(data, "tocsr") else data)
        row_cells = list(np.atleast_2d(cells)[0 if hasattr(data, "tocsr") else row])
    found = []
    for place, (name, part) in enumerate(zip(e.feature_names, bins, strict=True)):
        if named is not None and name in named:
            found.append(row_cells[named.index(name)])
        else:
            at = part.get("place", place) if len(row_cells) != len(bins) else place
            found.append(row_cells[at])
    return found


def _rule(name, part, cell):
    if part["kind"] == "quantity":
        return name
    if cell is None or cell != cell or type(cell).__name__ == "NAType":
        return f"{name} is missing"
    if part["kind"] == "categories":
        return f"{name}={_category(part, cell)}"
    cuts = part["cuts"]
    if not cuts:
        return name
    at = int(np.searchsorted(cuts, float(cell)))
    if at == 0:
        return f"{name} <= {_short(cuts[0])}"
    if at == len(cuts):
        return f"{name} > {_short(cuts[-1])}"
    return f"{_short(cuts[at - 1])} < {name} <= {_short(cuts[at])}"


def _category(part, cell):
    if isinstance(cell, (str, bytes)):
        return cell
    try:
        number = float(cell)
    except (TypeError, ValueError):
        return cell
    labels = part.get("labels")
    if labels is not None and number in part["values"]:
        return labels[part["values"].index(number)]
    return int(number) if math.isfinite(number) and number == int(number) else number


def _short(number):
    """At most six significant digits."""
    return str(float(f"{number:.6g}"))
