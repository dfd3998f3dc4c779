"""`lth list`"""

from __future__ import annotations

import click


@click.command("list")
def list_cards() -> None:
    """The experiments there are: the built-in cards and yours."""
    from rich.console import Console
    from rich.table import Table

    from lth_pipeline.commands.common import places
    from lth_pipeline.recipes.facts import title_of

    home, cards = places()
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("card", "data", "rounds", "replicates", "iterations", "description"):
        right = column in ("rounds", "replicates", "iterations")
        table.add_column(column, justify="right" if right else "left", no_wrap=column == "card")
    for name, card in cards.items():
        about = card.description
        if card.branch_of:
            about = f"{about} (branch of {card.branch_of.experiment} from round {card.branch_of.round})".strip()
        numbers = (str(card.pruning.rounds), str(card.replicates), f"{card.training.iterations:,}")
        table.add_row(name, title_of(card.data), *numbers, about)
    console = Console()
    console.print(table)
    console.print(f"\nYour own cards go into {home.experiments}", style="dim", soft_wrap=True)
