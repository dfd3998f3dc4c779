"""What the results of a sweep come as: the table, the figure and one HTML page that needs nothing else."""

from __future__ import annotations

import html
from collections.abc import Iterable

import pandas as pd

from lth_pipeline.experiments.arms import ARMS
from lth_pipeline.reports.comparison import Comparison, gaps, summary
from lth_pipeline.reports.comparison_figure import comparison_figure
from lth_pipeline.reports.drawing import png, svg
from lth_pipeline.reports.report import STYLE

TABLE, FIGURE, PAGE = "comparison.csv", "accuracy_by_density.png", "report.html"


def comparison_files(compared: Comparison) -> dict[str, bytes]:
    """{file name: content}."""
    title = f"{compared.sweep.name}: {compared.subtitle}" if compared.subtitle else compared.sweep.name
    return {
        TABLE: compared.frame.to_csv(index=False).encode(),
        FIGURE: png(comparison_figure(compared, title)),
        PAGE: comparison_page(compared).encode(),
    }


def comparison_page(compared: Comparison) -> str:
    sweep, escape = compared.sweep, html.escape
    subtitle = f"{len(sweep.members)} experiments · {compared.subtitle}"
    sections = [
        f"<h1>{escape(sweep.name)}</h1><p class=lead>{escape(sweep.about)}<br>{escape(subtitle)}</p>",
        *(f"<p class=note>{escape(note[0].upper() + note[1:])}.</p>" for note in compared.notes),
        f"<figure>{svg(comparison_figure(compared, ''))}<figcaption>Test accuracy at the early-stop iteration."
        "</figcaption></figure>",
        f"<h2>Experiments</h2><div class=wide>{_experiments(compared)}</div>",
        _gaps(compared),
        f"<h2>By round</h2><div class=wide>{_by_round(compared)}</div>",
    ]
    head = f"<meta charset=utf-8><meta name=viewport content='width=device-width'><style>{STYLE}</style>"
    title = f"<title>{escape(sweep.name)} · lottery tickets</title>"
    return f"<!doctype html><html lang=en>{head}{title}{''.join(sections)}</html>\n"


def markdown_summary(compared: Comparison) -> str:
    """The summary as Markdown, with what must be said beside it."""
    lines = [
        "| experiment | round | density | arm | n | test accuracy at early stop |",
        "|---|---:|---:|---|---:|---:|",
        *(f"| {' | '.join(map(str, cells))} |" for cells in _summary_cells(compared)),
    ]
    return "\n".join([*lines, *(f"\n*{note}*" for note in compared.notes)])


def _experiments(compared: Comparison) -> str:
    """What is varied, and what else is not the same for all."""
    rows = [
        [member, *compared.at[member].values(), *(compared.facts[member][name] for name in compared.differing)]
        for member in compared.members
    ]
    return _table(["experiment", *compared.sweep.varied, *compared.differing], rows)


def _gaps(compared: Comparison) -> str:
    rows = [
        [
            compared.labels[line.experiment],
            ARMS[line.control].title,
            f"{100 * line.density:.2f} %",
            int(line.n),
            percent(line.mean, line.sd, sign="+"),
        ]
        for line in gaps(compared).itertuples()
    ]
    if not rows:
        return ""
    head = ["experiment", "control", "weights left", "n", "ticket minus control, percentage points"]
    about = "<p>In the sparsest round that has both: mean of paired differences ± their standard deviation.</p>"
    return f"<h2>Tickets against their controls</h2>{about}<div class=wide>{_table(head, rows)}</div>"


def _by_round(compared: Comparison) -> str:
    return _table(
        ["experiment", "round", "weights left", "arm", "n", "test accuracy at early stop, %"], _summary_cells(compared)
    )


def _summary_cells(compared: Comparison) -> Iterable[list]:
    for line in summary(compared).itertuples():
        density, accuracy = f"{100 * line.density:.2f} %", percent(line.mean, line.sd)
        yield [compared.labels[line.experiment], line.round, density, ARMS[line.arm].title, line.n, accuracy]


def _table(head: list[str], rows: Iterable[list]) -> str:
    lines = ("".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) for row in rows)
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f"<table><tr>{''.join(f'<th>{html.escape(name)}</th>' for name in head)}</tr>{body}</table>"


def percent(mean: float, sd: float, sign: str = "") -> str:
    """ "97.31 ± 0.20"; without the spread where there is none."""
    return f"{100 * mean:{sign}z.2f}" + ("" if pd.isna(sd) else f" ± {100 * sd:.2f}")
