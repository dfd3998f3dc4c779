"""How the values of a field become colours, for pictures and pages alike."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from lth_pipeline.reports.charts.chart import Heat, Numbers
from lth_pipeline.reports.charts.palette import DIVERGING, SEQUENTIAL
from lth_pipeline.reports.charts.ticks import Ticks, log_ticks


@dataclass(frozen=True)
class Shade:
    """values: those of the field, or their log₁₀; low, high: what the first and the last of `stops` mean. ticks: of
    the colours' own axis, in the same numbers; None: whatever is good."""

    values: list[list[float | None]]
    low: float
    high: float
    stops: Sequence[str]
    ticks: Ticks | None = None


def shade(heat: Heat) -> Shade:
    values = [[_number(value, heat.log) for value in row] for row in heat.values]
    low, high = _limits(heat.limits, heat.log, values)
    if heat.centre is not None:
        centre = math.log10(heat.centre) if heat.log else heat.centre
        half = max(abs(low - centre), abs(high - centre)) or 1.0
        low, high = centre - half, centre + half
    marks = None
    if heat.log:
        marks = [(math.log10(at), say) for at, say in log_ticks(10**low, 10**high, 6)]
    return Shade(values, low, high, SEQUENTIAL if heat.centre is None else DIVERGING, marks)


def heights(values: Sequence[Numbers], log: bool, limits: tuple[float, float] | None) -> Shade:
    """Of a surface: values beyond `limits` are cut off at them."""
    rows = [[_number(value, log) for value in row] for row in values]
    low, high = _limits(limits, log, rows)
    cut = [[None if value is None else min(max(value, low), high) for value in row] for row in rows]
    marks = [(math.log10(at), say) for at, say in log_ticks(10**low, 10**high, 6)] if log else None
    return Shade(cut, low, high, SEQUENTIAL, marks)


def _limits(given: tuple[float, float] | None, log: bool, values: list[list[float | None]]) -> tuple[float, float]:
    if given:
        return tuple(math.log10(value) for value in given) if log else given
    there = [value for row in values for value in row if value is not None]
    low, high = (min(there), max(there)) if there else (0.0, 1.0)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _number(value: float | None, log: bool) -> float | None:
    if value is None or not math.isfinite(value) or (log and value <= 0):
        return None
    return math.log10(value) if log else float(value)
