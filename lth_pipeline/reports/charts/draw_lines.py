"""Lines with their bands and rules, on matplotlib's axes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from lth_pipeline.reports.charts.axes import set_axis
from lth_pipeline.reports.charts.chart import Line, Lines, Numbers, Rule
from lth_pipeline.reports.charts.extent import empty, lines_x, lines_y, rules_at
from lth_pipeline.reports.charts.layout import RULE_WORDS, Box
from lth_pipeline.reports.charts.lettering import LINE, SMALL, literal, width
from lth_pipeline.reports.charts.palette import Look, arm_look, look_key
from lth_pipeline.reports.charts.rule_words import Spot, spots

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DASHES = {"solid": "-", "dashed": (0, (4, 2)), "dotted": (0, (1, 1.5)), "points": "none"}
RULE = "#555555"  # an arm's colour is not always read as text


def draw_lines(axes: Axes, panel: Lines, looks: Mapping[tuple, Look], box: Box) -> None:
    for line in panel.lines:
        _draw_line(axes, line, looks[look_key(line)])
    set_axis(axes, "x", panel.x, lines_x(panel), box.wide, beside=rules_at(panel, "x"))
    set_axis(axes, "y", panel.y, lines_y(panel), box.high, beside=rules_at(panel, "y"))
    rows = 0
    size = lambda say: (width(say, SMALL) / box.wide + 0.01, (SMALL * LINE + 3) / 72 / box.high)  # noqa: E731
    where_words = spots(panel, size)
    for number, rule in enumerate(panel.rules):
        _draw_rule(axes, rule, rows, where_words.get(number))
        rows += rule.across == "x" and bool(rule.say)
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


def _draw_rule(axes: Axes, rule: Rule, row: int, spot: Spot | None) -> None:
    """The line, and its words: of an upright one above the panel, in this row; of a level one at its spot."""
    colour = arm_look(rule.arm).colour if rule.arm else RULE
    style = {"color": colour, "linewidth": 0.9, "linestyle": (0, (4, 2)), "zorder": 2.5}
    words = {"fontsize": SMALL, "color": RULE, "textcoords": "offset points", "annotation_clip": False}
    upright = rule.across == "x"
    limits = axes.get_xlim() if upright else axes.get_ylim()
    if not min(limits) <= rule.at <= max(limits):
        return
    (axes.axvline if upright else axes.axhline)(rule.at, **style)
    if upright and rule.say:
        place = axes.transAxes.inverted().transform(axes.transData.transform((rule.at, limits[0])))[0]
        side = "right" if place > 0.5 else "left"
        at, shift, coords = (rule.at, 1), (0, 2 + 72 * RULE_WORDS * row), axes.get_xaxis_transform()
        axes.annotate(literal(rule.say), at, xytext=shift, xycoords=coords, ha=side, va="bottom", **words)
    if upright or spot is None:
        return
    paper = {"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 0.8}
    at, shift, coords = (spot.left, rule.at), (0, 2 if spot.above else -2), axes.get_yaxis_transform()
    words |= {"ha": "left", "va": "bottom" if spot.above else "top", "bbox": paper, "zorder": 5}
    axes.annotate(literal(rule.say), at, xytext=shift, xycoords=coords, **words)


def _floats(values: Numbers) -> list[float]:
    return [float("nan") if value is None else float(value) for value in values]
