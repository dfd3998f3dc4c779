"""`lth results`"""

from __future__ import annotations

import click


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
    """What CARD has shown so far, by round and arm."""
    from lth_pipeline.commands.common import card_named, places, workshop
    from lth_pipeline.commands.screen import results_on_screen
    from lth_pipeline.orchestration.results import gathered
    from lth_pipeline.reports.table import results_table
    from lth_pipeline.tracking.runs import run_ids
    from lth_pipeline.tracking.tracker import open_tracker

    home, cards = places()
    experiment = card_named(cards, card)
    rows, _ = gathered(cards, card, workshop(home))
    ids = run_ids(open_tracker(home.tracking_uri, home.mlflow, home.mlflow_ui), card) if rows else {}
    frame = results_table(rows, ids)
    if form == "csv":
        click.echo(frame.to_csv(index=False), nl=False)
    elif form == "json":
        click.echo(frame.to_json(orient="records", indent=1))
    elif frame.empty:
        click.echo(f"{card} has no results yet; run it: lth run {card}")
    else:
        results_on_screen(experiment, frame)
