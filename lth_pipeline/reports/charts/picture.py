"""A chart as a picture."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from lth_pipeline.reports import drawing
from lth_pipeline.reports.charts.chart import Bars, Chart, Heat, Lines, Surface
from lth_pipeline.reports.charts.draw_bars import draw_bars
from lth_pipeline.reports.charts.draw_field import draw_heat, draw_surface
from lth_pipeline.reports.charts.draw_lines import draw_lines
from lth_pipeline.reports.charts.extent import with_same_y
from lth_pipeline.reports.charts.layout import RULE_WORDS, Box, boxes, picture_width, said_above
from lth_pipeline.reports.charts.legend import draw_legend, entries, legend_height
from lth_pipeline.reports.charts.lettering import LABEL, PANEL_TITLE, TICK, TITLE, height, literal, wrapped
from lth_pipeline.reports.charts.palette import looks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NOTE = 0.11  # inches a note takes


def png(chart: Chart, dpi: int = 110) -> bytes:
    """The picture: 700 to 1,000 pixels wide at 110 dots an inch, the same bytes every time."""
    content = drawing.png(drawn(chart), dpi)
    fields = any(isinstance(panel, Heat | Surface) for panel in chart.panels)
    return _of_256_colours(content) if fields else content


def _of_256_colours(content: bytes) -> bytes:
    """A third of the bytes, for Dagster's event log and MLflow keep every picture. Median cut keeps the colours of
    large areas as they are."""
    from PIL import Image

    buffer = io.BytesIO()
    whole = Image.open(io.BytesIO(content)).convert("RGB")
    few = whole.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    few.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def drawn(chart: Chart) -> Figure:
    from matplotlib.figure import Figure

    if not chart.panels:
        raise ValueError(f"chart {chart.name!r} has no panels: give it one, or leave the chart out")
    chart = with_same_y(chart)
    wide = picture_width(chart)
    title = wrapped(chart.title, TITLE, wide - 0.3)
    shown = entries(chart)
    below = legend_height(shown, wide) + NOTE * len(chart.notes) + 0.05
    places, rows = boxes(chart, below)
    high = 0.1 + height(title, TITLE) + rows + below
    made = Figure(figsize=(wide, high), facecolor="white")
    made.text(0.12 / wide, 1 - 0.08 / high, literal(title), ha="left", va="top", fontsize=TITLE, color=drawing.INK)
    all_looks = looks(chart)
    for panel, box in zip(chart.panels, places, strict=True):
        rect = (box.left / wide, box.bottom / high, box.wide / wide, box.high / high)
        if isinstance(panel, Lines | Bars | Heat):
            axes = made.add_axes(rect)
            _words(axes, box, isinstance(panel, Lines | Bars), said_above(panel) if isinstance(panel, Lines) else 0)
            if isinstance(panel, Lines):
                draw_lines(axes, panel, all_looks, box)
            elif isinstance(panel, Bars):
                draw_bars(axes, panel, all_looks, box)
            else:
                draw_heat(axes, panel, box)
        else:
            draw_surface(made, rect, panel, box)
    draw_legend(made, shown, all_looks, wide, high, NOTE * len(chart.notes) + 0.05)
    drawing.mark(made, [literal(note) for note in chart.notes])
    return made


def _words(axes: Axes, box: Box, grid: bool, above: int) -> None:
    """Title and labels; grid: that values are read by; above: rows of words between panel and title."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_axisbelow(True)
    axes.tick_params(colors=drawing.INK, labelsize=TICK)
    if grid:
        axes.grid(axis="both", color="#eeeeee", linewidth=0.7)
    if box.title:
        axes.set_title(
            literal(box.title), fontsize=PANEL_TITLE, loc="left", color=drawing.INK, pad=6 + 72 * RULE_WORDS * above
        )
    axes.set_xlabel(literal(box.x_label), fontsize=LABEL, color=drawing.INK)
    axes.set_ylabel(literal(box.y_label), fontsize=LABEL, color=drawing.INK)
