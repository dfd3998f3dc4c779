"""Means over replicates against whatever it is, as lines of charts."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from lth_pipeline.reports.over_replicates import Spread

MOST_LINES = 5  # beside the dense network's: more cannot be told apart in one panel


def evenly(values: Iterable[int], most: int = MOST_LINES) -> list[int]:
    """At most `most` of `values`, each once, rising, the first and the last among them."""
    there = sorted(set(values))
    if len(there) <= most:
        return there
    return [there[round(place * (len(there) - 1) / (most - 1))] for place in range(most)]


def along(table: pd.DataFrame, x: str, y: str, scale: float = 1.0, x_scale: float = 1.0) -> Spread | None:
    """`y` × scale against `x` × x_scale, rising: mean, least and greatest of the rows at each x. Rows without a value
    are left out; None where all are."""
    there = table.dropna(subset=[x, y])
    if there.empty:
        return None
    grouped = scale * there.groupby(x)[y].agg(["mean", "min", "max"])
    columns = (grouped.index.to_series() * x_scale, grouped["mean"], grouped["min"], grouped["max"])
    at, mean, low, high = (tuple(map(float, column)) for column in columns)
    return Spread(at, mean, low, high) if there.groupby(x).size().max() > 1 else Spread(at, mean, None, None)
