"""A comparison as a person reads it in a terminal."""

from __future__ import annotations

import click
from rich.console import Console
from rich.table import Table

from lth_pipeline.commands.screen import needed
from lth_pipeline.experiments.lineups import Lineup
from lth_pipeline.home import Home
from lth_pipeline.orchestration import comparisons
from lth_pipeline.reports.comparison import Comparison, gaps, summary
from lth_pipeline.reports.comparison_text import apart, percent

CELL = 15  # characters of a mean with its spread and the gap before it
FEWEST, MOST = 3, 8  # columns of rounds
MOST_SETTINGS = 12  # that tell experiments apart and are printed; the page has all


def comparison_ending(home: Home, cards, lineup: Lineup, done: str) -> None:
    """What a comparison that was made ends with: its table, and where its files lie."""
    from lth_pipeline.recipes.facts import title_of
    from lth_pipeline.reports.comparison import read_comparison

    folder = home.reports / lineup.name
    titles = {name: title_of(cards[name].data) for name in lineup.members}
    comparison_on_screen(read_comparison(folder / comparisons.TABLE, lineup, cards, titles))
    more = f"   (or: lth results {lineup.name} --format csv)" if lineup.kind == "sweep" else ""
    click.echo(
        f"{done}\n"
        f"  figure    {folder / comparisons.FIGURE}\n"
        f"  report    {folder / comparisons.PAGE}\n"
        f"  table     {folder / comparisons.TABLE}{more}\n"
        f"  each      {home.reports / lineup.members[0]} … {lineup.members[-1]}\n"
        f"  UIs       make ui  (or: lth ui)   Dagster {home.dagster_ui}   MLflow {home.mlflow_ui}"
    )


def comparison_on_screen(compared: Comparison) -> None:
    """A line for each experiment and arm, a column for each of some rounds: mean ± standard deviation."""
    console, lineup = Console(markup=False), compared.lineup
    head = f"{lineup.name}: {compared.subtitle}" if compared.subtitle else lineup.name
    console.print(head, style="italic", highlight=False)
    lines = {
        (line.experiment, "ticket" if line.arm == "dense" else line.arm, line.round): line
        for line in summary(compared).itertuples()
    }
    arms = [arm for arm in compared.arms() if arm != "dense"] or ["ticket"]
    controls = [arm for arm in arms if arm != "ticket"]
    # what a sweep varies tells its experiments apart; others have names, and too many settings for columns
    swept = lineup.kind == "sweep"
    lead = [*(entry.rpartition(".")[2] for entry in lineup.varied)] if swept else ["experiment"]
    lead += [*compared.differing, "arm"]
    about = {
        member: [
            *(lineup.at[member].values() if swept else [member]),
            *(compared.facts[member][name] for name in compared.differing),
        ]
        for member in compared.members
    }
    widths = [max(map(len, (name, *cells))) + 2 for name, *cells in zip(lead, *about.values(), strict=False)]
    room = console.width - sum(widths) - max(map(len, arms)) - 2
    gap = sum(max(CELL, len(f"ticket−{control}") + 2) for control in controls)
    gap = gap if room >= CELL * FEWEST + gap else 0  # the report has them too
    rounds = some(sorted({round for _, _, round in lines}), max(FEWEST, min(MOST, (room - gap) // CELL)))
    heads = [{f"{100 * line.density:.1f} %" for key, line in lines.items() if key[2] == round} for round in rounds]
    same = all(len(found) == 1 for found in heads)
    table = Table(header_style="bold", box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for column in lead:
        table.add_column(column, no_wrap=True)
    for number, found in zip(rounds, heads, strict=True):
        table.add_column(found.pop() if same else f"round {number}", justify="right", no_wrap=True)
    beside = controls if gap else []
    for control in beside:
        table.add_column(f"ticket−{control}", justify="right", no_wrap=True)
    last = {(gap.experiment, gap.control): percent(gap.mean, gap.sd, sign="+") for gap in gaps(compared).itertuples()}
    for member in compared.members:
        for arm in arms:
            cells = [percent(line.mean, line.sd) if (line := lines.get((member, arm, r))) else "" for r in rounds]
            if arm == "ticket":
                table.add_row(*about[member], arm, *cells, *(last.get((member, control), "") for control in beside))
            elif any(cells):
                table.add_row(*([""] * len(about[member])), arm, *cells)
    Console(markup=False, width=max(console.width, needed(console, table))).print(table)  # figures are never cut
    by = "weights left" if same else "round: how many weights are left is not the same for all"
    said = [
        f"Test accuracy at early stop, %, by {by}. Mean ± standard deviation over replicates; the first is the dense "
        f"network.{' Differences: the sparsest round of both, replicate by replicate.' if gap else ''}",
        *(f"{note[0].upper()}{note[1:]}." for note in compared.notes),
    ]
    console.print("\n".join(said), style="dim italic", highlight=False)
    if not swept:
        _settings(console, compared)


def _settings(console: Console, compared: Comparison) -> None:
    """The settings in which experiments differ that no sweep has varied."""
    shown = apart(compared)
    table = Table(header_style="bold", box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for column in shown.columns:
        table.add_column(column)
    for row in shown.rows[:MOST_SETTINGS]:
        table.add_row(*row)
    if shown.rows:
        console.print(table)
    if len(shown.rows) > MOST_SETTINGS:
        console.print(f"… and {len(shown.rows) - MOST_SETTINGS} more: the report has them.", style="dim italic")


def some(rounds: list[int], count: int) -> list[int]:
    """At most `count` of `rounds`, evenly, the first and the last among them."""
    if len(rounds) <= count:
        return rounds
    return [rounds[round(place * (len(rounds) - 1) / (count - 1))] for place in range(count)]
