"""Jobs: one per card, through the rounds that the card asks for, those that gather, analyse, compare and publish."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dagster import AssetSelection, define_asset_job
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from lth_pipeline.experiments import Experiment
from lth_pipeline.experiments.sweeps import Sweep, sweeps
from lth_pipeline.orchestration import comparisons, publish, report, results
from lth_pipeline.orchestration import sweeps as of_sweeps
from lth_pipeline.orchestration.cluster import run_tags
from lth_pipeline.orchestration.stages import all_stages, asset_name
from lth_pipeline.recipes.analyses.catalog import ANALYSES

EVERY_ROUND = "every_round"
OF_EXPERIMENTS, OF_REPLICATES = "analyse_experiments", "analyse_replicates"


def jobs(cards: Mapping[str, Experiment], deepest: int) -> list[UnresolvedAssetJobDefinition]:
    found = sweeps(cards)
    per_card = [
        _rounds_job(name, card.pruning.rounds, card.description, {"lth/experiment": name, **run_tags(card.resources)})
        for name, card in cards.items()
        if card.sweep is None
    ]
    per_card += [
        _rounds_job(name, deepest_of(cards, sweep), sweep.about, {"lth/sweep": name}) for name, sweep in found.items()
    ]
    through_all = _rounds_job(EVERY_ROUND, deepest, "Every round that there are assets for, for any experiment.", {})
    of_results = [
        _job("gather_results", report.GATHERED, "Table, figures, verdict, cost and report: what every run ends with."),
        _job(OF_EXPERIMENTS, _analyses("experiment"), "Every analysis of whole experiments, and the report."),
        _job(OF_REPLICATES, _analyses("replicate"), "Every analysis of a replicate: its landscape, robustness, …"),
    ]
    comparing = [_job(comparisons.JOB, [comparisons.NAME], "Experiments side by side, those that `lth compare` named.")]
    if found:
        comparing.append(_job(of_sweeps.JOB, [of_sweeps.NAME], "The experiments of a sweep side by side."))
    publishing = _job(publish.JOB, [publish.NAME], "A ticket into MLflow's model registry, if it is good enough.")
    return [*per_card, through_all, *of_results, *comparing, publishing]


def _job(name: str, assets: Sequence[str], description: str) -> UnresolvedAssetJobDefinition:
    return define_asset_job(name, AssetSelection.assets(*assets), description=description)


def _analyses(scope: str) -> list[str]:
    found = [analysis.name for analysis in ANALYSES.values() if analysis.scope == scope]
    return [results.NAME, *found, report.NAME] if scope == "experiment" else found


def job_of(cards: Mapping[str, Experiment], name: str, through: int) -> str:
    """The job that carries experiment `name` down to round `through`."""
    sweep = cards[name].sweep
    rounds = deepest_of(cards, sweeps(cards)[sweep.sweep]) if sweep else cards[name].pruning.rounds
    if through > rounds:
        return EVERY_ROUND
    return sweep.sweep if sweep else name


def deepest_of(cards: Mapping[str, Experiment], sweep: Sweep) -> int:
    """All experiments of a sweep share one job, so that a large sweep does not make every start slow."""
    return max(cards[member].pruning.rounds for member in sweep.members)


def _rounds_job(name: str, rounds: int, description: str, tags: dict[str, str]) -> UnresolvedAssetJobDefinition:
    names = [asset_name(stage.name, round) for stage, round in all_stages(rounds)]
    return define_asset_job(name, AssetSelection.assets(*names), description=description, tags=tags)
