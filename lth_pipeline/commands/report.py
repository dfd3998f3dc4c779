"""`lth report`"""

from __future__ import annotations

import time

import click

from lth_pipeline.commands.run import several


def analyses(context, parameter, value: str | None) -> tuple[str, ...]:
    """ "robustness,cost" as names."""
    from lth_pipeline.commands.common import no_such
    from lth_pipeline.recipes.analyses.catalog import ANALYSES

    names = tuple(dict.fromkeys(part.strip() for part in (value or "").split(",") if part.strip()))
    for name in names:
        if name not in ANALYSES:
            raise no_such("analysis", name, list(ANALYSES))
    return names


@click.command()
@click.argument("card")
@click.option("--open", "shown", is_flag=True, help="show it in the browser when it is done")
@click.option("--only", callback=analyses, metavar="A,B", help="of the analyses that are missing, make only these")
@click.option("--without", callback=analyses, metavar="A,B", help="make all but these")
@click.option("--replicates", callback=several, metavar="0,1", help="whose networks; left out: all that are trained")
@click.option("--recompute", is_flag=True, help="compute the chosen analyses from scratch, whatever the store has")
@click.option("--workers", type=click.IntRange(min=1), help="processes side by side; left out: what suits the cores")
def report(card, shown, only, without, replicates, recompute, workers) -> None:
    """Analyse the tickets of CARD, an experiment, and write its report: one page that needs nothing else.

    What was analysed already is not done again. Nothing of CARD is trained anew; some analyses train copies of their
    own: --only and --without choose.
    """
    from lth_pipeline.commands.common import named, places, workshop
    from lth_pipeline.commands.reading import make_ready
    from lth_pipeline.experiments.sweeps import Sweep
    from lth_pipeline.orchestration.launch import run_tasks, warm_up

    if only and without:
        raise click.ClickException("--only and --without: give one of them")
    home, cards = places()
    chosen = named(cards, card)
    if isinstance(chosen, Sweep):
        members = f"{chosen.members[0]} … {chosen.members[-1]}"
        raise click.ClickException(
            f"{card} is a sweep: its page is made by lth run {card} and lth compare {card}; of one of its experiments "
            f"({members}): lth report {chosen.members[0]}"
        )
    warm_up()  # before anything that is slow to import here
    from lth_pipeline.commands.after_run import failure
    from lth_pipeline.commands.before_run import check_places
    from lth_pipeline.commands.report_progress import show_analyses
    from lth_pipeline.commands.run import suitable_workers
    from lth_pipeline.orchestration.analyse import analysis_tasks, trained_replicates
    from lth_pipeline.orchestration.instance import close_dead_runs, open_instance
    from lth_pipeline.orchestration.options import Options, check_options
    from lth_pipeline.orchestration.partitions import deepest_round
    from lth_pipeline.orchestration.plan import Asked
    from lth_pipeline.orchestration.report import PAGE
    from lth_pipeline.orchestration.status import read_records
    from lth_pipeline.recipes.analyses.catalog import ANALYSES
    from lth_pipeline.recipes.devices import at_once, visible_gpus
    from lth_pipeline.tracking.abandoned import close_abandoned
    from lth_pipeline.tracking.tracker import open_tracker

    shop = workshop(home)
    make_ready(home, cards, card)
    deepest = deepest_round(cards)
    check_options(cards, card, Options(replicates), deepest, shop.dirs)
    check_places(home)
    log = home.dagster.parent / "logs" / f"{time.strftime('%Y%m%d-%H%M%S')}.log"
    asked = Asked(home, cards, chosen, shop, log, recompute, "lth report")
    close_abandoned(open_tracker(home.tracking_uri, home.mlflow, home.mlflow_ui), [card])
    with open_instance(home) as instance:
        close_dead_runs(instance)
        recorded = read_records(instance, deepest)
        trained = trained_replicates(asked, card, recorded)
        if not trained:
            raise click.ClickException(f"{card} has nothing trained yet to report on; run it: lth run {card}")
        if unknown := sorted(set(replicates or ()) - set(trained)):
            raise click.ClickException(
                f"--replicates {','.join(map(str, unknown))}: not trained yet; there are: "
                f"{','.join(map(str, trained))} (lth run {card} --replicates {','.join(map(str, unknown))})"
            )
        names = only or tuple(name for name in ANALYSES if name not in without)
        tasks = analysis_tasks(asked, card, names, replicates or trained, recorded)
        side_by_side = workers or suitable_workers(len(tasks) - 1, at_once("cpu"), visible_gpus(home.device))
        failed = show_analyses(card, tasks, run_tasks(tasks, side_by_side))
    if failed:
        raise click.ClickException(failure(failed, log))
    page = home.reports / card / PAGE
    click.echo(f"{'Nothing new to analyse.' if not tasks else 'Done.'}\n  report    {page}")
    if shown and click.launch(str(page)) != 0:
        click.echo(f"No browser could be started; open {page.as_uri()}", err=True)
