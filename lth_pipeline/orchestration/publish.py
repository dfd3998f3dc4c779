"""The asset `published_ticket`: an experiment's ticket in MLflow's model registry, if it is good enough."""

# No `from __future__ import annotations`: Dagster reads the types of an asset's arguments at run time.
import hashlib
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    Config,
    DagsterEventType,
    DagsterInstance,
    DataVersion,
    Failure,
    MaterializeResult,
    MetadataValue,
    PreviewWarning,
    asset,
)
from pydantic import Field

from lth_pipeline.experiments import Experiment
from lth_pipeline.orchestration import publication, results, trainings
from lth_pipeline.orchestration.begun import begun_in
from lth_pipeline.orchestration.metadata import round_to
from lth_pipeline.orchestration.partitions import deepest_round, experiment_partitions
from lth_pipeline.orchestration.progress import tell
from lth_pipeline.orchestration.registry import registry_of
from lth_pipeline.orchestration.resources import Compute, Tracking
from lth_pipeline.orchestration.rounds import plain_failures
from lth_pipeline.recipes.promotion import Asked, Candidate, Judged

NAME, JOB, GROUP = "published_ticket", "publish_tickets", "publishing"
CHECK = "not_worse_than_dense"
SAYS = (
    "The ticket's test accuracy is not below its dense network's by more than the card's analysis.margin: in its own "
    "replicate, and on average over replicates; one that nobody named matches by the verdict. What fails stays out."
)
PUBLISHED, REFUSED = "published", "not published"  # the metadata that `lth publish` reads


class Publishing(Config):
    """Which ticket is published, and as what. Left out: by the verdict's rule."""

    round: int | None = Field(None, ge=1, description="the ticket's round; empty: the sparsest that matches")
    replicate: int | None = Field(None, ge=0, description="its replicate; empty: the one of least validation loss")
    alias: str = Field(
        "",
        description="its alias, beside sparsest-matching where no ticket is named; empty: that one and best, or chosen "
        "where the ticket is named",
    )
    name: str = Field("", description="the registered model; empty: called as the experiment")


@dataclass(frozen=True)
class Done:
    """What became of a candidate. version: its number. url: its page. is_new: registered just now."""

    candidate: Candidate
    judged: Judged
    version: str
    url: str
    is_new: bool
    made: publication.Made

    def shown(self, model: str) -> dict[str, Any]:
        told = {"model": model, "version": self.version, "url": self.url, "is_new": self.is_new}
        return {**asdict(self.candidate), **told, "said": self.judged.why, "size": self.made.size}


def published_in(instance: DagsterInstance, run_id: str) -> tuple[list[dict[str, Any]], str]:
    """What the Dagster run `run_id` has published, as `Done.shown` says it, and what it refused beside that, in words
    (empty: nothing)."""
    records = instance.get_records_for_run(run_id, of_type=DagsterEventType.ASSET_MATERIALIZATION).records
    made = [record.asset_materialization for record in records if record.asset_key == AssetKey(NAME)]
    if not made:
        return [], ""
    metadata = made[-1].metadata
    return metadata[PUBLISHED].value, metadata[REFUSED].value if REFUSED in metadata else ""


def published_asset(cards: Mapping[str, Experiment]) -> AssetsDefinition:
    partitions = experiment_partitions(cards)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PreviewWarning)  # partitions of checks, as in checks.py
        check = AssetCheckSpec(CHECK, asset=NAME, description=SAYS, blocking=True, partitions_def=partitions)

    @asset(
        name=NAME,
        deps=[results.NAME, "verdict"],
        description="A ticket in MLflow's model registry: the sparsest that matches its dense network and the best of "
        "those that do, or the one that is named. `lth publish CARD`.",
        group_name=GROUP,
        partitions_def=partitions,
        check_specs=[check],
        kinds={"onnx", "mlflow"},
    )
    def published_ticket(context: AssetExecutionContext, config: Publishing, compute: Compute, tracking: Tracking):
        from lth_pipeline.lottery.small.errors import ExportError

        workshop = compute.workshop()
        workshop.on_trouble = context.log.warning
        workshop.on_wait = trainings.waiting(context)
        with plain_failures():
            try:
                made = workshop.mending(lambda: _materialise(context, config, compute, tracking, cards))
            except ExportError as error:
                raise Failure(description=str(error), allow_retries=False) from error
        if isinstance(made, str):  # what is refused is recorded as such before it ends the run
            yield AssetCheckResult(check_name=CHECK, passed=False, severity=AssetCheckSeverity.ERROR, description=made)
            raise Failure(description=f"not published: {made}", allow_retries=False)
        yield made

    return published_ticket


