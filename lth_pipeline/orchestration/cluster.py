"""Engines that hand out machines (docs/cluster.md): what a card's `resources:` are called there, which runs they lost.

An engine reads its own tag and passes over the others, so a run carries both: which one counts is said by the run
launcher that dagster.yaml names.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from dagster import DagsterInstance

RAY_TAG = "dagster-ray/config"
KUBERNETES_TAG = "dagster-k8s/config"
GIB = 2**30


class Resources(Protocol):
    """What a run asks for, `ResourceSettings` of a card; None: as the engine is set up."""

    gpus: int | None
    cpus: float | None
    memory_gb: float | None  # GiB


def run_tags(resources: Resources | None) -> dict[str, str]:
    """The tags of a Dagster run that asks for `resources`; none where it asks for nothing."""
    if resources is None or (resources.gpus, resources.cpus, resources.memory_gb) == (None, None, None):
        return {}
    return {RAY_TAG: json.dumps(_ray(resources)), KUBERNETES_TAG: json.dumps(_kubernetes(resources))}


def _ray(resources: Resources) -> dict[str, Any]:
    """Of `RayRunLauncher`. A GPU that a run was given stands in its CUDA_VISIBLE_DEVICES, as cuda:0."""
    asked = {
        "num_gpus": resources.gpus,
        "num_cpus": resources.cpus,
        "memory": None if resources.memory_gb is None else round(resources.memory_gb * GIB),
    }
    return {name: value for name, value in asked.items() if value is not None}


def _kubernetes(resources: Resources) -> dict[str, Any]:
    """Of `K8sRunLauncher`: a pod a run. Memory is a limit, too, as Kubernetes wants it for what must not be evicted;
    cores are not, so that idle ones are of use."""
    requests, limits = {}, {}
    if resources.cpus is not None:
        requests["cpu"] = f"{round(resources.cpus * 1000)}m"
    if resources.memory_gb is not None:
        requests["memory"] = limits["memory"] = f"{round(resources.memory_gb * 1024)}Mi"
    if resources.gpus:
        requests["nvidia.com/gpu"] = limits["nvidia.com/gpu"] = str(resources.gpus)
    return {"container_config": {"resources": {"requests": requests, "limits": limits}}}


def close_lost_runs(instance: DagsterInstance, seconds: float = 120) -> list[str]:
    """Mark as failed the runs that an engine was given and has lost before they began; gives their ids.

    Dagster asks its launcher after runs that have begun (run monitoring), and for the others only waits, as long as for
    one that is in the engine's queue. Those that are marked are begun again (dagster.yaml: run_retries). seconds: a run
    that was handed over since may not be known there yet.
    """
    from dagster import DagsterRunStatus, RunsFilter
    from dagster._core.launcher import WorkerStatus

    closed: list[str] = []
    before = datetime.now(UTC) - timedelta(seconds=seconds)
    for run in instance.get_runs(RunsFilter(statuses=[DagsterRunStatus.STARTING], updated_before=before)):
        try:
            launcher = instance.run_launcher
            if not launcher.supports_check_run_worker_health:
                return closed
            found = launcher.check_run_worker_health(run)
        except Exception:  # the engine is not reached from here, or not named in this environment: nothing is known
            return closed
        unknown = found.status == WorkerStatus.UNKNOWN and "does not exist" in (found.msg or "")  # else: not reached
        if found.status == WorkerStatus.FAILED or unknown:
            instance.report_run_failed(run, f"Lost before it began: {found.msg}")
            closed.append(run.run_id)
    return closed
