"""`lth import`"""

from __future__ import annotations

import os
import time

import click


@click.command("import")
@click.argument("cards", metavar="[CARD]...", nargs=-1)
@click.option("--workers", type=click.IntRange(min=1), help="processes side by side; left out: what suits the cores")
def import_results(cards: tuple[str, ...], workers: int | None) -> None:
    """Record what the store has, where Dagster or MLflow does not know it: after a move to other databases, say.

    Of CARDs, experiments or sweeps; left out: of all that something in the store was made for. Nothing is trained, and
    what is recorded already is left as it is.
    """
    from lth_pipeline.commands.common import named, places, workshop
    from lth_pipeline.commands.progress import Replicate, show_progress
    from lth_pipeline.commands.reading import make_ready
    from lth_pipeline.commands.run import suitable_workers
    from lth_pipeline.experiments.sweeps import members_of, sweeps
    from lth_pipeline.orchestration.launch import run_tasks, warm_up

    home, known = places()
    chosen = [named(known, card) for card in cards]
    names = tuple(dict.fromkeys(name for each in chosen for name in members_of(each)))
    warm_up()  # before anything that is slow to import here
    from lth_pipeline.commands.after_run import failure
    from lth_pipeline.commands.before_run import check_places
    from lth_pipeline.orchestration.imports import has_results, held, import_plan, import_tasks
    from lth_pipeline.orchestration.instance import open_instance
    from lth_pipeline.orchestration.partitions import deepest_round, partition_key
    from lth_pipeline.orchestration.plan import Asked
    from lth_pipeline.orchestration.status import read_records
    from lth_pipeline.recipes.inventory import take_inventory
    from lth_pipeline.tracking.runs import run_ids
    from lth_pipeline.tracking.tracker import open_tracker

    for name in names:
        make_ready(home, known, name)
    check_places(home)
    shop, deepest = workshop(home), deepest_round(known)
    found = held(known, take_inventory(shop.store), names, deepest, shop)
    for note in found.notes:
        click.echo(note)
    log = home.dagster.parent / "logs" / f"{time.strftime('%Y%m%d-%H%M%S')}.log"
    tracker = open_tracker(home.tracking_uri, home.mlflow, home.mlflow_ui)
    groups = sweeps(known)
    whole = {name: groups[card.sweep.sweep] if (card := known[name]).sweep else card for name in found.through}
    with open_instance(home) as instance:
        recorded = read_records(instance, deepest)
        todo = {
            name: import_plan(known, name, shop, through, recorded, run_ids(tracker, name), deepest)
            for name, through in found.through.items()
        }
        queue = []
        for each in {unit.name: unit for unit in whole.values()}.values():
            members = [name for name in members_of(each) if name in todo]
            planned = {name: todo[name] for name in members if todo[name] or has_results(known, name, shop, recorded)}
            queue += import_tasks(Asked(home, known, each, shop, log), planned, recorded, instance) if planned else []
        states = {
            partition_key(name, number): Replicate(f"{name}  {number}", shop.chain(known, name, number), entries)
            for name, planned in todo.items()
            for number, entries in planned.items()
        }
        at_once = workers or suitable_workers(len(states) or 1, os.cpu_count() or 1)
        head = f"Found in the store, and only recorded here: {len(states)} replicate(s)"
        failed = show_progress(head, states, run_tasks(queue, at_once), "all" if len(states) > 1 else "")
    if failed:
        raise click.ClickException(failure(failed, log))
    for name, planned in todo.items():
        for number, entries in planned.items():
            rounds = f"rounds 0 … {max(entry.round for entry in entries)}"
            click.echo(f"{name}, replicate {number}: {rounds}, {len(entries)} assets recorded")
    gathered = [task.partition for task in queue if "|" not in task.partition]
    click.echo(f"Results: {', '.join(gathered)}" if gathered else "Nothing to import: what the store has is recorded.")
