"""Where the panels of a picture lie: all in inches, found without drawing anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lth_pipeline.reports.charts.chart import Bars, Chart, Heat, Lines, Panel, Surface
from lth_pipeline.reports.charts.lettering import LABEL, PANEL_TITLE, TICK, height, width, wrapped

WIDTHS = {1: 6.6, 2: 8.7}  # of the whole picture, by panels in a row; three and more: 9
HEIGHTS = {1: 3.0, 2: 2.55}  # of a panel's inside; three and more in a row: 2.2
RULE_WORDS = 0.13  # a row of words above a panel
TICKS_WIDE, BAR_WIDE = 0.42, 0.78  # room for numbers beside an axis; for the colours' own axis


@dataclass(frozen=True)
class Box:
    """The inside of a panel (left, bottom, wide, high), in inches from the picture's lower left corner, and its words,
    broken into lines."""

    left: float
    bottom: float
    wide: float
    high: float
    title: str
    x_label: str
    y_label: str


@dataclass(frozen=True)
class Margins:
    left: float
    right: float
    top: float
    bottom: float


def picture_width(chart: Chart) -> float:
    return WIDTHS.get(columns(chart), 9.0)


def columns(chart: Chart) -> int:
    return max(1, min(chart.columns, len(chart.panels)))


def boxes(chart: Chart, below: float) -> tuple[list[Box], float]:
    """One box a panel, and the height of all rows together. below: inches for what stands under the panels."""
    across, wide = columns(chart), picture_width(chart)
    cell = wide / across
    margins = [_margins(panel, cell) for panel in chart.panels]
    lefts = [max(margin.left for margin in margins[place::across]) for place in range(across)]
    rights = [max(margin.right for margin in margins[place::across]) for place in range(across)]
    insides = [cell - left - right for left, right in zip(lefts, rights, strict=True)]
    made: list[Box] = []
    top = 0.0  # of the row, counted downwards
    for start in range(0, len(chart.panels), across):
        row, of_row = chart.panels[start : start + across], margins[start : start + across]
        high = max(inside_height(panel, inside, across) for panel, inside in zip(row, insides, strict=False))
        above, under = max(margin.top for margin in of_row), max(margin.bottom for margin in of_row)
        for place, panel in enumerate(row):
            made.append(_box(panel, place * cell + lefts[place], top + above + high, insides[place], high))
        top += above + high + under
    lifted = [_from_below(box, top + below) for box in made]
    return lifted, top


def inside_height(panel: Panel, inside: float, across: int) -> float:
    usual = HEIGHTS.get(across, 2.2)
    if isinstance(panel, Surface):
        return min(0.8 * inside, 4.4)
    if isinstance(panel, Bars) and panel.lying:
        lines = max(1, len(panel.bars)) * len(panel.groups)
        return min(max(1.1, 0.17 * lines + 0.1 * len(panel.groups)), 8.0)
    if isinstance(panel, Heat):
        rows, cells = len(panel.y_at), max(1, len(panel.x_at))
        if panel.square:
            return min(max(inside * rows / cells, 0.5), 6.0)
        return min(max(usual, 0.17 * rows), 8.0) if rows > 1 else 0.8
    return usual


def group_labels(panel: Bars, inside: float) -> tuple[list[str], bool]:
    """What stands under the groups of upright bars, and whether it must lean because it is too long."""
    room = inside / max(1, len(panel.groups)) - 0.06
    broken = [wrapped(group, TICK, room) for group in panel.groups]
    words = [word for group in panel.groups for word in group.split()]
    leans = any(text.count("\n") > 2 for text in broken) or any(width(word, TICK) > room for word in words)
    return (list(panel.groups), True) if leans else (broken, False)


def said_above(panel: Lines) -> int:
    """How many upright rules have words: each has a row above the panel."""
    return sum(rule.across == "x" and bool(rule.say) for rule in panel.rules)


def sides(panel: Panel) -> tuple[str, str]:
    """The labels of the lower and of the left side."""
    if isinstance(panel, Bars):
        return (panel.y.label, panel.x_label) if panel.lying else (panel.x_label, panel.y.label)
    return panel.x.label, panel.y.label


def names(at: Sequence[float] | Sequence[str]) -> bool:
    """Whether a field's cells are called by names, not numbers."""
    return any(isinstance(place, str) for place in at)


def _margins(panel: Panel, cell: float) -> Margins:
    lower, left = sides(panel)
    if isinstance(panel, Surface):
        return Margins(0.1, 0.35, _title_height(panel, cell - 0.45), 0.25)
    high = 2.0  # about; the label on the left is broken again when the height is known
    beside = TICKS_WIDE
    if isinstance(panel, Bars) and panel.lying:
        beside = min(0.45 * cell, max((width(group, TICK) for group in panel.groups), default=0.0)) + 0.1
    elif isinstance(panel, Heat) and names(panel.y_at):
        beside = min(0.4 * cell, max((width(str(name), TICK) for name in panel.y_at), default=0.0)) + 0.1
    beside += height(wrapped(left, LABEL, high), LABEL) + 0.12
    right = BAR_WIDE + 0.1 if isinstance(panel, Heat) else 0.18
    inside = cell - beside - right
    under = 0.24 + height(wrapped(lower, LABEL, inside), LABEL) + 0.1
    if isinstance(panel, Bars) and not panel.lying:
        labels, leans = group_labels(panel, inside)
        longest = max((width(label, TICK) for label in labels), default=0.0)
        under += (
            min(1.4, 0.6 * longest) if leans else max((height(label, TICK) for label in labels), default=0.0) - 0.14
        )
    elif isinstance(panel, Heat) and names_lean(panel, inside):
        under += min(1.4, 0.6 * max(width(str(name), TICK) for name in panel.x_at))
    above = _title_height(panel, inside) + RULE_WORDS * (said_above(panel) if isinstance(panel, Lines) else 0)
    return Margins(beside, right, above, under)


def names_lean(panel: Heat, inside: float) -> bool:
    """Whether the names of a field's columns are too long to lie."""
    room = inside / max(1, len(panel.x_at)) - 0.05
    return names(panel.x_at) and any(width(str(name), TICK) > room for name in panel.x_at)


def _title_height(panel: Panel, inside: float) -> float:
    return height(wrapped(panel.title, PANEL_TITLE, inside), PANEL_TITLE) + (0.16 if panel.title else 0.12)


def _box(panel: Panel, left: float, bottom: float, wide: float, high: float) -> Box:
    """bottom: counted downwards, until the whole height is known."""
    lower, side = sides(panel)
    room = max(high, 1.2) + 0.25
    title, lower = wrapped(panel.title, PANEL_TITLE, wide), wrapped(lower, LABEL, wide)
    return Box(left, bottom, wide, high, title, lower, wrapped(side, LABEL, room))


def _from_below(box: Box, whole: float) -> Box:
    return Box(box.left, whole - box.bottom, box.wide, box.high, box.title, box.x_label, box.y_label)
