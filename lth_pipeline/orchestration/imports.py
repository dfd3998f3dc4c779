"""What the store has and these databases do not: planned as runs that look up everything and train nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from dagster import DagsterInstance

from lth_pipeline.experiments import Experiment
from lth_pipeline.experiments.sweeps import sweeps
from lth_pipeline.orchestration import results
from lth_pipeline.orchestration.begun import begun_of
from lth_pipeline.orchestration.disk import versions_of
from lth_pipeline.orchestration.keep import Through, made_through
from lth_pipeline.orchestration.launch import Task
from lth_pipeline.orchestration.partitions import replicates as offered
from lth_pipeline.orchestration.plan import Asked, Plan, tasks
from lth_pipeline.orchestration.stages import all_stages, asset_name
from lth_pipeline.orchestration.status import Recorded, replicate_status
from lth_pipeline.orchestration.why import STARTED_BY, WHY
from lth_pipeline.recipes import Chain, Workshop
from lth_pipeline.recipes.inventory import Inventory
from lth_pipeline.recipes.workshop import Seen
from lth_pipeline.tracking.runs import RunKey


@dataclass(frozen=True)
class Held:
    """through: experiment -> replicate -> the deepest round to look for. notes: what has to be left out, and why."""

    through: Through
    notes: list[str] = field(default_factory=list)


def held(
    cards: Mapping[str, Experiment], found: Inventory, names: Collection[str], deepest: int, workshop: Workshop
) -> Held:
    """What of experiments `names` may be recorded, or, without names, of all that something in the store was made for,
    and the others of their sweeps, which may share it: the replicates and rounds of their cards, and those beyond that
    were made for them, as far as there are partitions. `found` is of the store's folder: where another store is behind
    that, any card's may be there."""
    made = made_through(found)
    begun = {member for sweep in sweeps(cards).values() if made.keys() & set(sweep.members) for member in sweep.members}
    through: dict[str, dict[int, int]] = {}
    notes = [f"{name}: left out: it has no card any more" for name in sorted(made) if not names and name not in cards]
    some = cards if workshop.store.remote else begun | (made.keys() & cards.keys())
    for name in names or sorted(some):
        card = cards[name]
        if lacks := workshop.chain(cards, name, 0).lacks():
            if names or name in begun or name in made:
                notes.append(f"{name}: left out: {lacks} not in the cache; lth import {name} sees to that")
            continue
        wanted = dict.fromkeys(range(card.replicates), card.pruning.rounds)
        for replicate, last in sorted(made.get(name, {}).items()):
            if replicate >= offered(cards):
                notes.append(f"{name}: replicate {replicate} is left out: LTH_REPLICATES={replicate + 1} takes it in")
                continue
            if last > deepest:
                notes.append(f"{name}: rounds below {deepest} are left out: LTH_DEEPEST_ROUND={last} takes them in")
            wanted[replicate] = max(wanted.get(replicate, 0), min(last, deepest))
        through[name] = wanted
    return Held(through, notes)


def import_plan(
    cards: Mapping[str, Experiment],
    name: str,
    workshop: Workshop,
    through: Mapping[int, int],
    recorded: Recorded,
    logged: Collection[RunKey],
    deepest: int,
) -> Plan:
    """{replicate: its assets that the store has whole, and Dagster or MLflow does not}; none for one without such.

    Everything that they consist of is read: a damaged file is a DamagedError here, not a training later.
    """
    planned: Plan = {}
    for replicate, down_to in through.items():
        chain = workshop.chain(cards, name, replicate)
        has = _in_store(chain, workshop, down_to)
        if asset_name("trained", 0) not in has:  # a run that was killed early: there is nothing to show of it
            continue
        found = replicate_status(chain, workshop, recorded, down_to, deepest, logged)
        entries = [entry for entry in found if entry.asset in has and entry.state in ("missing", "stale", "unlogged")]
        if entries:
            planned[replicate] = entries
            for version in sorted(versions_of(workshop, chain, max(entry.round for entry in entries))):
                workshop.store.load(version)
    return planned


def _in_store(chain: Chain, workshop: Workshop, through: int) -> set[str]:
    """The assets whose steps have all been made, to the deepest round of which anything has."""
    seen: Seen = {}
    made = {
        (round, asset_name(stage.name, round)): [workshop.look_up(chain, step, seen) for step in steps]
        for stage, round in all_stages(through)
        for steps in (stage.steps(chain, round),)
    }
    last = max((round for (round, _), products in made.items() if any(products)), default=-1)
    return {asset for (round, asset), products in made.items() if round <= last and all(products)}


def has_results(cards: Mapping[str, Experiment], name: str, workshop: Workshop, recorded: Recorded) -> bool:
    """Whether there is something to gather of what has been recorded, be it by an import that was cut short."""
    begun = begun_of(lambda asset: recorded.get(asset, ()), len(recorded))
    return name in begun and bool(results.gathered(cards, name, workshop, begun)[0])


def import_tasks(asked: Asked, todo: Mapping[str, Plan], recorded: Recorded, instance: DagsterInstance) -> list[Task]:
    """A task for each replicate, and those that gather results. Their runs say what they are."""
    found = tasks(asked, todo, {}, recorded, instance)
    said = {STARTED_BY: "lth import", WHY: "the store had it, and it was not recorded here"}
    return [replace(task, tags={**task.tags, **said}) for task in found]
