"""`lth ui`"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import click

HOST = "127.0.0.1"  # neither server asks who is there, so neither listens beyond this machine


@click.command()
@click.option("--dagster-port", default=3000, show_default=True, type=click.IntRange(1, 65535))
@click.option("--mlflow-port", default=5000, show_default=True, type=click.IntRange(1, 65535))
def ui(dagster_port: int, mlflow_port: int) -> None:
    """Start the Dagster and MLflow UIs side by side, on this machine only, until Ctrl-C."""
    from lth_pipeline.commands.common import places
    from lth_pipeline.home import environment
    from lth_pipeline.orchestration.instance import open_instance
    from lth_pipeline.tracking.tracker import open_tracker

    home, _ = places()
    if dagster_port == mlflow_port:
        raise click.ClickException(f"both UIs cannot have port {dagster_port}; give them two")
    for name, port in (("dagster", dagster_port), ("mlflow", mlflow_port)):
        _refuse_taken(name, port)
    os.environ.update(environment(home))  # the servers run in the project, where a relative place would be another
    os.environ["LTH_DAGSTER_UI"] = f"http://{HOST}:{dagster_port}"
    if not home.tracking_uri.startswith("http"):
        os.environ["LTH_MLFLOW_UI"] = f"http://{HOST}:{mlflow_port}"
    with open_instance(home):
        pass
    open_tracker(home.tracking_uri, home.mlflow, home.mlflow_ui)
    logs = home.dagster.parent / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    commands = {
        "Dagster": (
            [
                sys.executable,
                "-W",
                "ignore",
                "-m",
                "dagster",
                "dev",
                "-w",
                "workspace.yaml",
                "-h",
                HOST,
                "-p",
                str(dagster_port),
            ],
            {},
        ),
    }
    addresses = {"Dagster": f"http://{HOST}:{dagster_port}"}
    if home.tracking_uri.startswith("http"):
        click.echo(f"MLflow   {home.tracking_uri} (a server of its own, not started here)")
    else:
        server = [
            sys.executable,
            "-m",
            "mlflow",
            "server",
            "--backend-store-uri",
            home.tracking_uri,
            "--host",
            HOST,
            "--port",
            str(mlflow_port),
            "--workers",
            "1",
        ]
        commands["MLflow"] = (server, server_settings(home.project / "mlflow" / "server.env"))
        addresses["MLflow"] = f"http://{HOST}:{mlflow_port}"
    processes: dict[str, subprocess.Popen] = {}
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ended politely, it stops both as Ctrl-C does
    try:
        for name, (command, settings) in commands.items():
            log = (logs / f"{name.lower()}.log").open("ab")
            processes[name] = subprocess.Popen(
                command,
                cwd=home.project,
                env={**os.environ, **settings},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        for name, address in addresses.items():
            _wait(name, address, processes[name], logs / f"{name.lower()}.log")
            page = (
                "/#/experiments?workflowType=machine_learning" if name == "MLflow" else ""
            )  # else: its page for chats
            click.echo(f"{name:<8} {address}{page}")
        click.echo("Ctrl-C stops both.")
        while all(process.poll() is None for process in processes.values()):
            time.sleep(1)
        ended = next(name for name, process in processes.items() if process.poll() is not None)
        raise click.ClickException(f"{ended} stopped; its log: {logs / f'{ended.lower()}.log'}")
    except KeyboardInterrupt:
        click.echo("Stopped.")
    finally:
        _stop(processes.values())


def _stop(processes: Iterable[subprocess.Popen]) -> None:
    """End the servers and all that they started: politely, and after fifteen seconds for good."""
    for process in processes:
        process.terminate()
    for process in processes:
        with suppress(subprocess.TimeoutExpired):
            process.wait(15)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def server_settings(path: Path) -> dict[str, str]:
    """NAME=value lines of mlflow/server.env."""
    lines = path.read_text().splitlines() if path.is_file() else []
    pairs = (line.split("=", 1) for line in lines if "=" in line and not line.lstrip().startswith("#"))
    return {name.strip(): value.strip() for name, value in pairs}


def _refuse_taken(name: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            raise click.ClickException(
                f"port {port} is taken; choose another: lth ui --{name}-port {port + 1}"
            ) from None


def _wait(name: str, address: str, process: subprocess.Popen, log: Path, seconds: float = 90) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if process.poll() is not None:
            raise click.ClickException(f"{name} did not start; its log: {log}")
        try:
            urllib.request.urlopen(address, timeout=2).close()
            return
        except OSError:
            time.sleep(0.3)
    raise click.ClickException(f"{name} does not answer at {address} after {seconds:.0f} s; its log: {log}")
