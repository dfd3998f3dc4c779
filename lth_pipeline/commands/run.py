"""`lth run`"""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import click

LOCATION = "lth_pipeline.definitions"
MOST = 1000  # no replicate or round has a higher number


def numbers(context, parameter, value: str | None) -> tuple[int, ...] | None:
    """ "0,2,5-7" as numbers."""
    if value is None:
        return None
    chosen: list[int] = []
    try:
        for part in value.split(","):
            first, _, last = part.partition("-")
            chosen += range(int(first), min(int(last or first), MOST) + 1)
    except ValueError:
        raise click.BadParameter(f"{value!r} is not a list of numbers such as 0,1 or 0-4") from None
    if not chosen:
        raise click.BadParameter(f"{value!r} holds no number")
    return tuple(dict.fromkeys(chosen))


@click.command()
@click.argument("card")
@click.option("--replicates", callback=numbers, metavar="0,1", help="which replicates; left out: those of the card")
@click.option("--through", type=click.IntRange(min=0), metavar="ROUND", help="the last round; left out: the card's")
@click.option("--rounds", callback=numbers, metavar="3,4", help="only these rounds")
@click.option("--recompute", is_flag=True, help="compute the chosen rounds from scratch, whatever the store has")
@click.option("--workers", type=click.IntRange(min=1), help="processes side by side; left out: what suits the cores")
def run(card, replicates, through, rounds, recompute, workers) -> None:
    """Run CARD: what is missing or stale, as Dagster runs, one for each replicate.

    What is done is not done twice: after Ctrl-C, a crash or a change of card, the same command goes on.
    """
    from lth_pipeline.commands.common import card_named, data_dirs, places, workshop
    from lth_pipeline.commands.progress import show_progress
    from lth_pipeline.commands.reading import reading_bar
    from lth_pipeline.orchestration.launch import Task, run_tasks, warm_up

    home, cards = places()
    experiment = card_named(cards, card)
    warm_up()  # before anything that is slow to import here
    from lth_pipeline.orchestration import status
    from lth_pipeline.orchestration.instance import close_dead_runs, devices, open_instance
    from lth_pipeline.orchestration.jobs import EVERY_ROUND
    from lth_pipeline.orchestration.partitions import deepest_round, partition_key
    from lth_pipeline.orchestration.plan import plan
    from lth_pipeline.recipes.facts import title_of
    from lth_pipeline.recipes.ready import make_ready
    from lth_pipeline.tracking.runs import run_ids
    from lth_pipeline.tracking.tracker import open_tracker

    deepest = deepest_round(cards)
    with reading_bar(title_of(experiment.data)) as progress:
        make_ready(cards, card, data_dirs(home), progress, [home.experiments])
    _check_options(cards, experiment, replicates, through, rounds, deepest, data_dirs(home))
    _check_places(home)
    log = home.dagster.parent / "logs" / f"{time.strftime('%Y%m%d-%H%M%S')}.log"
    tags = {"lth/experiment": card, "lth/started_by": "lth run"}
    task = partial(Task, LOCATION, instance=home.dagster, log=log, tags=tags)
    config = {"resources": {"compute": {"config": {"recompute": True}}}} if recompute else {}
    started = time.monotonic()
    tracker = open_tracker(home.tracking_uri, home.mlflow, home.mlflow_ui)  # while the workers' imports run
    with open_instance(home) as instance:
        for run_id in close_dead_runs(instance):
            click.echo(f"Run {run_id[:8]} was killed earlier; going on from what it left.")
        recorded, logged = status.read_records(instance, deepest), run_ids(tracker, card)
        chosen = {"replicates": replicates, "through": through, "rounds": rounds, "recompute": recompute}
        todo = plan(cards, card, workshop(home), recorded, logged, deepest, **chosen)
        tasks = []
        for replicate, entries in todo.items():
            job = card if max(entry.round for entry in entries) <= experiment.pruning.rounds else EVERY_ROUND
            assets = tuple(entry.asset for entry in entries)
            tasks.append(task(job, partition_key(card, replicate), assets, run_config=config))
        failed = []
        if tasks:
            failed = show_progress(
                experiment, todo, run_tasks(tasks, workers or suitable_workers(len(tasks), devices()))
            )
        results = status.results_status(cards, card, workshop(home), status.read_records(instance, deepest))
        if tasks or results.state != "fresh" or not (home.reports / card / "results.csv").is_file():
            gathering = run_tasks([task("gather_results", card, ("results",))], 1)
            done = [details for event, details in gathering if event == "done"]
            failed += [details for details in done if not details["success"] and not failed]
    if failed:  # what the others have shown is gathered all the same
        raise click.ClickException(_failure(failed, log))
    if not tasks:
        click.echo(f"{card} is up to date: nothing to train.")
    _ending(home, experiment, time.monotonic() - started if tasks else None)


