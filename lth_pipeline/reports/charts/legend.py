"""The legend of a picture: one for all panels, below them, never over the curves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from lth_pipeline.reports.charts.chart import Bar, Bars, Chart, Line, Lines
from lth_pipeline.reports.charts.draw_lines import DASHES
from lth_pipeline.reports.charts.lettering import LEGEND, LINE, literal, width
from lth_pipeline.reports.charts.palette import Look, look_key
from lth_pipeline.reports.drawing import INK

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SAMPLE, GAP = 0.42, 0.28  # inches: what stands for the line, and to the next entry


def entries(chart: Chart) -> list[Line | Bar]:
    """What the legend names, each once, in the order of the panels."""
    found = {}
    for panel in chart.panels:
        things = panel.lines if isinstance(panel, Lines) else panel.bars if isinstance(panel, Bars) else ()
        for thing in things:
            if thing.name and getattr(thing, "legend", True):
                found.setdefault((look_key(thing), getattr(thing, "style", "")), thing)
    return list(found.values())


def legend_height(shown: list[Line | Bar], wide: float) -> float:
    return len(_rows(shown, wide)) * LEGEND * LINE / 72 + 0.1 if shown else 0.0


def draw_legend(
    figure: Figure, shown: list[Line | Bar], looks: Mapping[tuple, Look], wide: float, high: float, bottom: float
) -> None:
    """bottom: inches from the lower edge."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Rectangle

    rows = _rows(shown, wide)
    for number, row in enumerate(rows):
        y = (bottom + 0.05 + (len(rows) - number - 0.5) * LEGEND * LINE / 72) / high
        x = 0.25
        for thing in row:
            look = looks[look_key(thing)]
            if isinstance(thing, Bar):
                size = (0.16 / wide, 0.09 / high)
                box = Rectangle((x / wide + 0.6 * size[0], y - size[1] / 2), *size, color=look.colour)
                figure.add_artist(box)
            else:
                dots = thing.style == "points"
                line = Line2D(
                    [x / wide, (x + 0.17) / wide, (x + 0.34) / wide],
                    [y, y, y],
                    color=look.colour,
                    linestyle=DASHES[thing.style],
                    linewidth=1.5,
                    alpha=0.5 if thing.faint else 1.0,
                    marker=look.marker if thing.marks or dots else "",
                    markevery=[1],
                    markersize=4.2,
                    markeredgewidth=0,
                )
                figure.add_artist(line)
            words = {"fontsize": LEGEND, "color": INK, "va": "center_baseline"}
            figure.text((x + SAMPLE) / wide, y, literal(thing.name), **words)
            x += _wide(thing)


def _rows(shown: list[Line | Bar], wide: float) -> list[list[Line | Bar]]:
    rows: list[list[Line | Bar]] = []
    used = wide
    for thing in shown:
        if used + _wide(thing) > wide - 0.2 or not rows:
            rows.append([])
            used = 0.25
        rows[-1].append(thing)
        used += _wide(thing)
    return rows


def _wide(thing: Line | Bar) -> float:
    return SAMPLE + width(thing.name, LEGEND) + GAP
