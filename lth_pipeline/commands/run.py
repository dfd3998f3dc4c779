"""`lth run`"""

from __future__ import annotations

import time

import click

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
    """Run CARD, an experiment or a sweep: what is missing or stale, as Dagster runs, one for each replicate.

    What is done is not done twice: after Ctrl-C, a crash or a change of card, the same command goes on.
    """
    from lth_pipeline.commands.common import data_dirs, members_of, named, places, workshop
    from lth_pipeline.commands.progress import Replicate, show_progress
    from lth_pipeline.commands.reading import make_ready
    from lth_pipeline.orchestration.launch import run_tasks, warm_up

    home, cards = places()
    chosen = named(cards, card)
    names = members_of(chosen)
    warm_up()  # before anything that is slow to import here
    from lth_pipeline.commands.after_run import ending, failure
    from lth_pipeline.commands.before_run import check_options, check_places
    from lth_pipeline.orchestration import status
    from lth_pipeline.orchestration.instance import close_dead_runs, devices, open_instance
    from lth_pipeline.orchestration.partitions import deepest_round, partition_key
    from lth_pipeline.orchestration.plan import Asked, plan, tasks
    from lth_pipeline.orchestration.sources import source_plans
    from lth_pipeline.tracking.abandoned import close_abandoned
    from lth_pipeline.tracking.runs import run_ids
    from lth_pipeline.tracking.tracker import open_tracker

    deepest = deepest_round(cards)
    for name in names:
        make_ready(home, cards, name)
        check_options(cards, cards[name], replicates, through, rounds, deepest, data_dirs(home))
    check_places(home)
    log = home.dagster.parent / "logs" / f"{time.strftime('%Y%m%d-%H%M%S')}.log"
    started, shop = time.monotonic(), workshop(home)
    tracker = open_tracker(home.tracking_uri, home.mlflow, home.mlflow_ui)  # while the workers' imports run
    options = {"replicates": replicates, "through": through, "rounds": rounds, "recompute": recompute}
    with open_instance(home) as instance:
        close_abandoned(tracker, names)
        for run_id in close_dead_runs(instance):
            click.echo(f"Run {run_id[:8]} was killed earlier; going on from what it left.")
        recorded = status.read_records(instance, deepest)
        todo = {name: plan(cards, name, shop, recorded, run_ids(tracker, name), deepest, **options) for name in names}
        first, todo = source_plans(
            cards,
            todo,
            lambda name, numbers, round: plan(
                cards, name, shop, recorded, run_ids(tracker, name), deepest, replicates=numbers, rounds=(round,)
            ),
        )
        asked = Asked(home, cards, chosen, shop, log, recompute)
        whole = card if len(names) > 1 else ""

        def title(name: str, number: int) -> str:
            if whole:
                return f"{name.removeprefix(f'{whole}_')}  {number}"
            return f"replicate {number}" if name == card else f"{name}, replicate {number}"

        states = {
            partition_key(name, number): Replicate(
                title(name, number),
                shop.chain(cards, name, number),
                entries,
            )
            for name, planned in (*first.items(), *todo.items())
            for number, entries in planned.items()
        }
        queue = tasks(asked, todo, first, recorded, instance)
        among = f"{len(names)} experiments, " if whole else ""
        among += f"first what the ticket of {', '.join(first)} lacks, " if first else ""
        at_once = workers or suitable_workers(len(states) or len(queue), devices())
        failed = show_progress(f"{card}: {among}{len(states)} replicate(s)", states, run_tasks(queue, at_once), whole)
    if not states:
        click.echo(f"{card} is up to date: nothing to train.")
    ending(home, cards, chosen, time.monotonic() - started if states else None, failed)
    if failed:  # what the others have shown is gathered all the same
        raise click.ClickException(failure(failed, log))


def suitable_workers(tasks: int, cores: int) -> int:
    """How many processes end soonest, of those that share a core at most in two.

    Three replicates on two cores: two at a time takes twice a replicate's time, all three at once 1.5 times.
    """
    return min(
        range(1, 2 * cores + 1),
        key=lambda workers: (-(-tasks // workers) * max(1.0, workers / cores), workers),
    )
