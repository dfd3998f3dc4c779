"""The front door: every asset, check, job, schedule, sensor and resource is wired here."""

from dagster import Definitions, in_process_executor

from lth_pipeline.home import Home, find_home
from lth_pipeline.orchestration.automation import follow_changes
from lth_pipeline.orchestration.jobs import jobs
from lth_pipeline.orchestration.partitions import deepest_round
from lth_pipeline.orchestration.resources import Compute, Tracking
from lth_pipeline.orchestration.results import results_asset
from lth_pipeline.orchestration.rounds import round_assets
from lth_pipeline.orchestration.schedules import nightly
from lth_pipeline.orchestration.sensors import new_cards
from lth_pipeline.orchestration.sweep_job import sweep_job
from lth_pipeline.orchestration.sweeps import sweep_assets
from lth_pipeline.recipes import load_cards


def build_definitions(home: Home) -> Definitions:
    """The code location for the cards that `home` holds beside the built-in ones."""
    cards = load_cards([home.experiments])
    deepest = deepest_round(cards)
    return Definitions(
        assets=[
            *round_assets(cards, deepest),
            results_asset(cards, deepest, home.reports),
            *sweep_assets(cards, home.reports),
        ],
        jobs=[*jobs(cards, deepest), sweep_job(cards)],
        schedules=[nightly(cards, home.nightly, home.timezone)],
        sensors=[
            new_cards(cards, home.experiments, lambda: load_cards([home.experiments])),
            follow_changes(),
        ],
        resources={"compute": Compute(), "tracking": Tracking()},
        # All rounds of a replicate in one process: imports, data set and device are paid for once.
        executor=in_process_executor,
    )


defs = build_definitions(find_home())
