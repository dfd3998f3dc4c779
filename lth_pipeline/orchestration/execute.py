"""One Dagster run, executed in this process, that Dagster's pages take for one of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dagster import AssetKey, DagsterInstance, DagsterRunStatus, Definitions

# What a worker of Dagster's own does (`dagster api execute_run`): create the run with its origin, execute it. The
# public `execute_in_process` leaves the origin out, and such a run cannot be re-executed from its page.
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run_iterator
from dagster._core.remote_origin import (
    ManagedGrpcPythonEnvCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

LOCATION = "lth_pipeline"  # location_name in workspace.yaml
REPOSITORY = "__repository__"  # what Dagster calls the one of a Definitions object


def execute(
    definitions: Definitions,
    module: str,
    instance: DagsterInstance,
    job: str,
    partition: str,
    assets: tuple[str, ...],
    tags: Mapping[str, str],
    run_config: Mapping[str, Any],
) -> tuple[str, bool, list[str]]:
    """(run id, success, messages of what failed). module: where the code location finds `definitions`."""
    whole = definitions.resolve_job_def(job)
    selection = frozenset(AssetKey(name) for name in assets)
    chosen = whole.get_subset(asset_selection=selection)
    location = ManagedGrpcPythonEnvCodeLocationOrigin(LoadableTargetOrigin(module_name=module), LOCATION)
    run = instance.create_run_for_job(
        job_def=chosen,
        run_config=run_config,
        tags={**whole.run_tags, **chosen.get_tags_for_partition_key(partition, selection), **tags},
        asset_selection=selection,
        remote_job_origin=RemoteJobOrigin(RemoteRepositoryOrigin(location, REPOSITORY), job),
    )
    # of the events only failures are kept: the others hold a picture for every training
    failures = [
        _first_cause(event.step_failure_data.error)
        for event in execute_run_iterator(InMemoryJob(whole), run, instance)
        if event.is_step_failure
    ]
    return run.run_id, instance.get_run_by_id(run.run_id).status == DagsterRunStatus.SUCCESS, failures


def _first_cause(error) -> str:
    """What was raised for a person to read (a Failure), else the first cause, without Dagster's wrapping."""
    while error.cause is not None and error.cls_name != "Failure":
        error = error.cause
    for wrapping in (
        "dagster._core.definitions.events.Failure: ",
        "dagster._core.errors.DagsterAssetCheckFailedError: ",
    ):
        error = error._replace(message=error.message.removeprefix(wrapping))
    return error.message.strip()
