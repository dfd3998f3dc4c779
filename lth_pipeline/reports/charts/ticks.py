"""Where an axis has its marks and what stands there, for pictures and pages alike."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise

from lth_pipeline.reports.charts.chart import Axis
from lth_pipeline.reports.charts.extent import extent, finite

MOST = 8  # labels on an axis
#: of an axis that has fewer than two round places: tenths of a power of ten, ever closer
FINER = ((10, 15, 20, 30, 50, 70), (10, 12, 15, 20, 25, 30, 40, 50, 60, 70, 80, 90), range(10, 100, 2), range(10, 100))
Ticks = list[tuple[float, str]]


def ticks(axis: Axis, values: Iterable[float | None], most: int = MOST) -> Ticks | None:
    """At most `most` (place, label), the outermost of the axis among them. None: whatever the drawing finds good (a
    linear axis). A falling log axis, that of densities, is marked where there are values."""
    if axis.ticks is not None:
        low, high = extent(axis, values)
        return thinned([(at, say) for at, say in axis.ticks if low <= at <= high], axis, most)
    if not axis.log:
        return None
    there = sorted(set(finite(values, log=True)))
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
    # every second, third … of them, where they are about evenly spaced; the last takes the place of one too near
    last = len(marks) - 1
    step = next((step for step in range(1, last + 1) if last % step == 0 and last // step < most), last)
    step = min(step, -(-last // (most - 1))) if last // step < most // 2 else step
    even = [mark for place, mark in enumerate(marks[:-1]) if place % step == 0 and last - place >= step] + [marks[-1]]
    if all(gap(one, other) >= 0.6 * apart for one, other in pairwise(even)):
        return even
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
    for steps in FINER if len(inside) < 2 else ():
        places = [step * 10.0 ** (power - 1) for power in range(first, last + 1) for step in steps]
        inside = [place for place in places if low <= place <= high]
        if 2 <= len(inside) <= most:
            break
    else:
        inside = inside if 2 <= len(inside) <= most else sorted({low, high})
    return [(place, f"{place:.3g}" if 1e-3 <= place < 1e3 else plain(place)) for place in inside]


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
