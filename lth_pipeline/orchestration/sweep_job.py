"""The job `run_sweep`: choose experiments, replicates and rounds, and whatever of them is missing or stale is queued.

The nightly schedule and the sensor of new cards start it too: there is one way of bringing up to date.
"""

# No `from __future__ import annotations`: Dagster reads the types of an op's arguments at run time.
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from dagster import Config, Failure, JobDefinition, MetadataValue, OpExecutionContext, Output, job, op
from dagster._core.storage.tags import PRIORITY_TAG
from pydantic import Field

from lth_pipeline.experiments import Experiment
from lth_pipeline.experiments.sweeps import Sweep, members_of, sweeps
from lth_pipeline.home import find_home
from lth_pipeline.orchestration.resources import Compute, Tracking
from lth_pipeline.orchestration.why import STARTED_BY

JOB = "run_sweep"
OP = "queue_what_is_missing"


class Selection(Config):
    """What is to be brought up to date."""

    cards: list[str] = Field(
        [], description="experiments and sweeps, or patterns such as lenet_*; empty: those with `scheduled: true`"
    )
    replicates: str = Field("", description="which, such as 0,1 or 0-4; empty: those of each card")
    through: int | None = Field(None, ge=0, description="the last round; empty: that of each card")
    rounds: str = Field("", description="only these, such as 3,4, and what they need; empty: all")
    recompute: bool = Field(False, description="the chosen rounds from scratch, whatever the store has")
    dry_run: bool = Field(False, description="only say, in the log, what would be run")


def sweep_job(cards: Mapping[str, Experiment]) -> JobDefinition:
    @op(name=OP)
    def queue_what_is_missing(
        context: OpExecutionContext, config: Selection, compute: Compute, tracking: Tracking
    ) -> Output:
        lines = _queue(context, cards, config, compute, tracking)
        table = "\n".join(["| | |", "|---|---|", *(f"| {name} | {said} |" for name, said in lines.items())])
        return Output(None, metadata={"queued": MetadataValue.md(table)})

    @job(
        name=JOB,
        description="Queue what is missing or stale of chosen experiments, replicates and rounds, as one backfill each "
        "(Runs > Backfills). In the launchpad: cards, replicates, through, rounds, dry_run.",
        tags={STARTED_BY: "the launchpad", PRIORITY_TAG: "10"},  # before the trainings that it may add to
    )
    def run_sweep():
        queue_what_is_missing()

    return run_sweep


def chosen_cards(cards: Mapping[str, Experiment], patterns: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """(names of experiments and sweeps that `patterns` match; those that match nothing, and what there is).

    Members of a sweep only by their exact names. Without patterns, what is scheduled.
    """
    if not patterns:
        return scheduled(cards), {}
    listed = _listed(cards)
    found: dict[str, None] = {}
    unknown: dict[str, str] = {}
    for pattern in patterns:
        matched = [name for name in listed if fnmatchcase(name, pattern)] or [name for name in cards if name == pattern]
        if not matched:
            unknown[pattern] = f"no experiment or sweep is called that; there are: {', '.join(listed)}"
        found |= dict.fromkeys(matched)
    return list(found), unknown


def scheduled(cards: Mapping[str, Experiment]) -> list[str]:
    """Experiments and sweeps whose card says `scheduled: true`; members of a sweep that say so by themselves too."""
    groups = sweeps(cards)
    whole = [name for name, sweep in groups.items() if all(cards[member].scheduled for member in sweep.members)]
    inside = {member for name in whole for member in groups[name].members}
    return [*(name for name, card in cards.items() if card.scheduled and name not in inside), *whole]


def _listed(cards: Mapping[str, Experiment]) -> list[str]:
    return sorted([*(name for name, card in cards.items() if card.sweep is None), *sweeps(cards)])


def _queue(context, cards, config: Selection, compute: Compute, tracking: Tracking) -> dict[str, str]:
    """{experiment or sweep: what was queued of it, in words}."""
    from lth_pipeline.orchestration import queue
    from lth_pipeline.orchestration.numbers import OptionsError, numbers
    from lth_pipeline.orchestration.options import Options, check_options
    from lth_pipeline.orchestration.partitions import deepest_round
    from lth_pipeline.orchestration.plan import Asked
    from lth_pipeline.orchestration.rounds import plain_failures
    from lth_pipeline.recipes.ready import make_ready

    home, groups = find_home(), sweeps(cards)
    started_by = context.run.tags.get(STARTED_BY, "the launchpad")
    said: dict[str, str] = {}
    failed: dict[str, str] = {}
    names, unknown = chosen_cards(cards, config.cards)
    for pattern, why in unknown.items():
        failed[pattern] = said[pattern] = why
        context.log.error(f"{pattern}: {why}")
    for name in names:
        chosen: Experiment | Sweep = groups[name] if name in groups else cards[name]
        try:
            with plain_failures():
                options = Options(
                    numbers(config.replicates) if config.replicates else None,
                    config.through,
                    numbers(config.rounds) if config.rounds else None,
                    config.recompute,
                )
                shop = compute.workshop()
                for member in members_of(chosen):
                    make_ready(cards, member, shop.dirs, None, [home.experiments])
                    check_options(cards, member, options, deepest_round(cards), shop.dirs)
                asked = Asked(home, cards, chosen, shop, home.dagster.parent / "logs" / "queued.log", config.recompute)
                tracker = tracking.tracker(context.log.warning)
                queued = queue.put(asked, options, context.instance, tracker, started_by, config.dry_run)
        except (Failure, OptionsError) as error:  # of one card: the others go on
            failed[name] = said[name] = getattr(error, "description", None) or str(error)
            context.log.error(f"{name}: {failed[name]}")
        else:
            about = f" ({queued.assets} assets, backfill {queued.backfill})" if queued.backfill else ""
            said[name] = f"{queued.said}{about}"
            context.log.info(f"{name}: {said[name]}")
    if not said:
        context.log.info("no card says `scheduled: true`, and none was named: nothing to queue")
    if failed:
        raise Failure("; ".join(f"{name}: {why}" for name, why in failed.items()), allow_retries=False)
    return said
