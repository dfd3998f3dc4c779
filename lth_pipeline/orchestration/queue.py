"""What is missing or stale, put into Dagster's queue: a backfill, whose runs the daemon launches, here or elsewhere.

One run a replicate; once all have ended, well or not, the sensor `gather_queued` has their results gathered, in
another backfill: within one, Dagster would leave results out where a single replicate fails. Which process or machine
a run comes to is the run launcher's matter (dagster.yaml).
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dagster import AssetKey, DagsterInstance, RunsFilter
from dagster._core.definitions.assets.graph.asset_graph_subset import AssetGraphSubset

# What Dagster's pages make when one asks for several partitions. It is not public: the release is pinned, and
# lth_pipeline_tests/orchestration/test_queue.py runs one through the daemon.
from dagster._core.execution.backfill import (
    BULK_ACTION_TERMINAL_STATUSES,
    BulkActionsFilter,
    BulkActionStatus,
    PartitionBackfill,
)
from dagster._core.utils import make_new_backfill_id

from lth_pipeline.experiments import Experiment
from lth_pipeline.experiments.sweeps import Sweep, members_of, sweeps
from lth_pipeline.files import claimed
from lth_pipeline.orchestration import report
from lth_pipeline.orchestration import sweeps as comparisons
from lth_pipeline.orchestration.cluster import run_tags
from lth_pipeline.orchestration.instance import close_dead_runs
from lth_pipeline.orchestration.keep import UNFINISHED
from lth_pipeline.orchestration.lacking import lacking
from lth_pipeline.orchestration.launch import Task
from lth_pipeline.orchestration.options import Options
from lth_pipeline.orchestration.partitions import (
    deepest_round,
    experiment_partitions,
    replicate_partitions,
    sweep_partitions,
)
from lth_pipeline.orchestration.plan import Asked
from lth_pipeline.orchestration.registry import TICKETS, ticket_tags
from lth_pipeline.orchestration.stages import asset_name
from lth_pipeline.orchestration.why import STARTED_BY, WHY, in_words
from lth_pipeline.tracking.tracker import Tracker

TO_GATHER = "lth/gather"  # of the runs of a backfill: whose results are gathered once it has ended
Tags = dict[str, str]
MOST_LOOKED_AT = 500  # backfills, the latest first


@dataclass(frozen=True)
class Queued:
    """backfill: its id; "" where nothing was queued. said: why, in words."""

    name: str
    backfill: str
    said: str
    assets: int = 0


def put(
    asked: Asked, options: Options, instance: DagsterInstance, tracker: Tracker, started_by: str, dry: bool = False
) -> Queued:
    """Queue what `asked.chosen`, an experiment or a sweep, lacks. Nothing where something of it is on its way already.

    dry: only say what would be queued.
    """
    cards, chosen = asked.cards, asked.chosen
    names = members_of(chosen)
    with claimed(asked.home.dagster / ".queueing", wait=True):
        close_dead_runs(instance)
        if going := unfinished(instance, {*names, chosen.name}):
            return Queued(chosen.name, "", f"on its way already: {going}")
        first, todo, found = lacking(asked, names, options, instance, tracker, deepest_round(cards))
        if not found:
            return Queued(chosen.name, "", "up to date")
        why = in_words(first, todo, options.recompute)
        count = sum(len(task.assets) for task in found)
        if dry:
            return Queued(chosen.name, "", f"would be queued: {why}", count)
        of = "lth/sweep" if isinstance(chosen, Sweep) else "lth/experiment"
        said = {of: chosen.name, STARTED_BY: started_by, WHY: why, **ticket_tags(cards, names)}
        trainings = [task for task in found if "|" in task.partition]
        of_sources = trainings[: sum(map(len, first.values()))]
        if of_sources:  # never recomputed: what was asked for is what takes their tickets
            config = _run_config(cards, first, Options())
            tags = said | run_tags(_largest(cards[name] for name in first))
            _add(instance, f"first, for {chosen.name}", _subset(cards, of_sources), tags, config)
        if own := trainings[len(of_sources) :]:
            tags = said | {TO_GATHER: chosen.name} | run_tags(_largest(cards[name] for name in names))
            backfill = _add(instance, chosen.name, _subset(cards, own), tags, _run_config(cards, todo, options))
        else:
            backfill = _add(instance, chosen.name, _subset(cards, found), said, {})
    return Queued(chosen.name, backfill, why, count)


def gather(instance: DagsterInstance, cards: Mapping[str, Experiment], name: str, tags: Mapping[str, str]) -> str:
    """Queue the gathering of what experiment or sweep `name` has shown; gives the backfill's id, "" for nothing."""
    groups = sweeps(cards)
    if name not in cards and name not in groups:  # its card is gone
        return ""
    dense = instance.get_materialized_partitions(AssetKey(asset_name("trained", 0)))
    begun = {partition.rpartition("|")[0] for partition in dense}
    members = [member for member in members_of(groups[name] if name in groups else cards[name]) if member in begun]
    if not members:
        return ""
    partitions = experiment_partitions(cards).subset_with_partition_keys(members)
    wanted = {AssetKey(asset): partitions for asset in report.GATHERED}
    if name in groups:
        wanted[AssetKey(comparisons.NAME)] = sweep_partitions(groups).subset_with_partition_keys([name])
    of = {"lth/sweep" if name in groups else "lth/experiment": name}
    subset = AssetGraphSubset(partitions_subsets_by_asset_key=wanted)
    return _add(instance, f"results of {name}", subset, {**of, **tags}, {})


