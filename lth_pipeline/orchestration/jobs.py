"""Jobs: one per card, through the rounds that the card asks for, and one for results."""

from __future__ import annotations

from collections.abc import Mapping

from dagster import AssetSelection, define_asset_job
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from lth_pipeline.experiments import Experiment
from lth_pipeline.orchestration import results
from lth_pipeline.orchestration.stages import all_stages, asset_name

EVERY_ROUND = "every_round"


def jobs(cards: Mapping[str, Experiment], deepest: int) -> list[UnresolvedAssetJobDefinition]:
    per_card = [
        _rounds_job(name, card.pruning.rounds, card.description, {"lth/experiment": name})
        for name, card in cards.items()
    ]
    through_all = _rounds_job(EVERY_ROUND, deepest, "Every round that there are assets for, for any experiment.", {})
    of_results = define_asset_job(
        "gather_results", AssetSelection.assets(results.NAME), description="Table, figures and report."
    )
    return [*per_card, through_all, of_results]


def _rounds_job(name: str, rounds: int, description: str, tags: dict[str, str]) -> UnresolvedAssetJobDefinition:
    names = [asset_name(stage.name, round) for stage, round in all_stages(rounds)]
    return define_asset_job(name, AssetSelection.assets(*names), description=description, tags=tags)
