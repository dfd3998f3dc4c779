"""Means over replicates with the least and the greatest, as lines of charts. Tables are those of results.csv and of the
analysis paper_figures: columns replicate, round, arm, draw, density, and what was measured."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import pandas as pd

from lth_pipeline.experiments.arms import ARMS
from lth_pipeline.reports.charts.chart import Axis, Line

ALIKE = 0.1  # percentage points
DENSITY = Axis("weights remaining, % (log)", log=True, falling=True)


class Spread(NamedTuple):
    """x; mean, least and greatest of the replicates there. low, high: None where there is one replicate alone."""

    x: tuple[float, ...]
    mean: tuple[float, ...]
    low: tuple[float, ...] | None
    high: tuple[float, ...] | None


def line(name: str, spread: Spread, **look: Any) -> Line:
    return Line(name, spread.x, spread.mean, spread.low, spread.high, **look)


def by_density(table: pd.DataFrame, arm: str, measure: str, scale: float = 1.0) -> Spread | None:
    """`measure` × scale of an arm against its density in %, densest first; it sets out from the dense network, as in
    the paper. None where the arm is not there."""
    if not (table["arm"] == arm).any():
        return None
    own = per_replicate(table[table["arm"].isin(["dense", arm])], ["round", "density"], [measure])
    grouped = own.groupby("round")
    x = 100 * grouped["density"].mean()
    return _spread(x, scale * own[measure], own["round"])


def over_iterations(curves: pd.DataFrame, column: str, scale: float = 1.0) -> Spread | None:
    """`column` × scale of the learning curves of one arm and round, as far as all replicates go. None for no rows."""
    if curves.empty:
        return None
    own = per_replicate(curves, ["iteration"], [column])
    count = own.groupby("iteration")["replicate"].transform("nunique")
    own = own[count == own["replicate"].nunique()]
    x = own.groupby("iteration")["iteration"].first()
    return _spread(x, scale * own[column], own["iteration"])


def per_replicate(table: pd.DataFrame, keys: list[str], measures: list[str]) -> pd.DataFrame:
    """The mean over draws, so that every replicate counts once; columns replicate, `keys`, `measures`."""
    exact = [key for key in keys if key != "density"]  # of draws each may have its own
    also = ["density"] if "density" in keys else []
    return table.groupby(["replicate", *exact], sort=True)[[*also, *measures]].mean().reset_index()


def arms_of(table: pd.DataFrame) -> list[str]:
    """The arms that are there beside the dense network, in the order of legends."""
    return [arm for arm in ARMS if arm != "dense" and (table["arm"] == arm).any()]


def roomy(tops: Iterable[float], ends: Iterable[float], least: float = 2.0) -> tuple[float, float] | None:
    """Limits for learning curves in %: everything's best and end are inside, the climb from chance need not be. None
    where there is nothing. least: percentage points that are shown at least."""
    tops, ends = [t for t in tops if math.isfinite(t)], [e for e in ends if math.isfinite(e)]
    if not tops or not ends:
        return None
    best = max(tops)
    room = max(2.0 * (best - min(ends)), least)
    return max(0.0, best - room), min(100.5, best + 0.1 * room)


def training_limits(lines: Iterable[Line]) -> tuple[float, float] | None:
    """Limits for training accuracies in %: where all are at 100 there is nothing to look closely at."""
    lows = [low for each in lines for low in (each.low or each.y) if low is not None]
    return (min(98.0, min(lows) - 0.5), 100.2) if lows else None


def training_said(lines: Sequence[Line]) -> str:
    """What takes the place of a panel of training accuracies in %, where all lie within ALIKE of each other: nothing
    would be seen. "" where they do not."""
    every = [value for each in lines for value in (*each.y, *(each.low or ()), *(each.high or ())) if value is not None]
    if not every or max(every) - min(every) > ALIKE:
        return ""
    return f"Training accuracy is not drawn: with every number of weights it is {max(every):.1f} % for all."


def _spread(x: pd.Series, values: pd.Series, at: pd.Series) -> Spread:
    grouped = values.groupby(at)
    columns = x, grouped.mean(), grouped.min(), grouped.max()
    x, mean, low, high = (tuple(map(float, column)) for column in columns)
    return Spread(x, mean, low, high) if grouped.size().max() > 1 else Spread(x, mean, None, None)
