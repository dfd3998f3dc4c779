"""Lines with their bands and rules, on matplotlib's axes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from lth_pipeline.reports.charts.axes import set_axis
from lth_pipeline.reports.charts.chart import Line, Lines, Numbers, Rule
from lth_pipeline.reports.charts.extent import empty, lines_x, lines_y
from lth_pipeline.reports.charts.layout import Box
from lth_pipeline.reports.charts.lettering import SMALL, literal
from lth_pipeline.reports.charts.palette import Look, arm_look, look_key

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DASHES = {"solid": "-", "dashed": (0, (4, 2)), "dotted": (0, (1, 1.5)), "points": "none"}
RULE = "#666666"


def draw_lines(axes: Axes, panel: Lines, looks: Mapping[tuple, Look], box: Box) -> None:
    for line in panel.lines:
        _draw_line(axes, line, looks[look_key(line)])
    set_axis(axes, "x", panel.x, lines_x(panel), box.wide)
    set_axis(axes, "y", panel.y, lines_y(panel), box.high)
    for rule in panel.rules:
        _draw_rule(axes, rule)
    if empty([y for line in panel.lines for y in line.y]):
        axes.set(xticks=[], yticks=[])
        axes.text(0.5, 0.5, "nothing to show", ha="center", va="center", transform=axes.transAxes, fontsize=9)


def _draw_line(axes: Axes, line: Line, look: Look) -> None:
    x, y = _floats(line.x), _floats(line.y)
    dots = line.style == "points"
    axes.plot(
        x,
        y,
        color=look.colour,
        linestyle=DASHES[line.style],
        linewidth=0.9 if line.faint else 1.5,
        alpha=0.4 if line.faint else 1.0,
        marker=look.marker if line.marks or dots else "",
        markersize=3.0 if line.faint else 4.2,
        markeredgewidth=0,
        zorder=2 if line.faint else 3,
    )
    if line.low is not None and line.high is not None:
        axes.fill_between(x, _floats(line.low), _floats(line.high), color=look.colour, alpha=0.15, linewidth=0)


def _draw_rule(axes: Axes, rule: Rule) -> None:
    """The line, and its words at its upper or right end, where they stay legible over curves."""
    colour = arm_look(rule.arm).colour if rule.arm else RULE
    style = {"color": colour, "linewidth": 0.9, "linestyle": (0, (4, 2)), "zorder": 2.5}
    paper = {"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 0.8}
    words = {"fontsize": SMALL, "color": colour, "bbox": paper, "zorder": 5, "clip_on": True}
    if rule.across == "x":
        if not min(axes.get_xlim()) <= rule.at <= max(axes.get_xlim()):
            return
        axes.axvline(rule.at, **style)
        if rule.say:
            _beside(axes, rule.at, 0.98, literal(rule.say), words, upright=True)
        return
    if not min(axes.get_ylim()) <= rule.at <= max(axes.get_ylim()):
        return
    axes.axhline(rule.at, **style)
    if rule.say:
        _beside(axes, 0.99, rule.at, literal(rule.say), words, upright=False)


def _beside(axes: Axes, x: float, y: float, say: str, words: dict, upright: bool) -> None:
    if upright:
        place = axes.transAxes.inverted().transform(axes.transData.transform((x, axes.get_ylim()[0])))[0]
        left = place > 0.9  # no room on the right
        shift = (-2, 0) if left else (2, 0)
        ha, va, rotation, coords = "right" if left else "left", "top", 90, axes.get_xaxis_transform()
    else:
        place = axes.transAxes.inverted().transform(axes.transData.transform((axes.get_xlim()[0], y)))[1]
        below = place > 0.9
        shift = (0, -2) if below else (0, 2)
        ha, va, rotation, coords = "right", "top" if below else "bottom", 0, axes.get_yaxis_transform()
    axes.annotate(
        say, (x, y), xycoords=coords, xytext=shift, textcoords="offset points", ha=ha, va=va, rotation=rotation, **words
    )


def _floats(values: Numbers) -> list[float]:
    return [float("nan") if value is None else float(value) for value in values]