def suitable_workers(tasks: int, cores: int) -> int:
    """How many processes end soonest, of those that share a core at most in two.

    Three replicates on two cores: two at a time takes twice a replicate's time, all three at once 1.5 times.
    """
    return min(
        range(1, 2 * cores + 1),
        key=lambda workers: (-(-tasks // workers) * max(1.0, workers / cores), workers),
    )


def _check_options(cards, experiment, replicates, through, rounds, deepest: int, dirs) -> None:
    from lth_pipeline.orchestration.partitions import replicates as offered
    from lth_pipeline.recipes.check import empties

    if through is not None and rounds is not None:
        raise click.ClickException("--through and --rounds: give one of them")
    if replicates is not None and max(replicates) >= offered(cards):
        raise click.ClickException(
            f"replicate {max(replicates)}: this deployment has partitions for 0 … {offered(cards) - 1}; "
            f"set LTH_REPLICATES={max(replicates) + 1} for more"
        )
    depth = max(rounds) if rounds else through or 0
    if depth > deepest:
        raise click.ClickException(
            f"round {depth}: this deployment has assets for rounds 0 … {deepest}; "
            f"set LTH_DEEPEST_ROUND={depth} for more"
        )
    emptied = empties(cards, experiment.name, depth, dirs)
    if emptied:
        raise click.ClickException(
            f"round {emptied[0]} would prune {emptied[1]} away whole; go through {emptied[0] - 1}"
        )


def _check_places(home) -> None:
    """Better to know before the first training than after it."""
    from lth_pipeline.files import ensure_writable
    from lth_pipeline.recipes import StoreError
    from lth_pipeline.tracking.tracker import TrackingError

    ensure_writable(home.store, StoreError)
    ensure_writable(home.reports, StoreError)
    if home.tracking_uri.startswith("sqlite:///"):
        ensure_writable(Path(home.tracking_uri.removeprefix("sqlite:///")).parent, TrackingError)


def _failure(failed: list[dict], log: Path) -> str:
    """What went wrong, each message once, with the partitions it stopped."""
    stopped: dict[str, list[str]] = {}
    for details in failed:
        for message in details["errors"] or ["failed; its page in Dagster says why"]:
            stopped.setdefault(message, []).append(details["task"].partition)
    runs = ", ".join(details["run_id"][:8] for details in failed if details["run_id"])
    lines = [f"{', '.join(partitions)}: {message}" for message, partitions in stopped.items()]
    return "\n".join([*lines, f"(Dagster run {runs}; log: {log})" if runs else f"(log: {log})"])


def _ending(home, experiment, seconds: float | None) -> None:
    from lth_pipeline.commands.screen import results_on_screen
    from lth_pipeline.reports.table import read_results

    folder = home.reports / experiment.name
    frame = read_results(folder / "results.csv")
    results_on_screen(experiment, frame)
    took = f" ({seconds:.0f} s)" if seconds is not None else ""
    click.echo(
        f"\nDone{took}.\n"
        f"  figures   {folder / 'accuracy_by_density.png'}\n"
        f"            {folder / 'early_stop_by_density.png'}\n"
        f"  report    {folder / 'report.html'}\n"
        f"  table     {folder / 'results.csv'}   (or: lth results {experiment.name} --format csv)\n"
        f"  UIs       make ui  (or: lth ui)   Dagster {home.dagster_ui}   MLflow {home.mlflow_ui}"
    )
