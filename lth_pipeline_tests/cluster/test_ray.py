"""A sweep over two Ray nodes, one of which is lost in the middle: it ends as if all had run in one process."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import yaml
from dagster import AssetKey, DagsterInstance, DagsterRun, DagsterRunStatus, RunsFilter

from lth_pipeline_tests.cluster.nodes import ENVIRONMENT, Cluster, cluster
from lth_pipeline_tests.cluster.status import is_complete
from lth_pipeline_tests.commands.reading import store_versions
from lth_pipeline_tests.places import PROJECT, Place

pytest.importorskip("dagster_ray", reason="the extra `ray` is not installed")
pytestmark = [pytest.mark.servers, pytest.mark.timeout(1500)]

CARD = """\
description: two lotteries, four times
data: {name: digits, validation_size: 200}
model: {name: mlp, widths: [24, 12]}
training: {optimiser: adam, batch_size: 32, iterations: 2000, evaluate_every: 100}
pruning: {scope: layerwise, rates: {fc: 0.4}, output_rate: 0.2, rounds: 2}
arms: [ticket, reinit]
replicates: 4
resources: {gpus: 1, cpus: 1}
matrix:
  training.learning_rate: [2.0e-3, 1.0e-2]
"""
EXPERIMENTS = ("pair_learning_rate_0p002", "pair_learning_rate_0p01")
PARTITIONS = {f"{experiment}|{replicate}" for experiment in EXPERIMENTS for replicate in range(4)}
NODES = {"127.0.0.2": "one", "127.0.0.3": "two"}
MAX_SECONDS = 900  # 200 on two idle cores


def test_a_sweep_over_two_nodes_outlives_one_of_them(tmp_path, furnished, monkeypatch):
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    alone, place = furnished(tmp_path / "alone"), furnished(tmp_path / "spread")
    for each in (alone, place):
        each.card("pair", CARD)
    alone.lth("run", "pair")
    settings(place)
    with (
        TemporaryDirectory(prefix="ray", dir="/tmp") as folder,
        cluster(Path(folder), tuple(NODES.values()), place.env) as nodes,
        daemon(place, nodes) as process,
        DagsterInstance.from_config(str(place.folder / ".lth" / "dagster")) as instance,
    ):
        said = place.lth("run", "pair", "--queue", LTH_RAY_ADDRESS=nodes.address).stdout
        assert "Queued as backfill" in said
        lost = lose_a_node(instance, nodes, place, process)
        began = time.monotonic()
        wait_for(lambda: instance.get_run_by_id(lost.run_id).status == DagsterRunStatus.FAILURE, place, process)
        noticed = time.monotonic() - began
        wait_for(lambda: all_ended(instance), place, process)
        print(f"noticed after {noticed:.0f} s, all done {time.monotonic() - began:.0f} s after the loss")
        all_partitions_are_there(instance, lost)
        it_ran_on_both_nodes_one_run_a_gpu(instance, nodes)
    assert versions(place) == versions(alone)
    assert store_versions(place) == store_versions(alone)
    assert is_complete(place, "pair")  # which needs no cluster
    assert not list((place.store / "checkpoints").glob("[!.]*"))
    assert (place.folder / "reports" / "pair" / "comparison.csv").is_file()


def settings(place: Place) -> None:
    """deploy/ray/dagster.yaml as it is, but for two runs at once and a shorter look-around."""
    given = yaml.safe_load((PROJECT / "deploy" / "ray" / "dagster.yaml").read_text())
    given["concurrency"]["runs"]["max_concurrent_runs"] = len(NODES)
    given["run_monitoring"]["poll_interval_seconds"] = 5
    (place.folder / ".lth" / "dagster" / "dagster.yaml").write_text(yaml.safe_dump(given))


@contextmanager
def daemon(place: Place, nodes: Cluster) -> Iterator[subprocess.Popen]:
    with (place.folder / "daemon.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "lth_pipeline.servers.daemon", "workspace.yaml"],
            cwd=PROJECT,
            env=place.env | {"DAGSTER_HOME": str(place.folder / ".lth" / "dagster"), "LTH_RAY_ADDRESS": nodes.address},
            stdin=subprocess.PIPE,  # it ends with this process
            stdout=log,
            stderr=log,
        )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=60)


def lose_a_node(instance: DagsterInstance, nodes: Cluster, place: Place, process: subprocess.Popen) -> DagsterRun:
    """Kill the node `two` in the middle of a training, once three partitions are done; gives the run lost with it."""

    def victim() -> DagsterRun | None:
        runs = instance.get_runs()
        if sum(run.status == DagsterRunStatus.SUCCESS for run in runs) < 3:
            return None
        for run in runs:
            if run.status == DagsterRunStatus.STARTED and node_of(run, nodes) == "two":
                done = steps(instance, run, "STEP_SUCCESS")
                if "r00_trained" in done and "r02_ticket" not in done:
                    return run
        return None

    run = wait_for(victim, place, process)
    nodes.nodes["two"].kill()
    return run


def wait_for(ready, place: Place, process: subprocess.Popen):
    """What `ready()` gives once that is something. process: the daemon's."""
    until = time.monotonic() + MAX_SECONDS
    while not (found := ready()):
        assert time.monotonic() < until and process.poll() is None, (place.folder / "daemon.log").read_text()[-8000:]
        time.sleep(0.1)
    return found


