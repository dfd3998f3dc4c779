"""What `lth report` has to do: the analyses of an experiment that are missing or stale, and its report."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from lth_pipeline.orchestration import report
from lth_pipeline.orchestration.analyses import WORDS, folder_of
from lth_pipeline.orchestration.begun import begun_of
from lth_pipeline.orchestration.jobs import OF_EXPERIMENTS, OF_REPLICATES
from lth_pipeline.orchestration.launch import Task
from lth_pipeline.orchestration.partitions import partition_key
from lth_pipeline.orchestration.partitions import replicates as offered
from lth_pipeline.orchestration.plan import Asked, not_gathered
from lth_pipeline.orchestration.status import Recorded, analysis_status
from lth_pipeline.recipes.analyses.catalog import ANALYSES, Analysis


def trained_replicates(asked: Asked, name: str, recorded: Recorded) -> list[int]:
    """The replicates of experiment `name` that have been run, that there are partitions for, and whose dense network is
    in the store."""
    begun = begun_of(lambda asset: recorded.get(asset, ()), len(recorded)).get(name, set())
    run = sorted({each for each, _ in begun if each < offered(asked.cards)})
    chains = [asked.workshop.chain(asked.cards, name, replicate) for replicate in run]
    return [chain.replicate for chain in chains if asked.workshop.look_up(chain, chain.main(0))]


def analysis_tasks(
    asked: Asked, name: str, chosen: Collection[str], replicates: Collection[int], recorded: Recorded
) -> list[Task]:
    """A task for each replicate that lacks some of the analyses `chosen`, then one for those of the whole experiment
    and its report. With `asked.recompute` all that are chosen, whatever their state."""
    reports = asked.home.reports

    def lacks(analysis: Analysis, replicate: int | None) -> bool:
        state = analysis_status(asked.cards, analysis, name, replicate, asked.workshop, recorded).state
        folder = folder_of(reports, analysis, name, replicate)
        return asked.recompute or state != "fresh" or not (folder / WORDS).is_file()  # which is written last

    wanted = [analysis for analysis in ANALYSES.values() if analysis.name in chosen]
    settings: dict[str, Any] = {"processes": 1, **({"recompute": True} if asked.recompute else {})}  # one looks at each
    config = {"resources": {"compute": {"config": settings}}}
    found = []
    for replicate in replicates:
        names = [each.name for each in wanted if each.scope == "replicate" and lacks(each, replicate)]
        if names:
            partition = partition_key(name, replicate)
            found.append(asked.task(OF_REPLICATES, partition, tuple(names), name, run_config=config))
    names = [each.name for each in wanted if each.scope == "experiment" and lacks(each, None)]
    names += [each for each in not_gathered(asked.cards, name, asked.workshop, recorded, reports) if each not in names]
    if found or names:
        last = tuple(dict.fromkeys([*names, report.NAME]))
        after = tuple(task.partition for task in found)
        found.append(asked.task(OF_EXPERIMENTS, name, last, name, run_config=config, after=after))
    return found
