"""A chart for a page to play with: plotly's figures as plain JSON, one a panel, and the legend they share."""

from __future__ import annotations

from dataclasses import dataclass

from lth_pipeline.reports.charts.chart import Bars, Chart, Heat, Lines, Panel, Surface
from lth_pipeline.reports.charts.extent import with_same_y
from lth_pipeline.reports.charts.layout import names
from lth_pipeline.reports.charts.palette import PAPER, Look, darkened, look_key, looks
from lth_pipeline.reports.charts.plotly_axis import INK, MARGIN, RULE
from lth_pipeline.reports.charts.plotly_field import heat_figure, surface_figure
from lth_pipeline.reports.charts.plotly_lines import bars_figure, lines_figure

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"
#: all that the bar above a panel offers; by name, so that nothing that a new plotly brings is offered unseen
BUTTONS = [["toImage"], ["zoom2d", "pan2d"], ["zoomIn2d", "zoomOut2d", "resetScale2d"]]
BUTTONS_3D = [["toImage"], ["zoom3d", "pan3d", "orbitRotation"], ["resetCameraDefault3d"]]


@dataclass(frozen=True)
class Entry:
    """A line of the legend. group: the `legendgroup` of its traces, in all panels. style: "bar", or a line's."""

    group: str
    name: str
    look: Look
    style: str
    marks: bool = True


def specs(chart: Chart, dark: bool = False) -> list[dict]:
    """[{"data", "layout", "config"} of each panel], with None for gaps. They have no titles and no legends: the page
    says these around them, where words wrap. layout["meta"]: {"height": pixels, "ratio": height by width, or None}."""
    chart = with_same_y(chart)
    all_looks, groups = looks(chart), _groups(chart)
    made = []
    for panel in chart.panels:
        data, own = _figure(panel, all_looks, groups)
        layout = _layout() | own | {"meta": {"height": height(panel), "ratio": _ratio(panel)}}
        made.append({"data": data, "layout": layout, "config": _config(chart.name, panel)})
    return darkened(made) if dark else made


def legend(chart: Chart) -> list[Entry]:
    """What the legend names, in the order of the panels."""
    all_looks, groups, found = looks(chart), _groups(chart), {}
    for thing in _things(chart):
        style = getattr(thing, "style", "")
        key = (look_key(thing), style)
        if thing.name and getattr(thing, "legend", True) and key not in found:
            marks = getattr(thing, "marks", True)
            found[key] = Entry(groups[key], thing.name, all_looks[key[0]], style or "bar", marks)
    return list(found.values())


def height(panel: Panel) -> int:
    """In pixels, where it does not follow from the width."""
    if isinstance(panel, Bars) and panel.lying:
        return min(1400, 110 + len(panel.groups) * (14 + 18 * max(1, len(panel.bars))))
    if isinstance(panel, Heat):
        words = max((len(str(name)) for name in panel.x_at), default=0) if names(panel.x_at) else 0
        return min(1400, max(340, 130 + 18 * len(panel.y_at) + 4 * words))
    return 340 if isinstance(panel, Lines | Bars) else 430


def _ratio(panel: Panel) -> float | None:
    """How high a square field is, for its width."""
    if not isinstance(panel, Heat) or not panel.square:
        return None
    return round(min(2.0, max(0.4, len(panel.y_at) / max(1, len(panel.x_at)))), 3)


def _figure(panel: Panel, all_looks: dict, groups: dict) -> tuple[list, dict]:
    if isinstance(panel, Lines):
        return lines_figure(panel, all_looks, groups)
    if isinstance(panel, Bars):
        return bars_figure(panel, all_looks, groups)
    return heat_figure(panel) if isinstance(panel, Heat) else surface_figure(panel)


def _groups(chart: Chart) -> dict[tuple, str]:
    found: dict[tuple, str] = {}
    for thing in _things(chart):
        found.setdefault((look_key(thing), getattr(thing, "style", "")), f"g{len(found)}")
    return found


def _things(chart: Chart) -> list:
    things: list = []
    for panel in chart.panels:
        things += panel.lines if isinstance(panel, Lines) else panel.bars if isinstance(panel, Bars) else ()
    return things


def _layout() -> dict:
    clear = "rgba(0,0,0,0)"
    return {
        "autosize": True,
        "showlegend": False,
        "paper_bgcolor": clear,
        "plot_bgcolor": clear,
        "font": {"family": FONT, "size": 12, "color": INK},
        "margin": MARGIN,
        "hovermode": "closest",
        "hoverlabel": {"bgcolor": PAPER, "bordercolor": RULE, "font": {"color": INK, "size": 12.5}, "align": "left"},
        "modebar": {"bgcolor": clear, "color": RULE, "activecolor": INK},
        "uirevision": "kept",  # a change of colours keeps what was zoomed and turned
    }


def _config(name: str, panel: Panel) -> dict:
    """No logo, no way to send anything anywhere (plotly 7 shows a button for that unless told not to)."""
    return {
        "displaylogo": False,
        "showSendToCloud": False,
        "showEditInChartStudio": False,
        "displayModeBar": "hover",
        "modeBarButtons": BUTTONS_3D if isinstance(panel, Surface) else BUTTONS,
        "responsive": True,
        "showLink": False,
        "plotlyServerURL": "",
        "toImageButtonOptions": {"format": "png", "filename": name, "scale": 2},
    }
