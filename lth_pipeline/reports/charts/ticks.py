"""Where an axis has its marks and what stands there, for pictures and pages alike."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from lth_pipeline.reports.charts.chart import Axis

MOST = 8  # labels on an axis
Ticks = list[tuple[float, str]]


def ticks(axis: Axis, values: Iterable[float | None], most: int = MOST) -> Ticks | None:
    """At most `most` (place, label), the first and the last among them. None: whatever the drawing finds good (a linear
    axis). A falling log axis, that of densities, is marked where there are values."""
    if axis.ticks is not None:
        return thinned([(at, say) for at, say in axis.ticks if not axis.log or at > 0], axis, most)
    if not axis.log:
        return None
    there = sorted({float(value) for value in values if value is not None and value > 0 and math.isfinite(value)})
    if axis.limits:
        there = [value for value in there if axis.limits[0] <= value <= axis.limits[1]] or list(axis.limits)
    if not there:
        return None
    if axis.falling:
        return thinned([(value, percent(value)) for value in there], axis, most)
    return log_ticks(*(axis.limits or (there[0], there[-1])), most)


def thinned(marks: Sequence[tuple[float, str]], axis: Axis, most: int = MOST) -> Ticks:
    """Of these marks at most `most`, far enough apart, the outermost among them; picked in the order of reading."""
    marks = sorted(marks, reverse=axis.falling)
    if len(marks) <= 2:
        return marks

    def gap(one: tuple[float, str], other: tuple[float, str]) -> float:
        return abs(math.log(one[0] / other[0])) if axis.log else abs(one[0] - other[0])

    apart = 0.999 * gap(marks[0], marks[-1]) / (most - 1)
    kept = [marks[0]]
    for mark in marks[1:-1]:
        if gap(kept[-1], mark) >= apart and gap(mark, marks[-1]) >= apart:
            kept.append(mark)
    return [*kept, marks[-1]]


def log_ticks(low: float, high: float, most: int = MOST) -> Ticks:
    """1, 2, 5, 10 … where these are not too many, else powers of ten, every second, third … of them."""
    if not 0 < low <= high:
        return []
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    for steps in ((1, 2, 5), (1, 3), (1,)):
        places = [step * 10.0**power for power in range(first, last + 1) for step in steps]
        inside = [place for place in places if low / 1.02 <= place <= high * 1.02]
        if 2 <= len(inside) <= most:
            return [(place, plain(place)) for place in inside]
    every = max(1, -(-(last - first + 1) // most))
    powers = [10.0**power for power in range(first, last + 1, every)]
    inside = [place for place in powers if low / 1.02 <= place <= high * 1.02]
    return [(place, plain(place)) for place in (inside if len(inside) >= 2 else sorted({low, high}))]


def percent(value: float) -> str:
    """A share in percent: "100", "51.3", "0.52"."""
    return f"{value:.0f}" if value >= 99.95 else f"{value:.1f}" if value >= 1 else f"{value:.2g}"


def plain(value: float) -> str:
    """ "0.02", "5,000", "10⁻⁵": short, and read without thinking."""
    if value == 0 or 1e-3 <= abs(value) < 1e5:
        return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    power = math.floor(math.log10(abs(value)) + 1e-9)
    factor = value / 10.0**power
    raised = str(power).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"10{raised}" if abs(factor - 1) < 1e-6 else f"{factor:.3g}×10{raised}"
