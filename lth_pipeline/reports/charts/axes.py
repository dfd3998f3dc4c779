"""What an Axis says, set on matplotlib's axes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from lth_pipeline.reports.charts.chart import Axis
from lth_pipeline.reports.charts.extent import extent, finite
from lth_pipeline.reports.charts.lettering import TICK, literal, width
from lth_pipeline.reports.charts.ticks import MOST, Ticks, plain, ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

APART = {"x": 0.42, "y": 0.32}  # inches between labels, at least


def set_axis(
    axes: Axes,
    which: Literal["x", "y"],
    axis: Axis,
    values: Iterable[float | None],
    inches: float,
    floor: float | None = None,
    beside: Iterable[float] = (),
) -> None:
    """Scale, limits, direction and ticks. values: what it is marked for; beside: what else lies on it; inches: how long
    it is; floor: see `extent`."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

    values = finite(values, axis.log)
    own = axes.xaxis if which == "x" else axes.yaxis
    if axis.log:
        (axes.set_xscale if which == "x" else axes.set_yscale)("log", nonpositive="mask")
    low, high = extent(axis, [*values, *beside], floor)
    (axes.set_xlim if which == "x" else axes.set_ylim)((high, low) if axis.falling else (low, high))
    most = min(MOST, max(3, int(inches / APART[which])))
    if axis.log or axis.ticks is not None:
        marks = ticks(axis, values, most) or []
        if which == "x":
            marks = _fitting(marks, axis, values, inches, most)
        own.set_ticks([at for at, _ in marks], [literal(say) for _, say in marks])
        own.set_minor_locator(NullLocator())
    else:
        own.set_major_locator(MaxNLocator(nbins=most - 1, steps=[1, 2, 2.5, 5, 10]))
        own.set_major_formatter(FuncFormatter(lambda value, _: number(value)))


def _fitting(marks: Ticks, axis: Axis, values: list[float], inches: float, most: int) -> Ticks:
    """As many of the marks as do not touch each other."""
    while most > 2 and len(marks) > 2 and sum(width(say, TICK) + 0.1 for _, say in marks) > inches:
        most -= 1
        marks = ticks(axis, values, most) or []
    return marks


def number(value: float) -> str:
    return plain(0.0 if abs(value) < 1e-12 else value).replace("-", "−")
