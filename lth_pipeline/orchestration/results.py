"""The results of an experiment: every replicate, round and arm in one table, and the figures."""

# No `from __future__ import annotations`: Dagster reads the types of an asset's arguments at run time.
import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

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
from lth_pipeline.orchestration.automation import GATHERS
from lth_pipeline.orchestration.begun import Begun, begun_in
from lth_pipeline.orchestration.partitions import experiment_partitions
from lth_pipeline.orchestration.progress import tell
from lth_pipeline.orchestration.registry import registry_of
from lth_pipeline.orchestration.resources import Compute, Tracking
from lth_pipeline.orchestration.rounds import RECIPE_TAG, plain_failures
from lth_pipeline.orchestration.stages import all_stages, asset_name
from lth_pipeline.orchestration.trainings import waiting
from lth_pipeline.recipes import Workshop
from lth_pipeline.recipes.analyses.analysis import Subject
from lth_pipeline.recipes.facts import title_of
from lth_pipeline.recipes.remarks import followed, remarks

NAME = "results"
CODE = 4  # raise it when the table or the figures change


def results_asset(cards: Mapping[str, Experiment], deepest: int, reports: Path) -> AssetsDefinition:
    """The asset `results`, a partition per experiment. reports: folder for its files."""
    reads = [asset_name(stage.name, round) for stage, round in all_stages(deepest) if stage.trains]

    @asset(
        name=NAME,
        deps=reads,  # Dagster itself maps experiment × replicate to experiment
        description="Every replicate, round and arm in one table, and as two figures.",
        group_name=NAME,
        partitions_def=experiment_partitions(cards),
        code_version=str(CODE),
        kinds={"pandas", "mlflow"},
        automation_condition=GATHERS,
    )
    def results(context: AssetExecutionContext, compute: Compute, tracking: Tracking) -> MaterializeResult:
        with plain_failures(), one_at_a_time(context, compute):
            return _materialise(context, compute, tracking, cards, deepest, reports)

    return results


@contextmanager
def one_at_a_time(context: AssetExecutionContext, compute: Compute) -> Iterator[None]:
    """Two processes that gather the same results would each set the other's run in MLflow aside, or neither."""
    workshop, name = compute.workshop(), context.partition_key
    workshop.on_wait = waiting(context)
    with workshop.claimed(f"{name}.results", f"results of {name}"):
        yield


def subject_of(cards: Mapping[str, Experiment], name: str, workshop: Workshop, begun: Begun) -> Subject:
    """Experiment `name` as the store stands: the replicates and rounds of its card, and those beyond that were run for
    it."""
    card, beyond = cards[name], begun.get(name, set())
    replicates = sorted({*range(card.replicates), *(replicate for replicate, _ in beyond)})
    return Subject(workshop, [workshop.chain(cards, name, replicate) for replicate in replicates], beyond)


def gathered(
    cards: Mapping[str, Experiment], name: str, workshop: Workshop, begun: Begun
) -> tuple[list[dict[str, Any]], str]:
    """(rows, recipe id): what the results of experiment `name` are made of."""
    card, rows = cards[name], subject_of(cards, name, workshop, begun).rows()
    inputs = [[row["replicate"], row["round"], row["arm"], row["data_version"]] for row in rows]
    said = [card.quick, title_of(card.data)]  # what figures and tables say of all of it
    said += [card.ticket_from.model_dump()] if card.ticket_from else []
    return rows, hashlib.sha256(json.dumps([CODE, inputs, said]).encode()).hexdigest()[:40]


def write(folder: Path, files: Mapping[str, bytes]) -> None:
    """{file name: content} into `folder`, each wholly or not at all."""
    from lth_pipeline.files import write_atomically

    for file, content in files.items():
        try:
            write_atomically(folder / file, content)
        except OSError as error:
            raise Failure(f"{folder / file}: cannot be written ({error.strerror})", allow_retries=False) from error


def run_tags(context: AssetExecutionContext, tracking: Tracking, recipe: str) -> dict[str, str]:
    """What MLflow's run of results says of the Dagster run that made them."""
    run_id = context.run.run_id
    return {"lth.dagster_run": run_id, "lth.dagster_url": tracking.dagster_run_url(run_id), "lth.recipe": recipe}


def _materialise(
    context, compute: Compute, tracking: Tracking, cards, deepest: int, reports: Path
) -> MaterializeResult:
    from lth_pipeline.reports import bundle
    from lth_pipeline.reports.drawing import markdown_picture
    from lth_pipeline.reports.table import results_table
    from lth_pipeline.tracking.results import log_results
    from lth_pipeline.tracking.runs import run_ids

    name = context.partition_key
    experiment, tracker = cards[name], tracking.tracker(context.log.warning)
    compute.chain(cards, name, 0, None, registry_of(context, tracking))  # what is not in this machine's cache is read
    rows, recipe = gathered(cards, name, compute.workshop(), begun_in(context.instance, deepest))
    frame = results_table(rows, run_ids(tracker, name))
    if frame.empty:
        raise Failure(
            f"{name} has no trained round yet; materialise its rounds first, or: lth run {name}",
            allow_retries=False,
        )
    chains = [compute.workshop().chain(cards, name, int(number)) for number in frame["replicate"].unique()]
    seen = [found for chain in chains if (found := followed(compute.workshop(), chain))]
    said = remarks(compute.workshop(), chains)
    files = bundle.results_files(experiment, title_of(experiment.data), frame, seen)
    folder = reports / name
    write(folder, files)
    run_id = log_results(tracker, name, experiment.description, files, run_tags(context, tracking, recipe))
    tell("asset", replicate=None, asset=NAME)
    version = hashlib.sha256(frame.drop(columns=["seconds", "mlflow_run_id"]).to_csv(index=False).encode()).hexdigest()
    return MaterializeResult(
        data_version=DataVersion(version),
        tags={RECIPE_TAG: recipe},
        metadata={
            "replicates": int(frame["replicate"].nunique()),
            "deepest round": int(frame["round"].max()),
            "dagster/row_count": len(frame),
            "table": MetadataValue.md(bundle.markdown_table(frame)),
            "test accuracy": MetadataValue.md(
                markdown_picture(files["accuracy_by_density.png"], "test accuracy by density")
            ),
            "early stop": MetadataValue.md(
                markdown_picture(files["early_stop_by_density.png"], "early-stop iteration by density")
            ),
            **({"remarks": MetadataValue.text(" ".join(said))} if said else {}),
            "CSV": MetadataValue.path(str(folder / "results.csv")),
            "MLflow run": MetadataValue.url(tracker.run_url(name, run_id)),
        },
    )
