"""Loss surfaces of the findings, as charts want them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    import numpy as np

#: the digits that contour levels begin with, the finest first
DIGITS = ((1, 1.5, 2, 3, 4, 5, 7), (1, 2, 5), (1, 3), (1,))


def key(row: pd.Series) -> str:
    """What the arrays of a row's network are called by."""
    return f"replicate{int(row['replicate'])}/round{int(row['round']):02d}/{row['arm']}"


def rows_with(table: pd.DataFrame, arrays: Mapping[str, np.ndarray], name: str) -> pd.DataFrame:
    """Rows of the first replicate whose networks have the array `name`, by round and in the order of the table."""
    there = table[[f"{key(row)}/{name}" in arrays for _, row in table.iterrows()]]
    return there[there["replicate"] == there["replicate"].min()].sort_values("round", kind="stable")


def field(values: np.ndarray) -> list[list[float | None]]:
    """Rows of numbers; None for what is not finite."""
    return [[float(value) if math.isfinite(value) else None for value in row] for row in values]


def extent(fields: Iterable[np.ndarray], decades: float) -> tuple[float, float]:
    """(least, greatest) of all fields, the least no more than so many `decades` below the greatest."""
    values = [float(value) for one in fields for value in one.flat if math.isfinite(value) and value > 0]
    if not values:
        return 0.1, 1.0
    high = max(values)
    low = max(min(values), high / 10**decades)
    return (low, high) if low < high else (low / 2, high * 2)


def levels(low: float, high: float, most: int = 8) -> list[float]:
    """Round numbers between the two, no more than `most` if that can be, for contours on a log scale."""
    found: list[float] = []
    for digits in DIGITS:
        powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        found = [d * 10.0**power for power in powers for d in digits if low < d * 10.0**power < high]
        if len(found) <= most:
            break
    return found


def numeric(table: pd.DataFrame, text: Iterable[str] = ("arm",)) -> pd.DataFrame:
    """The table with every other column as numbers, None as NaN."""
    return table.assign(**{c: pd.to_numeric(table[c], errors="coerce") for c in table.columns if c not in set(text)})


def percent(share: float) -> str:
    return f"{100 * share:.0f} %"
