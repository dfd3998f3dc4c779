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


def colour_at(made: Shade, value: float) -> str:
    """The colour ("#rrggbb") of a value, which is counted as those of `made` are."""
    place = (len(made.stops) - 1) * min(1.0, max(0.0, (value - made.low) / (made.high - made.low)))
    left = min(int(place), len(made.stops) - 2)
    parts = zip(_rgb(made.stops[left]), _rgb(made.stops[left + 1]), strict=True)
    return "#" + "".join(f"{round(a + (place - left) * (b - a)):02x}" for a, b in parts)


def ink_on(colour: str) -> str:
    """Black or white, whichever is read better on the colour: a contrast of 4.5 to 1 or more."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (p / 255 for p in _rgb(colour))]
    brightness = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#fffffe" if brightness < 0.179 else "#000000"


def _rgb(colour: str) -> list[int]:
    return [int(colour[place : place + 2], 16) for place in (1, 3, 5)]


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
