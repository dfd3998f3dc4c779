"""What is recorded, what is missing, and what no longer follows from its inputs, all the way down.

Dagster marks only the direct children of a changed asset as stale. Here each asset's recipe is worked out from the
cards, the code and the store as they are now, from the top down, and held against the recipe that was recorded.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, replace
from typing import Any

from dagster import AssetKey, AssetRecordsFilter, DagsterEventType, DagsterInstance

from lth_pipeline.experiments import Experiment
from lth_pipeline.experiments.flat import flatten
from lth_pipeline.orchestration import report, results
from lth_pipeline.orchestration.begun import begun_of
from lth_pipeline.orchestration.findings import parts_of, shown_id, subject_of
from lth_pipeline.orchestration.partitions import partition_key
from lth_pipeline.orchestration.rounds import CHECK_FAILED, RECIPE_TAG
from lth_pipeline.orchestration.stages import Stage, all_stages, asset_name, combined
from lth_pipeline.recipes import Chain, Step, Workshop
from lth_pipeline.recipes.analyses.catalog import ANALYSES, Analysis
from lth_pipeline.recipes.divergence import diverged_above
from lth_pipeline.recipes.registry import registered
from lth_pipeline.recipes.step import PUBLISHED
from lth_pipeline.recipes.workshop import Seen

VERSION_TAG = "dagster/data_version"
Recorded = Mapping[str, Mapping[str, dict[str, str]]]  # asset -> partition -> tags of its last materialisation


@dataclass(frozen=True)
class AssetStatus:
    """state: "fresh", "stale", "missing" (never materialised), "left out" (below a ticket that diverged) or, where that
    was asked, "unlogged" (MLflow has no run of it). why: of a stale one, in words."""

    asset: str
    experiment: str
    replicate: int | None  # None: results, analyses and the report of the whole experiment
    round: int | None
    state: str
    why: str = ""


def read_records(instance: DagsterInstance, deepest: int) -> Recorded:
    """The tags of the last materialisation of every asset and partition: two queries an asset."""
    names = [asset_name(stage.name, round) for stage, round in all_stages(deepest)]
    names += [results.NAME, *ANALYSES, report.NAME]
    return {name: _last_tags(instance, AssetKey(name)) for name in names}


def _last_tags(instance: DagsterInstance, asset: AssetKey) -> dict[str, dict[str, str]]:
    event = DagsterEventType.ASSET_MATERIALIZATION
    latest = list(instance.event_log_storage.get_latest_storage_id_by_partition(asset, event).values())
    found = {}
    for first in range(0, len(latest), 500):  # SQLite takes so many values in one query
        chosen = AssetRecordsFilter(asset_key=asset, storage_ids=latest[first : first + 500])
        for record in instance.fetch_materializations(chosen, limit=500).records:
            found[record.partition_key] = dict(record.asset_materialization.tags or {})
    return found


def replicate_status(
    chain: Chain, workshop: Workshop, recorded: Recorded, through: int, deepest: int, logged: Container | None = None
) -> list[AssetStatus]:
    """Every asset of rounds 0 … through of a replicate, and the deeper ones that have been materialised.

    logged: what MLflow has runs of (tracking.runs.RunKey); None: not asked.
    """
    partition = partition_key(chain.name, chain.replicate)
    statuses: dict[str, AssetStatus] = {}
    seen: Seen = {}
    out: set[int] = set()  # rounds that cannot be, because what they would be made from diverged

    def facts_of(whose: Chain, step: Step) -> dict[str, Any] | None:
        product = workshop.look_up(chain, step if whose is chain else replace(step, of=whose.name), seen)
        return product.facts if product else None

    for stage, round in all_stages(deepest):
        name = asset_name(stage.name, round)
        tags = recorded[name].get(partition)
        if tags is None and round > through:
            continue
        state, why = ("missing", "") if tags is None else _state(stage, round, chain, workshop, tags, statuses, seen)
        if stage.name == "mask" and diverged_above(chain, round, facts_of):
            out.add(round)
        if round in out and state != "fresh":
            state, why = "left out", ""
        if state == "fresh" and logged is not None and stage.trains:
            made = ((step, workshop.look_up(chain, step, seen).version) for step in stage.steps(chain, round))
            if not all((chain.replicate, round, step.arm, version) in logged for step, version in made):
                state = "unlogged"
        statuses[name] = AssetStatus(name, chain.name, chain.replicate, round, state, why)
    return list(statuses.values())


def results_status(cards, name: str, workshop: Workshop, recorded: Recorded) -> AssetStatus:
    """Whether the results of experiment `name` are of all that has been trained."""
    tags = recorded[results.NAME].get(name)
    if tags is None:
        return AssetStatus(results.NAME, name, None, None, "missing")
    begun = begun_of(lambda asset: recorded.get(asset, ()), len(recorded))
    return _judged(results.NAME, name, None, tags, results.gathered(cards, name, workshop, begun)[1])


def experiment_status(
    cards: Mapping[str, Experiment], name: str, workshop: Workshop, recorded: Recorded, deepest: int
) -> list[AssetStatus]:
    """Every asset of the experiment that has been materialised or that its card asks for."""
    card = cards[name]
    statuses: list[AssetStatus] = []
    for replicate in sorted({*range(card.replicates), *begun(recorded, name)}):
        through = card.pruning.rounds if replicate < card.replicates else -1
        statuses += replicate_status(workshop.chain(cards, name, replicate), workshop, recorded, through, deepest)
    statuses.append(results_status(cards, name, workshop, recorded))
    for analysis in ANALYSES.values():
        partitions = (partition.partition("|") for partition in recorded[analysis.name])
        mine = [replicate for experiment, _, replicate in partitions if experiment == name]
        statuses += [
            analysis_status(cards, analysis, name, int(replicate) if replicate else None, workshop, recorded)
            for replicate in sorted(mine)
        ]
    if name in recorded[report.NAME]:
        statuses.append(report_status(cards, name, workshop, recorded))
    return statuses


def analysis_status(
    cards: Mapping[str, Experiment],
    analysis: Analysis,
    name: str,
    replicate: int | None,
    workshop: Workshop,
    recorded: Recorded,
) -> AssetStatus:
    """Whether an analysis is of what has been trained now."""
    tags = recorded[analysis.name].get(name if replicate is None else partition_key(name, replicate))
    if tags is None or not workshop.chain(cards, name, replicate or 0).is_known():  # what it is of is not in the cache
        return _judged(analysis.name, name, replicate, tags, None)
    begun = begun_of(lambda asset: recorded.get(asset, ()), len(recorded))
    subject = subject_of(cards, name, replicate, workshop, begun)
    parts = parts_of(analysis, subject)
    recipe = shown_id(parts, subject) if parts or subject.rows() else None
    status = _judged(analysis.name, name, replicate, tags, recipe)
    if status.state == "fresh" and not all(workshop.store.find(part.recipe.id) for part in parts):
        return replace(status, state="stale", why="what it found is gone from the store")
    return status


def report_status(cards: Mapping[str, Experiment], name: str, workshop: Workshop, recorded: Recorded) -> AssetStatus:
    """Whether a report is of all that has been found."""
    tags = recorded[report.NAME].get(name)
    if tags is None:
        return _judged(report.NAME, name, None, None, None)
    begun = begun_of(lambda asset: recorded.get(asset, ()), len(recorded))
    return _judged(report.NAME, name, None, tags, report.recipe(cards, name, workshop, begun))


def _judged(asset: str, name: str, replicate: int | None, tags: dict[str, str] | None, recipe: str | None):
    if tags is None:
        return AssetStatus(asset, name, replicate, None, "missing")
    fresh = recipe is not None and tags.get(RECIPE_TAG) == recipe
    why = "" if fresh else "not made of what is there now, by its settings and code"
    return AssetStatus(asset, name, replicate, None, "fresh" if fresh else "stale", why)


def begun(recorded: Recorded, name: str) -> set[int]:
    """The replicates of experiment `name` of which anything has been materialised."""
    keys = {partition for partitions in recorded.values() for partition in partitions}
    parts = (key.split("|") for key in keys if "|" in key)
    return {int(replicate) for experiment, replicate in parts if experiment == name}


def _state(
    stage: Stage,
    round: int,
    chain: Chain,
    workshop: Workshop,
    tags: dict[str, str],
    above: Mapping[str, AssetStatus],
    seen: Seen,
) -> tuple[str, str]:
    if tags.get(RECIPE_TAG) == CHECK_FAILED:
        return "stale", "one of its checks failed"
    steps = stage.steps(chain, round)
    products = [workshop.look_up(chain, step, seen) for step in steps]
    if all(products):
        recipe = combined([product.recipe.id for product in products])
        version = combined([product.version for product in products])
        if tags.get(RECIPE_TAG) == recipe and tags.get(VERSION_TAG) == version:
            return "fresh", ""
    stale = [name for name in (asset_name(*read) for read in stage.reads(round)) if above[name].state != "fresh"]
    if stale:
        return "stale", f"follows {', '.join(stale)}"
    return "stale", "; ".join(
        _changes(chain, step, workshop, tags, seen) for step in steps
    ) or "its card has other controls now"


def _changes(chain: Chain, step, workshop: Workshop, tags: dict[str, str], seen: Seen) -> str:
    recipe = chain.recipe(
        step, lambda source: product.version if (product := workshop.look_up(chain, source, seen)) else None
    )
    before = workshop.store.find(tags.get(RECIPE_TAG, ""))
    if before and chain.is_known() and _is_other_ticket(chain, step, before["recipe"]["inputs"]):
        origin = chain.owner(1).ticket_from
        return f"its ticket is another: {origin.place} is version {registered(origin, chain.dirs).version} now"
    if recipe is None and not chain.is_known():
        return f"{chain.lacks()} not in the cache; the next run sees to that"
    if recipe is None:
        return "an artifact that it reads is gone from the store"
    if recipe.id == tags.get(RECIPE_TAG):
        return "its artifact is gone from the store, or was computed anew with other bits"
    if before is None:
        return "its settings, code or inputs changed"
    old, new = dict(flatten(before["recipe"])), dict(flatten(recipe.content))
    changed = [key for key in (*new, *(key for key in old if key not in new)) if old.get(key) != new.get(key)]
    inputs = [key.removeprefix("inputs.") for key in changed if key.startswith("inputs.")]
    other = f"reads other {' and '.join(inputs)} than it was made from" if inputs else ""
    settings = [_change(key, old.get(key), new.get(key)) for key in changed if not key.startswith("inputs.")]
    return ", ".join([*settings, *([other] if other else [])])


def _is_other_ticket(chain: Chain, step: Step, inputs: Mapping[str, str]) -> bool:
    """Whether what `step` takes of a published ticket is not what it was made from, which had `inputs`."""
    sources = chain.inputs(step).items()
    published = {name: chain.published_content(source) for name, source in sources if source.kind in PUBLISHED}
    return any(inputs.get(name) != version for name, version in published.items())


def _change(key: str, old: Any, new: Any) -> str:
    said = [("its default" if value is None else value) for value in (old, new)]
    return f"{key.removeprefix('settings.')}: {said[0]} → {said[1]}"
