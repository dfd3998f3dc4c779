"""`lth status`"""

from __future__ import annotations

from collections import Counter

import click

STATES = ("fresh", "stale", "missing", "left out")


@click.command()
@click.argument("card", required=False)
@click.option("--stale", is_flag=True, help="list every asset that no longer follows from its inputs, all the way down")
def status(card: str | None, stale: bool) -> None:
    """How far the experiments are, and what is out of date."""
    from rich.console import Console
    from rich.table import Table

    from lth_pipeline.commands.common import card_named, places, workshop
    from lth_pipeline.orchestration.instance import close_dead_runs, open_instance
    from lth_pipeline.orchestration.partitions import deepest_round
    from lth_pipeline.orchestration.status import experiment_status, read_records

    home, cards = places()
    if card:
        card_named(cards, card)
    deepest = deepest_round(cards)
    with open_instance(home) as instance:
        close_dead_runs(instance)
        recorded = read_records(instance, deepest)
    shop = workshop(home)
    begun = [name for name in cards if name == card or card is None]
    found = [entry for name in begun for entry in experiment_status(cards, name, shop, recorded, deepest)]
    console = Console()
    if stale:
        stale_ones = [entry for entry in found if entry.state == "stale"]
        for entry in stale_ones:
            partition = entry.experiment if entry.replicate is None else f"{entry.experiment}|{entry.replicate}"
            click.echo(f"{partition}\t{entry.asset}\t{entry.why}")
        if not stale_ones:
            click.echo("Nothing is stale.")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("experiment", "replicate", "deepest round", *STATES):
        table.add_column(column, justify="left" if column == "experiment" else "right")
    groups: dict[tuple[str, int | None], list] = {}
    for entry in found:
        groups.setdefault((entry.experiment, entry.replicate), []).append(entry)
    idle = {name for name in begun if all(entry.state == "missing" for entry in found if entry.experiment == name)}
    for (experiment, replicate), entries in groups.items():
        if experiment in idle:
            continue
        counts = Counter(entry.state for entry in entries)
        rounds = [entry.round for entry in entries if entry.round is not None and entry.state in ("fresh", "stale")]
        label = "results" if replicate is None else str(replicate)
        table.add_row(
            experiment,
            label,
            str(max(rounds)) if rounds else "–",
            *(str(counts[s]) for s in STATES),
        )
    if table.row_count:
        console.print(table)
    if idle:
        console.print(f"Not begun: {', '.join(sorted(idle))}", style="dim")
    if any(entry.state == "stale" for entry in found):
        console.print("lth status --stale lists what is stale and why; lth run CARD brings it up to date.")
