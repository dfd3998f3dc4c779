"""Lines with their bands, and bars, for plotly."""

from __future__ import annotations

from collections.abc import Mapping

from lth_pipeline.reports.charts.chart import Bars, Line, Lines
from lth_pipeline.reports.charts.extent import bars_y, base_of, empty, lines_x, lines_y, rules_at
from lth_pipeline.reports.charts.palette import SYMBOLS, Look, look_key
from lth_pipeline.reports.charts.plotly_axis import (
    INK,
    drawn_axis,
    hover_name,
    number,
    numbers,
    plain_axis,
    rule_shapes,
    words,
)

DASHES = {"solid": "solid", "dashed": "dash", "dotted": "dot"}
VALUE = ":,.4~g"  # how a number is written under the mouse


def lines_figure(panel: Lines, looks: Mapping[tuple, Look], group_of: Mapping[tuple, str]) -> tuple[list, dict]:
    traces = []
    for line in panel.lines:
        look, group = looks[look_key(line)], group_of[(look_key(line), line.style)]
        if line.low is not None and line.high is not None:
            traces.append(_band(line, look, group))
        traces.append(_line(line, panel, look, group))
    layout = {
        "xaxis": drawn_axis(panel.x, lines_x(panel), beside=rules_at(panel, "x")),
        "yaxis": drawn_axis(panel.y, lines_y(panel), letters=38, beside=rules_at(panel, "y")),
        **rule_shapes(panel),
    }
    if empty([y for line in panel.lines for y in line.y]):
        nothing = {"text": "nothing to show", "xref": "paper", "yref": "paper", "x": 0.5, "y": 0.5, "showarrow": False}
        layout["annotations"] = [*layout["annotations"], nothing]
    return traces, layout


def _line(line: Line, panel: Lines, look: Look, group: str) -> dict:
    dots = line.style == "points"
    mode = "markers" if dots else "lines+markers" if line.marks else "lines"
    ends = line.low is not None and line.high is not None
    band = f" (%{{customdata[0]{VALUE}}} to %{{customdata[1]{VALUE}}})" if ends else ""
    made = {
        "type": "scatter",
        "mode": mode,
        "name": words(line.name),
        "legendgroup": group,
        "x": numbers(line.x),
        "y": numbers(line.y),
        "opacity": 0.45 if line.faint else 1,
        "marker": {"symbol": SYMBOLS[look.marker], "size": 5 if line.faint else 7, "color": look.colour},
        "hovertemplate": f"<b>{words(line.name)}</b><br>{hover_name(panel.x)}: %{{x{VALUE}}}<br>"
        f"{hover_name(panel.y)}: %{{y{VALUE}}}{band}<extra></extra>",
    }
    if not dots:
        made["line"] = {"color": look.colour, "width": 1.2 if line.faint else 2, "dash": DASHES[line.style]}
    if ends:
        made["customdata"] = [list(pair) for pair in zip(numbers(line.low), numbers(line.high), strict=True)]
    return made


def _band(line: Line, look: Look, group: str) -> dict:
    """From low to high: a closed outline around each run of points without a gap."""
    xs: list = []
    ys: list = []
    for run in _runs(numbers(line.x), numbers(line.low), numbers(line.high)):
        gap = [None] if xs else []
        xs += [*gap, *(x for x, _, _ in run), *(x for x, _, _ in reversed(run))]
        ys += [*gap, *(high for _, _, high in run), *(low for _, low, _ in reversed(run))]
    return {
        "type": "scatter",
        "mode": "lines",
        "x": xs,
        "y": ys,
        "fill": "toself",
        "fillcolor": f"{look.colour}2a",
        "line": {"width": 0, "color": look.colour},
        "legendgroup": group,
        "hoverinfo": "skip",
    }


def _runs(*columns: list) -> list[list[tuple]]:
    runs: list[list[tuple]] = [[]]
    for point in zip(*columns, strict=True):
        if None in point:
            runs.append([])
        else:
            runs[-1].append(point)
    return [run for run in runs if run]


def bars_figure(panel: Bars, looks: Mapping[tuple, Look], group_of: Mapping[tuple, str]) -> tuple[list, dict]:
    """Groups stand at 0, 1, 2 …: plotly would take some names for numbers or dates."""
    at, along = ("y", "x") if panel.lying else ("x", "y")
    places = list(range(len(panel.groups)))
    traces = []
    for bar in panel.bars:
        made = {
            "type": "bar",
            "orientation": "h" if panel.lying else "v",
            "name": words(bar.name),
            "legendgroup": group_of[(look_key(bar), "")],
            at: places,
            along: numbers(bar.values),
            "text": [words(group) for group in panel.groups],
            "textposition": "none",
            "marker": {"color": looks[look_key(bar)].colour},
        }
        said = ""
        if bar.low is not None and bar.high is not None:
            ends = list(zip(numbers(bar.low), numbers(bar.high), strict=True))
            made["customdata"] = [list(pair) for pair in ends]
            made[f"error_{along}"] = _whiskers(numbers(bar.values), ends)
            said = f" (%{{customdata[0]{VALUE}}} to %{{customdata[1]{VALUE}}})"
        name = f"<b>{words(bar.name)}</b><br>" if bar.name else ""
        made["hovertemplate"] = f"{name}%{{text}}<br>{hover_name(panel.y)}: %{{{along}{VALUE}}}{said}<extra></extra>"
        traces.append(made)
    values = drawn_axis(panel.y, bars_y(panel), base_of(panel), letters=46 if panel.lying else 38)
    values |= {"zeroline": not panel.y.log, "zerolinecolor": INK, "zerolinewidth": 1}
    names = {
        **plain_axis(panel.x_label),
        "tickvals": places,
        "ticktext": [words(group, 26 if panel.lying else 14) for group in panel.groups],
        "range": [len(places) - 0.5, -0.5] if panel.lying else [-0.5, len(places) - 0.5],
        "showgrid": False,
    }
    return traces, {f"{at}axis": names, f"{along}axis": values, "bargap": 0.2, "barmode": "group"}


def _whiskers(values: list, ends: list[tuple]) -> dict:
    """Lengths from each value up and down."""
    up, down = [], []
    for value, (low, high) in zip(values, ends, strict=True):
        there = None not in (value, low, high)
        up.append(number(high - value) if there else 0)
        down.append(number(value - low) if there else 0)
    shown = {"color": INK, "thickness": 1.2, "width": 0}
    return {"type": "data", "symmetric": False, "array": up, "arrayminus": down, **shown}
