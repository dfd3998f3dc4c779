"""Series runs: one per replicate and arm, with a point per round; MLflow's charts draw the figure from them.

A series is derived from the runs of its rounds. MLflow cannot overwrite a point, so a recomputed round gives a
new series; the old one is marked superseded.
"""

from __future__ import annotations

import time
from collections.abc import Container, Mapping

from lth_pipeline.experiments.arms import ARMS
from lth_pipeline.experiments.measures import MEASURES
from lth_pipeline.tracking.abandoned import whose
from lth_pipeline.tracking.runs import Training, draw_of, search, set_aside
from lth_pipeline.tracking.tracker import Tracker

METRICS = ("remaining_percent", *MEASURES)
COMPARED = tuple(name for name in METRICS if name != "seconds")  # what a recompute must give again


def series_of(tracker: Tracker, training: Training) -> str:
    """The run id of the current series of `training`'s replicate and arm, opened where there is none. Of two, because a
    process was killed when it put one in the other's place, the later."""
    found = _all(tracker, training, {})
    current = [run.info.run_id for run in found if run.data.tags.get("lth.status") == "current"]
    stands = current[0] if current else _open(tracker, training)
    for run in found:
        if run.info.run_id in current[1:] or run.data.tags.get("lth.status") == "killed":
            set_aside(tracker, run, stands)
    return stands


def add(tracker: Tracker, training: Training, metrics: Mapping[str, float], series: str | None = None) -> str:
    """Put the point of a finished round on its series. series: its run id, where it was looked up just now. Gives the
    id of the one that it stands on.

    A round whose point is there already and other gives a new series of the rounds above it: what lies below no
    longer follows, and is added as it is trained. The same point again (a recompute) changes nothing.
    """
    series = series or series_of(tracker, training)
    rounds = _points(tracker, series, METRICS[0])
    if training.round in rounds:
        if all(_points(tracker, series, name)[training.round] == metrics[name] for name in COMPARED):
            return series
        old, series = series, _open(tracker, training, "filling")
        _fill(tracker, training, series, {})
        _log(tracker, series, training.round, metrics)
        _put_in_place(tracker, training, old, series)
        return series
    if not set(range(training.round)) <= set(rounds):  # the dense network's of another arm, and what a kill left out
        _fill(tracker, training, series, rounds)
    _log(tracker, series, training.round, metrics)
    return series


def _points(tracker: Tracker, series: str, name: str) -> dict[int, float]:
    """{round: value} of one metric."""
    return {point.step: point.value for point in tracker.client.get_metric_history(series, f"by_round/{name}")}


def _put_in_place(tracker: Tracker, training: Training, old: str, new: str) -> None:
    """Make `new` the current series, with the rounds of `old` under it. One that a killed process was filling goes."""
    client = tracker.client
    for run in [*_current_rounds(tracker, training, "dense"), *_current_rounds(tracker, training, _arm(training))]:
        if run.data.tags.get("mlflow.parentRunId") == old:
            client.set_tag(run.info.run_id, "mlflow.parentRunId", new)
    client.set_tag(new, "lth.status", "current")  # before the other is none: the latest counts
    for run in _all(tracker, training, {}):
        if run.info.run_id != new and run.data.tags.get("lth.status") in ("current", "filling"):
            set_aside(tracker, run, new)


def _all(tracker: Tracker, training: Training, more: Mapping[str, str]) -> list:
    searched = {name: value for name, value in _tags(training).items() if name != "lth.draw"}
    found = search(tracker, training.experiment, {**searched, **more})
    return [run for run in found if draw_of(run.data.tags) == training.draw]


def _fill(tracker: Tracker, training: Training, series: str, rounds: Container[int]) -> None:
    """Put the current rounds above `training`'s on a series, but those that are there."""
    for arm in ("dense", _arm(training)):
        runs = {int(run.data.tags["lth.round"]): run for run in reversed(_current_rounds(tracker, training, arm))}
        for round in sorted(runs):
            if round < training.round and round not in rounds:
                _log(tracker, series, round, runs[round].data.metrics)


def _open(tracker: Tracker, training: Training, status: str = "current") -> str:
    client = tracker.client
    experiment_id = tracker.experiment_id(training.experiment, training.description)
    tags = {**_tags(training), **whose(), "lth.status": status}
    number = f" {training.draw + 1}" if training.draw else ""
    name = f"{ARMS[_arm(training)].title}{number} · replicate {training.replicate}"
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
    draw = training.draw if arm == training.arm else 0  # the dense network is drawn once
    return [run for run in search(tracker, training.experiment, tags) if draw_of(run.data.tags) == draw]


def _arm(training: Training) -> str:
    """The dense network is round 0 of the ticket's series."""
    return "ticket" if training.arm == "dense" else training.arm


def _tags(training: Training) -> dict[str, str]:
    return {
        "lth.kind": "series",
        "lth.experiment": training.experiment,
        "lth.replicate": str(training.replicate),
        "lth.arm": _arm(training),
        "lth.draw": str(training.draw),
    }
