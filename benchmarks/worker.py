"""The process of a run as `lth run` starts it, watched from outside."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from pathlib import Path


def events(card: str, rounds: int) -> Iterator[tuple[str, dict, list[int]]]:
    """Run replicate 0 of `card` through `rounds` in the home of the environment: (event, details, the processes there
    are then) of each event that `run_tasks` gives. Raises RuntimeError where the run fails."""
    from lth_pipeline.home import find_home
    from lth_pipeline.orchestration.instance import open_instance
    from lth_pipeline.orchestration.launch import Task, run_tasks
    from lth_pipeline.orchestration.partitions import partition_key
    from lth_pipeline.orchestration.plan import LOCATION
    from lth_pipeline.orchestration.stages import all_stages, asset_name
    from lth_pipeline.tracking.tracker import open_tracker

    home = find_home()
    open_tracker(home.tracking_uri, home.mlflow, home.mlflow_ui)
    assets = tuple(asset_name(stage.name, round) for stage, round in all_stages(rounds))
    with open_instance(home):
        log = home.dagster.parent / "logs" / "memory.log"
        task = Task(LOCATION, card, partition_key(card, 0), assets, home.dagster, log)
        for event, details in run_tasks([task], workers=1):
            if event == "done" and not details["success"]:
                raise RuntimeError(f"{details['errors']}\n{log.read_text()[-2000:]}")
            yield event, details, [process.pid for process in multiprocessing.active_children()]


def memory(process: int, what: str) -> int:
    """Bytes that a process has resident now (what: "VmRSS") or has had at most ("VmHWM"), as Linux tells."""
    status = Path(f"/proc/{process}/status").read_text()
    return 1024 * int(status.partition(f"{what}:")[2].split()[0])
