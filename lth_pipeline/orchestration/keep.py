"""What is current: by the cards, by Dagster's records and by MLflow's, and so what a store must keep."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from dagster import DagsterInstance, DagsterRunStatus, RunsFilter

from lth_pipeline.experiments import Experiment
from lth_pipeline.lottery.data import DataDirs
from lth_pipeline.orchestration.rounds import RECIPE_TAG
from lth_pipeline.orchestration.stages import all_stages
from lth_pipeline.orchestration.status import VERSION_TAG, Recorded, read_records
from lth_pipeline.recipes import Chain, Step
from lth_pipeline.recipes.garbage import Current, made_for
from lth_pipeline.recipes.inventory import Inventory
from lth_pipeline.recipes.store import Record

UNFINISHED = [
    DagsterRunStatus.QUEUED,
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.MANAGED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
    DagsterRunStatus.CANCELING,
]
ROUND = re.compile(r"r(\d+)_")  # of an asset's name
STEP = re.compile(r"\bround (\d{1,3}) ")  # of a step, in words


Through = Mapping[str, Mapping[int, int]]  # experiment -> replicate -> its deepest round


@dataclass
class ByCards:
    """What the cards look up: recipes that are there; next: those that are missing and would be made now.

    unknown: experiment -> why it cannot be told what is current of it.
    """

    recipes: set[str] = field(default_factory=set)
    next: set[str] = field(default_factory=set)
    unknown: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Dagster:
    """What Dagster knows: tags of the last materialisations, and the ids of its runs; `unfinished` ones among them."""

    recorded: Recorded
    runs: frozenset[str]
    unfinished: tuple[str, ...]


def read_dagster(instance: DagsterInstance) -> Dagster:
    """Of every asset that was ever materialised, also in rounds that no card has any more."""
    rounds = [ROUND.match(key.to_user_string()) for key in instance.get_asset_keys()]
    deepest = max((int(found[1]) for found in rounds if found), default=0)
    unfinished = instance.get_run_ids(RunsFilter(statuses=UNFINISHED))
    return Dagster(read_records(instance, deepest), frozenset(instance.get_run_ids()), tuple(unfinished))


def current(
    cards: Mapping[str, Experiment],
    dirs: DataDirs,
    found: Inventory,
    dagster: Dagster,
    logged: tuple[Collection[str], Collection[str]],
    everything: bool,
    others: Collection[str] = (),
) -> tuple[Current, dict[str, str]]:
    """(what the store is needed for, experiments of which that cannot be told, and why).

    logged: recipe ids and data versions that MLflow's runs refer to. everything: what was made elsewhere, and for
    experiments that have no card any more, is not spared, nor what `others` may use: the folders of other projects.
    """
    by_cards = of_cards(cards, dirs, found, deepest(begun(dagster.recorded), made_through(found)))
    recipes, versions = of_dagster(dagster.recorded, cards if everything else None)

    def spared(record: Record) -> str | None:
        name, run = made_for(record), record.get("made_by", {}).get("dagster_run")
        if name in by_cards.unknown:
            return f"{name}: {by_cards.unknown[name]}"
        if everything:
            return None
        if run is None:
            return "made from Python"
        if name not in cards:
            return f"made for {name}, which has no card any more"
        return None if run in dagster.runs else "made by runs that Dagster here does not know"

    half_done = "" if everything else "as no card here would go on with them; they may be another's"
    if by_cards.unknown:
        half_done = "as it cannot be told whether a card would go on with them"
    return Current(
        by_cards.recipes | recipes | set(logged[0]),
        versions | set(logged[1]),
        by_cards.next,
        spared,
        half_done,
        "" if everything or not others else f"as other projects use this store too: {', '.join(others)}",
    ), by_cards.unknown


def of_cards(cards: Mapping[str, Experiment], dirs: DataDirs, found: Inventory, begun: Through) -> ByCards:
    """begun: what was run, be it beyond the cards."""
    known = ByCards()
    made = {made_for(record) for record in found.records.values()} | set(begun)
    for name, card in cards.items():
        through = dict.fromkeys(range(card.replicates), card.pruning.rounds)
        for replicate, round in begun.get(name, {}).items():
            through[replicate] = max(round, through.get(replicate, 0))
        for replicate, last in through.items():
            chain = Chain(cards, name, replicate, dirs)
            if not chain.is_known():
                if name in made:  # else there is nothing of it: no training begins before its images are read
                    known.unknown[name] = f"{chain.lacks()} not in the cache (lth show {name}), so all of it is kept"
                break
            seen: dict = {}
            for stage, round in all_stages(last):
                for step in stage.steps(chain, round):
                    _look_up(chain, step, found, known, seen, name)
    return known


def of_dagster(recorded: Recorded, names: Collection[str] | None) -> tuple[set[str], set[str]]:
    """(recipe ids, data versions) of the last materialisations of the experiments `names`; None: of all.

    The tags of several controls in one asset are of no single recipe: MLflow has a run of each.
    """
    chosen = [
        tags
        for partitions in recorded.values()
        for partition, tags in partitions.items()
        if names is None or partition.split("|")[0] in names
    ]
    recipes, versions = ({tags[tag] for tags in chosen if tag in tags} for tag in (RECIPE_TAG, VERSION_TAG))
    return recipes, versions


def begun(recorded: Recorded) -> Through:
    """The deepest rounds of which anything has been materialised."""
    return _deepest(
        (experiment, int(replicate), int(round[1]))
        for asset, partitions in recorded.items()
        for experiment, _, replicate in (partition.rpartition("|") for partition in partitions)
        if experiment and (round := ROUND.match(asset))
    )


def made_through(found: Inventory) -> Through:
    """The deepest rounds of which there are records: what was trained beside another replicate is not materialised
    before its own run."""
    makers = [record.get("made_by", {}) for record in found.records.values()]
    return _deepest(
        (maker["experiment"], maker["replicate"], int(round[1]))
        for maker in makers
        if isinstance(maker.get("experiment"), str) and isinstance(maker.get("replicate"), int)
        if (round := STEP.search(str(maker.get("step"))))
    )


def deepest(*several: Through) -> Through:
    """The deepest rounds of all of them."""
    return _deepest(
        (experiment, replicate, round)
        for through in several
        for experiment, rounds in through.items()
        for replicate, round in rounds.items()
    )


def _deepest(rounds: Iterable[tuple[str, int, int]]) -> Through:
    found: dict[str, dict[int, int]] = {}
    for experiment, replicate, round in rounds:
        known = found.setdefault(experiment, {})
        known[replicate] = max(round, known.get(replicate, 0))
    return found


def _look_up(chain: Chain, step: Step, found: Inventory, known: ByCards, seen: dict, asked: str) -> str | None:
    """The data version of `step`, noting its recipe in `known`, as `Workshop.look_up` but from the inventory.

    A record whose artifact is gone still tells the version that comes of it again: what lies below is kept. asked: the
    experiment whose chain began this.
    """
    if step.of:
        others = seen.setdefault(step.of, {})
        return _look_up(chain.other(step.of), replace(step, of=""), found, known, others, asked)
    if step not in seen:
        recipe = chain.recipe(step, lambda source: _look_up(chain, source, found, known, seen, asked))
        record = found.records.get(recipe.id) if recipe else None
        seen[step] = record["version"] if record else None
        if recipe and record:
            known.recipes.add(recipe.id)
        if recipe and (record is None or record["version"] not in found.objects):
            known.next.add(recipe.id)
        if recipe and recipe.id in found.damaged:
            why = "one of its records is damaged, so all of it is kept"
            known.unknown |= dict.fromkeys((chain.name, asked), why)
    return seen[step]