def _materialise(
    context, config: Publishing, compute: Compute, tracking: Tracking, cards: Mapping[str, Experiment]
) -> MaterializeResult | str:
    """What was published; in words why nothing was."""
    from lth_pipeline.recipes.chosen import verdict_of
    from lth_pipeline.recipes.promotion import candidates, judge, passing_replicates, what_then
    from lth_pipeline.tracking.registry import aliases_of, check_names, move_alias

    name, workshop = context.partition_key, compute.workshop()
    model, asked = config.name or name, Asked(config.round, config.replicate, config.alias)
    tracker = tracking.tracker(context.log.warning)
    check_names(model, [config.alias] if config.alias else [])
    compute.chain(cards, name, 0, None, registry_of(context, tracking))  # own images are read, where they are not
    subject = results.subject_of(cards, name, workshop, begun_in(context.instance, deepest_round(cards)))
    rows, found = subject.rows(), verdict_of(subject)
    chosen = candidates(found, rows, asked)
    if isinstance(chosen, str):
        return f"{chosen}{what_then(found, rows, name)}"
    margin = subject.experiment.analysis.margin
    judged = [judge(found, rows, candidate, margin) for candidate in chosen]
    if not judged[0].passed:
        others = (
            []
            if asked.round is None or asked.replicate is not None
            else passing_replicates(found, rows, asked.round, margin)
        )
        return f"{judged[0].why}{_would_pass(others, name, asked.round)}"
    run_id = context.run.run_id
    said = {"lth.dagster_run": run_id, "lth.dagster_url": tracking.dagster_run_url(run_id)}
    claim = hashlib.sha256(model.encode()).hexdigest()  # a name may have what no name of a file has
    with workshop.claimed(f"{claim}.published", f"the published tickets of {model}"):
        done = [
            _register(tracker, subject, candidate, verdict, model, said)
            for candidate, verdict in zip(chosen, judged, strict=True)
            if verdict.passed
        ]
        for one in done:
            for alias in one.candidate.aliases:
                move_alias(tracker, model, alias, one.version)
        stay = aliases_of(tracker, model)
    refused = [_refused(*both, stay) for both in zip(chosen, judged, strict=True) if not both[1].passed]
    tell("asset", replicate=None, asset=NAME)
    return _shown(model, done, judged, " ".join(refused))


def _would_pass(replicates: Sequence[int], name: str, round: int | None) -> str:
    """Of a named round whose replicate was chosen and refused: which others to name; empty where there is none."""
    if not replicates:
        return ""
    listed = ", ".join(map(str, replicates))
    return f" Of that round would pass, named: replicate {listed} (lth publish {name} --round {round} --replicate N)."


def _refused(candidate: Candidate, judged: Judged, aliases: Mapping[str, str]) -> str:
    """aliases: {alias: version} of the model, which are as they were."""
    kept = [f"{alias} stays version {aliases[alias]}" for alias in candidate.aliases if alias in aliases]
    after = "; ".join(kept) or "no version has that alias"
    return f"{', '.join(candidate.aliases)} was not published: {judged.why} ({after})"


def _register(tracker, subject, candidate: Candidate, judged: Judged, model: str, said: Mapping[str, str]) -> Done:
    from lth_pipeline.tracking.registered import version_url
    from lth_pipeline.tracking.registry import register

    made = publication.made_of(subject, candidate, judged, model, tracker, said)
    version = register(tracker, made.publication)
    return Done(candidate, judged, version.number, version_url(tracker.ui, model, version.number), version.is_new, made)


def _shown(model: str, done: list[Done], judged: list[Judged], refused: str) -> MaterializeResult:
    metadata: dict[str, Any] = {REFUSED: MetadataValue.text(refused)} if refused else {}
    for one in done:
        aliases, difference = ", ".join(one.candidate.aliases), one.judged.ticket - one.judged.dense
        prefix = "" if len(done) == 1 else f"{aliases}: "
        metadata |= {
            f"{prefix}model page": MetadataValue.url(one.url),
            f"{prefix}aliases": MetadataValue.text(aliases),
            f"{prefix}chosen by": MetadataValue.text(one.candidate.why),
            f"{prefix}test accuracy against dense": MetadataValue.float(round_to(difference, 6)),
            f"{prefix}size": MetadataValue.text(one.made.size),
            f"{prefix}model card": MetadataValue.md(one.made.card),
        }
    why = " ".join([*(each.why for each in judged if each.passed), *([refused] if refused else [])])
    versions = "\n".join(one.made.version for one in done)
    return MaterializeResult(
        data_version=DataVersion(hashlib.sha256(versions.encode()).hexdigest()),
        metadata={**metadata, PUBLISHED: MetadataValue.json([one.shown(model) for one in done])},
        check_results=[AssetCheckResult(check_name=CHECK, passed=True, description=why)],
    )
