"""Axes, numbers and words as plotly wants them: plain JSON, nothing that it would take for markup."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Iterable

from lth_pipeline.reports.charts.chart import Axis, Lines, Numbers
from lth_pipeline.reports.charts.extent import extent, finite
from lth_pipeline.reports.charts.palette import PAPER, arm_look
from lth_pipeline.reports.charts.rule_words import spots
from lth_pipeline.reports.charts.ticks import ticks

INK, GRID, RULE = "#222222", "#e6e8ea", "#666666"  # `palette.on_dark` knows what they are on dark
LABEL, TICK = 12.5, 11.5  # pixels
MARGIN = {"l": 8, "r": 12, "t": 10, "b": 8}  # what labels need comes to it
LETTER = 6.1  # pixels of a letter of a rule's words
NARROW, LOW = 300, 260  # pixels of a panel's inside, where a page is narrow


def number(value: float | None) -> float | int | None:
    """With six significant digits, so that a page stays small; None for what is no number."""
    if value is None or not math.isfinite(value):
        return None
    short = float(f"{float(value):.6g}")
    return int(short) if short.is_integer() and abs(short) < 1e15 else short


def numbers(values: Numbers) -> list[float | int | None]:
    return [number(value) for value in values]


def words(text: str, letters: int | None = None) -> str:
    """The words as they are; letters: so many in a line."""
    text = text.replace(" %", "\u00a0%")  # no line begins with a unit of one sign
    lines = textwrap.wrap(text, letters) if letters else [text]
    return "<br>".join(_literal(line) for line in lines)


def _literal(text: str) -> str:
    for sign, written in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("%{", "%\u200b{")):
        text = text.replace(sign, written)
    return text


def hover_name(axis: Axis) -> str:
    """The label without what only says how it is drawn."""
    return words(re.sub(r" \(log\)$", "", axis.label))


def drawn_axis(
    axis: Axis,
    values: Iterable[float | None],
    floor: float | None = None,
    letters: int = 46,
    most: int = 7,
    beside: Iterable[float] = (),
) -> dict:
    """values: what it is marked for; beside: what else lies on it; floor: see `extent`; letters: in a label's line."""
    values = finite(values, axis.log)
    low, high = extent(axis, [*values, *beside], floor)
    if axis.log:
        low, high = math.log10(low), math.log10(high)
    made = {
        "type": "log" if axis.log else "linear",
        "range": [number(high), number(low)] if axis.falling else [number(low), number(high)],
        **plain_axis(axis.label, letters),
    }
    if axis.ticks is not None or axis.log:
        marks = ticks(axis, values, most) or []
        made |= {"tickvals": numbers([at for at, _ in marks]), "ticktext": [words(say) for _, say in marks]}
    else:
        made |= {"nticks": most + 1, "exponentformat": "power", "separatethousands": True}
    return made


def plain_axis(label: str, letters: int = 46) -> dict:
    return {
        "title": {"text": words(label, letters), "font": {"size": LABEL}, "standoff": 8},
        "tickfont": {"size": TICK},
        "gridcolor": GRID,
        "linecolor": RULE,
        "showline": True,
        "zeroline": False,
        "automargin": True,
        "fixedrange": False,
    }


def rule_shapes(panel: Lines) -> dict:
    """Straight lines across. The words of an upright one stand above the panel, each in a row of its own; those of a
    level one on it or under it, where no curve is."""
    x, y, shapes, says, rows = panel.x, panel.y, [], [], 0
    where_words = spots(panel, lambda say: (LETTER * len(say) / NARROW, 17 / LOW))
    for number_, rule in enumerate(panel.rules):
        upright, axis = rule.across == "x", x if rule.across == "x" else y
        if axis.log and rule.at <= 0:
            continue
        colour = arm_look(rule.arm).colour if rule.arm else RULE
        at = number(rule.at)
        ends = {"x0": at, "x1": at, "y0": 0, "y1": 1} if upright else {"x0": 0, "x1": 1, "y0": at, "y1": at}
        refs = {"xref": "x", "yref": "paper"} if upright else {"xref": "paper", "yref": "y"}
        shapes.append({"type": "line", **refs, **ends, "line": {"color": colour, "width": 1.4, "dash": "dash"}})
        if not rule.say:
            continue
        where = number(math.log10(rule.at)) if axis.log else at  # shapes count in values, annotations in logarithms
        place = {"x": where, "y": 1, "xanchor": "auto", "yanchor": "bottom", "yshift": 15 * rows}
        rows += upright
        if not upright:
            spot = where_words[number_]
            place = {"x": number(spot.left), "y": where, "xanchor": "left"}
            place["yanchor"] = "bottom" if spot.above else "top"
        font = {"size": 11, "color": RULE}  # an arm's colour is not always read as text
        says.append(
            {"text": words(rule.say), **refs, **place, "showarrow": False, "font": font}
            | {"borderpad": 1, "bgcolor": f"{PAPER}cc"}
        )
    made = {"shapes": shapes, "annotations": says}
    return made | {"margin": MARGIN | {"t": MARGIN["t"] + 16 * rows}} if rows else made
