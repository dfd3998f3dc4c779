"""Fields of coloured cells and surfaces for plotly."""

from __future__ import annotations

import math
from collections.abc import Sequence

from lth_pipeline.reports.charts.chart import Axis, Heat, Surface
from lth_pipeline.reports.charts.contour_words import contour_words
from lth_pipeline.reports.charts.draw_field import edges_of
from lth_pipeline.reports.charts.layout import names
from lth_pipeline.reports.charts.palette import MISSING
from lth_pipeline.reports.charts.plotly_axis import (
    GRID,
    INK,
    MARGIN,
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
from lth_pipeline.reports.charts.shade import Shade, colour_at, heights, ink_on, shade
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
        "colorbar": _bar(made),
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
        "plot_bgcolor": MISSING,
        **_bar_words(panel.scale),
        "xaxis": _side("x", panel.x, panel.x_at, False, 46),
        "yaxis": _side("y", panel.y, panel.y_at, panel.rows_down, 38),
    }
    if panel.square and not panel.x.log and not panel.y.log:
        ratio = _step(xs) / _step(ys)
        layout["yaxis"] |= {"scaleanchor": "x", "scaleratio": number(ratio), "constrain": "domain"}
        layout["yaxis"] |= {"constraintoward": "top"}
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
        "colorbar": _bar(made),
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
    z = _scene_axis(panel.z, 30) | {
        "range": [number(made.low), number(made.high + 0.02 * (made.high - made.low))],
    }
    if made.ticks:
        z |= {"tickvals": numbers([at for at, _ in made.ticks]), "ticktext": [say for _, say in made.ticks]}
    scene = {
        "xaxis": _scene_axis(panel.x),
        "yaxis": _scene_axis(panel.y),
        "zaxis": z,
        "aspectmode": "manual",
        "aspectratio": {"x": 1.12, "y": 1.12, "z": 0.95},
        "camera": {"eye": {"x": 1.3, "y": -2.0, "z": 1.0}, "center": {"x": -0.08, "y": -0.05, "z": -0.18}},
        "bgcolor": "rgba(0,0,0,0)",
    }
    return [surface], {"scene": scene, **_bar_words(panel.z.label)}


def places(at: Sequence[float] | Sequence[str]) -> list[float | int | None]:
    return list(range(len(at))) if names(at) else numbers(at)


def stops(colours: Sequence[str]) -> list[list]:
    return [[number(place / (len(colours) - 1)), colour] for place, colour in enumerate(colours)]


def _name(at: float | str) -> str | float | int | None:
    return words(at) if isinstance(at, str) else number(at)


def _bar(made: Shade) -> dict:
    bar = {
        "orientation": "h",  # above the field, which stays as wide as it can be
        "x": 0.5,
        "y": 1.0,
        "yref": "container",
        "yanchor": "top",
        "ypad": 2,
        "xpad": 0,
        "thickness": 10,
        "outlinewidth": 0,
        "tickfont": {"size": 11},
    }
    if made.ticks:
        bar |= {"tickvals": numbers([at for at, _ in made.ticks]), "ticktext": [say for _, say in made.ticks]}
    return bar


def _bar_words(scale: str) -> dict:
    """What the colours are, between them and their field: plotly's own title of a lying bar runs into the bar."""
    text = words(scale, 46)
    lines = text.count("<br>") + 1
    place = {"xref": "paper", "yref": "paper", "x": 0.5, "y": 1, "yanchor": "bottom", "yshift": 2, "showarrow": False}
    said = {"text": text, **place, "font": {"size": TICK}}
    return {"annotations": [said], "margin": MARGIN | {"t": 36 + 15 * lines}}


def _side(which: str, axis: Axis, at: Sequence[float] | Sequence[str], down: bool, letters: int) -> dict:
    """One side of a field; down: its first place is the uppermost."""
    if names(at):
        ends = [-0.5, len(at) - 0.5]
        made = plain_axis(axis.label, letters) | {"tickvals": list(range(len(at)))}
        room = 24 if which == "y" else max(9, 60 // len(at))  # letters in a line of a name
        made |= {"ticktext": [words(str(name), room) for name in at], "type": "linear", "showgrid": False}
        made |= {"ticklabeloverflow": "allow"}  # plotly leaves out names that would reach beyond the panel
        if which == "x" and max((len(word) for name in at for word in str(name).split()), default=0) > room:
            made |= {"tickangle": -38, "ticktext": [words(str(name), 24) for name in at]}
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
    lines = {level: found.lines(math.log10(level) if panel.log else level) for level in panel.contours}
    labels = contour_words(lines, (min(xs), max(xs)), (min(ys), max(ys)), panel.path)
    traces = []
    for level in sorted(panel.contours):
        outlines, behind = lines[level], colour_at(made, math.log10(level) if panel.log else level)
        if not outlines:
            continue
        x: list = []
        y: list = []
        for outline in outlines:
            x += [*([None] if x else []), *numbers(outline[:, 0].tolist())]
            y += [*([None] if y else []), *numbers(outline[:, 1].tolist())]
        ink = ink_on(behind)
        shown = {"type": "scatter", "hoverinfo": "skip"}
        traces.append({**shown, "mode": "lines", "x": x, "y": y, "line": {"color": ink, "width": 1}})
        if level in labels:
            at_x, at_y = labels[level]
            font = {"size": 10.5, "color": ink, "shadow": ", ".join([f"0 0 2px {behind}"] * 4)}
            word = {"x": [number(at_x)], "y": [number(at_y)], "text": [plain(level)], "textfont": font}
            traces.append({**shown, "mode": "text", **word})
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


def _scene_axis(axis: Axis, letters: int = 12) -> dict:
    return {
        "title": {"text": words(axis.label, letters), "font": {"size": TICK}},
        "tickfont": {"size": 10},
        "gridcolor": GRID,
        "linecolor": RULE,
        "color": INK,
        "showbackground": False,
        "zeroline": False,
        "nticks": 5,
    }
