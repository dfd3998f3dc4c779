"""`lth results`"""

from __future__ import annotations

import click

from lth_pipeline.experiments.sweeps import Sweep


@click.command()
@click.argument("card")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "json"]),
    default="table",
    help="csv and json have every replicate; table shows the means",
    show_default=True,
)
def results(card: str, form: str) -> None:
    """What CARD, an experiment or a sweep, has shown so far, by round and arm."""
    from lth_pipeline.commands.common import named, places, workshop
    from lth_pipeline.commands.comparison_screen import comparison_on_screen
    from lth_pipeline.commands.screen import results_on_screen
    from lth_pipeline.experiments.lineups import lineup_of_sweep
    from lth_pipeline.experiments.sweeps import members_of
    from lth_pipeline.orchestration import comparisons
    from lth_pipeline.orchestration.begun import begun_in
    from lth_pipeline.orchestration.instance import open_instance
    from lth_pipeline.orchestration.partitions import deepest_round
    from lth_pipeline.orchestration.results import gathered
    from lth_pipeline.recipes.remarks import remarks
    from lth_pipeline.reports.table import results_table
    from lth_pipeline.tracking.runs import run_ids
    from lth_pipeline.tracking.tracker import open_tracker

    home, cards = places()
    chosen = named(cards, card)
    shop = workshop(home)
    with open_instance(home) as instance:
        begun = begun_in(instance, deepest_round(cards))
    of_each = {name: gathered(cards, name, shop, begun)[0] for name in members_of(chosen)}
    # the tracking store is made by the first run, not by a look
    there = any(of_each.values())
    tracker = open_tracker(home.tracking_uri, home.mlflow, home.mlflow_ui) if there else None
    if isinstance(chosen, Sweep):
        compared = comparisons.compared(cards, lineup_of_sweep(cards, chosen), of_each, tracker)
        frame = compared.frame
    else:
        frame = results_table(of_each[card], run_ids(tracker, card) if there else {})
    if form == "csv":
        click.echo(frame.to_csv(index=False), nl=False)
    elif form == "json":
        click.echo(frame.to_json(orient="records", indent=1))
    elif frame.empty:
        click.echo(f"{card} has no results yet; run it: lth run {card}")
    elif isinstance(chosen, Sweep):
        comparison_on_screen(compared)
    else:
        chains = [shop.chain(cards, card, int(number)) for number in frame["replicate"].unique()]
        results_on_screen(chosen, frame, remarks(shop, chains))
