"""Groups of bars with whiskers, upright or lying, on matplotlib's axes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from lth_pipeline.reports.charts.axes import set_axis
from lth_pipeline.reports.charts.chart import Bars
from lth_pipeline.reports.charts.extent import bars_y, base_of, finite
from lth_pipeline.reports.charts.layout import Box, group_labels
from lth_pipeline.reports.charts.lettering import TICK, literal
from lth_pipeline.reports.charts.palette import Look, look_key
from lth_pipeline.reports.drawing import INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FILLED = 0.8  # of a group's room


def draw_bars(axes: Axes, panel: Bars, looks: Mapping[tuple, Look], box: Box) -> None:
    thick = FILLED / max(1, len(panel.bars))
    base = base_of(panel)
    for number, bar in enumerate(panel.bars):
        look = looks[look_key(bar)]
        for group, value in enumerate(bar.values):
            if value is None or value != value:
                continue
            at = group + (number - (len(panel.bars) - 1) / 2) * thick
            rect = {"color": look.colour, "zorder": 2}
            if panel.lying:
                axes.barh(at, value - base, height=0.92 * thick, left=base, **rect)
            else:
                axes.bar(at, value - base, width=0.92 * thick, bottom=base, **rect)
            if bar.low is not None and bar.high is not None and None not in (bar.low[group], bar.high[group]):
                low, high = bar.low[group], bar.high[group]
                stick = ([low, high], [at, at]) if panel.lying else ([at, at], [low, high])
                axes.plot(*stick, color=INK, linewidth=1.0, zorder=3)
    places = range(len(panel.groups))
    if panel.lying:
        axes.set_ylim(len(panel.groups) - 0.5, -0.5)
        axes.set_yticks(places, [literal(group) for group in panel.groups])
        axes.grid(axis="y", visible=False)
        set_axis(axes, "x", panel.y, bars_y(panel), box.wide, base)
    else:
        labels, leans = group_labels(panel, box.wide)
        axes.set_xlim(-0.5, len(panel.groups) - 0.5)
        how = {"rotation": 35, "ha": "right", "rotation_mode": "anchor"} if leans else {}
        axes.set_xticks(places, [literal(label) for label in labels], fontsize=TICK, **how)
        axes.grid(axis="x", visible=False)
        set_axis(axes, "y", panel.y, bars_y(panel), box.high, base)
    if base == 0 and min(finite(bars_y(panel))) < 0:
        (axes.axvline if panel.lying else axes.axhline)(0, color=INK, linewidth=0.8)
