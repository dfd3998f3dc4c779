"""The MLflow run that holds an experiment's table, figures and report."""

from __future__ import annotations

from collections.abc import Mapping

from lth_pipeline.tracking.runs import log_files, mark_superseded, search
from lth_pipeline.tracking.tracker import Tracker


def log_results(
    tracker: Tracker, experiment: str, description: str, files: Mapping[str, bytes], tags: Mapping[str, str]
) -> str:
    """Log `files` as a new run; earlier ones are marked superseded. Gives its id."""
    kind = {"lth.kind": "results", "lth.experiment": experiment}
    before = search(tracker, experiment, {**kind, "lth.status": "current"}, description)
    client = tracker.client
    all_tags = {**kind, **tags, "lth.status": "current"}
    run_id = client.create_run(tracker.experiment_id(experiment), tags=all_tags, run_name="results").info.run_id
    log_files(tracker, run_id, files)
    client.set_terminated(run_id)
    for run in before:
        mark_superseded(tracker, run.info.run_id, run_id)
    return run_id
