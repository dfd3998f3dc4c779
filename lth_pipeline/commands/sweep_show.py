"""`lth show` of a sweep: what is varied, its experiments, the cost of all."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lth_pipeline.commands.common import Cards, data_dirs
from lth_pipeline.commands.cost import cost_of, not_counted
from lth_pipeline.commands.reading import make_ready
from lth_pipeline.experiments.sweeps import Sweep
from lth_pipeline.home import Home
from lth_pipeline.recipes import Chain


def show_sweep(home: Home, cards: Cards, sweep: Sweep) -> None:
    console, dirs = Console(markup=False), data_dirs(home)
    for member in sweep.members:
        cards = make_ready(home, cards, member)
    console.print(Text.assemble((sweep.name, "bold"), f"  {sweep.about}"))
    console.print(f"a sweep of {len(sweep.members)} experiments; varied:")
    for entry, labels in sweep.varied.items():
        console.print(f"  {entry}: {' | '.join(labels)}", highlight=False)

    chains = {member: Chain(cards, member, 0, dirs) for member in sweep.members}
    costs = {member: cost_of(cards[member], chain) for member, chain in chains.items()}
    table = Table(box=None, pad_edge=False, header_style="bold", title="Experiments", title_justify="left")
    table.add_column(f"{sweep.name}_…", no_wrap=True)
    for column in ("rounds", "replicates", "trainings", "iterations each"):
        table.add_column(column, justify="right")
    for member in sweep.members:
        card = cards[member]
        numbers = (card.pruning.rounds, card.replicates, costs[member].trainings, card.training.iterations)
        table.add_row(member.removeprefix(f"{sweep.name}_"), *(f"{number:,}" for number in numbers))
    console.print(table)
    trainings, iterations, images = (
        sum(getattr(cost, field) for cost in costs.values()) for field in ("trainings", "iterations", "images")
    )
    console.print(
        f"\nCost in all: {trainings:,} trainings = {iterations:,} iterations, {images:,} images, "
        f"less what experiments share"
    )
    for said in not_counted([cards[member] for member in sweep.members]):
        console.print(said, highlight=False)
    console.print(f"One of them: lth show {sweep.members[0]}", style="dim")
    console.print(f"Run it: lth run {sweep.name}", style="bold")
