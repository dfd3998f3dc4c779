"""Experiments side by side: what a comparison is made of, and the asset of those that `lth compare` names."""

# No `from __future__ import annotations`: Dagster reads the types of an asset's arguments at run time.
import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from dagster import (
    AllPartitionMapping,
    AssetDep,
    AssetExecutionContext,
    AssetKey,
    AssetRecordsFilter,
    AssetsDefinition,
    DagsterInstance,
    DataVersion,
    DynamicPartitionsDefinition,
    Failure,
    MaterializeResult,
    MetadataValue,
    asset,
)

from lth_pipeline import __version__
from lth_pipeline.experiments import Experiment
from lth_pipeline.experiments.lineups import AND, Lineup, lineup_of, shared
from lth_pipeline.orchestration import results
from lth_pipeline.orchestration.begun import Begun, begun_in
from lth_pipeline.orchestration.partitions import deepest_round
from lth_pipeline.orchestration.resources import Compute, Tracking
from lth_pipeline.orchestration.rounds import RECIPE_TAG, plain_failures
from lth_pipeline.recipes import Workshop
from lth_pipeline.recipes.facts import title_of

NAME = "comparison"
JOB = "compare_experiments"
PARTITIONS = "comparisons"  # what Dagster calls those that `lth compare` has added
TABLE, FIGURE, PAGE = "comparison.csv", "accuracy_by_density.png", "report.html"  # in the folder of its reports
CODE = 2  # raise it when the table, the figures or the page change


def comparison_asset(cards: Mapping[str, Experiment], reports: Path) -> AssetsDefinition:
    """The asset `comparison`, a partition for each that was asked for: names joined by +. reports: for its files."""

    @asset(
        name=NAME,
        # Dagster knows no mapping from names that come later: each is below all results, and none follows by itself
        deps=[AssetDep(results.NAME, partition_mapping=AllPartitionMapping())],
        description="Any experiments side by side: one table, the figures, one page. `lth compare A B` makes it.",
        group_name=results.NAME,
        partitions_def=DynamicPartitionsDefinition(name=PARTITIONS),
        code_version=str(CODE),
        kinds={"pandas", "mlflow"},
    )
    def comparison(context: AssetExecutionContext, compute: Compute, tracking: Tracking) -> MaterializeResult:
        with plain_failures(), results.one_at_a_time(context, compute):
            return materialise(context, compute, tracking, cards, _asked(cards, context.partition_key), reports)

    return comparison


def gathered(
    cards: Mapping[str, Experiment], lineup: Lineup, workshop: Workshop, begun: Begun
) -> tuple[dict[str, list], str]:
    """({member: rows of its results}, recipe id): what the comparison is made of as the store stands."""
    rows, made_of = {}, []
    for name, at in lineup.at.items():
        rows[name], recipe = results.gathered(cards, name, workshop, begun)
        card = cards[name]
        made_of.append([name, at, recipe, card.training.iterations, card.seed])
    return rows, hashlib.sha256(json.dumps([CODE, made_of]).encode()).hexdigest()[:40]


def compared(cards: Mapping[str, Experiment], lineup: Lineup, rows: Mapping[str, list], tracker: Any):
    """The reports.comparison.Comparison of what `gathered` gave."""
    from lth_pipeline.reports.comparison import compare
    from lth_pipeline.reports.table import results_table
    from lth_pipeline.tracking.runs import run_ids

    frames = {name: results_table(found, run_ids(tracker, name) if found else {}) for name, found in rows.items()}
    return compare(lineup, cards, frames, {name: title_of(cards[name].data) for name in lineup.members})


def state(
    cards: Mapping[str, Experiment],
    lineup: Lineup,
    workshop: Workshop,
    instance: DagsterInstance,
    asset: str = NAME,
) -> tuple[str, str]:
    """("fresh", "stale" or "missing", why): whether the comparison is of all that its experiments have shown."""
    wanted = AssetRecordsFilter(asset_key=AssetKey(asset), asset_partitions=[lineup.name])
    records = instance.fetch_materializations(wanted, limit=1).records
    if not records:
        return "missing", ""
    tags = records[0].asset_materialization.tags or {}
    if tags.get(RECIPE_TAG) == gathered(cards, lineup, workshop, begun_in(instance, deepest_round(cards)))[1]:
        return "fresh", ""
    return "stale", "not made of what its experiments have shown now, or by other code"


def lacking(lineup: Lineup, rows: Mapping[str, list]) -> str:
    """What stands in the way of comparing them, and what to do about it, in words; "" for nothing."""
    there = [name for name in lineup.members if rows[name]]
    missing = [name for name in lineup.members if not rows[name]]
    if there and lineup.kind == "sweep":
        return ""
    if lineup.kind == "sweep":
        return f"{lineup.name} has no trained round yet; run it: lth run {lineup.name}"
    if len(there) >= 2:
        return ""
    runs = ", ".join(f"lth run {name}" for name in missing)
    has = "has" if len(missing) == 1 else "have"
    return f"{', '.join(missing)} {has} no trained round yet, and a comparison is of two or more; run first: {runs}"


def materialise(
    context, compute: Compute, tracking: Tracking, cards, lineup: Lineup, reports: Path
) -> MaterializeResult:
    """Compare what the store has, write the files, log the run."""
    workshop = compute.workshop()
    workshop.on_trouble = context.log.warning
    return workshop.mending(lambda: _materialise(context, workshop, tracking, cards, lineup, reports))