def ended_since(instance: DagsterInstance, since: float, known: Collection[str]) -> tuple[dict[str, Tags], list[str]]:
    """({experiment or sweep: tags for the gathering} of the queued trainings that have ended, ids of those that have
    not): of those queued after `since` (seconds of the epoch), and of `known`."""
    queued = {
        backfill.backfill_id: backfill
        for backfill in instance.get_backfills(limit=MOST_LOOKED_AT)
        if TO_GATHER in backfill.tags and (backfill.backfill_timestamp > since or backfill.backfill_id in known)
    }
    by_age = sorted(queued.values(), key=lambda backfill: backfill.backfill_timestamp)
    ended = [backfill for backfill in by_age if backfill.status in BULK_ACTION_TERMINAL_STATUSES]
    # gathered is what the latest trained: the versions of published tickets that it was planned with
    tags = {each.tags[TO_GATHER]: {key: each.tags[key] for key in (TICKETS,) if key in each.tags} for each in ended}
    return tags, [backfill.backfill_id for backfill in by_age if backfill not in ended]


def _add(
    instance: DagsterInstance, title: str, subset: AssetGraphSubset, tags: Mapping[str, str], config: Mapping[str, Any]
) -> str:
    backfill = PartitionBackfill.from_asset_graph_subset(
        backfill_id=make_new_backfill_id(),
        backfill_timestamp=time.time(),
        tags=tags,
        dynamic_partitions_store=instance,
        asset_graph_subset=subset,
        title=f"{title}, by {tags[STARTED_BY]}",
        description=tags[WHY],
        run_config=config,
    )
    instance.add_backfill(backfill)
    return backfill.backfill_id


def unfinished(instance: DagsterInstance, names: Collection[str]) -> str:
    """What is on its way for experiments or sweeps `names`: "run 1a2b3c4d" or "backfill …"; "" where nothing is."""
    for run in instance.get_runs(RunsFilter(statuses=UNFINISHED)):
        if run.tags.get("dagster/partition", "").split("|")[0] in names:
            return f"run {run.run_id[:8]}"
    active = [status for status in BulkActionStatus if status not in BULK_ACTION_TERMINAL_STATUSES]
    for backfill in instance.get_backfills(filters=BulkActionsFilter(statuses=active)):
        if any(key.split("|")[0] in names for key in _partitions(backfill)):
            return f"backfill {backfill.backfill_id}"
    return ""


def _partitions(backfill: PartitionBackfill) -> set[str]:
    if backfill.asset_backfill_data is None:
        return set(backfill.partition_names or ())
    wanted = backfill.asset_backfill_data.target_subset.partitions_subsets_by_asset_key.values()
    return {key for subset in wanted for key in subset.get_partition_keys()}


def _subset(cards: Mapping[str, Experiment], found: Sequence[Task]) -> AssetGraphSubset:
    keys: dict[str, set[str]] = {}
    for task in found:
        for asset in task.assets:
            keys.setdefault(asset, set()).add(task.partition)
    partitions = dict.fromkeys(report.GATHERED, experiment_partitions(cards))
    partitions[comparisons.NAME] = sweep_partitions(sweeps(cards))
    rounds = replicate_partitions(cards)
    return AssetGraphSubset(
        partitions_subsets_by_asset_key={
            AssetKey(asset): partitions.get(asset, rounds).subset_with_partition_keys(sorted(chosen))
            for asset, chosen in keys.items()
        }
    )


def _run_config(cards: Mapping[str, Experiment], todo: Mapping[str, Any], options: Options) -> dict[str, Any]:
    """The same for all runs of a backfill."""
    settings: dict[str, Any] = {"recompute": True} if options.recompute else {}
    planned = {tuple(sorted(plans)) for plans in todo.values() if plans}
    if len(planned) == 1 and any(set(range(cards[name].replicates)) - set(*planned) for name in todo):
        settings["replicates"] = list(*planned)  # networks of no other train beside
    return {"resources": {"compute": {"config": settings}}} if settings else {}


def _largest(experiments: Iterable[Experiment]) -> Any:
    """The most that any of them asks for: the runs of a backfill share their tags."""
    asked = [experiment.resources for experiment in experiments if experiment.resources]
    if not asked:
        return None
    most = {}
    for field in type(asked[0]).model_fields:
        values = [getattr(one, field) for one in asked if getattr(one, field) is not None]
        most[field] = max(values, default=None)
    return asked[0].model_copy(update=most)
