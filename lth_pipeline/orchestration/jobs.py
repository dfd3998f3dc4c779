"""Jobs: one per card, through the rounds that the card asks for, one for results and one to compare sweeps."""

from __future__ import annotations

from collections.abc import Mapping

from dagster import AssetSelection, define_asset_job
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from lth_pipeline.experiments import Experiment
from lth_pipeline.experiments.sweeps import Sweep, sweeps
from lth_pipeline.orchestration import results
from lth_pipeline.orchestration import sweeps as comparisons
from lth_pipeline.orchestration.cluster import run_tags
from lth_pipeline.orchestration.stages import all_stages, asset_name

EVERY_ROUND = "every_round"


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
    of_results = define_asset_job(
        "gather_results", AssetSelection.assets(results.NAME), description="Table, figures and report."
    )
    of_sweeps = define_asset_job(
        comparisons.JOB, AssetSelection.assets(comparisons.NAME), description="The experiments of a sweep side by side."
    )
    return [*per_card, through_all, of_results, *([of_sweeps] if found else [])]


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
