"""The MLflow run of one training: a replicate, a round, an arm. An attempt, never changed afterwards."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lth_pipeline.experiments.measures import MEASURES
from lth_pipeline.tracking import series
from lth_pipeline.tracking.runs import Training, log_files, supersede
from lth_pipeline.tracking.tracker import Tracker

FLUSH_SECONDS = 2.0
BATCH = 1000  # points a log_batch takes
#: of a learning curve's row; iteration is the step
CURVE_METRICS = ("train_loss", "validation_loss", "validation_accuracy", "test_loss", "test_accuracy")
EARLY_METRICS = ("early_bird_iteration", "early_bird_saves")  # of a dense training whose mask was followed
SUMMARY_METRICS = (*MEASURES, "iterations_per_second")


@dataclass
class Logger:
    """Logs the rows of a training that is under way; the run is opened at the first row."""

    tracker: Tracker
    training: Training
    tags: Mapping[str, str]
    run_id: str | None = None
    _rows: list[dict[str, float]] = field(default_factory=list)
    _logged: set[int] = field(default_factory=set)
    _flushed: float = 0.0
    _series: str = ""  # the one it was opened under

    def open(self) -> str:
        if self.run_id is None:
            training, client = self.training, self.tracker.client
            experiment_id = self.tracker.experiment_id(training.experiment, training.description)
            self._series = series.series_of(self.tracker, training)
            tags = {**training.tags, **self.tags, "lth.status": "running", "mlflow.parentRunId": self._series}
            self.run_id = client.create_run(experiment_id, tags=tags, run_name=training.name).info.run_id
        return self.run_id

    def row(self, row: Mapping[str, float]) -> None:
        """One row of the learning curve; sent with others every two seconds."""
        self._rows.append(dict(row))
        if time.monotonic() - self._flushed > FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        from mlflow.entities import Metric

        run_id, now = self.open(), int(time.time() * 1000)
        points = [
            Metric(name, float(row[name]), now, int(row["iteration"]))
            for row in self._rows
            if row["iteration"] not in self._logged  # a second point at a step would draw a zigzag
            for name in CURVE_METRICS
            if row[name] == row[name]
        ]
        for first in range(0, len(points), BATCH):
            self.tracker.client.log_batch(run_id, metrics=points[first : first + BATCH])
        self._logged |= {row["iteration"] for row in self._rows}
        self._rows.clear()
        self._flushed = time.monotonic()

    def fail(self) -> None:
        """Close the run of a training that did not end."""
        if self.run_id:
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

        Earlier runs of the same training are marked superseded, and the series gets its point.
        """
        from mlflow.entities import Metric, Param, RunTag

        self._rows = [dict(row) for row in rows]
        new = self.run_id is None
        self.flush()
        client, run_id, now = self.tracker.client, self.open(), int(time.time() * 1000)
        metrics = {name: facts[name] for name in SUMMARY_METRICS} | {"remaining_percent": 100 * facts["density"]}
        metrics |= {name: facts[name] for name in EARLY_METRICS if facts.get(name) is not None}
        log_files(self.tracker, run_id, files)
        tags = {**self.tags, "lth.status": "current"}  # those that came after the first row too
        client.log_batch(
            run_id,
            metrics=[Metric(name, float(value), now, 0) for name, value in metrics.items()],
            params=[Param(name, str(value)) for name, value in params.items()],
            tags=[RunTag(name, value) for name, value in tags.items()],
        )
        client.set_terminated(run_id)
        supersede(self.tracker, self.training, by=run_id)
        # of a run that was open while it trained, another series may stand there by now
        series.add(self.tracker, self.training, metrics, self._series if new else None)
        return run_id
