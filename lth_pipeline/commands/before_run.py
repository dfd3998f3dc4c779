"""What `lth run` looks at before it begins: better to know before the first training than after it."""

from __future__ import annotations

from pathlib import Path

import click

from lth_pipeline.experiments import Experiment
from lth_pipeline.home import Home


def check_options(cards, experiment: Experiment, replicates, through, rounds, deepest: int, dirs) -> None:
    from lth_pipeline.lottery.errors import PruningError
    from lth_pipeline.orchestration.partitions import replicates as offered
    from lth_pipeline.recipes.check_pruning import empties, too_small
    from lth_pipeline.recipes.ladder import ladder

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
    try:
        rungs = ladder(cards, experiment.name, depth, dirs)
    except PruningError as error:
        raise click.ClickException(f"{experiment.name}: {error}; go less deep") from None
    told = too_small(experiment, rungs[-1], dirs) if depth else None
    if told:
        raise click.ClickException(f"{experiment.name}: {told}; go less deep, or leave that arm out")
    emptied = empties(cards, experiment.name, depth, dirs)
    if emptied:
        whose = f"{experiment.name}: " if experiment.sweep else ""
        raise click.ClickException(
            f"{whose}round {emptied[0]} would prune {emptied[1]} away whole; go through {emptied[0] - 1}"
        )


def check_places(home: Home) -> None:
    """Raises StoreError or TrackingError where one cannot be written to. From here on the store is this project's."""
    from lth_pipeline.files import ensure_writable
    from lth_pipeline.recipes import Store, StoreError
    from lth_pipeline.recipes.users import mark_use
    from lth_pipeline.tracking.tracker import TrackingError

    ensure_writable(home.store, StoreError)
    mark_use(Store(home.store), home.dagster)
    ensure_writable(home.reports, StoreError)
    if home.tracking_uri.startswith("sqlite:///"):
        ensure_writable(Path(home.tracking_uri.removeprefix("sqlite:///")).parent, TrackingError)
