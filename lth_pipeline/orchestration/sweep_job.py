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
from lth_pipeline.experiments.sweeps import Sweep, called, listed, members_of, sweeps
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
    known = listed(cards)
    found: dict[str, None] = {}
    unknown: dict[str, str] = {}
    for pattern in patterns:
        matched = [name for name in known if fnmatchcase(name, pattern)] or [name for name in cards if name == pattern]
        if not matched:
            unknown[pattern] = f"no experiment or sweep is called that; there are: {', '.join(known)}"
        found |= dict.fromkeys(matched)
    return list(found), unknown


def scheduled(cards: Mapping[str, Experiment]) -> list[str]:
    """Experiments and sweeps whose card says `scheduled: true`; members of a sweep that say so by themselves too."""
    groups = sweeps(cards)
    whole = [name for name, sweep in groups.items() if all(cards[member].scheduled for member in sweep.members)]
    inside = {member for name in whole for member in groups[name].members}
    return [*(name for name, card in cards.items() if card.scheduled and name not in inside), *whole]


def _queue(context, cards, config: Selection, compute: Compute, tracking: Tracking) -> dict[str, str]:
    """{experiment or sweep: what was queued of it, in words}. Raises Failure where something could not be."""
    options = _options(config)
    names, unknown = chosen_cards(cards, config.cards)
    said, failed = dict(unknown), dict(unknown)
    for name in names:
        try:
            said[name] = _queue_one(context, cards, called(cards, name), options, config, compute, tracking)
            context.log.info(f"{name}: {said[name]}")
        except Failure as error:  # of one card: the others go on
            said[name] = failed[name] = error.description
    for name, why in failed.items():
        context.log.error(f"{name}: {why}")
    if not said:
        context.log.info("no card says `scheduled: true`, and none was named: nothing to queue")
    if failed:
        raise Failure("; ".join(f"{name}: {why}" for name, why in failed.items()), allow_retries=False)
    return said


def _options(config: Selection):
    from lth_pipeline.orchestration.numbers import OptionsError, numbers
    from lth_pipeline.orchestration.options import Options

    try:
        replicates, rounds = (numbers(text) if text else None for text in (config.replicates, config.rounds))
    except OptionsError as error:
        raise Failure(str(error), allow_retries=False) from error
    return Options(replicates, config.through, rounds, config.recompute)


def _queue_one(context, cards, chosen: Experiment | Sweep, options, config: Selection, compute, tracking) -> str:
    from lth_pipeline.orchestration import queue
    from lth_pipeline.orchestration.numbers import OptionsError
    from lth_pipeline.orchestration.options import check_options
    from lth_pipeline.orchestration.partitions import deepest_round
    from lth_pipeline.orchestration.plan import Asked
    from lth_pipeline.orchestration.registry import registry_at
    from lth_pipeline.orchestration.rounds import plain_failures
    from lth_pipeline.recipes.ready import make_ready

    home, started_by = find_home(), context.run.tags.get(STARTED_BY, "the launchpad")
    with plain_failures():
        shop = compute.workshop()
        registry = registry_at(lambda: tracking.tracker(context.log.warning), context.log.warning)
        for member in members_of(chosen):
            cards = make_ready(cards, member, shop.dirs, None, [home.experiments], registry)
            try:
                check_options(cards, member, options, deepest_round(cards), shop.dirs)
            except OptionsError as error:
                raise Failure(str(error), allow_retries=False) from error
        asked = Asked(home, cards, chosen, shop, home.dagster.parent / "logs" / "queued.log", config.recompute)
        tracker = tracking.tracker(context.log.warning)
        queued = queue.put(asked, options, context.instance, tracker, started_by, config.dry_run)
    return f"{queued.said} ({queued.assets} assets, backfill {queued.backfill})" if queued.backfill else queued.said
