"""Fields of coloured cells and surfaces, in matplotlib."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lth_pipeline.reports.charts.axes import set_axis
from lth_pipeline.reports.charts.chart import Axis, Heat, Surface
from lth_pipeline.reports.charts.contour_words import contour_words
from lth_pipeline.reports.charts.layout import Box, names, names_lean
from lth_pipeline.reports.charts.lettering import PANEL_TITLE, SMALL, TICK, literal, width, wrapped
from lth_pipeline.reports.charts.palette import MISSING
from lth_pipeline.reports.charts.shade import Shade, colour_at, heights, ink_on, shade
from lth_pipeline.reports.charts.ticks import plain
from lth_pipeline.reports.drawing import INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

CELLS = 60  # so many names stand beside a field at most


def draw_heat(axes: Axes, panel: Heat, box: Box) -> None:
    import numpy as np
    from matplotlib.patheffects import withStroke

    made = shade(panel)
    colours = _colours(made.stops)
    x, y = _places(panel.x_at), _places(panel.y_at)
    values = np.array([[np.nan if v is None else v for v in row] for row in made.values], dtype=float)
    values = values.reshape(len(y), len(x))
    edges = edges_of(x, panel.x.log), edges_of(y, panel.y.log)
    drawn = axes.pcolormesh(*edges, values, cmap=colours, vmin=made.low, vmax=made.high, rasterized=True)
    _side(axes, "x", panel.x, panel.x_at, edges[0], box.wide, False, names_lean(panel, box.wide))
    _side(axes, "y", panel.y, panel.y_at, edges[1], box.high, panel.rows_down, False)
    if panel.square:
        axes.set_box_aspect(len(y) / max(1, len(x)))
        axes.set_anchor("NW")  # titles of a row at one height
    axes.spines[["top", "right"]].set_visible(True)
    if len(panel.contours) and len(x) > 1 and len(y) > 1:
        heights_ = [math.log10(level) if panel.log else level for level in sorted(panel.contours)]
        inks = [ink_on(colour_at(made, level)) for level in heights_]
        lines = axes.contour(x, y, values, levels=heights_, colors=inks, linewidths=0.7, linestyles="solid")
        says = {level: plain(at) for level, at in zip(heights_, sorted(panel.contours), strict=True)}
        levels = {say: level for level, say in says.items()}
        outlines = dict(zip(heights_, lines.allsegs, strict=True))
        where = contour_words(outlines, (min(x), max(x)), (min(y), max(y)), panel.path)
        for text in axes.clabel(lines, list(where), fmt=says, fontsize=SMALL, inline=True, manual=list(where.values())):
            behind = colour_at(made, levels[text.get_text()])
            text.set_path_effects([withStroke(linewidth=1.5, foreground=behind)])
    if panel.path:
        _path(axes, *panel.path)
    if panel.numbers:
        _numbers(axes, panel, made, x, y, box)
    beside = axes.inset_axes((1.0 + 0.08 / _inside(panel, box), 0.0, 0.11 / _inside(panel, box), 1.0))
    bar = axes.figure.colorbar(drawn, cax=beside)
    bar.outline.set_visible(False)
    if made.ticks:
        bar.set_ticks([at for at, _ in made.ticks], labels=[literal(say) for _, say in made.ticks], minor=False)
        bar.minorticks_off()
    bar.ax.tick_params(labelsize=SMALL, colors=INK)
    bar.set_label(literal(wrapped(panel.scale, TICK, max(box.high, 1.2))), fontsize=TICK, color=INK)


def draw_surface(figure: Figure, rect: tuple[float, float, float, float], panel: Surface, box: Box) -> None:
    import mpl_toolkits.mplot3d  # noqa: F401  (makes the projection known)
    import numpy as np

    made = heights(panel.values, panel.z.log, panel.limits)
    axes = figure.add_axes(rect, projection="3d")
    x, y = np.meshgrid(np.asarray(panel.x_at, dtype=float), np.asarray(panel.y_at, dtype=float))
    z = np.array([[np.nan if v is None else v for v in row] for row in made.values], dtype=float)
    axes.plot_surface(
        *(x, y, z), cmap=_colours(made.stops), vmin=made.low, vmax=made.high, linewidth=0.15, edgecolor="#00000030",
        rcount=60, ccount=60, antialiased=True,
    )  # fmt: skip
    axes.view_init(elev=32, azim=-60)
    axes.set_box_aspect((1, 1, 0.62), zoom=0.96)
    axes.set_zlim(made.low, made.high)
    for name, axis in (("x", panel.x), ("y", panel.y), ("z", panel.z)):
        getattr(axes, f"set_{name}label")(literal(axis.label), fontsize=TICK, color=INK, labelpad=1)
        getattr(axes, f"{name}axis").set_tick_params(labelsize=SMALL, colors=INK, pad=-1)
        getattr(axes, f"{name}axis").set_pane_color((0.97, 0.97, 0.97, 1.0))
    axes.locator_params(nbins=5)
    if made.ticks:
        axes.set_zticks([at for at, _ in made.ticks], [literal(say) for _, say in made.ticks])
    if box.title:
        axes.set_title(literal(box.title), fontsize=PANEL_TITLE, loc="left", color=INK, y=1.0)


def edges_of(places: Sequence[float], log: bool) -> list[float]:
    """Where cells begin and end: half way between their places (on a log axis: in the logarithm)."""
    at = [math.log(place) for place in places] if log else list(places)
    if len(at) == 1:
        edges = [at[0] - 0.5, at[0] + 0.5]
    else:
        between = [(a + b) / 2 for a, b in itertools.pairwise(at)]
        edges = [2 * at[0] - between[0], *between, 2 * at[-1] - between[-1]]
    return [math.exp(edge) for edge in edges] if log else edges


def _side(axes, which, axis: Axis, at, edges, inches: float, down: bool, leans: bool) -> None:
    limits = (min(edges), max(edges))
    if names(at):
        every = max(1, -(-len(at) // CELLS), math.ceil(len(at) * (TICK + 1) / 72 / inches))
        shown = list(range(0, len(at), every))
        how = {"rotation": 35, "ha": "right", "rotation_mode": "anchor"} if leans else {}
        labels = [literal(str(at[place])) for place in shown]
        (axes.set_xticks if which == "x" else axes.set_yticks)(shown, labels, fontsize=TICK, **how)
        (axes.set_xlim if which == "x" else axes.set_ylim)(limits[::-1] if down or axis.falling else limits)
        return
    turned = Axis(axis.label, axis.log, axis.falling or down, axis.limits or limits, axis.ticks)
    set_axis(axes, which, turned, at, inches)


def _numbers(axes, panel: Heat, made: Shade, x, y, box: Box) -> None:
    wide, high = _inside(panel, box) / len(x), box.high / len(y)
    says = [[None if v is None else panel.numbers.format(v) for v in row] for row in panel.values]
    longest = max((width(say, 1.0) for row in says for say in row if say), default=0.0)
    size = min(8.0, 0.92 * wide / longest, 0.75 * high * 72) if longest else 0.0
    if size < 4.5:  # too small to be read: the colours must do
        return
    for row, line in enumerate(says):
        for column, say in enumerate(line):
            value = made.values[row][column]
            if say is None or value is None:
                continue
            ink = ink_on(colour_at(made, value))
            axes.text(x[column], y[row], literal(say), ha="center", va="center", fontsize=size, color=ink)


def _path(axes, xs: Sequence[float], ys: Sequence[float]) -> None:
    from matplotlib.patheffects import withStroke

    stroke = [withStroke(linewidth=3, foreground="white")]
    axes.plot(xs, ys, color=INK, linewidth=1.4, path_effects=stroke, marker=".", markersize=4)
    axes.plot(xs[:1], ys[:1], marker="o", color="white", markeredgecolor=INK, markersize=6)
    axes.plot(xs[-1:], ys[-1:], marker="*", color="white", markeredgecolor=INK, markersize=9)


def _places(at: Sequence[float] | Sequence[str]) -> list[float]:
    return [float(place) for place in range(len(at))] if names(at) else [float(place) for place in at]


def _inside(panel: Heat, box: Box) -> float:
    """How wide the cells are together: less than the box where they are square and the height binds."""
    return min(box.wide, box.high * len(panel.x_at) / max(1, len(panel.y_at))) if panel.square else box.wide


def _colours(stops: Sequence[str]) -> Colormap:
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("stops", list(stops)).with_extremes(bad=MISSING)
