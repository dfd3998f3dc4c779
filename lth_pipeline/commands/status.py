"""`lth status`"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import click

from lth_pipeline.experiments.sweeps import Sweep, members_of, sweeps

STATES = ("fresh", "stale", "missing", "left out")


@click.command()
@click.argument("card", required=False)
@click.option("--stale", is_flag=True, help="list every asset that no longer follows from its inputs, all the way down")
def status(card: str | None, stale: bool) -> None:
    """How far the experiments are, what is out of date, and the disk it takes. Of sweeps, a line for each experiment.

    Disk: of a replicate what its rounds consist of in the store, also where others share it; of results the reports,
    and the experiment's artifacts in MLflow.
    """
    from rich.console import Console
    from rich.table import Table

    from lth_pipeline.commands.common import named, places, workshop
    from lth_pipeline.commands.disk import in_words
    from lth_pipeline.orchestration import disk
    from lth_pipeline.orchestration import sweeps as comparisons
    from lth_pipeline.orchestration.instance import close_dead_runs, open_instance
    from lth_pipeline.orchestration.partitions import deepest_round
    from lth_pipeline.orchestration.status import AssetStatus, experiment_status, read_records

    home, cards = places()
    chosen = named(cards, card) if card else None
    names = members_of(chosen) if chosen else tuple(cards)
    groups = [chosen] if isinstance(chosen, Sweep) else [] if chosen else list(sweeps(cards).values())
    deepest, shop = deepest_round(cards), workshop(home)
    with open_instance(home) as instance:
        close_dead_runs(instance)
        recorded = read_records(instance, deepest)
        found = [entry for name in names for entry in experiment_status(cards, name, shop, recorded, deepest)]
        compared = [
            AssetStatus(comparisons.NAME, sweep.name, None, None, *comparisons.state(cards, sweep, shop, instance))
            for sweep in groups
        ]
    if stale:
        stale_ones = [entry for entry in (*found, *compared) if entry.state == "stale"]
        for entry in stale_ones:
            partition = entry.experiment if entry.replicate is None else f"{entry.experiment}|{entry.replicate}"
            click.echo(f"{partition}\t{entry.asset}\t{entry.why}")
        if not stale_ones:
            click.echo("Nothing is stale.")
        return
    console = Console(markup=False)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("experiment", "replicate", "deepest round", *STATES, "disk"):
        words = column in ("experiment", "replicate", "disk")
        table.add_column(column, justify="left" if column == "experiment" else "right", no_wrap=words)
    by_name: dict[str, list[AssetStatus]] = {name: [] for name in names}
    for entry in found:
        by_name[entry.experiment].append(entry)
    idle = [name for name, entries in by_name.items() if all(entry.state == "missing" for entry in entries)]
    whole = {member: sweep for sweep in groups for member in sweep.members}

    def add(name: str, label: str, entries: Sequence[AssetStatus]) -> None:
        _add(table, name, label, entries, in_words(disk.taken(home, cards, shop, name, entries)))

    for name, entries in by_name.items():
        if name in whole:
            sweep = whole[name]
            if name not in idle:
                counted = {entry.replicate for entry in entries if entry.replicate is not None}
                add(name, f"{len(counted)} and results", entries)
            if name == sweep.members[-1] and set(sweep.members) - set(idle):
                add(sweep.name, "comparison", [each for each in compared if each.experiment == sweep.name])
        elif name not in idle:
            for replicate in dict.fromkeys(entry.replicate for entry in entries):
                label = "results" if replicate is None else str(replicate)
                add(name, label, [entry for entry in entries if entry.replicate == replicate])
    if table.row_count:
        console.print(table)
        taken = ", ".join(f"{place} {in_words(size)}" for place, size in disk.totals(home).items())
        console.print(f"Disk: {taken}. What nothing needs any more: lth gc --dry-run", highlight=False)
    if idle:
        console.print(f"Not begun: {', '.join(sorted(_short(idle, groups)))}", style="dim")
    if any(entry.state == "stale" for entry in (*found, *compared)):
        console.print("lth status --stale lists what is stale and why; lth run CARD brings it up to date.")


def _add(table, name: str, label: str, entries: Sequence, disk: str) -> None:
    counts = Counter(entry.state for entry in entries)
    rounds = [entry.round for entry in entries if entry.round is not None and entry.state in ("fresh", "stale")]
    table.add_row(name, label, str(max(rounds)) if rounds else "–", *(str(counts[state]) for state in STATES), disk)


def _short(idle: Sequence[str], groups: Sequence[Sweep]) -> list[str]:
    """`idle` with a sweep's name in the place of its experiments where none of them has been begun."""
    whole = [sweep for sweep in groups if set(sweep.members) <= set(idle)]
    inside = {member for sweep in whole for member in sweep.members}
    return [*(name for name in idle if name not in inside), *(sweep.name for sweep in whole)]
