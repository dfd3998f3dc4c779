"""Fields of coloured cells and surfaces for plotly."""

from __future__ import annotations

import math
from collections.abc import Sequence

from lth_pipeline.reports.charts.chart import Axis, Heat, Surface
from lth_pipeline.reports.charts.draw_field import edges_of
from lth_pipeline.reports.charts.layout import names
from lth_pipeline.reports.charts.plotly_axis import (
    GRID,
    INK,
    RULE,
    TICK,
    drawn_axis,
    hover_name,
    number,
    numbers,
    plain_axis,
    words,
)
from lth_pipeline.reports.charts.plotly_lines import VALUE
from lth_pipeline.reports.charts.shade import Shade, heights, shade
from lth_pipeline.reports.charts.ticks import plain

ON_CELLS = "#101010"  # lines over the colours: the same on dark, for the cells are


def heat_figure(panel: Heat) -> tuple[list, dict]:
    made = shade(panel)
    xs, ys = places(panel.x_at), places(panel.y_at)
    x_said = "%{customdata[0]}" if names(panel.x_at) else f"%{{x{VALUE}}}"
    y_said = "%{customdata[1]}" if names(panel.y_at) else f"%{{y{VALUE}}}"
    cells = {
        "type": "heatmap",
        "x": xs,
        "y": ys,
        "z": [numbers(row) for row in made.values],
        "zmin": number(made.low),
        "zmax": number(made.high),
        "colorscale": stops(made.stops),
        "colorbar": _bar(panel.scale, made),
        "hoverongaps": False,
    }
    value = f"%{{z{VALUE}}}"
    if panel.log or names(panel.x_at) or names(panel.y_at):
        value = f"%{{customdata[2]{VALUE}}}"
        cells["customdata"] = [
            [[_name(panel.x_at[c]), _name(panel.y_at[r]), number(v)] for c, v in enumerate(row)]
            for r, row in enumerate(panel.values)
        ]
    cells["hovertemplate"] = (
        f"{hover_name(panel.x)}: {x_said}<br>{hover_name(panel.y)}: {y_said}<br>"
        f"<b>{words(panel.scale.removesuffix(' (log)'))}: {value}</b><extra></extra>"
    )
    if panel.numbers:
        none = (None,)
        cells["text"] = [["" if v in none or v != v else panel.numbers.format(v) for v in row] for row in panel.values]
        cells["texttemplate"] = "%{text}"
    layout = {
        "xaxis": _side(panel.x, panel.x_at, False, 46),
        "yaxis": _side(panel.y, panel.y_at, panel.rows_down, 38),
    }
    if panel.square and not panel.x.log and not panel.y.log:
        ratio = _step(xs) / _step(ys)
        layout["yaxis"] |= {"scaleanchor": "x", "scaleratio": number(ratio), "constrain": "domain"}
        layout["xaxis"] |= {"constrain": "domain"}
    return [cells, *_contours(panel, made, xs, ys), *_path(panel)], layout


def surface_figure(panel: Surface) -> tuple[list, dict]:
    made = heights(panel.values, panel.z.log, panel.limits)
    surface = {
        "type": "surface",
        "x": numbers(panel.x_at),
        "y": numbers(panel.y_at),
        "z": [numbers(row) for row in made.values],
        "cmin": number(made.low),
        "cmax": number(made.high),
        "colorscale": stops(made.stops),
        "showscale": False,
        "lighting": {"ambient": 0.75, "diffuse": 0.5, "specular": 0.05},
    }
    value = f"%{{z{VALUE}}}"
    if panel.z.log:
        surface["customdata"] = [numbers(row) for row in panel.values]
        value = f"%{{customdata{VALUE}}}"
    surface["hovertemplate"] = (
        f"{hover_name(panel.x)}: %{{x{VALUE}}}<br>{hover_name(panel.y)}: %{{y{VALUE}}}<br>"
        f"<b>{hover_name(panel.z)}: {value}</b><extra></extra>"
    )
    z = _scene_axis(panel.z) | {"range": [number(made.low), number(made.high)]}
    if made.ticks:
        z |= {"tickvals": numbers([at for at, _ in made.ticks]), "ticktext": [say for _, say in made.ticks]}
    scene = {
        "xaxis": _scene_axis(panel.x),
        "yaxis": _scene_axis(panel.y),
        "zaxis": z,
        "aspectmode": "manual",
        "aspectratio": {"x": 1, "y": 1, "z": 0.62},
        "camera": {"eye": {"x": 0.95, "y": -1.45, "z": 0.85}, "center": {"x": 0, "y": 0, "z": -0.12}},
        "bgcolor": "rgba(0,0,0,0)",
    }
    return [surface], {"scene": scene}


