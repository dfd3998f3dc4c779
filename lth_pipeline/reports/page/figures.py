"""A chart on the page: its title, its legend, its panels, what is to be said of it, and its numbers as tables."""

from __future__ import annotations

from html import escape

from lth_pipeline.reports.charts.chart import Chart, Surface
from lth_pipeline.reports.charts.interactive import Entry, legend, specs
from lth_pipeline.reports.page.numbers import as_tables

DASHES = {"dashed": "7 4", "dotted": "1.5 4"}
SHAPES = {  # around (16, 7), as the markers of plotly
    "o": '<circle cx="16" cy="7" r="3.6"/>',
    "s": '<path d="M12.6 3.6h6.8v6.8h-6.8z"/>',
    "^": '<path d="M16 2.6l4.3 7.4h-8.6z"/>',
    "v": '<path d="M16 11.4l4.3-7.4h-8.6z"/>',
    "D": '<path d="M16 2.2l4.8 4.8-4.8 4.8-4.8-4.8z"/>',
    "P": '<path d="M14.6 2.8h2.8v2.8h2.8v2.8h-2.8v2.8h-2.8v-2.8h-2.8v-2.8h2.8z"/>',
    "X": '<path d="M12.7 5.4l1.7-1.7L16 5.3l1.6-1.6 1.7 1.7L17.7 7l1.6 1.6-1.7 1.7L16 8.7l-1.6 1.6-1.7-1.7L14.3 7z"/>',
    "h": '<path d="M12.3 7l1.9-3.3h3.7L19.8 7l-1.9 3.3h-3.7z"/>',
}


class Drawings:
    """All charts of a page: their figures as HTML, and in `specs` what plotly draws in them, by number."""

    def __init__(self) -> None:
        self.specs: list[dict] = []

    def figure(self, chart: Chart, level: int = 4, files: bool = False) -> str:
        """level: of its heading. files: whether its lines' numbers are in files for download below it."""
        across = max(1, min(chart.columns, len(chart.panels)))
        panels = []
        for panel, spec in zip(chart.panels, specs(chart), strict=True):
            meta = spec["layout"]["meta"]
            size = f"--ratio:{meta['ratio']}" if meta["ratio"] else f"--height:{meta['height']}px"
            kind = "square" if meta["ratio"] else "surface" if isinstance(panel, Surface) else "flat"
            title = f'<p class="of-panel">{escape(panel.title)}</p>' if panel.title else ""
            panels.append(
                f'<div class="panel">{title}<div class="plot {kind}" style="{size}" '
                f'data-chart="{len(self.specs)}" aria-hidden="true"></div></div>'
            )
            self.specs.append(spec)
        kinds = "plots deep" if any(isinstance(panel, Surface) for panel in chart.panels) else "plots"
        notes = "".join(f'<p class="in-picture">{escape(note)}</p>' for note in chart.notes)
        about = "".join(f"<p>{escape(text)}</p>" for text in chart.about)
        words = f"<figcaption>{about}</figcaption>" if about else ""
        return (
            f'<figure class="chart" data-name="{escape(chart.name)}"><h{level}>{escape(chart.title)}</h{level}>'
            f"{_legend(legend(chart))}"
            f'<div class="said" role="img" aria-label="{escape(chart.alt)}"></div>'
            f'<div class="{kinds}" style="--columns:{across}">'
            f"{''.join(panels)}</div>{notes}{words}"
            "<details class=numbers><summary>The numbers of this figure</summary>"
            f"{as_tables(chart, files)}</details></figure>"
        )


def _legend(entries: list[Entry]) -> str:
    """Buttons that hide and show, in all panels. The words carry the meaning; colour and mark point to the curves."""
    if not entries:
        return ""
    items = "".join(
        f'<li><button type="button" aria-pressed="true" data-group="{entry.group}" '
        f'style="--light:{entry.look.colour};--dark:{entry.look.on_dark}">{_sample(entry)}{escape(entry.name)}'
        "</button></li>"
        for entry in entries
    )
    return f'<ul class="legend" aria-label="Legend: press to hide or show">{items}</ul>'


def _sample(entry: Entry) -> str:
    if entry.style == "bar":
        inside = '<path d="M8 2h16v10H8z"/>'
    else:
        dash = f' stroke-dasharray="{DASHES[entry.style]}"' if entry.style in DASHES else ""
        line = "" if entry.style == "points" else f'<path class="stroke" d="M1 7h30"{dash}/>'
        inside = line + (SHAPES[entry.look.marker] if entry.marks or entry.style == "points" else "")
    return f'<svg viewBox="0 0 32 14" width="32" height="14" aria-hidden="true" focusable="false">{inside}</svg>'
