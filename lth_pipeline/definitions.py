"""The front door: every asset, check, job and resource is wired here."""

from __future__ import annotations

import os

from dagster import Definitions, in_process_executor

from lth_pipeline.home import find_home
from lth_pipeline.orchestration.jobs import jobs
from lth_pipeline.orchestration.partitions import deepest_round
from lth_pipeline.orchestration.resources import Compute, Tracking
from lth_pipeline.orchestration.results import results_asset
from lth_pipeline.orchestration.rounds import round_assets
from lth_pipeline.recipes import load_cards

home = find_home()
cards = load_cards([home.experiments])
deepest = deepest_round(cards)

defs = Definitions(
    assets=[*round_assets(cards, deepest), results_asset(cards, deepest, home.reports)],
    jobs=jobs(cards, deepest),
    resources={
        "compute": Compute(
            device=os.environ.get("LTH_DEVICE", "auto"),
            threads=int(os.environ.get("LTH_THREADS", "1")),
            store=str(home.store),
            data=str(home.data),
        ),
        "tracking": Tracking(
            uri=home.tracking_uri, folder=str(home.mlflow), ui=home.mlflow_ui, dagster_ui=home.dagster_ui
        ),
    },
    # All rounds of a replicate in one process: imports, data set and device are paid for once.
    executor=in_process_executor,
)