def places(at: Sequence[float] | Sequence[str]) -> list[float | int | None]:
    return list(range(len(at))) if names(at) else numbers(at)


def stops(colours: Sequence[str]) -> list[list]:
    return [[number(place / (len(colours) - 1)), colour] for place, colour in enumerate(colours)]


def _name(at: float | str) -> str | float | int | None:
    return words(at) if isinstance(at, str) else number(at)


def _bar(scale: str, made: Shade) -> dict:
    bar = {
        "title": {"text": words(scale, 34), "side": "right", "font": {"size": TICK}},
        "thickness": 11,
        "outlinewidth": 0,
        "xpad": 6,
        "tickfont": {"size": 11},
    }
    if made.ticks:
        bar |= {"tickvals": numbers([at for at, _ in made.ticks]), "ticktext": [say for _, say in made.ticks]}
    return bar


def _side(axis: Axis, at: Sequence[float] | Sequence[str], down: bool, letters: int) -> dict:
    """One side of a field; down: its first place is the uppermost."""
    if names(at):
        ends = [-0.5, len(at) - 0.5]
        made = plain_axis(axis.label, letters) | {"tickvals": list(range(len(at)))}
        made |= {"ticktext": [words(str(name), 24) for name in at], "type": "linear", "showgrid": False}
        return made | {"range": ends[::-1] if down or axis.falling else ends}
    edges = edges_of(at, axis.log)
    limits = axis.limits or (min(edges), max(edges))
    turned = Axis(axis.label, axis.log, axis.falling or down, limits, axis.ticks)
    return drawn_axis(turned, at, letters=letters) | {"showgrid": False}


def _step(at: Sequence[float]) -> float:
    return abs(at[-1] - at[0]) / (len(at) - 1) if len(at) > 1 and at[-1] != at[0] else 1.0


def _contours(panel: Heat, made: Shade, xs: Sequence[float], ys: Sequence[float]) -> list[dict]:
    """One line of points a level, so that any levels can be shown; its number stands on it."""
    if not len(panel.contours) or len(xs) < 2 or len(ys) < 2:
        return []
    import contourpy
    import numpy as np

    field = np.ma.masked_invalid([[np.nan if v is None else v for v in row] for row in made.values])
    found = contourpy.contour_generator(xs, ys, field)
    traces = []
    for level in sorted(panel.contours):
        outlines = found.lines(math.log10(level) if panel.log else level)
        if not outlines:
            continue
        x: list = []
        y: list = []
        for outline in outlines:
            x += [*([None] if x else []), *numbers(outline[:, 0].tolist())]
            y += [*([None] if y else []), *numbers(outline[:, 1].tolist())]
        longest = max(outlines, key=len)
        label = longest[len(longest) // 3]
        shown = {"type": "scatter", "hoverinfo": "skip"}
        traces += [
            {**shown, "mode": "lines", "x": x, "y": y, "line": {"color": ON_CELLS, "width": 1}},
            {**shown, "mode": "text", "x": [number(label[0])], "y": [number(label[1])], "text": [plain(level)]}
            | {"textfont": {"size": 10.5, "color": ON_CELLS, "shadow": "0 0 3px #ffffff, 0 0 3px #ffffff"}},
        ]
    return traces


def _path(panel: Heat) -> list[dict]:
    if not panel.path:
        return []
    xs, ys = (numbers(values) for values in panel.path)
    shown = {"type": "scatter", "x": xs, "y": ys, "hoverinfo": "skip"}
    symbols = ["circle", *["circle"] * (len(xs) - 2), "star"][: len(xs)]
    sizes = [9, *[4] * (len(xs) - 2), 12][: len(xs)]
    marker = {"symbol": symbols, "size": sizes, "color": "#fefefe", "line": {"color": ON_CELLS, "width": 1.2}}
    return [
        {**shown, "mode": "lines", "line": {"color": "#fefefe", "width": 4}},
        {**shown, "mode": "lines+markers", "line": {"color": ON_CELLS, "width": 1.6}, "marker": marker},
    ]


def _scene_axis(axis: Axis) -> dict:
    return {
        "title": {"text": words(axis.label, 26), "font": {"size": TICK}},
        "tickfont": {"size": 10},
        "gridcolor": GRID,
        "linecolor": RULE,
        "color": INK,
        "showbackground": False,
        "zeroline": False,
        "nticks": 5,
    }
