"""The numbers behind a chart as tables, for who cannot see it, or wants to know exactly."""

from __future__ import annotations

import math
from html import escape

from lth_pipeline.reports.charts.chart import Bars, Chart, Heat, Lines, Numbers, Panel, Surface
from lth_pipeline.reports.page.tables import boxed, with_names

ROWS, COLUMNS = 24, 12  # of a table at most; of longer ones evenly spaced rows are shown


def as_tables(chart: Chart, files: bool = False) -> str:
    """files: whether files for download have all that lines are made of."""
    return "".join(_table(panel, files) for panel in chart.panels)


def _of(panel: Panel) -> tuple[str, str, list[str], list[list[str]]]:
    """Caption, name of the rows, columns, and rows with their names."""
    if isinstance(panel, Lines):
        return _lines(panel)
    if isinstance(panel, Bars):
        rows = [
            [group, *(_with_ends(bar.values[place], bar.low, bar.high, place) for bar in panel.bars)]
            for place, group in enumerate(panel.groups)
        ]
        return (
            _caption(panel, panel.y.label),
            panel.x_label or "group",
            [bar.name or "value" for bar in panel.bars],
            rows,
        )
    scale = panel.scale if isinstance(panel, Heat) else panel.z.label
    down, across = _spaced(len(panel.y_at), ROWS), _spaced(len(panel.x_at), COLUMNS)
    rows = [[_said(panel.y_at[row]), *(_said(panel.values[row][column]) for column in across)] for row in down]
    name = f"{panel.y.label} ↓, {panel.x.label} →"
    return _caption(panel, scale), name, [_said(panel.x_at[column]) for column in across], rows


def _lines(panel: Lines) -> tuple[str, str, list[str], list[list[str]]]:
    """A row for each place where a line has a value."""
    at, columns = _along(panel), []
    for line in panel.lines:
        said = {
            float(x): _with_ends(line.y[place], line.low, line.high, place)
            for place, x in enumerate(line.x)
            if x is not None
        }
        columns.append(said)
    rows = [[_said(at[row]), *(column.get(at[row], "") for column in columns)] for row in _spaced(len(at), ROWS)]
    return _caption(panel, panel.y.label), panel.x.label, [line.name or "value" for line in panel.lines], rows


def _caption(panel: Heat | Surface | Lines | Bars, what: str) -> str:
    return f"{panel.title}: {what}" if panel.title else what


def _spaced(count: int, most: int) -> list[int]:
    if count <= most:
        return list(range(count))
    return [round(place * (count - 1) / (most - 1)) for place in range(most)]


def _with_ends(value: float | None, low: Numbers | None, high: Numbers | None, place: int) -> str:
    said = _said(value)
    ends = low is not None and high is not None and None not in (low[place], high[place])
    return f"{said} ({_said(low[place])} to {_said(high[place])})" if said and ends else said


def _said(value: float | str | None) -> str:
    if isinstance(value, str):
        return value
    if value is None or not math.isfinite(value):
        return ""
    if 0 < abs(value) < 1e-4:
        return f"{value:.1e}"
    return f"{value:,.4g}" if abs(value) < 1e4 else f"{value:,.0f}" if abs(value) < 1e9 else f"{value:.4g}"


def _table(panel: Panel, files: bool) -> str:
    caption, name, columns, rows = _of(panel)
    said = ", ".join(filter(None, [caption, _sample(panel, len(rows), len(columns), files)]))
    return f'<p class="caption">{escape(said)}</p>{boxed(caption, with_names(name, columns, rows))}'


def _sample(panel: Panel, rows: int, columns: int, files: bool) -> str:
    """That not all is shown, where it is not."""
    if isinstance(panel, Lines):
        there = len(_along(panel))
        below = "; all are in the CSV files below" if files else ""
        return f"a sample: {rows} of {there:,} rows, evenly spaced{below}" if rows < there else ""
    if isinstance(panel, Bars) or (rows == len(panel.y_at) and columns == len(panel.x_at)):
        return ""
    return f"a sample: {rows} × {columns} of {len(panel.y_at)} × {len(panel.x_at)} values, evenly spaced"


def _along(panel: Lines) -> list[float]:
    """Every place where a line has a value."""
    return sorted({float(x) for line in panel.lines for x in line.x if x is not None}, reverse=panel.x.falling)
