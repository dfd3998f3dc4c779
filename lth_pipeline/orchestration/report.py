"""The asset `report`: one page that a person reads, of all that has been found of an experiment so far."""

# No `from __future__ import annotations`: Dagster reads the types of an asset's arguments at run time.
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dagster import (
    AssetExecutionContext,
    AssetsDefinition,
    DataVersion,
    Failure,
    MaterializeResult,
    MetadataValue,
    asset,
)

from lth_pipeline.experiments import Experiment
from lth_pipeline.orchestration import results
from lth_pipeline.orchestration.automation import GATHERS
from lth_pipeline.orchestration.begun import Begun, begun_in
from lth_pipeline.orchestration.findings import parts_of
from lth_pipeline.orchestration.partitions import deepest_round, experiment_partitions
from lth_pipeline.orchestration.progress import tell
from lth_pipeline.orchestration.registry import registry_of
from lth_pipeline.orchestration.resources import Compute, Tracking
from lth_pipeline.orchestration.rounds import RECIPE_TAG, plain_failures
from lth_pipeline.recipes import Workshop
from lth_pipeline.recipes.analyses.analysis import Part, Subject
from lth_pipeline.recipes.analyses.catalog import ANALYSES, Analysis

NAME = "report"
PAGE = "report.html"
CODE = 1  # raise it when the page changes
#: what every run ends with: table and figures, what is quick to find, the page
GATHERED = (results.NAME, *(analysis.name for analysis in ANALYSES.values() if analysis.always), NAME)


@dataclass(frozen=True)
class Collected:
    """What there is of an analysis: `there`, of all its `parts`. replicates: those that they are of."""

    analysis: Analysis
    parts: list[Part]
    there: list[Part]
    replicates: tuple[int, ...]


def report_asset(cards: Mapping[str, Experiment], reports: Path) -> AssetsDefinition:
    """reports: folder for the page."""

    @asset(
        name=NAME,
        deps=[results.NAME, *ANALYSES],
        description="One page: the verdict, the figures, why, what it cost and how it was made. It has what was "
        "analysed so far; `lth report CARD` analyses the rest.",
        group_name=results.NAME,
        partitions_def=experiment_partitions(cards),
        code_version=str(CODE),
        kinds={"html", "mlflow"},
        automation_condition=GATHERS,
    )
    def report(context: AssetExecutionContext, compute: Compute, tracking: Tracking) -> MaterializeResult:
        with plain_failures(), results.one_at_a_time(context, compute):
            workshop = compute.workshop()
            workshop.on_trouble = context.log.warning
            return workshop.mending(lambda: _materialise(context, compute, tracking, cards, reports))

    return report


def collected(subject: Subject) -> list[Collected]:
    """What there is of each analysis."""
    alone = [Subject(subject.workshop, [chain], subject.beyond) for chain in subject.chains]
    found = []
    for analysis in ANALYSES.values():
        parts, there, replicates = [], [], []
        for each in alone if analysis.scope == "replicate" else [subject]:
            own = parts_of(analysis, each)
            kept = [part for part in own if subject.workshop.store.find(part.recipe.id)]
            parts += own
            there += kept
            replicates += [chain.replicate for chain in each.chains] if kept else []
        found.append(Collected(analysis, parts, there, tuple(replicates)))
    return found


def recipe(cards: Mapping[str, Experiment], name: str, workshop: Workshop, begun: Begun) -> str | None:
    """The id of all that the report of experiment `name` would be made of now; None where its images are unknown."""
    subject = results.subject_of(cards, name, workshop, begun)
    if not subject.chains[0].is_known():
        return None
    return _recipe(cards, name, subject, collected(subject), begun)


def _recipe(cards, name: str, subject: Subject, found: list[Collected], begun: Begun) -> str:
    of_analyses = {each.analysis.name: [part.recipe.id for part in each.there] for each in found}
    settings = cards[name].model_dump(mode="json")
    made_of = [CODE, results.gathered(cards, name, subject.workshop, begun)[1], of_analyses, settings]
    return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:40]


def _materialise(context, compute: Compute, tracking: Tracking, cards, reports: Path) -> MaterializeResult:
    from lth_pipeline.orchestration.report_page import report_page
    from lth_pipeline.tracking.results import log_results

    name = context.partition_key
    tracker = tracking.tracker(context.log.warning)
    begun = begun_in(context.instance, deepest_round(cards))
    compute.chain(cards, name, 0, None, registry_of(context, tracking))  # own images are read, where they are not
    subject = results.subject_of(cards, name, compute.workshop(), begun)
    found = collected(subject)
    if not subject.rows():
        raise Failure(f"{name} has no trained round yet; run it: lth run {name}", allow_retries=False)
    made_of = _recipe(cards, name, subject, found, begun)
    content = report_page(subject, found, tracker).encode()
    folder = reports / name
    results.write(folder, {PAGE: content})
    run_id = log_results(
        tracker, name, cards[name].description, {PAGE: content}, results.run_tags(context, tracking, made_of), kind=NAME
    )
    tell("asset", replicate=None, asset=NAME)
    return MaterializeResult(
        data_version=DataVersion(hashlib.sha256(made_of.encode()).hexdigest()),
        tags={RECIPE_TAG: made_of},
        metadata={
            "report": MetadataValue.path(str(folder / PAGE)),
            "megabytes": MetadataValue.float(round(len(content) / 1e6, 1)),
            "analyses": MetadataValue.md(
                "\n".join(f"- {each.analysis.title}: {len(each.there)} of {len(each.parts)} parts" for each in found)
            ),
            "MLflow run": MetadataValue.url(tracker.run_url(name, run_id)),
        },
    )
