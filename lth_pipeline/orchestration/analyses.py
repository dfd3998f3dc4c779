"""The assets of the analyses: one for each entry of the catalog, made when it is asked for."""

# No `from __future__ import annotations`: Dagster reads the types of an asset's arguments at run time.
import hashlib
import warnings
from collections.abc import Mapping
from pathlib import Path

from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetExecutionContext,
    AssetsDefinition,
    DataVersion,
    Failure,
    MaterializeResult,
    MetadataValue,
    PreviewWarning,
    asset,
)

from lth_pipeline.experiments import Experiment
from lth_pipeline.orchestration import results, trainings
from lth_pipeline.orchestration.automation import GATHERS
from lth_pipeline.orchestration.begun import begun_in
from lth_pipeline.orchestration.findings import (
    NOTHING,
    about_of,
    findings_of,
    parts_of,
    section_of,
    shown_id,
    subject_of,
)
from lth_pipeline.orchestration.partitions import deepest_round, experiment_partitions, replicate_partitions
from lth_pipeline.orchestration.progress import tell
from lth_pipeline.orchestration.registry import registry_of
from lth_pipeline.orchestration.resources import Compute, Tracking
from lth_pipeline.orchestration.rounds import POOL, RECIPE_TAG, plain_failures
from lth_pipeline.recipes.analyses.catalog import ANALYSES, Analysis
from lth_pipeline.recipes.recipe import CODE

GROUP = "analyses"
WORDS = "found.txt"  # in words, what an analysis found
SHOWN = 2  # pictures in Dagster's event log, which keeps every one: the others are in MLflow, in files, on the page


def analysis_assets(cards: Mapping[str, Experiment], reports: Path) -> list[AssetsDefinition]:
    """reports: folder for their files."""
    partitions = {"experiment": experiment_partitions(cards), "replicate": replicate_partitions(cards)}
    return [_asset(cards, analysis, partitions[analysis.scope], reports) for analysis in ANALYSES.values()]


def folder_of(reports: Path, analysis: Analysis, name: str, replicate: int | None) -> Path:
    """Where the tables and pictures of an analysis of experiment `name` lie."""
    own = reports / name / analysis.name
    return own if replicate is None else own / f"replicate_{replicate}"


def _asset(cards, analysis: Analysis, partitions, reports: Path) -> AssetsDefinition:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PreviewWarning)  # partitions of checks, as in checks.py
        specs = [
            AssetCheckSpec(check, asset=analysis.name, description=says, partitions_def=partitions)
            for check, says in analysis.checks.items()
        ]

    @asset(
        name=analysis.name,
        deps=[results.NAME],
        description=analysis.question,
        group_name=GROUP,
        partitions_def=partitions,
        check_specs=specs,
        code_version=str(CODE[analysis.name]),
        kinds={"pytorch", "mlflow"} if analysis.trains else {"pandas", "mlflow"},
        pool=POOL if analysis.trains else None,
        automation_condition=GATHERS if analysis.always else None,  # the others may take hours: they are asked for
    )
    def analysis_asset(context: AssetExecutionContext, compute: Compute, tracking: Tracking):
        with plain_failures():
            workshop = compute.workshop()
            workshop.on_trouble = context.log.warning
            return workshop.mending(lambda: _materialise(context, compute, tracking, cards, analysis, reports))

    return analysis_asset


