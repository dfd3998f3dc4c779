"""A Ray cluster of several nodes on this machine, each with one GPU that is none: Ray counts it and no run uses it."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.request import Request, urlopen

from lth_pipeline_tests.places import free_port

HEAD = "127.0.0.2"  # each node has a loopback address of its own; 127.0.0.1 Ray would replace by the machine's
#: for the nodes and for whoever gives them jobs
ENVIRONMENT = {
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": secrets.token_hex(),
    "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",  # a run is a call of `dagster`
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",  # a run that asks for no GPU sees none
    # a node that is gone is noticed after 4 s instead of half a minute
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "1000",
    "RAY_health_check_failure_threshold": "3",
}


@dataclass(frozen=True)
class Node:
    name: str
    process: subprocess.Popen

    def kill(self) -> None:
        """All of it at once, as by a power cut: its raylet, its workers and the runs in them."""
        for process in [self.process.pid, *_below(self.process.pid)]:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        self.process.wait()


@dataclass(frozen=True)
class Cluster:
    address: str  # of the head's dashboard, which takes jobs
    nodes: dict[str, Node]

    def job(self, submission_id: str):
        from ray.job_submission import JobSubmissionClient

        return JobSubmissionClient(self.address).get_job_info(submission_id)


@contextmanager
def cluster(folder: Path, names: tuple[str, ...], environment: dict[str, str]) -> Iterator[Cluster]:
    """`names`: of the nodes, the head first. folder: takes Ray's files; short, for the sake of its sockets' names.
    environment: of the nodes, with ENVIRONMENT in it.
    """
    port, jobs = free_port(), free_port()
    nodes: dict[str, Node] = {}
    try:
        for name in names:
            place = [f"--address={HEAD}:{port}"]
            if not nodes:
                place = ["--head", f"--port={port}", "--dashboard-host=127.0.0.1", f"--dashboard-port={jobs}"]
                place += [f"--ray-client-server-port={free_port()}", f"--temp-dir={folder}"]
            nodes[name] = _start(name, [*place, f"--node-ip-address=127.0.0.{2 + len(nodes)}"], folder, environment)
            _wait_until(lambda: _alive(jobs) == len(nodes), nodes[name], folder)
        yield Cluster(f"http://127.0.0.1:{jobs}", nodes)
    finally:
        for node in reversed(nodes.values()):
            node.kill()


def _start(name: str, place: list[str], folder: Path, environment: dict[str, str]) -> Node:
    ray = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--disable-usage-stats"]
    sizes = ["--num-cpus=2", "--num-gpus=1", f"--object-store-memory={80 * 2**20}"]
    ports = [f"--dashboard-agent-listen-port={free_port()}", f"--node-name={name}"]
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen([*ray, *sizes, *ports, *place], env=environment, stdout=log, stderr=log)
    return Node(name, process)


def _alive(jobs: int) -> int:
    """How many nodes the head says are alive; 0 where it does not answer yet."""
    asked = Request(f"http://127.0.0.1:{jobs}/nodes?view=summary")
    asked.add_header("Authorization", f"Bearer {ENVIRONMENT['RAY_AUTH_TOKEN']}")
    with suppress(OSError), urlopen(asked, timeout=5) as answer:
        return sum(node["raylet"]["state"] == "ALIVE" for node in json.load(answer)["data"]["summary"])
    return 0


def _wait_until(ready, node: Node, folder: Path) -> None:
    while not ready():
        if node.process.poll() is not None:
            raise AssertionError((folder / f"{node.name}.log").read_text())
        time.sleep(0.2)


def _below(process: int) -> list[int]:
    """The children of `process`, their children, and so on."""
    children: dict[int, list[int]] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parent = int(status.read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(status.parent.name))
    found = [process]
    for parent in found:
        found += children.get(parent, [])
    return found[1:]
