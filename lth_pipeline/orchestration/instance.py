"""The project's Dagster instance: made ready, and cleared of runs whose process is gone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from dagster import DagsterInstance, DagsterRunStatus, RunsFilter
from dagster._core.launcher import DefaultRunLauncher

from lth_pipeline.files import claimed, ensure_writable, write_atomically
from lth_pipeline.home import Home
from lth_pipeline.orchestration.cluster import close_lost_runs
from lth_pipeline.orchestration.database import InstanceError, name_storage, try_database
from lth_pipeline.orchestration.event_log import pooled
from lth_pipeline.orchestration.rounds import POOL
from lth_pipeline.processes import PROCESS_TAG, is_dead
from lth_pipeline.recipes.devices import at_once

MOST_SLOTS = 1000  # that a pool of Dagster's may have


def prepare(home: Home) -> None:
    """Make DAGSTER_HOME and give it the project's dagster.yaml where it has none; see that the settings there name the
    database that the environment has. Raises InstanceError, also where that does not answer."""
    ensure_writable(home.dagster, InstanceError)
    settings, template = home.dagster / "dagster.yaml", home.project / "dagster.yaml"
    if not settings.exists() and template.is_file():
        # one more than may train: what is queued behind trainings is planned, and gathered, while they go on
        runs = f"max_concurrent_runs: {at_once(home.device, home.processes) + 1}"
        write_atomically(settings, re.sub(r"max_concurrent_runs: \d+", runs, template.read_text()).encode())
    name_storage(settings, home)
    try_database(home)


@contextmanager
def open_instance(home: Home) -> Iterator[DagsterInstance]:
    """The instance, with a limit on the device's pool (one run a core, or a GPU) where none is set yet."""
    prepare(home)
    with DagsterInstance.from_config(str(home.dagster)) as instance, pooled(instance):
        if not _has_limit(instance):
            with claimed(home.dagster / ".limiting", wait=True):  # of two that begin at once the second cannot set it
                if not _has_limit(instance):
                    instance.event_log_storage.set_concurrency_slots(POOL, _trainings_at_once(instance, home))
        yield instance


def _trainings_at_once(instance: DagsterInstance, home: Home) -> int:
    """Where runs go to other machines, this one's devices say nothing: `max_concurrent_runs` and the engine do."""
    return MOST_SLOTS if gives_runs_away(instance) else at_once(home.device, home.processes)


def gives_runs_away(instance: DagsterInstance) -> bool:
    """Whether dagster.yaml names an engine that executes runs elsewhere. It is not loaded for that: it may need what is
    not in this environment."""
    launcher = instance.get_ref().run_launcher_data
    return launcher is not None and launcher.class_name != DefaultRunLauncher.__name__


def try_launcher(instance: DagsterInstance, home: Home) -> None:
    """Raises InstanceError where the engine that dagster.yaml names cannot be used here."""
    try:
        _ = instance.run_launcher
    except Exception as error:  # of Dagster's settings, or of an engine's package
        said = str(error)
        unset = re.findall(r'environment variable "(\w+)" which is not set', said)
        why = f"{' and '.join(unset)} must be set" if unset else said.strip().rpartition("\n")[2][:300]
        raise InstanceError(f"{home.dagster / 'dagster.yaml'}: its run_launcher cannot be used here: {why}") from error


def _has_limit(instance: DagsterInstance) -> bool:
    return POOL in {limit.name for limit in instance.event_log_storage.get_pool_limits()}


def close_dead_runs(instance: DagsterInstance) -> list[str]:
    """Mark as failed the runs that a process of this machine left when it was killed, and those that an engine lost;
    gives their ids. Those that were started in Dagster's pages are then begun again by its daemon (dagster.yaml:
    run_retries)."""
    unfinished = [
        DagsterRunStatus.NOT_STARTED,
        DagsterRunStatus.STARTING,
        DagsterRunStatus.STARTED,
        DagsterRunStatus.CANCELING,
    ]
    closed = []
    for run in instance.get_runs(RunsFilter(statuses=unfinished)):
        of, _, mark = run.tags.get(PROCESS_TAG, "").partition("@")
        own = of == run.run_id or (not of and not run.parent_run_id)  # not what it inherited
        if own and is_dead(mark):
            instance.report_run_failed(run, "Its process was killed. The next run goes on from what it left.")
            closed.append(run.run_id)
    return closed + (close_lost_runs(instance) if gives_runs_away(instance) else [])
