"""What `lth run` has to do: the assets of each replicate that are missing, stale, or not in MLflow, and the results."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dagster import DagsterInstance

from lth_pipeline.experiments import Experiment
from lth_pipeline.experiments.sweeps import Sweep, members_of
from lth_pipeline.home import Home
from lth_pipeline.orchestration import report, sweeps
from lth_pipeline.orchestration.analyses import WORDS, folder_of
from lth_pipeline.orchestration.jobs import job_of
from lth_pipeline.orchestration.launch import Task
from lth_pipeline.orchestration.partitions import partition_key
from lth_pipeline.orchestration.registry import ticket_tags
from lth_pipeline.orchestration.stages import asset_name
from lth_pipeline.orchestration.status import (
    AssetStatus,
    Recorded,
    analysis_status,
    begun,
    replicate_status,
    report_status,
    results_status,
)
from lth_pipeline.orchestration.why import STARTED_BY, WHY, in_words
from lth_pipeline.recipes import Chain, Step, Workshop
from lth_pipeline.recipes.analyses.catalog import ANALYSES
from lth_pipeline.recipes.lineage import owner
from lth_pipeline.tracking.runs import RunKey

Plan = dict[int, list[AssetStatus]]
LOCATION = "lth_pipeline.definitions"


@dataclass(frozen=True)
class Asked:
    """What a command was asked for: `chosen`, where its tasks write what they print, and `by` which command. cards: as
    `make_ready` gave them, where it asked which versions of published tickets they mean: its runs take these."""

    home: Home
    cards: Mapping[str, Experiment]
    chosen: Experiment | Sweep
    workshop: Workshop
    log: Path
    recompute: bool = False
    by: str = "lth run"

    @property
    def names(self) -> tuple[str, ...]:
        """The experiments."""
        return members_of(self.chosen)

    def task(self, job: str, partition: str, assets: tuple[str, ...], name: str, why: str = "", **more: Any) -> Task:
        tags = {WHY: why} if why else {}
        tags = {"lth/experiment": name, STARTED_BY: self.by, **ticket_tags(self.cards, self.names), **tags}
        if isinstance(self.chosen, Sweep):
            tags["lth/sweep"] = self.chosen.name
        return Task(LOCATION, job, partition, assets, self.home.dagster, self.log, tags, **more)


def plan(
    cards: Mapping[str, Experiment],
    name: str,
    workshop: Workshop,
    recorded: Recorded,
    logged: Collection[RunKey],
    deepest: int,
    *,
    replicates: tuple[int, ...] | None = None,
    through: int | None = None,
    rounds: tuple[int, ...] | None = None,
    recompute: bool = False,
) -> Plan:
    """{replicate: its assets to materialise, in order}; none for one that is up to date.

    Without `replicates`, those of the card; without `through` and `rounds`, the card's rounds: and then also
    whatever lies beyond, in any replicate, and is stale. With `rounds`, these and what they need from above.
    recompute: the chosen rounds whatever their state.
    """
    card = cards[name]
    everything = replicates is None and through is None and rounds is None
    chosen = set(range(card.replicates) if replicates is None else replicates)
    last = max(rounds) if rounds else card.pruning.rounds if through is None else through
    planned: Plan = {}
    for replicate in sorted(chosen | begun(recorded, name) if everything else chosen):
        down_to = last if replicate in chosen else -1
        found = replicate_status(workshop.chain(cards, name, replicate), workshop, recorded, down_to, deepest, logged)
        planned[replicate] = [
            entry
            for entry in found
            if (entry.round <= down_to and _wanted(entry, rounds, recompute)) or (everything and entry.state == "stale")
        ]
    return {replicate: entries for replicate, entries in planned.items() if entries}


def _wanted(entry: AssetStatus, rounds: tuple[int, ...] | None, recompute: bool) -> bool:
    if rounds is None or entry.round in rounds:
        return entry.state != "left out" and (recompute or entry.state != "fresh")
    # a round needs all above it but the controls, whose training leads nowhere
    is_control = entry.asset == asset_name("control", entry.round)
    return entry.state in ("missing", "stale") and entry.round < max(rounds) and not is_control


def tasks(
    asked: Asked, todo: Mapping[str, Plan], first: Mapping[str, Plan], recorded: Recorded, instance: DagsterInstance
) -> list[Task]:
    """A task for each replicate of each experiment, then those that gather what they have shown: of each experiment
    once its replicates are done, and of the sweep at the end. todo: experiment -> its plan; first: of the experiments
    whose tickets are taken, which go before.
    """
    cards, reports = asked.cards, asked.home.reports
    begun = replace(asked, recompute=False)
    found = [
        _training(begun, name, replicate, entries, tuple(planned))
        for name, planned in first.items()
        for replicate, entries in planned.items()
    ]
    gathering = []
    for name, planned in todo.items():
        chosen = tuple(planned)
        trainings = [_training(asked, name, replicate, entries, chosen) for replicate, entries in planned.items()]
        found += trainings
        lacks = report.GATHERED if planned else not_gathered(cards, name, asked.workshop, recorded, reports)
        if lacks:
            after = tuple(task.partition for task in trainings)
            gathering.append(asked.task("gather_results", name, lacks, name, after=after))
            found.append(gathering[-1])
    if isinstance(asked.chosen, Sweep):
        name = asked.chosen.name
        fresh = not gathering and sweeps.state(cards, asked.chosen, asked.workshop, instance)[0] == "fresh"
        if not (fresh and (reports / name / sweeps.TABLE).is_file()):
            after = tuple(task.partition for task in gathering)
            found.append(asked.task(sweeps.JOB, name, (sweeps.NAME,), name, after=after))
    return found


def not_gathered(
    cards: Mapping[str, Experiment], name: str, workshop: Workshop, recorded: Recorded, reports: Path
) -> tuple[str, ...]:
    """What of results, verdict, figures and report is missing, stale or has lost its file."""
    if results_status(cards, name, workshop, recorded).state != "fresh":
        return report.GATHERED
    if not (reports / name / "results.csv").is_file():
        return report.GATHERED
    analyses = [analysis for analysis in ANALYSES.values() if analysis.always]
    lacks = [
        analysis.name
        for analysis in analyses
        if analysis_status(cards, analysis, name, None, workshop, recorded).state != "fresh"
        or not (folder_of(reports, analysis, name, None) / WORDS).is_file()  # which is written last
    ]
    there = (reports / name / report.PAGE).is_file()
    if lacks or not there or report_status(cards, name, workshop, recorded).state != "fresh":
        lacks.append(report.NAME)
    return tuple(lacks)


def _training(asked: Asked, name: str, replicate: int, entries: list[AssetStatus], planned: tuple[int, ...]) -> Task:
    """planned: the replicates that something is done for; networks of no other are trained beside."""
    job = job_of(asked.cards, name, max(entry.round for entry in entries))
    begins = ""
    if isinstance(asked.chosen, Sweep):
        begins = _first_training(asked.workshop.chain(asked.cards, name, replicate))
    settings: dict[str, Any] = {"recompute": True} if asked.recompute else {}
    if planned != tuple(range(asked.cards[name].replicates)):
        settings["replicates"] = list(planned)
    config = {"resources": {"compute": {"config": settings}}} if settings else {}
    assets = tuple(entry.asset for entry in entries)
    more = {"why": in_words({}, {name: {replicate: entries}}, asked.recompute)}
    more |= {"run_config": config, "begins": begins, "after": _waits_for(asked.cards, name, replicate)}
    return asked.task(job, partition_key(name, replicate), assets, name, **more)


def _waits_for(cards: Mapping[str, Experiment], name: str, replicate: int) -> tuple[str, ...]:
    """The partitions whose runs must have ended before that of a replicate of experiment `name`."""
    origin = owner(cards, name, 1).ticket_from
    return (partition_key(origin.experiment, replicate),) if origin and origin.experiment else ()


def _first_training(chain: Chain) -> str:
    """What the dense training is made of, the same for two experiments that share it."""
    recipes = [chain.recipe(step, lambda _: "") for step in (Step("initial_weights"), chain.main(0))]
    return "" if None in recipes else ".".join(recipe.id for recipe in recipes)
