"""`lth run`"""

from __future__ import annotations

import time

import click


def several(context, parameter, value: str | None) -> tuple[int, ...] | None:
    """ "0,2,5-7" as numbers."""
    from lth_pipeline.orchestration.numbers import OptionsError, numbers

    try:
        return None if value is None else numbers(value)
    except OptionsError as error:
        raise click.BadParameter(str(error)) from None


@click.command()
@click.argument("card")
@click.option("--replicates", callback=several, metavar="0,1", help="which replicates; left out: those of the card")
@click.option("--through", type=click.IntRange(min=0), metavar="ROUND", help="the last round; left out: the card's")
@click.option("--rounds", callback=several, metavar="3,4", help="only these rounds")
@click.option("--recompute", is_flag=True, help="compute the chosen rounds from scratch, whatever the store has")
@click.option("--workers", type=click.IntRange(min=1), help="processes side by side; left out: what suits the cores")
@click.option(
    "--queue", is_flag=True, help="put it into Dagster's queue instead: its daemon runs it, here or elsewhere"
)
def run(card, replicates, through, rounds, recompute, workers, queue) -> None:
    """Run CARD, an experiment or a sweep: what is missing or stale, as Dagster runs, one for each replicate.

    What is done is not done twice: after Ctrl-C, a crash or a change of card, the same command goes on.
    """
    from lth_pipeline.commands.common import named, places, workshop
    from lth_pipeline.commands.progress import Replicate, show_progress
    from lth_pipeline.commands.reading import make_ready
    from lth_pipeline.experiments.sweeps import members_of
    from lth_pipeline.orchestration.launch import run_tasks, warm_up

    if queue and workers:
        raise click.ClickException("--queue and --workers: how many runs go on at once is then said by dagster.yaml")
    home, cards = places()
    chosen = named(cards, card)
    names = members_of(chosen)
    if not queue:
        warm_up()  # before anything that is slow to import here
    from lth_pipeline.commands.after_run import ending, failure
    from lth_pipeline.commands.before_run import check_places
    from lth_pipeline.commands.queued import put_into_queue
    from lth_pipeline.orchestration.instance import close_dead_runs, open_instance
    from lth_pipeline.orchestration.lacking import lacking
    from lth_pipeline.orchestration.options import Options, check_options
    from lth_pipeline.orchestration.partitions import deepest_round, partition_key
    from lth_pipeline.orchestration.plan import Asked
    from lth_pipeline.recipes.devices import at_once, visible_gpus
    from lth_pipeline.recipes.remote import send_the_rest
    from lth_pipeline.tracking.abandoned import close_abandoned
    from lth_pipeline.tracking.tracker import open_tracker

    deepest, shop = deepest_round(cards), workshop(home)
    options = Options(replicates, through, rounds, recompute)
    for name in names:
        cards = make_ready(home, cards, name, anew=True)
        check_options(cards, name, options, deepest, shop.dirs)
    check_places(home)
    log = home.dagster.parent / "logs" / f"{time.strftime('%Y%m%d-%H%M%S')}.log"
    started, asked = time.monotonic(), Asked(home, cards, chosen, shop, log, recompute)
    tracker = open_tracker(home.tracking_uri, home.mlflow, home.mlflow_ui)  # while the workers' imports run
    with open_instance(home) as instance:
        close_abandoned(tracker, names)
        if queue:
            return put_into_queue(asked, options, instance, tracker)
        for run_id in close_dead_runs(instance):
            click.echo(f"Run {run_id[:8]} was killed earlier; going on from what it left.")
        first, todo, tasks = lacking(asked, names, options, instance, tracker, deepest)
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
        among = f"{len(names)} experiments, " if whole else ""
        among += f"first what the ticket of {', '.join(first)} lacks, " if first else ""
        side_by_side = workers or suitable_workers(
            len(states) or len(tasks),
            at_once("cpu", home.processes),
            visible_gpus(home.device) // (home.processes or 1),
        )
        failed = show_progress(
            f"{card}: {among}{len(states)} replicate(s)", states, run_tasks(tasks, side_by_side), whole
        )
    send_the_rest(shop.store)  # what earlier runs could not send
    if not states:
        click.echo(f"{card} is up to date: nothing to train.")
    ending(home, cards, chosen, time.monotonic() - started if states else None, failed)
    if failed:  # what the others have shown is gathered all the same
        raise click.ClickException(failure(failed, log))


def suitable_workers(tasks: int, cores: int, gpus: int = 0) -> int:
    """How many processes end soonest, of those that share a core at most in two: three replicates on two cores take
    1.5 times a replicate's time all at once, and twice that two at a time. A GPU is one process's: more would wait.
    """
    if gpus:
        return min(max(tasks, 1), gpus)
    return min(
        range(1, 2 * cores + 1),
        key=lambda workers: (-(-tasks // workers) * max(1.0, workers / cores), workers),
    )