def _materialise(
    context, workshop: Workshop, tracking: Tracking, cards, lineup: Lineup, reports: Path
) -> MaterializeResult:
    from lth_pipeline.reports.charts.picture import png
    from lth_pipeline.reports.comparison_charts import comparison_charts
    from lth_pipeline.reports.comparison_page import comparison_page
    from lth_pipeline.reports.comparison_text import markdown_summary
    from lth_pipeline.reports.drawing import markdown_picture
    from lth_pipeline.tracking.results import log_results, results_runs

    tracker = tracking.tracker(context.log.warning)
    begun = begun_in(context.instance, deepest_round(cards))
    rows, recipe = gathered(cards, lineup, workshop, begun)
    if why := lacking(lineup, rows):
        raise Failure(why, allow_retries=False)
    found = compared(cards, lineup, rows, tracker)
    charts = comparison_charts(found, _curves(cards, found, workshop, begun))
    pictures = {f"{chart.name}.png": png(chart) for chart in charts}
    runs = results_runs(tracker, found.members)
    folder = reports / lineup.name
    page = comparison_page(
        found,
        charts,
        shared(cards, found.members),
        _tickets(found, rows),
        list(_links(found.members, reports, tracker, runs, tracking.dagster_run_url(context.run.run_id))),
        f"as files in {folder}, and in the MLflow experiment {lineup.name}",
        f"lth_pipeline {__version__} · recipe {recipe}",
    )
    files = {TABLE: found.frame.to_csv(index=False).encode(), **pictures, PAGE: page.encode()}
    results.write(folder, files)
    tags = {
        **results.run_tags(context, tracking, recipe),
        # a tag each: MLflow cuts a long value without a word
        **{f"lth.results_of.{name}": run_id for name, run_id in runs.items()},
    }
    run_id = log_results(tracker, lineup.name, lineup.about, files, tags, kind=lineup.kind)
    content = found.frame.drop(columns=["seconds", "mlflow_run_id"]).to_csv(index=False)
    return MaterializeResult(
        data_version=DataVersion(hashlib.sha256(content.encode()).hexdigest()),
        tags={RECIPE_TAG: recipe},
        metadata={
            "experiments": len(found.members),
            "not run yet": len(found.missing),
            "dagster/row_count": len(found.frame),
            "table": MetadataValue.md(markdown_summary(found)),
            **{
                chart.name.replace("_", " "): MetadataValue.md(
                    markdown_picture(pictures[f"{chart.name}.png"], chart.alt)
                )
                for chart in charts
            },
            "report": MetadataValue.path(str(folder / PAGE)),
            "CSV": MetadataValue.path(str(folder / TABLE)),
            "MLflow run": MetadataValue.url(tracker.run_url(lineup.name, run_id)),
        },
    )


def _asked(cards: Mapping[str, Experiment], partition: str) -> Lineup:
    try:
        return lineup_of(cards, partition.split(AND))
    except KeyError as error:
        raise Failure(f"{partition}: there is no experiment {error} any more", allow_retries=False) from error
    except ValueError as error:
        raise Failure(str(error), allow_retries=False) from error


def _tickets(found, rows: Mapping[str, list]) -> list[tuple[str, str]]:
    """(experiment and replicate, data version) of the sparsest ticket of each."""
    sparsest = {
        (name, row["replicate"]): row
        for name in found.members
        for row in sorted(rows[name], key=lambda row: row["round"])
        if row["arm"] == "ticket"
    }
    return [
        (f"{found.labels[name]}, replicate {replicate}, round {row['round']}", row["data_version"])
        for (name, replicate), row in sparsest.items()
    ]


def _links(members: Iterable[str], reports: Path, tracker: Any, runs: Mapping[str, str], dagster_run: str):
    """To what was found of each experiment by itself, and to the run that compared them."""
    from lth_pipeline.reports.page import Link

    for name in members:
        if (reports / name / PAGE).is_file():
            yield Link(f"{name}: its own report", f"../{name}/{PAGE}")
        if name in runs:
            yield Link(f"{name}: its results in MLflow", tracker.run_url(name, runs[name]))
    yield Link("the Dagster run that compared them", dagster_run)


def _curves(cards: Mapping[str, Experiment], found, workshop: Workshop, begun: Begun):
    """The learning curves that are drawn, as a table; None where there are too many experiments for that."""
    import pandas as pd

    from lth_pipeline.recipes.analyses.networks import networks
    from lth_pipeline.recipes.analyses.paper_figures import curves
    from lth_pipeline.reports.comparison_charts import MOST_LINES
    from lth_pipeline.reports.comparison_curves import rounds_of_curves
    from lth_pipeline.reports.comparison_look import shown_arms

    if len(found.members) > MOST_LINES:
        return None
    parts, arms = [], ["dense", *shown_arms(found)]
    for name, rounds in rounds_of_curves(found).items():
        subject = results.subject_of(cards, name, workshop, begun)
        of = [network for chain in subject.chains for network in networks(subject, chain, rounds, arms)]
        parts.append(pd.DataFrame(curves(workshop, of)).assign(experiment=name))
    return pd.concat(parts, ignore_index=True) if parts else None