def all_ended(instance: DagsterInstance) -> bool:
    """The trainings, and then the gathering of their results."""
    backfills = instance.get_backfills()
    return len(backfills) == 2 and not [one for one in backfills if one.status.value == "REQUESTED"]


def all_partitions_are_there(instance: DagsterInstance, lost: DagsterRun) -> None:
    """Each from one run, but for the one that was lost: its partition's second run went on from what the first left."""
    _, backfill = instance.get_backfills()  # the first is of their results
    assert backfill.status.value == "COMPLETED_SUCCESS", backfill.error
    assert instance.get_materialized_partitions(AssetKey("r02_trained")) == PARTITIONS
    runs = [run for run in instance.get_runs() if run.tags["dagster/partition"] in PARTITIONS]
    assert len(runs) == len(PARTITIONS) + 1
    assert [run.run_id for run in runs if run.status != DagsterRunStatus.SUCCESS] == [lost.run_id]
    (again,) = [run for run in runs if run.parent_run_id == lost.run_id]
    assert steps(instance, lost, "STEP_SUCCESS").isdisjoint(steps(instance, again, "STEP_START"))


def it_ran_on_both_nodes_one_run_a_gpu(instance: DagsterInstance, nodes: Cluster) -> None:
    """Each node has cores for two runs, and two are handed out at once: what keeps them apart is the card's GPU."""
    times: dict[str, list[tuple[float, float]]] = {}
    for record in instance.get_run_records(RunsFilter(statuses=[DagsterRunStatus.SUCCESS])):
        if record.dagster_run.tags["dagster/partition"] in PARTITIONS:
            times.setdefault(node_of(record.dagster_run, nodes), []).append((record.start_time, record.end_time))
    assert times.keys() == {"one", "two"}
    for spans in map(sorted, times.values()):
        assert all(end <= start for (_, end), (start, _) in pairwise(spans)), spans


def job_id(run: DagsterRun) -> str:
    return f"dagster-run-{run.run_id}"


def node_of(run: DagsterRun, nodes: Cluster) -> str:
    """The name of the node that a run was given; "" where it waits for one."""
    address = nodes.job(job_id(run)).driver_agent_http_address or ""
    return NODES.get(re.sub(r"http://|:\d+", "", address), "")


def steps(instance: DagsterInstance, run: DagsterRun, event: str) -> set[str]:
    logged = [entry.dagster_event for entry in instance.all_logs(run.run_id) if entry.is_dagster_event]
    return {entry.step_key for entry in logged if entry.event_type_value == event}


def versions(place: Place) -> dict[tuple[str, str], str]:
    """{(asset, partition): data version} of every round, as Dagster recorded it last."""
    found: dict[tuple[str, str], str] = {}
    with DagsterInstance.from_config(str(place.folder / ".lth" / "dagster")) as instance:
        for key in instance.get_asset_keys():
            if re.match(r"r\d\d_", name := key.to_user_string()):
                for record in instance.fetch_materializations(key, limit=1000).records:
                    made = record.asset_materialization
                    found.setdefault((name, made.partition), made.tags["dagster/data_version"])
    return found
