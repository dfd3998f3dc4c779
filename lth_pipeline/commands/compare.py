"""`lth compare`"""

from __future__ import annotations

import time
from collections.abc import Sequence

import click

from lth_pipeline.commands.common import Cards
from lth_pipeline.experiments.lineups import Lineup


@click.command()
@click.argument("names", nargs=-1, metavar="A B …")
@click.option("--open", "shown", is_flag=True, help="show it in the browser when it is done")
def compare(names, shown) -> None:
    """Lay what experiments A, B, … have shown over each other: one table, the figures, one page.

    Any will do: two ways to prune, to rewind, two networks, two data sets. A sweep stands for its experiments. Nothing
    is trained.
    """
    from lth_pipeline.commands.common import places, workshop
    from lth_pipeline.orchestration.launch import run_tasks, warm_up

    home, cards = places()
    lineup = chosen(cards, names)
    warm_up()  # before anything that is slow to import here
    from lth_pipeline.commands.after_run import failure
    from lth_pipeline.commands.before_run import check_places
    from lth_pipeline.commands.comparison_screen import comparison_ending
    from lth_pipeline.commands.progress import show_progress
    from lth_pipeline.orchestration import comparisons, sweeps
    from lth_pipeline.orchestration.begun import begun_in
    from lth_pipeline.orchestration.instance import close_dead_runs, open_instance
    from lth_pipeline.orchestration.launch import Task
    from lth_pipeline.orchestration.partitions import deepest_round
    from lth_pipeline.orchestration.plan import LOCATION
    from lth_pipeline.orchestration.why import STARTED_BY

    shop, folder = workshop(home), home.reports / lineup.name
    check_places(home)
    log = home.dagster.parent / "logs" / f"{time.strftime('%Y%m%d-%H%M%S')}.log"
    of = sweeps if lineup.kind == "sweep" else comparisons
    failed: list[dict] = []
    with open_instance(home) as instance:
        close_dead_runs(instance)
        rows, _ = comparisons.gathered(cards, lineup, shop, begun_in(instance, deepest_round(cards)))
        if why := comparisons.lacking(lineup, rows):
            raise click.ClickException(why)
        files = all((folder / file).is_file() for file in (comparisons.TABLE, comparisons.PAGE))
        if not files or comparisons.state(cards, lineup, shop, instance, of.NAME)[0] != "fresh":
            if of is comparisons:
                instance.add_dynamic_partitions(comparisons.PARTITIONS, [lineup.name])
            tags = {f"lth/{lineup.kind}": lineup.name, STARTED_BY: "lth compare"}
            task = Task(LOCATION, of.JOB, lineup.name, (of.NAME,), home.dagster, log, tags)
            failed = show_progress(lineup.name, {}, run_tasks([task], 1))
    if failed:
        raise click.ClickException(failure(failed, log))
    comparison_ending(home, cards, lineup, "")
    page = folder / comparisons.PAGE
    if shown and click.launch(str(page)) != 0:
        click.echo(f"No browser could be started; open {page.as_uri()}", err=True)


def chosen(cards: Cards, names: Sequence[str]) -> Lineup:
    """What is to be compared. Raises ClickException, which says what would be right."""
    from lth_pipeline.commands.common import named
    from lth_pipeline.experiments.lineups import lineup_of, lineup_of_sweep
    from lth_pipeline.experiments.sweeps import Sweep, listed

    found = [named(cards, name) for name in names]
    if len(found) == 1 and isinstance(found[0], Sweep):
        return lineup_of_sweep(cards, found[0])
    if len(found) < 2:
        raise click.ClickException(
            f"a comparison is of two experiments or more, or of a sweep: lth compare A B; there are: "
            f"{', '.join(listed(cards))}"
        )
    try:
        return lineup_of(cards, names)
    except ValueError as error:
        raise click.ClickException(str(error)) from None
