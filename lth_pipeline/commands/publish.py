"""`lth publish`"""

from __future__ import annotations

import shlex
import time
from typing import Any

import click


@click.command()
@click.argument("card")
@click.option("--round", type=click.IntRange(min=1), help="the ticket's round; left out: the sparsest that matches")
@click.option("--replicate", type=click.IntRange(min=0), help="left out: the one of least validation loss")
@click.option("--alias", default="", metavar="NAME", help="one more; a ticket that is named has it instead of chosen")
@click.option("--name", default="", metavar="MODEL", help="the registered model; left out: called as CARD")
def publish(card, round, replicate, alias, name) -> None:
    """Put a ticket of CARD into MLflow's model registry, for others to load, serve and retrain.

    Without --round and --replicate: the sparsest ticket that matches its dense network by the verdict, and the best of
    those that match. One that is worse than dense by more than the card's analysis.margin is refused.
    """
    from lth_pipeline.commands.common import named, places, workshop
    from lth_pipeline.commands.reading import make_ready
    from lth_pipeline.experiments.sweeps import Sweep
    from lth_pipeline.orchestration.launch import run_tasks, warm_up

    home, cards = places()
    chosen = named(cards, card)
    if isinstance(chosen, Sweep):
        raise click.ClickException(
            f"{card} is a sweep; publish a ticket of one of its experiments: lth publish {chosen.members[0]}"
        )
    warm_up()  # before anything that is slow to import here
    from lth_pipeline.commands.after_run import failure
    from lth_pipeline.commands.before_run import check_places
    from lth_pipeline.lottery.small.errors import needed
    from lth_pipeline.orchestration.instance import close_dead_runs, open_instance
    from lth_pipeline.orchestration.plan import Asked
    from lth_pipeline.orchestration.publish import JOB, NAME, published_in
    from lth_pipeline.recipes import promotion
    from lth_pipeline.tracking.abandoned import close_abandoned
    from lth_pipeline.tracking.registry import check_names
    from lth_pipeline.tracking.tracker import open_tracker

    for package in ("onnx", "onnxruntime"):
        needed(package)  # before a run is begun for nothing
    check_names(name or card, [alias] if alias else [])
    promotion.Asked(round, replicate, alias)  # raises now for an alias that may not be given
    shop = workshop(home)
    make_ready(home, cards, card)
    check_places(home)
    log = home.dagster.parent / "logs" / f"{time.strftime('%Y%m%d-%H%M%S')}.log"
    asked = Asked(home, cards, chosen, shop, log, by="lth publish")
    given = {"round": round, "replicate": replicate, "alias": alias, "name": name}
    config = {key: value for key, value in given.items() if value not in (None, "")}
    task = asked.task(JOB, card, (NAME,), card, run_config={"ops": {NAME: {"config": config}}} if config else {})
    close_abandoned(open_tracker(home.tracking_uri, home.mlflow, home.mlflow_ui), [card])
    with open_instance(home) as instance:
        close_dead_runs(instance)
        done = [details for event, details in run_tasks([task], 1) if event == "done"]
        if failed := [details for details in done if not details["success"]]:
            raise click.ClickException(failure(failed, log))
        published, refused = published_in(instance, done[-1]["run_id"])
    for one in published:
        _tell(one)
    if refused:
        click.echo(refused)
    _what_next(published[0], home.tracking_uri)


def _tell(one: dict[str, Any]) -> None:
    click.echo(
        f"{one['model']}, version {one['version']} ({'new' if one['is_new'] else 'was published before'}), "
        f"aliases {', '.join(one['aliases'])}: {one['said']}\n"
        f"  chosen by  {one['why']}\n"
        f"  size       {one['size']}\n"
        f"  page       {one['url']}   (lth ui)"
    )


def _what_next(one: dict[str, Any], tracking_uri: str) -> None:
    name = f"{one['model']}@{one['aliases'][0]}"
    click.echo(
        f"\nUse it:\n"
        f"  lth predict --model {shlex.quote(f'registry:{name}')} IMAGE…\n"
        f"  MLFLOW_TRACKING_URI={shlex.quote(tracking_uri)} \\\n"
        f"    mlflow models serve -m {shlex.quote(f'models:/{name}')} --env-manager local -h 127.0.0.1 -p 5001\n"
        f"Train it further, in another card:\n"
        f"  ticket_from: {shlex.quote(f'registry:{name}')}"  # YAML takes such quotes, too
    )
