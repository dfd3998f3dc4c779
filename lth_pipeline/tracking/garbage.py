"""MLflow runs that may go: superseded, failed or killed ones, and published ones without a version, that no run that
stays refers to; and their removal."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from lth_pipeline.experiments.lineups import AND
from lth_pipeline.processes import is_dead
from lth_pipeline.tracking.abandoned import PROCESS, close
from lth_pipeline.tracking.registry import KIND as PUBLISHED
from lth_pipeline.tracking.runs import pages
from lth_pipeline.tracking.tracker import Tracker, TrackingError

RUN_ID = re.compile(r"\b[0-9a-f]{32}\b")
DONE_WITH = ("superseded", "failed", "killed")
TAG = "lth.gc"  # of a run that was marked as deleted here, so that a removal that was killed is gone on with
DAGSTER_RUN = "lth.dagster_run"
AT_ONCE = 2000  # run ids in one command


@dataclass(frozen=True)
class Found:
    """A run. tags: those of MLflow and ours. refers: ids of other runs that it names. folder: its artifacts', where
    they lie in this project's own folder. bytes: of these."""

    id: str
    tags: Mapping[str, str]
    deleted: bool
    open: bool
    refers: frozenset[str]
    folder: Path | None
    bytes: int

    @property
    def experiment(self) -> str:
        return self.tags.get("lth.experiment", "")


@dataclass(frozen=True)
class Runs:
    """remove: what may go. kept: the runs of lth that stay; elsewhere: those among them that stay only because they
    belong to a Dagster that is not known here. bystanders: what MLflow's own clearing up would remove with `remove`, in
    words; empty where nothing."""

    remove: list[Found]
    kept: list[Found]
    elsewhere: list[Found]
    bystanders: str

    def experiments(self) -> set[str]:
        """Those of which there are runs, but for those marked as deleted."""
        return {run.experiment for run in (*self.kept, *self.remove) if not run.deleted}

    def logged(self) -> tuple[set[str], set[str]]:
        """(recipe ids, data versions) that the runs that stay refer to."""
        recipes, versions = (
            {run.tags[tag] for run in self.kept if tag in run.tags} for tag in ("lth.recipe", "lth.data_version")
        )
        return recipes, versions


def removable(
    tracker: Tracker,
    is_alive: Callable[[str], bool],
    only: Collection[str] | None = None,
    cards: Collection[str] | None = None,
    ours: Callable[[str], bool] = lambda run: True,
) -> Runs:
    """Which runs may go. Raises TrackingError where the store, or an experiment's place, cannot be made out.

    is_alive: whether a Dagster run may still write to its MLflow runs, where these do not say of which process they
    are. only: of these experiments. cards: where given, runs for experiments that are not among these may go whatever
    their status; never those on a server, which others may have cards of. ours: whether a Dagster run is one of those
    whose MLflow runs may go at all.
    """
    from mlflow.exceptions import MlflowException

    try:
        runs = list(_read(tracker))
        pinned = _pinned(tracker)
        bystanders = _bystanders(tracker)
    except MlflowException as error:
        raise TrackingError(f"the MLflow store {tracker.uri} cannot be read: {error}") from error
    local = tracker.artifacts is not None
    for name in {run.experiment for run in runs if "lth.kind" in run.tags and not run.deleted}:
        tracker.known(name)  # raises where its artifacts lie in another place than this project's

    def may_go(run: Found) -> bool:
        if "lth.kind" not in run.tags or (only is not None and run.experiment not in only) or run.id in pinned:
            return False
        if run.deleted:  # by us, and its files are there still; or by a person, who may want it back
            return TAG in run.tags and local and not bystanders
        if run.open and _is_written(run, is_alive):
            return False
        if run.tags["lth.kind"] == PUBLISHED:  # and no version refers to it: none was registered, or it was deleted
            return True
        if local and cards is not None and not set(run.experiment.split(AND)) <= set(cards):  # a comparison has several
            return True
        return run.tags.get("lth.status") in (*DONE_WITH, "running")

    refers = {run.id: run.refers for run in runs}
    old = {run.id for run in runs if may_go(run)}
    candidates = {run.id for run in runs if run.id in old and (run.deleted or ours(run.tags.get(DAGSTER_RUN, "")))}
    wide, stay = (referred(refers, refers.keys() - going) for going in (old, candidates))
    return Runs(
        [run for run in runs if run.id not in stay],
        [run for run in runs if run.id in stay and "lth.kind" in run.tags],
        [run for run in runs if run.id in stay - wide],
        bystanders,
    )


def _is_written(run: Found, is_alive: Callable[[str], bool]) -> bool:
    """Whether the process of a run that has not ended may still live."""
    if mark := run.tags.get(PROCESS):
        return not is_dead(mark)
    return is_alive(run.tags.get(DAGSTER_RUN, ""))


def referred(refers: Mapping[str, Collection[str]], roots: Collection[str]) -> set[str]:
    """`roots` and all that they refer to, directly or by way of others."""
    stay: set[str] = set()
    queue = list(roots)
    while queue:
        run_id = queue.pop()
        if run_id in refers and run_id not in stay:
            stay.add(run_id)
            queue += refers[run_id]
    return stay


