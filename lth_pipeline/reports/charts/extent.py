"""From where to where an axis goes, for pictures and pages alike."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Literal

from lth_pipeline.reports.charts.chart import Axis, Bars, Chart, Lines, Numbers, Panel

MARGIN = 0.04  # of an axis's length, beyond its outermost values
EDGE = 1.08  # a log axis goes on by this factor


def finite(values: Iterable[float | None], log: bool = False) -> list[float]:
    """Those that can stand on an axis."""
    numbers = [float(value) for value in values if value is not None]
    return [value for value in numbers if math.isfinite(value) and (value > 0 or not log)]


def extent(axis: Axis, values: Iterable[float | None], floor: float | None = None) -> tuple[float, float]:
    """The least and the greatest value shown. floor: where bars stand; there is no margin below it."""
    if axis.limits:
        return min(axis.limits), max(axis.limits)
    there = finite(values, axis.log)
    if not there:
        return (1.0, 10.0) if axis.log else (0.0, 1.0)
    low, high = min(there), max(there)
    if axis.log:
        return (low if low == floor else low / EDGE), high * EDGE
    if low == high:
        low, high = low - (abs(low) * 0.05 or 0.5), high + (abs(high) * 0.05 or 0.5)
    margin = MARGIN * (high - low)
    return (low if low == floor else low - margin), (high if high == floor else high + margin)


def lines_x(panel: Lines) -> list[float | None]:
    return [x for line in panel.lines for x in line.x]


def lines_y(panel: Lines) -> list[float | None]:
    """The points and the ends of the bands."""
    return [y for line in panel.lines for y in (*line.y, *_there(line.low), *_there(line.high))]


def rules_at(panel: Lines, across: Literal["x", "y"]) -> list[float]:
    return [rule.at for rule in panel.rules if rule.across == across]


def bars_y(panel: Bars) -> list[float | None]:
    """The ends of all bars and whiskers, and where the bars begin."""
    ends = [y for bar in panel.bars for y in (*bar.values, *_there(bar.low), *_there(bar.high))]
    return [*ends, base_of(panel)]


def base_of(panel: Bars) -> float:
    """Where bars begin: at zero, or on a log axis, which has none, at its lower end."""
    if not panel.y.log:
        return 0.0
    if panel.y.limits:
        return min(panel.y.limits)
    there = finite((y for bar in panel.bars for y in (*bar.values, *_there(bar.low))), log=True)
    return min(there) / 2 if there else 1.0


def empty(values: Iterable[float | None]) -> bool:
    return not finite(values)


def with_same_y(chart: Chart) -> Chart:
    """The chart, the y axes of its lines and upright bars from the same to the same where it asks for that."""
    ends = [end for panel in chart.panels if _upright(panel) for end in y_extent(panel)]
    if not chart.same_y or not ends:
        return chart
    limits = min(ends), max(ends)
    panels = [replace(p, y=replace(p.y, limits=limits)) if _upright(p) else p for p in chart.panels]
    return replace(chart, panels=panels)


def y_extent(panel: Lines | Bars) -> tuple[float, float]:
    if isinstance(panel, Lines):
        return extent(panel.y, [*lines_y(panel), *rules_at(panel, "y")])
    return extent(panel.y, bars_y(panel), base_of(panel))


def _upright(panel: Panel) -> bool:
    return isinstance(panel, Lines) or (isinstance(panel, Bars) and not panel.lying)


def _there(values: Numbers | None) -> Numbers:
    return () if values is None else values
