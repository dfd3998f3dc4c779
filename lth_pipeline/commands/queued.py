"""What `lth run --queue` does and says."""

from __future__ import annotations

import time

import click

ALIVE = 120.0  # seconds: a daemon says every 30 that it lives


def put_into_queue(asked, options, instance, tracker) -> None:
    from lth_pipeline.orchestration.queue import put

    queued = put(asked, options, instance, tracker, "lth run --queue")
    if not queued.backfill:
        click.echo(f"{queued.name}: {queued.said}; nothing was queued.")
        return
    click.echo(
        f"{queued.name}: {queued.said}.\n"
        f"Queued as backfill {queued.backfill}: {asked.home.dagster_ui}/runs/b/{queued.backfill}\n"
        f"How far it is: lth status {queued.name}"
    )
    heard = max((beat.timestamp for beat in instance.get_daemon_heartbeats().values()), default=0.0)
    if time.time() - heard > ALIVE:
        click.echo("Nothing takes it from the queue now: Dagster's daemon is not running. Start it: lth ui")
