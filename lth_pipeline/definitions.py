"""The front door: every asset, check, job, schedule, sensor and resource is wired here."""

import sys

from dagster import Definitions, in_process_executor

from lth_pipeline.home import Home, find_home
from lth_pipeline.orchestration.analyses import analysis_assets
from lth_pipeline.orchestration.automation import follow_changes
from lth_pipeline.orchestration.comparisons import comparison_asset
from lth_pipeline.orchestration.gathering import gather_queued
from lth_pipeline.orchestration.jobs import jobs
from lth_pipeline.orchestration.partitions import deepest_round
from lth_pipeline.orchestration.publish import published_asset
from lth_pipeline.orchestration.report import report_asset
from lth_pipeline.orchestration.resources import Compute, Tracking
from lth_pipeline.orchestration.results import results_asset
from lth_pipeline.orchestration.rounds import round_assets
from lth_pipeline.orchestration.schedules import nightly
from lth_pipeline.orchestration.sensors import new_cards
from lth_pipeline.orchestration.sweep_job import sweep_job
from lth_pipeline.orchestration.sweeps import sweep_assets
from lth_pipeline.processes import is_worker
from lth_pipeline.recipes.check import load_cards, load_sound_cards


def build_definitions(home: Home) -> Definitions:
    """The code location for the cards that `home` holds beside the built-in ones."""
    cards = _cards(home)
    deepest = deepest_round(cards)
    return Definitions(
        assets=[
            *round_assets(cards, deepest),
            results_asset(cards, deepest, home.reports),
            *analysis_assets(cards, home.reports),
            report_asset(cards, home.reports),
            *sweep_assets(cards, home.reports),
            comparison_asset(cards, home.reports),
            published_asset(cards),
        ],
        jobs=[*jobs(cards, deepest), sweep_job(cards)],
        schedules=[nightly(cards, home.nightly, home.timezone)],
        sensors=[
            new_cards(cards, home.experiments, lambda: load_cards([home.experiments])),
            follow_changes(),
            gather_queued(cards),
        ],
        resources={"compute": Compute(), "tracking": Tracking()},
        # All rounds of a replicate in one process: imports, data set and device are paid for once.
        executor=in_process_executor,
    )


def _cards(home: Home):
    """A mistake in a card is told to whoever loads the location; runs of other cards go on without it."""
    if not is_worker():
        return load_cards([home.experiments])
    cards, mistakes = load_sound_cards([home.experiments])
    for mistake in mistakes:
        print(f"left out: {mistake}", file=sys.stderr, flush=True)
    return cards


defs = build_definitions(find_home())
