"""The results of a sweep: its experiments side by side in one table, its figures and one page."""

# No `from __future__ import annotations`: Dagster reads the types of an asset's arguments at run time.
from collections.abc import Mapping
from pathlib import Path

from dagster import (
    AssetDep,
    AssetExecutionContext,
    AssetsDefinition,
    DagsterInstance,
    MaterializeResult,
    StaticPartitionMapping,
    asset,
)

from lth_pipeline.experiments import Experiment
from lth_pipeline.experiments.lineups import lineup_of_sweep
from lth_pipeline.experiments.sweeps import Sweep, sweeps
from lth_pipeline.orchestration import comparisons, results
from lth_pipeline.orchestration.automation import GATHERS
from lth_pipeline.orchestration.comparisons import TABLE as TABLE  # in the folder of the sweep's reports
from lth_pipeline.orchestration.partitions import sweep_partitions
from lth_pipeline.orchestration.resources import Compute, Tracking
from lth_pipeline.orchestration.rounds import plain_failures
from lth_pipeline.recipes import Workshop

NAME = "sweep_results"
JOB = "compare_sweeps"


def sweep_assets(cards: Mapping[str, Experiment], reports: Path) -> list[AssetsDefinition]:
    """The asset `sweep_results`, a partition per sweep; none without sweeps. reports: folder for its files."""
    found = sweeps(cards)
    if not found:
        return []
    members = {member: {sweep.name} for sweep in found.values() for member in sweep.members}

    @asset(
        name=NAME,
        deps=[AssetDep(results.NAME, partition_mapping=StaticPartitionMapping(members))],
        description="The experiments of a sweep side by side: one table, the figures, one page.",
        group_name=results.NAME,
        partitions_def=sweep_partitions(found),
        code_version=str(comparisons.CODE),
        kinds={"pandas", "mlflow"},
        automation_condition=GATHERS,
    )
    def sweep_results(context: AssetExecutionContext, compute: Compute, tracking: Tracking) -> MaterializeResult:
        with plain_failures(), results.one_at_a_time(context, compute):
            lineup = lineup_of_sweep(cards, found[context.partition_key])
            return comparisons.materialise(context, compute, tracking, cards, lineup, reports)

    return [sweep_results]


def state(
    cards: Mapping[str, Experiment], sweep: Sweep, workshop: Workshop, instance: DagsterInstance
) -> tuple[str, str]:
    """("fresh", "stale" or "missing", why): whether the comparison is of all that its experiments have shown."""
    return comparisons.state(cards, lineup_of_sweep(cards, sweep), workshop, instance, NAME)