def remove(tracker: Tracker, runs: Runs) -> int:
    """Remove `runs.remove`; gives the bytes that it freed: 0 on a server, where they are marked as deleted."""
    client = tracker.client
    for run in (run for run in runs.remove if not run.deleted):
        if run.open:
            close(tracker, run.id)
        client.set_tag(run.id, TAG, "removed")
        client.delete_run(run.id)
    if tracker.artifacts is None:
        return 0
    ids = [run.id for run in runs.remove]
    for first in range(0, len(ids) if not runs.bystanders else 0, AT_ONCE):
        _purge(tracker, ids[first : first + AT_ONCE])
    for folder in (run.folder for run in runs.remove if run.folder):
        shutil.rmtree(folder.parent, ignore_errors=True)  # MLflow leaves the run's own, empty
    return sum(run.bytes for run in runs.remove if run.folder and not run.folder.exists())


def administrators_command(runs: Runs) -> str:
    """What frees a server's disk of runs that are marked as deleted."""
    ids = ",".join(run.id for run in runs.remove)
    return f"mlflow gc --backend-store-uri THE_SERVERS_STORE --artifacts-destination ITS_ARTIFACTS --run-ids {ids}"


def _read(tracker: Tracker) -> Iterator[Found]:
    """Every run of the store, those of other people and those marked as deleted among them."""
    from mlflow.entities import ViewType

    client = tracker.client
    found = pages(lambda token: client.search_experiments(ViewType.ALL, max_results=1000, page_token=token))
    ids = [experiment.experiment_id for experiment in found]
    if not ids:
        return
    for run in pages(
        lambda token: client.search_runs(
            ids, run_view_type=ViewType.ALL, max_results=1000, order_by=["start_time"], page_token=token
        )
    ):
        tags = run.data.tags
        folder = _folder(tracker, run.info.run_id, run.info.artifact_uri)
        files = [path for path in folder.rglob("*") if path.is_file()] if folder and "lth.kind" in tags else []
        said = [*tags.values(), *run.data.params.values()]
        if tags.get("lth.kind") in ("results", "sweep", "comparison"):  # whose tables name a run in every row
            said += [path.read_text(errors="replace") for path in files if path.suffix == ".csv"]
        refers = frozenset(name for text in said for name in RUN_ID.findall(text)) - {run.info.run_id}
        deleted, running = run.info.lifecycle_stage == "deleted", run.info.status == "RUNNING"
        yield Found(run.info.run_id, tags, deleted, running, refers, folder, sum(path.stat().st_size for path in files))


def _folder(tracker: Tracker, run_id: str, uri: str) -> Path | None:
    """Where a run's artifacts lie; None where that is not this project's own folder."""
    place = urlsplit(uri)
    if tracker.artifacts is None or place.scheme not in ("file", ""):
        return None
    folder = Path(unquote(place.path))
    inside = folder.is_relative_to(tracker.artifacts) and ".." not in folder.parts
    return folder if inside and folder.parent.name == run_id else None


def _pinned(tracker: Tracker) -> set[str]:
    """Runs that a version in the registry names, under an alias or not, or that a person has logged a model of. Where
    the registry does not say, this raises, and nothing goes."""
    from mlflow.entities import ViewType

    client = tracker.client
    models = pages(lambda token: client.search_model_versions(max_results=1000, page_token=token))
    found = {run for model in models for run in RUN_ID.findall(f"{model.run_id} {model.source}")}
    experiments = pages(lambda token: client.search_experiments(ViewType.ALL, max_results=1000, page_token=token))
    ids = [experiment.experiment_id for experiment in experiments]
    if ids:
        logged = pages(lambda token: client.search_logged_models(ids, page_token=token))
        found |= {model.source_run_id for model in logged if model.source_run_id}
    return found


def _bystanders(tracker: Tracker) -> str:
    """What `mlflow gc --run-ids` removes for good beside these runs: whatever else is marked as deleted.

    Experiments with all of their runs, and models.
    """
    from mlflow.entities import ViewType
    from mlflow.store.tracking.dbmodels.models import SqlLoggedModel
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    store = tracker.client._tracking_client.store
    if tracker.artifacts is None or not isinstance(store, SqlAlchemyStore):
        return ""
    client = tracker.client
    gone = pages(lambda token: client.search_experiments(ViewType.DELETED_ONLY, max_results=1000, page_token=token))
    found = [f"the experiment {experiment.name!r}" for experiment in gone]
    with store.ManagedSessionMaker() as session:
        models = session.query(SqlLoggedModel.model_id).filter(SqlLoggedModel.lifecycle_stage == "deleted")
        found += [f"the model {model_id}" for (model_id,) in models]
    return ", ".join(found)


def _purge(tracker: Tracker, ids: list[str]) -> None:
    """MLflow's own clearing up: removes runs that are marked as deleted from the database, and their files."""
    command = [sys.executable, "-m", "mlflow", "gc", "--backend-store-uri", tracker.uri, "--tracking-uri", tracker.uri]
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"}
    done = subprocess.run([*command, "--run-ids", ",".join(ids)], capture_output=True, text=True, env=environment)
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        raise TrackingError(
            f"`mlflow gc` on {tracker.uri} ended with {done.returncode} ({' '.join(last)}); "
            f"the runs are marked as deleted, and the next `lth gc` goes on"
        )
