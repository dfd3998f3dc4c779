"""The MLflow run of one training: a replicate, a round, an arm. An attempt, never changed afterwards."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lth_pipeline.experiments.measures import MEASURES
from lth_pipeline.tracking import series
from lth_pipeline.tracking.abandoned import close_before, whose
from lth_pipeline.tracking.patience import TrackingError
from lth_pipeline.tracking.runs import Training, log_files, supersede
from lth_pipeline.tracking.tracker import Tracker

FLUSH_SECONDS = 2.0
PART = 20  # sending takes at most a twentieth of the time of a training
LONGEST_PAUSE = 60.0  # between two attempts to reach a store that is away, while a training goes on
BATCH = 1000  # points a log_batch takes
#: of a learning curve's row; iteration is the step
CURVE_METRICS = ("train_loss", "validation_loss", "validation_accuracy", "test_loss", "test_accuracy")
EARLY_METRICS = ("early_bird_iteration", "early_bird_saves")  # of a dense training whose mask was followed
SUMMARY_METRICS = (*MEASURES, "iterations_per_second")


@dataclass
class Logger:
    """Logs the rows of a training that is under way; the run is opened at the first row.

    A store that is away does not hold the training up: its rows are kept, and sent when it is back.
    """

    tracker: Tracker
    training: Training
    tags: Mapping[str, str]
    run_id: str | None = None
    _rows: list[tuple[dict[str, float], int]] = field(default_factory=list)  # with the milliseconds of their time
    _logged: set[int] = field(default_factory=set)
    _began: int = 0  # the time of the first of them
    _due: float = 0.0
    _failed: int = 0  # times in a row that nothing could be sent
    _series: str = ""  # the one it was opened under

    def open(self) -> str:
        if self.run_id is None:
            training, client = self.training, self.tracker.client
            experiment_id = self.tracker.experiment_id(training.experiment, training.description)
            self._series = series.series_of(self.tracker, training)
            tags = {**training.tags, **self.tags, **whose(), "lth.status": "running"}
            tags["mlflow.parentRunId"] = self._series
            self.run_id = client.create_run(experiment_id, tags=tags, run_name=training.name).info.run_id
        return self.run_id

    def row(self, row: Mapping[str, float]) -> None:
        """One row of the learning curve; sent with others every two seconds. Whatever goes wrong with that is told and
        tried again; at the end it is an error."""
        from mlflow.exceptions import MlflowException

        now = int(time.time() * 1000)
        self._began = self._began or now
        self._rows.append((dict(row), now))
        if time.monotonic() < self._due:
            return
        began = time.monotonic()
        try:
            with self.tracker.patience.none():
                is_new = self.run_id is None
                self.flush()
                if is_new:
                    close_before(self.tracker, self.training, self.open())
            self._failed = 0
        except (TrackingError, MlflowException) as error:
            if not self._failed:
                self._tell(f"{error}; the training goes on, and its curve is kept until it can be sent")
            self._failed += 1
        # a server that swallows what it is asked takes half a minute to fail: that too is a small part of the time
        now, took = time.monotonic(), time.monotonic() - began
        self._due = now + max(min(FLUSH_SECONDS * 2 ** min(self._failed, 10), LONGEST_PAUSE), PART * took)

    def _tell(self, message: str) -> None:
        if self.tracker.patience.on_trouble:
            self.tracker.patience.on_trouble(message)

    def flush(self) -> None:
        from mlflow.entities import Metric

        run_id = self.open()
        points = [
            # what is sent twice, because no answer came, has the same time and is one point
            Metric(name, float(row[name]), at, int(row["iteration"]))
            for row, at in self._rows
            if row["iteration"] not in self._logged  # a second point at a step would draw a zigzag
            for name in CURVE_METRICS
            if row[name] == row[name]
        ]
        for first in range(0, len(points), BATCH):
            self.tracker.client.log_batch(run_id, metrics=points[first : first + BATCH])
        self._logged |= {row["iteration"] for row, _ in self._rows}
        self._rows.clear()

    def fail(self) -> None:
        """Close the run of a training that did not end. Raises TrackingError where that cannot be done now."""
        if self.run_id:
            with self.tracker.patience.none():
                self.flush()
                self.tracker.client.set_tag(self.run_id, "lth.status", "failed")
                self.tracker.client.set_terminated(self.run_id, status="FAILED")

    def finish(
        self,
        rows: list[dict[str, float]],
        facts: Mapping[str, Any],
        params: Mapping[str, Any],
        files: Mapping[str, bytes],
    ) -> str:
        """Log what is missing of the curve, the summary, parameters and artifacts; close the run as current.

        Earlier runs of the same training are marked superseded, and the series gets its point. The run becomes current
        last: wherever this is cut short, by a kill or a store that is away for long, all of it is done once more.
        """
        from mlflow.entities import Metric, Param, RunTag

        now, new = int(time.time() * 1000), self.run_id is None
        when = {row["iteration"]: at for row, at in self._rows}
        before = self._began - 1 if self._began else now  # of what a killed process had trained
        self._rows = [(dict(row), when.get(row["iteration"], before)) for row in rows]
        self.flush()
        client, run_id = self.tracker.client, self.open()
        metrics = {name: facts[name] for name in SUMMARY_METRICS} | {"remaining_percent": 100 * facts["density"]}
        metrics |= {name: facts[name] for name in EARLY_METRICS if facts.get(name) is not None}
        log_files(self.tracker, run_id, files)
        client.log_batch(
            run_id,
            metrics=[Metric(name, float(value), now, 0) for name, value in metrics.items()],
            params=[Param(name, str(value)) for name, value in params.items()],
            tags=[RunTag(name, value) for name, value in self.tags.items()],  # those that came after the first row too
        )
        # of a run that was open while it trained, another series may stand there by now
        under = series.add(self.tracker, self.training, metrics, self._series if new else None)
        if under != self._series:
            client.set_tag(run_id, "mlflow.parentRunId", under)
        supersede(self.tracker, self.training, by=run_id)
        client.set_terminated(run_id)
        client.set_tag(run_id, "lth.status", "current")
        return run_id
