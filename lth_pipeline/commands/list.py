"""`lth list`"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lth_pipeline.experiments import Experiment
from lth_pipeline.experiments.sweeps import Sweep, sweeps

if TYPE_CHECKING:
    from rich.table import Table

    from lth_pipeline.lottery.data import DataDirs


LEAST = 32  # columns that descriptions need, or they are left out
INSIDE = "  …"  # what the line of an experiment of a sweep begins with

COLUMNS = ("card", "data", "rounds", "replicates", "iterations", "description")
Line = tuple[str, ...]  # a cell for each


@click.command("list")
def list_cards() -> None:
    """The experiments and sweeps there are: the built-in cards and yours."""
    from rich.console import Console

    from lth_pipeline.commands.common import data_dirs, places

    home, cards = places()
    groups = sweeps(cards)
    lines: list[Line] = []
    for name, card in cards.items():
        if card.sweep is None:
            lines.append((name, *_facts(card), _about(card, data_dirs(home))))
        elif name == groups[card.sweep.sweep].members[0]:
            lines += _of_sweep(cards, groups[card.sweep.sweep])
    console, table = Console(markup=False), _table([line[:-1] for line in lines])
    needed = console.measure(table, options=console.options.update(width=10_000)).maximum
    described = needed + LEAST <= console.width
    Console(markup=False, width=max(console.width, needed)).print(_table(lines) if described else table)  # uncut
    if not described:
        said = f"\nWhat each is for: `lth show CARD`, or here in a terminal of {needed + LEAST} columns"
        console.print(said, style="dim", soft_wrap=True, highlight=False)
    if groups:
        some = next(iter(groups.values()))
        example = f"{some.name} …{some.members[0].removeprefix(some.name)} is {some.members[0]}"
        console.print(f"\n…: the name of the sweep: {example}", style="dim", soft_wrap=True)
    console.print(f"\nYour own cards go into {home.experiments}", style="dim", soft_wrap=True)


def _table(lines: list[Line]) -> Table:
    """With the description where the lines have it."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in COLUMNS[: len(lines[0])]:
        right = column in ("rounds", "replicates", "iterations")
        table.add_column(column, justify="right" if right else "left", no_wrap=column != "description")
    for line in lines:
        table.add_row(*line, style="dim" if line[0].startswith(INSIDE) else None)
    return table


def _of_sweep(cards, sweep: Sweep) -> list[Line]:
    """A line for the sweep with what holds for all; beneath it a line for each experiment with what does not.

    Its experiments all begin with its name, which would push everything else off a narrow screen.
    """
    facts = [_facts(cards[member]) for member in sweep.members]
    shared = [column[0] if len(set(column)) == 1 else "" for column in zip(*facts, strict=True)]
    first = cards[sweep.members[0]]
    about = _branch(first, sweep.about)
    lines = [(sweep.name, *shared, f"sweep of {len(sweep.members)} experiments{': ' if about else ''}{about}")]
    for member, own in zip(sweep.members, facts, strict=True):
        differing = ["" if common else value for common, value in zip(shared, own, strict=True)]
        lines.append((f"{INSIDE}{member.removeprefix(sweep.name)}", *differing, ""))
    return lines


def _facts(card: Experiment) -> tuple[str, ...]:
    from lth_pipeline.recipes.facts import title_of

    return title_of(card.data), str(card.pruning.rounds), str(card.replicates), f"{card.training.iterations:,}"


def _about(card: Experiment, dirs: DataDirs) -> str:
    about = _branch(card, card.description)
    return f"{about} ({said})".strip() if (said := _ticket(card, dirs)) else about


def _ticket(card: Experiment, dirs: DataDirs) -> str:
    """Of a published ticket, which one it is known to be; nothing is fetched for it."""
    from lth_pipeline.recipes.registry import known

    origin = card.ticket_from
    if origin is None or origin.registry is None:
        return ""
    found = known(origin, dirs)
    return f"ticket from {origin.place}, {f'version {found.version}' if found else 'not fetched yet'}"


def _branch(card: Experiment, about: str) -> str:
    if not card.branch_of:
        return about
    return f"{about} (branch of {card.branch_of.experiment} from round {card.branch_of.round})".strip()
