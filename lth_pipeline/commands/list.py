"""`lth list`"""

from __future__ import annotations

import click

from lth_pipeline.experiments import Experiment
from lth_pipeline.experiments.sweeps import Sweep, sweeps


@click.command("list")
def list_cards() -> None:
    """The experiments and sweeps there are: the built-in cards and yours."""
    from rich.console import Console
    from rich.table import Table

    from lth_pipeline.commands.common import places

    home, cards = places()
    groups = sweeps(cards)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("card", "data", "rounds", "replicates", "iterations", "description"):
        right = column in ("rounds", "replicates", "iterations")
        table.add_column(column, justify="right" if right else "left", no_wrap=column == "card")
    for name, card in cards.items():
        if card.sweep is None:
            table.add_row(name, *_facts(card), _about(card))
        elif name == groups[card.sweep.sweep].members[0]:
            _add_sweep(table, cards, groups[card.sweep.sweep])
    console = Console()
    console.print(table)
    if groups:
        some = next(iter(groups.values()))
        example = f"{some.name} …{some.members[0].removeprefix(some.name)} is {some.members[0]}"
        console.print(f"\n…: the name of the sweep: {example}", style="dim", soft_wrap=True)
    console.print(f"\nYour own cards go into {home.experiments}", style="dim", soft_wrap=True)


def _add_sweep(table, cards, sweep: Sweep) -> None:
    """A line for the sweep with what holds for all; beneath it a line for each experiment with what does not.

    Its experiments all begin with its name, which would push everything else off a narrow screen.
    """
    facts = [_facts(cards[member]) for member in sweep.members]
    shared = [column[0] if len(set(column)) == 1 else "" for column in zip(*facts, strict=True)]
    first = cards[sweep.members[0]]
    about = _branch(first, sweep.about)
    table.add_row(sweep.name, *shared, f"sweep of {len(sweep.members)} experiments{': ' if about else ''}{about}")
    for member, own in zip(sweep.members, facts, strict=True):
        differing = ["" if common else value for common, value in zip(shared, own, strict=True)]
        table.add_row(f"  …{member.removeprefix(sweep.name)}", *differing, "", style="dim")


def _facts(card: Experiment) -> tuple[str, ...]:
    from lth_pipeline.recipes.facts import title_of

    return title_of(card.data), str(card.pruning.rounds), str(card.replicates), f"{card.training.iterations:,}"


def _about(card: Experiment) -> str:
    return _branch(card, card.description)


def _branch(card: Experiment, about: str) -> str:
    if not card.branch_of:
        return about
    return f"{about} (branch of {card.branch_of.experiment} from round {card.branch_of.round})".strip()
