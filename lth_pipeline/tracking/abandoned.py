"""Runs that a killed process has left open: closed as KILLED, with a pointer to what came in their place."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lth_pipeline.processes import is_dead, process_mark
from lth_pipeline.tracking.runs import Training, attempts, search, set_aside
from lth_pipeline.tracking.tracker import Tracker

PROCESS = "lth.process"  # of a run's tags: whose it is


def whose() -> dict[str, str]:
    """The tag of this process's runs."""
    return {PROCESS: process_mark()}


def close_abandoned(tracker: Tracker, experiments: Iterable[str]) -> list[str]:
    """Close the runs of processes of this machine that are no more; gives their ids."""
    closed = []
    for name in experiments:
        for run in search(tracker, name, {}, "attributes.status = 'RUNNING'"):
            if _is_abandoned(run):
                close(tracker, run.info.run_id)
                closed.append(run.info.run_id)
    return closed


def close(tracker: Tracker, run_id: str) -> None:
    tracker.client.set_terminated(run_id, status="KILLED")
    tracker.client.set_tag(run_id, "lth.status", "killed")


def close_before(tracker: Tracker, training: Training, successor: str) -> None:
    """Close what killed processes left of a training, and say in each which run goes on from it."""
    for run in attempts(tracker, training):
        killed = run.data.tags.get("lth.status") == "killed"
        if run.info.run_id != successor and (killed or (run.info.status == "RUNNING" and _is_abandoned(run))):
            set_aside(tracker, run, successor)


def _is_abandoned(run: Any) -> bool:
    return is_dead(run.data.tags.get(PROCESS, ""))
