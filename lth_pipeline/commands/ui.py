"""`lth ui`"""

from __future__ import annotations

import errno
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import click

from lth_pipeline.home import Home

EVERY_MINUTE = 60.0  # seconds between two looks at runs whose process is gone


@click.command()
@click.option("--dagster-port", default=3000, show_default=True, type=click.IntRange(1, 65535))
@click.option("--mlflow-port", default=5000, show_default=True, type=click.IntRange(1, 65535))
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; beyond loopback: --login.")
@click.option(
    "--login",
    type=click.Path(path_type=Path),
    envvar="LTH_LOGIN_FILE",
    help="File of lines user:password, readable by you alone; both UIs then ask for them.  [env: LTH_LOGIN_FILE]",
)
@click.option("--certificate", type=click.Path(path_type=Path), help="TLS certificate (PEM); with --key: https.")
@click.option("--key", type=click.Path(path_type=Path), help="The certificate's private key (PEM).")
def ui(
    dagster_port: int, mlflow_port: int, host: str, login: Path | None, certificate: Path | None, key: Path | None
) -> None:
    """Start the Dagster and MLflow UIs side by side until Ctrl-C: on this machine only, or behind a login (--host)."""
    from lth_pipeline.commands.common import places
    from lth_pipeline.home import environment
    from lth_pipeline.orchestration.instance import close_dead_runs, open_instance, try_launcher
    from lth_pipeline.orchestration.schedules import check_cron
    from lth_pipeline.servers.addresses import EVERY, address
    from lth_pipeline.tracking.tracker import open_tracker

    home, _ = places()
    check_cron(home.nightly)  # without the schedule the location would not load, nor anything in it run
    if dagster_port == mlflow_port:
        raise click.ClickException(f"both UIs cannot have port {dagster_port}; give them two")
    _refuse_open(host, dagster_port, mlflow_port, login, encrypted=bool(certificate))
    _refuse_certificate(certificate, key)
    ports = {"Dagster": dagster_port, "MLflow": mlflow_port}
    if home.tracking_uri.startswith("http"):
        click.echo(f"MLflow   {home.mlflow_ui} (a server of its own, not started here)")
        del ports["MLflow"]
    for name, port in ports.items():
        _refuse_taken(name.lower(), host, port)
    scheme, shown = "https" if certificate else "http", socket.gethostname() if host in EVERY else host
    addresses = {name: address(scheme, shown, port) for name, port in ports.items()}
    os.environ.update(environment(home))  # the servers run in the project, where a relative place would be another
    for name, where in addresses.items():  # behind a proxy, links name that: it was said
        os.environ.setdefault(f"LTH_{name.upper()}_UI", where)
    with open_instance(home) as instance:
        try_launcher(instance, home)
        close_dead_runs(instance)
    open_tracker(home.tracking_uri, home.mlflow, home.mlflow_ui)
    logs = home.dagster.parent / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    files = {"--login": login, "--certificate": certificate, "--key": key}
    given = [text for option, file in files.items() if file for text in (option, str(file.resolve()))]
    settings = {"Dagster": {}, "MLflow": server_settings(home.project / "mlflow" / "server.env")}
    processes: dict[str, subprocess.Popen] = {}
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ended politely, it stops both as Ctrl-C does
    try:
        for name, port in ports.items():
            server = [sys.executable, "-m", f"lth_pipeline.servers.{name.lower()}", "--host", host, "--port", str(port)]
            with (logs / f"{name.lower()}.log").open("ab") as log:
                processes[name] = subprocess.Popen(
                    [*server, *given],
                    cwd=home.project,
                    env={**os.environ, **settings[name]},
                    stdin=subprocess.PIPE,  # never written to: its end tells the servers that this process is gone
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
        for name, port in ports.items():
            _wait(name, {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port, processes[name], logs)
            # without its page for experiments MLflow opens on the one for chats
            page = "/#/experiments?workflowType=machine_learning" if name == "MLflow" else ""
            click.echo(f"{name:<8} {addresses[name]}{page}")
        click.echo(f"Ctrl-C stops {'both' if len(ports) > 1 else 'it'}.")
        looked = time.monotonic()
        while all(process.poll() is None for process in processes.values()):
            time.sleep(1)
            if time.monotonic() - looked > EVERY_MINUTE:
                _close_dead(home)
                looked = time.monotonic()
        ended = next(name for name, process in processes.items() if process.poll() is not None)
        raise click.ClickException(f"{ended} stopped; its log: {logs / f'{ended.lower()}.log'}")
    except KeyboardInterrupt:
        click.echo("Stopped.")
    finally:
        _stop(processes.values())


def _close_dead(home: Home) -> None:
    """Runs whose process is gone without a word would keep their places among those that may run at once."""
    from lth_pipeline.orchestration.instance import close_dead_runs, open_instance

    try:
        with open_instance(home) as instance:
            close_dead_runs(instance)
    except Exception as error:  # a database that is away, say: it is asked again in a minute
        click.echo(f"Dagster's runs could not be looked at: {str(error).partition(chr(10))[0]}", err=True)


def _refuse_open(host: str, dagster_port: int, mlflow_port: int, login: Path | None, encrypted: bool) -> None:
    """Beyond loopback nothing listens without a login, and a warning says what others can read."""
    from lth_pipeline.servers.addresses import is_loopback
    from lth_pipeline.servers.login import LoginError, read_login

    ports = " ".join(f"-L {port}:127.0.0.1:{port}" for port in (dagster_port, mlflow_port))
    tunnel = f"`lth ui` here and, on the other machine, ssh {ports} {socket.gethostname()}"
    if login is None and not is_loopback(host):
        raise click.ClickException(
            f"--host {host}: others could reach the UIs, and whoever does can run code here. Give --login FILE (or "
            f"LTH_LOGIN_FILE), a file of lines user:password that you alone can read (chmod 600); or better: {tunnel}"
        )
    if login is not None:
        try:
            read_login(login)
        except LoginError as error:
            raise click.ClickException(str(error)) from None
    if not is_loopback(host) and not encrypted:
        click.echo(
            f"Warning: pages and password cross the network readable. Give --certificate and --key; better: {tunnel}",
            err=True,
        )


def _refuse_certificate(certificate: Path | None, key: Path | None) -> None:
    if (certificate is None) != (key is None):
        raise click.ClickException("--certificate and --key go together: give both, or neither")
    if certificate and key:
        try:  # a key with a password is refused: the servers start with no one there to type it
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=lambda: "")
        except (OSError, ValueError) as error:
            raise click.ClickException(
                f"--certificate {certificate} --key {key}: {error.strerror or error}; they must be one certificate and "
                f"its key, in PEM, without a password"
            ) from None


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


def _refuse_taken(name: str, host: str, port: int) -> None:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (socket.gaierror, UnicodeError) as error:
        raise click.ClickException(f"--host {host}: {getattr(error, 'strerror', None) or error}") from None
    for family, kind, protocol, _, target in found:
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(target)
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    reason = f"port {port} is taken; choose another: lth ui --{name}-port {port + 1}"
                elif error.errno == errno.EADDRNOTAVAIL:
                    reason = f"--host {host}: {target[0]} is not an address of this machine; 0.0.0.0 stands for all"
                else:
                    reason = f"--host {host}, port {port}: {error.strerror}"
                raise click.ClickException(reason) from None


def _wait(name: str, host: str, port: int, process: subprocess.Popen, logs: Path, seconds: float = 90) -> None:
    until, log = time.monotonic() + seconds, logs / f"{name.lower()}.log"
    while time.monotonic() < until:
        if process.poll() is not None:
            raise click.ClickException(f"{name} did not start; its log: {log}")
        try:  # it listens once its application is ready
            socket.create_connection((host, port), timeout=2).close()
            return
        except OSError:
            time.sleep(0.3)
    raise click.ClickException(f"{name} does not answer on port {port} after {seconds:.0f} s; its log: {log}")
