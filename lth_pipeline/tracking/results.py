"""The MLflow runs that hold tables, figures and reports: of an experiment, a sweep, an analysis."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lth_pipeline.tracking.abandoned import whose
from lth_pipeline.tracking.runs import log_files, search, set_aside
from lth_pipeline.tracking.tracker import Tracker


def log_results(
    tracker: Tracker,
    experiment: str,
    description: str,
    files: Mapping[str, bytes],
    tags: Mapping[str, str],
    kind: str = "results",
    replicate: int | None = None,
) -> str:
    """Log `files` as a new run; earlier ones are marked superseded. Gives its id.

    kind: "results", "sweep", "comparison", "report" or the name of an analysis; replicate: that it is of, alone.
    """
    about = {"lth.kind": kind, "lth.experiment": experiment}
    if replicate is not None:
        about["lth.replicate"] = str(replicate)
    client = tracker.client
    all_tags = {**about, **tags, **whose(), "lth.status": "running"}
    title = kind if replicate is None else f"{kind} · replicate {replicate}"
    run = client.create_run(tracker.experiment_id(experiment, description), tags=all_tags, run_name=title)
    run_id = run.info.run_id
    log_files(tracker, run_id, files)
    for run in search(tracker, experiment, about):
        if run.info.run_id != run_id and run.data.tags.get("lth.status") != "superseded":
            set_aside(tracker, run, run_id)
    client.set_terminated(run_id)
    client.set_tag(run_id, "lth.status", "current")  # last: whenever this is cut short, it is done once more
    return run_id


def results_runs(tracker: Tracker, experiments: Iterable[str]) -> dict[str, str]:
    """{experiment: id of the current run that holds its results}, of those that have one."""
    found = {}
    for name in experiments:
        runs = search(tracker, name, {"lth.kind": "results", "lth.status": "current"})
        if runs:
            found[name] = runs[0].info.run_id
    return found
