"""The results of a sweep: its experiments side by side in one table, one figure and one page."""

# No `from __future__ import annotations`: Dagster reads the types of an asset's arguments at run time.
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dagster import (
    AssetDep,
    AssetExecutionContext,
    AssetKey,
    AssetRecordsFilter,
    AssetsDefinition,
    DagsterInstance,
    DataVersion,
    Failure,
    MaterializeResult,
    MetadataValue,
    StaticPartitionMapping,
    asset,
)

from lth_pipeline.experiments import Experiment
from lth_pipeline.experiments.sweeps import Sweep, sweeps
from lth_pipeline.orchestration import results
from lth_pipeline.orchestration.automation import GATHERS
from lth_pipeline.orchestration.begun import Begun, begun_in
from lth_pipeline.orchestration.partitions import deepest_round, sweep_partitions
from lth_pipeline.orchestration.resources import Compute, Tracking
from lth_pipeline.orchestration.rounds import RECIPE_TAG, plain_failures
from lth_pipeline.recipes import Workshop
from lth_pipeline.recipes.facts import title_of

NAME = "sweep_results"
JOB = "compare_sweeps"
TABLE = "comparison.csv"  # in the folder of the sweep's reports
CODE = 1  # raise it when the table, the figure or the page change


def sweep_assets(cards: Mapping[str, Experiment], reports: Path) -> list[AssetsDefinition]:
    """The asset `sweep_results`, a partition per sweep; none without sweeps. reports: folder for its files."""
    found = sweeps(cards)
    if not found:
        return []
    members = {member: {sweep.name} for sweep in found.values() for member in sweep.members}

    @asset(
        name=NAME,
        deps=[AssetDep(results.NAME, partition_mapping=StaticPartitionMapping(members))],
        description="The experiments of a sweep side by side: one table, one figure, one page.",
        group_name=results.NAME,
        partitions_def=sweep_partitions(found),
        code_version=str(CODE),
        kinds={"pandas", "mlflow"},
        automation_condition=GATHERS,
    )
    def sweep_results(context: AssetExecutionContext, compute: Compute, tracking: Tracking) -> MaterializeResult:
        with plain_failures(), results.one_at_a_time(context, compute):
            return _materialise(context, compute, tracking, cards, found[context.partition_key], reports)

    return [sweep_results]


def gathered(
    cards: Mapping[str, Experiment], sweep: Sweep, workshop: Workshop, begun: Begun
) -> tuple[dict[str, list], str]:
    """({member: rows of its results}, recipe id): what the comparison is made of as the store stands."""
    rows, made_of = {}, []
    for name in sweep.members:
        rows[name], recipe = results.gathered(cards, name, workshop, begun)
        card = cards[name]
        made_of.append([name, card.sweep.at, recipe, card.training.iterations, card.seed])
    return rows, hashlib.sha256(json.dumps([CODE, made_of]).encode()).hexdigest()[:40]


def comparison(cards: Mapping[str, Experiment], sweep: Sweep, rows: Mapping[str, list], tracker: Any):
    """The reports.comparison.Comparison of what `gathered` gave."""
    from lth_pipeline.reports.comparison import compare
    from lth_pipeline.reports.table import results_table
    from lth_pipeline.tracking.runs import run_ids

    frames = {name: results_table(found, run_ids(tracker, name) if found else {}) for name, found in rows.items()}
    return compare(sweep, cards, frames, {name: title_of(cards[name].data) for name in sweep.members})


def state(
    cards: Mapping[str, Experiment], sweep: Sweep, workshop: Workshop, instance: DagsterInstance
) -> tuple[str, str]:
    """("fresh", "stale" or "missing", why): whether the comparison is of all that its experiments have shown."""
    wanted = AssetRecordsFilter(asset_key=AssetKey(NAME), asset_partitions=[sweep.name])
    records = instance.fetch_materializations(wanted, limit=1).records
    if not records:
        return "missing", ""
    tags = records[0].asset_materialization.tags or {}
    if tags.get(RECIPE_TAG) == gathered(cards, sweep, workshop, begun_in(instance, deepest_round(cards)))[1]:
        return "fresh", ""
    return "stale", "not made of what its experiments have shown now, or by other code"


def _materialise(context, compute: Compute, tracking: Tracking, cards, sweep: Sweep, reports: Path):
    from lth_pipeline.reports import comparison_page as page
    from lth_pipeline.reports.drawing import markdown_picture
    from lth_pipeline.tracking.results import log_results, results_runs

    tracker = tracking.tracker(context.log.warning)
    begun = begun_in(context.instance, deepest_round(cards))
    rows, recipe = gathered(cards, sweep, compute.workshop(), begun)
    if not any(rows.values()):
        raise Failure(f"{sweep.name} has no trained round yet; run it: lth run {sweep.name}", allow_retries=False)
    compared = comparison(cards, sweep, rows, tracker)
    files = page.comparison_files(compared)
    folder = reports / sweep.name
    results.write(folder, files)
    tags = {
        **results.run_tags(context, tracking, recipe),
        # a tag each: MLflow cuts a long value without a word
        **{f"lth.results_of.{name}": run_id for name, run_id in results_runs(tracker, compared.members).items()},
    }
    run_id = log_results(tracker, sweep.name, sweep.about, files, tags, kind="sweep")
    content = compared.frame.drop(columns=["seconds", "mlflow_run_id"]).to_csv(index=False)
    return MaterializeResult(
        data_version=DataVersion(hashlib.sha256(content.encode()).hexdigest()),
        tags={RECIPE_TAG: recipe},
        metadata={
            "experiments": len(compared.members),
            "not run yet": len(compared.missing),
            "dagster/row_count": len(compared.frame),
            "table": MetadataValue.md(page.markdown_summary(compared)),
            "test accuracy": MetadataValue.md(markdown_picture(files[page.FIGURE], "test accuracy by density")),
            "report": MetadataValue.path(str(folder / page.PAGE)),
            "CSV": MetadataValue.path(str(folder / TABLE)),
            "MLflow run": MetadataValue.url(tracker.run_url(sweep.name, run_id)),
        },
    )
