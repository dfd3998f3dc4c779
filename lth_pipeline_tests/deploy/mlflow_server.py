"""MLflow's server as deploy/servers starts it: on PostgreSQL, artifacts served through it, users and passwords."""

import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lth_pipeline_tests.deploy.postgres import Postgres
from lth_pipeline_tests.places import PROJECT, free_port

SERVERS = PROJECT / "deploy" / "servers"
USER, PASSWORD = "admin", "the first user's password"


@dataclass(frozen=True)
class MlflowServer:
    """address: of the server. login: the variables that a client logs in with."""

    address: str
    artifacts: Path
    log: Path

    @property
    def login(self) -> dict[str, str]:
        return {
            "MLFLOW_TRACKING_URI": self.address,
            "MLFLOW_TRACKING_USERNAME": USER,
            "MLFLOW_TRACKING_PASSWORD": PASSWORD,
        }


def settings_of(name: str) -> dict[str, str]:
    """The NAME=value lines of an environment file in deploy/servers."""
    return dict(re.findall(r"^(\w+)=(.*)$", (SERVERS / name).read_text(), re.M))


@contextmanager
def mlflow_server(folder: Path, postgres: Postgres, secret: str) -> Iterator[MlflowServer]:
    """The server with the settings of deploy/servers, but for its places, its port and its secrets. secret: the
    database's password, which stands in a file that PGPASSFILE names."""
    folder.mkdir()
    port, passfile, artifacts = free_port(), folder / "pgpass", folder / "artifacts"
    passfile.touch(0o600)
    passfile.write_text(f"127.0.0.1:{postgres.port}:*:*:{secret}\n")
    own = {
        "PGPASSFILE": str(passfile),
        "PGPORT": str(postgres.port),
        "MLFLOW_ARTIFACTS_DESTINATION": str(artifacts),
        "MLFLOW_AUTH_CONFIG_PATH": str(SERVERS / "mlflow_auth.ini"),
        "MLFLOW_PORT": str(port),
        "MLFLOW_SERVER_ALLOWED_HOSTS": f"127.0.0.1:{port}",
        "MLFLOW_FLASK_SERVER_SECRET_KEY": "a secret of the test",
        "MLFLOW_AUTH_ADMIN_PASSWORD": PASSWORD,
        "LTH_PYTHON": sys.executable,
    }
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "LTH_"))}
    env = {**inherited, **settings_of("mlflow.env"), **own}
    command, log = ["sh", str(SERVERS / "start-mlflow")], folder / "log"
    with log.open("wb") as file:
        process = subprocess.Popen(command, cwd=folder, env=env, stdout=file, stderr=file, start_new_session=True)
    server = MlflowServer(f"http://127.0.0.1:{port}", artifacts, log)
    try:
        until = time.monotonic() + 120
        while not _answers(server):
            assert process.poll() is None and time.monotonic() < until, log.read_text()
            time.sleep(0.3)
        yield server
    finally:
        process.terminate()
        try:
            process.wait(20)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, 9)


def _answers(server: MlflowServer) -> bool:
    try:
        with urllib.request.urlopen(f"{server.address}/health", timeout=5) as answer:
            return answer.status == 200
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