def _materialise(context, compute: Compute, tracking: Tracking, cards, analysis: Analysis, reports: Path):
    from lth_pipeline.recipes.analyses.analysis import make

    name, replicate = _asked(context, analysis)
    workshop, tracker = compute.workshop(), tracking.tracker(context.log.warning)
    # own images are read, where they are not, and published tickets fetched
    compute.chain(cards, name, replicate or 0, trainings.reading(context), registry_of(context, tracking))
    subject = subject_of(cards, name, replicate, workshop, begun_in(context.instance, deepest_round(cards)))
    parts = parts_of(analysis, subject)
    if not parts and not subject.rows():
        whose = name if replicate is None else f"{name}, replicate {replicate},"
        raise Failure(
            f"{analysis.name}: {whose} has nothing trained yet to analyse; run it: lth run {name}", allow_retries=False
        )
    about = {"experiment": name, **({} if replicate is None else {"replicate": replicate})}
    workshop.made_by = {**about, "dagster_run": context.run.run_id}
    workshop.on_wait = trainings.waiting(context)
    done = []
    for number, part in enumerate(parts):
        partition = name if replicate is None else f"{name}|{replicate}"
        tell("part", analysis=analysis.name, of=partition, about=part.about, number=number, parts=len(parts))
        made = make(workshop, part, fresh=compute.recompute)
        context.log.info(f"{part.about}: {'computed' if made.computed else 'found in the store'}")
        done.append(made)
    whole = f"{name}.{analysis.name}" if replicate is None else f"{name}.{analysis.name}.{replicate}"
    with workshop.claimed(whole, f"{analysis.name} of {name}"):  # or two would each set the other's run in MLflow aside
        return _shown(context, tracking, tracker, analysis, subject, replicate, parts, done, reports)


def _shown(
    context, tracking: Tracking, tracker, analysis: Analysis, subject, replicate: int | None, parts, done, reports: Path
) -> MaterializeResult:
    """Draw and log what was found. done: of each of `parts`."""
    from lth_pipeline.recipes.analyses.analysis import joined
    from lth_pipeline.reports.analyses.section import Section
    from lth_pipeline.reports.charts.picture import png
    from lth_pipeline.reports.drawing import markdown_picture
    from lth_pipeline.tracking.results import log_results

    card = subject.experiment
    name, found = card.name, joined(made.found for made in done)
    findings = findings_of(found)
    section = section_of(analysis, findings, about_of(card, subject)) if parts else Section(NOTHING)
    pictures = {f"{chart.name}.png": png(chart) for chart in section.charts}
    shown = {
        chart.name.replace("_", " "): markdown_picture(pictures[f"{chart.name}.png"], chart.alt)
        for chart in section.charts[:SHOWN]
    }
    tables = {
        f"{table}.csv": frame.to_csv(index=False).encode() for table, frame in findings.tables.items() if len(frame)
    }
    folder = folder_of(reports, analysis, name, replicate)
    files = {**tables, **pictures, WORDS: "\n\n".join([section.headline, *section.text, ""]).encode()}
    results.write(folder, files)
    recipe = shown_id(parts, subject)
    tags = results.run_tags(context, tracking, recipe)
    run_id = log_results(tracker, name, card.description, files, tags, kind=analysis.name, replicate=replicate)
    tell("asset", replicate=replicate, asset=analysis.name)
    versions = "\n".join(made.record["version"] for made in done)
    return MaterializeResult(
        data_version=DataVersion(hashlib.sha256(versions.encode()).hexdigest()),
        tags={RECIPE_TAG: recipe},
        metadata={
            "found": MetadataValue.md(section.headline),
            **{title: MetadataValue.md(picture) for title, picture in shown.items()},
            "computed": f"{sum(made.computed for made in done)} of {len(done)} parts; any others were in the store",
            "files": MetadataValue.path(str(folder)),
            "MLflow run": MetadataValue.url(tracker.run_url(name, run_id)),
        },
        check_results=_check_results(analysis, found, card),
    )


def _asked(context, analysis: Analysis) -> tuple[str, int | None]:
    if analysis.scope == "experiment":
        return context.partition_key, None
    keys = context.partition_key.keys_by_dimension
    return keys["experiment"], int(keys["replicate"])


def _check_results(analysis: Analysis, found, card: Experiment) -> list[AssetCheckResult]:
    """What came out, not an invariant: a warning, and nothing is stopped."""
    from lth_pipeline.orchestration.findings import checks_of

    said = {check.name: check for check in checks_of(analysis, found, card)}
    return [
        AssetCheckResult(
            check_name=name,
            passed=said[name].passed if name in said else True,
            severity=AssetCheckSeverity.WARN,
            description=said[name].why if name in said else "There is nothing to judge here.",
            metadata={"judged": name in said},
        )
        for name in analysis.checks
    ]
