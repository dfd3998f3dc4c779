"""The page of a comparison: what came out for each experiment, the figures, and how it was made."""

from __future__ import annotations

from collections.abc import Sequence

from lth_pipeline.experiments.arms import ARMS
from lth_pipeline.reports import comparison_text as text
from lth_pipeline.reports.analyses.section import Section, Shown
from lth_pipeline.reports.charts.chart import Chart
from lth_pipeline.reports.comparison import Comparison
from lth_pipeline.reports.comparison_look import shown_arms
from lth_pipeline.reports.page import Chapter, Entry, KeyValues, Link, Page, page

TITLES = {
    "accuracy_by_density": "Accuracy by density",
    "early_stop_by_density": "Early stop by density",
    "gap_by_density": "Ticket against control",
    "learning_curves": "Learning curves",
}


def comparison_page(
    compared: Comparison,
    charts: Sequence[Chart],
    shared: Sequence[tuple[str, str]],
    made_of: Sequence[tuple[str, str]],
    links: Sequence[Link],
    where: str,
    footer: str,
) -> str:
    """shared: (setting, value) of what is the same for all. made_of: (what, its SHA-256). links: to what lies
    elsewhere. where: where its files lie. footer: the page's last line."""
    lineup = compared.lineup
    subtitle = " · ".join(filter(None, (f"{len(compared.members)} experiments", compared.subtitle)))
    notes = [f"{note[0].upper()}{note[1:]}." for note in compared.notes]
    chapters = [
        Chapter("Verdict", [_verdict(compared)]),
        Chapter("Figures", [_figure(chart) for chart in charts], _left_out(compared)),
        Chapter("How it was made", [_experiments(compared, shared, links), _rounds(compared), _contents(made_of)]),
    ]
    return page(Page(lineup.name, lineup.about, chapters, subtitle, notes, where, footer))


def _verdict(compared: Comparison) -> Entry:
    tables = [shown for shown in (text.sparsest(compared), text.controls(compared)) if shown.rows]
    section = Section(text.headline(compared), text=text.sentences(compared), shown=tables)
    return Entry(
        "verdict", "Each in its sparsest round", "How sparse does each go, and what is its ticket worth there?", section
    )


def _figure(chart: Chart) -> Entry:
    return Entry(chart.name, TITLES[chart.name], section=Section("", [chart]))


def _left_out(compared: Comparison) -> str:
    """Which arms the figures do not show."""
    rest = [ARMS[arm].title for arm in compared.arms() if arm not in ("dense", *shown_arms(compared))]
    return f"Not drawn here, but in the tables and in each experiment's own report: {', '.join(rest)}." if rest else ""


def _experiments(compared: Comparison, shared: Sequence[tuple[str, str]], links: Sequence[Link]) -> Entry:
    facts = [(compared.labels[name], *said.values()) for name, said in compared.facts.items()]
    shown = Shown("What each was run with.", ("experiment", *next(iter(compared.facts.values()))), facts)
    tables = [shown for shown in (text.apart(compared), shown) if shown.rows]
    same = [KeyValues("What the cards of all have in common.", shared, True)]
    return Entry("settings", "Experiments", section=Section("", shown=tables), tables=same, links=links)


def _rounds(compared: Comparison) -> Entry:
    table = compared.frame.to_csv(index=False)
    return Entry(
        "rounds", "By round", section=Section("", shown=[text.rounds(compared)]), csv={"comparison.csv": table}
    )


def _contents(made_of: Sequence[tuple[str, str]]) -> Entry:
    tables = [KeyValues("The sparsest ticket of each replicate, by the SHA-256 of its content.", made_of)]
    return Entry("versions", "Versions", "What exactly is compared here?", tables=tables)
