"""Series runs: one per replicate and arm, with a point per round; MLflow's charts draw the figure from them.

A series is derived from the runs of its rounds. MLflow cannot overwrite a point, so a recomputed round gives a
new series; the old one is marked superseded.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from lth_pipeline.experiments.arms import ARMS
from lth_pipeline.experiments.measures import MEASURES
from lth_pipeline.tracking.runs import Training, search
from lth_pipeline.tracking.tracker import Tracker

METRICS = ("remaining_percent", *MEASURES)


def series_of(tracker: Tracker, training: Training) -> str:
    """The run id of the current series of `training`'s replicate and arm, opened where there is none."""
    found = search(tracker, training.experiment, {**_tags(training), "lth.status": "current"}, training.description)
    return found[0].info.run_id if found else _open(tracker, training)


def add(tracker: Tracker, training: Training, metrics: Mapping[str, float]) -> None:
    """Put the point of a finished round on its series; a round that has one already gives a new series."""
    series = series_of(tracker, training)
    rounds = {point.step for point in tracker.client.get_metric_history(series, f"by_round/{METRICS[0]}")}
    if training.round in rounds:
        _renew(tracker, training, series)
        return
    if _arm(training) != "ticket" and 0 not in rounds:
        for dense in _current_rounds(tracker, training, "dense"):
            _log(tracker, series, 0, dense.data.metrics)
    _log(tracker, series, training.round, metrics)


def _renew(tracker: Tracker, training: Training, old: str) -> None:
    client, new = tracker.client, _open(tracker, training)
    for arm in ("dense", _arm(training)):
        for run in _current_rounds(tracker, training, arm):
            _log(tracker, new, int(run.data.tags["lth.round"]), run.data.metrics)
            if run.data.tags.get("mlflow.parentRunId") == old:
                client.set_tag(run.info.run_id, "mlflow.parentRunId", new)
    client.set_tag(old, "lth.status", "superseded")
    client.set_tag(old, "lth.superseded_by", new)


def _open(tracker: Tracker, training: Training) -> str:
    client = tracker.client
    experiment_id = tracker.experiment_id(training.experiment, training.description)
    tags = {**_tags(training), "lth.status": "current"}
    name = f"{ARMS[_arm(training)].title} · replicate {training.replicate}"
    run_id = client.create_run(experiment_id, tags=tags, run_name=name).info.run_id
    client.log_param(run_id, "replicate", training.replicate)
    client.log_param(run_id, "arm", _arm(training))
    client.set_terminated(run_id)  # it takes points all the same, and is never left running
    return run_id


def _log(tracker: Tracker, series: str, round: int, metrics: Mapping[str, float]) -> None:
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    points = [Metric(f"by_round/{name}", float(metrics[name]), now, round) for name in METRICS]
    tracker.client.log_batch(series, metrics=points)
    tracker.client.set_terminated(series)  # again, so that its duration reaches to its last round


def _current_rounds(tracker: Tracker, training: Training, arm: str) -> list:
    tags = {
        "lth.kind": "round",
        "lth.replicate": str(training.replicate),
        "lth.arm": arm,
        "lth.status": "current",
    }
    return search(tracker, training.experiment, tags)


def _arm(training: Training) -> str:
    """The dense network is round 0 of the ticket's series."""
    return "ticket" if training.arm == "dense" else training.arm


def _tags(training: Training) -> dict[str, str]:
    return {
        "lth.kind": "series",
        "lth.experiment": training.experiment,
        "lth.replicate": str(training.replicate),
        "lth.arm": _arm(training),
    }
