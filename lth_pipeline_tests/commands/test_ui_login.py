"""`lth ui --host`: beyond loopback nothing starts without a login; with one, both servers ask for it, always."""

import base64
import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path

import pytest
from click.testing import CliRunner

from lth_pipeline.commands.ui import ui
from lth_pipeline_tests.commands.test_ui import LAUNCH, STATUS
from lth_pipeline_tests.places import SMALL_CARD, Place, free_port

PASSWORD = "correct horse battery"


def people(folder: Path, text: str = f"ada:{PASSWORD}\n", mode: int = 0o600) -> str:
    path = folder / "people"
    path.write_text(text)
    path.chmod(mode)
    return str(path)


@pytest.fixture
def refused(inside, monkeypatch):
    """What `lth ui` says where it refuses: before anything is started or written."""
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a server was started"))
    monkeypatch.delenv("LTH_LOGIN_FILE", raising=False)

    def files() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in (inside.folder / ".lth").rglob("*")}

    def refused(*arguments: str) -> str:
        before = files()
        done = CliRunner().invoke(ui, ["--dagster-port", str(free_port()), *arguments])
        assert done.exit_code == 1 and files() == before, done.output
        return " ".join(done.output.split())

    return refused


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "gpu.lab", "127.0.0.1.lab", ""])
def test_beyond_loopback_a_login_is_needed(refused, host):
    said = refused("--host", host)
    assert "--login FILE" in said and "user:password" in said and "chmod 600" in said
    assert "ssh -L" in said and "-L 5000:127.0.0.1:5000" in said, "the better way"


def test_a_login_that_cannot_be_is_refused_on_loopback_too(refused, tmp_path):
    for host in ("127.0.0.1", "0.0.0.0"):
        assert "chmod 600" in refused("--host", host, "--login", people(tmp_path, mode=0o644))
        assert "at least 12" in refused("--host", host, "--login", people(tmp_path, "ada:short\n"))
        assert "is empty" in refused("--host", host, "--login", people(tmp_path, ""))
        assert "No such file" in refused("--host", host, "--login", str(tmp_path / "none"))


def test_an_address_that_is_not_here_is_refused(refused, tmp_path):
    login = ("--login", people(tmp_path))
    assert "192.0.2.1 is not an address of this machine" in refused("--host", "192.0.2.1", *login)
    assert "--host no-such-name.invalid: " in refused("--host", "no-such-name.invalid", *login)
    with socket.create_server(("0.0.0.0", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert f"port {port} is taken" in refused("--host", "0.0.0.0", "--mlflow-port", port, *login)


def test_a_certificate_that_cannot_be_is_refused(refused, tmp_path):
    assert "go together" in refused("--certificate", str(tmp_path / "none"))
    assert "No such file" in refused("--certificate", str(tmp_path / "none"), "--key", str(tmp_path / "none"))
    no_key = people(tmp_path)
    assert "must be one certificate and its key" in refused("--certificate", no_key, "--key", no_key)


@pytest.fixture(scope="module")
def closed(tmp_path_factory):
    """(place, process, Dagster's port, MLflow's port) of `lth ui --host 0.0.0.0 --login`."""
    place = Place(tmp_path_factory.mktemp("closed"))
    place.card("small", SMALL_CARD)
    ports = free_port(), free_port()
    arguments = ["--host", "0.0.0.0", "--dagster-port", str(ports[0]), "--mlflow-port", str(ports[1])]
    process = place.start("ui", *arguments, LTH_LOGIN_FILE=people(place.folder))
    said = ""
    while "Ctrl-C" not in said:
        line = process.stdout.readline()
        assert line, process.stderr.read() + place.logs()
        said += line
    yield place, process, *ports
    process.kill()
    warned = process.communicate()[1]
    assert "readable" in warned and f"ssh -L {ports[0]}:127.0.0.1:{ports[0]}" in warned
    for pid in processes_of(place):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    assert PASSWORD not in place.logs() + said + warned


def processes_of(place: Place) -> set[int]:
    """Every process that was started, at whatever remove, in that home."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"LTH_HOME={place.folder}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                found.add(int(folder.name))
    return found


def answer(port: int, path: str = "/", password: str | None = PASSWORD, body: dict | None = None, **headers: str):
    """(status, body) of a request from one of this machine's addresses, under a name that is not loopback's."""
    headers |= {"Host": "gpu.lab", "Content-Type": "application/json"}
    if password:
        headers["Authorization"] = "Basic " + base64.b64encode(f"ada:{password}".encode()).decode()
    data = None if body is None else json.dumps(body).encode()
    try:
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, headers)
        with urllib.request.urlopen(request, timeout=60) as answered:
            return answered.status, answered.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_both_servers_ask_for_the_password_for_everything(closed, monkeypatch):
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    _, _, dagster, mlflow = closed
    query, search = {"query": "{ version }"}, {"max_results": 1}
    asked = [
        (dagster, "/", None),
        (dagster, "/favicon.png", None),
        (dagster, "/graphql", query),
        (mlflow, "/", None),
        (mlflow, "/health", None),
        (mlflow, "/api/2.0/mlflow/experiments/search", search),
        (mlflow, "/ajax-api/2.0/mlflow/experiments/search", search),
    ]
    for port, path, body in asked:
        assert answer(port, path, None, body)[0] == 401, path
        assert answer(port, path, body=body)[0] == 200, path
        assert answer(port, path, body=body, Origin="http://gpu.lab")[0] == 200, "its own page"
        assert answer(port, path, body=body, Origin="http://evil.com")[0] == 403, path
    assert answer(dagster, "/", "correct horse")[0] == 401
    assert "version" in json.loads(answer(dagster, "/graphql", body=query)[1])["data"]

    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    client = MlflowClient(f"http://127.0.0.1:{mlflow}")
    with pytest.raises(MlflowException, match="401"):
        client.search_experiments()
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ada")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", PASSWORD)
    assert {experiment.name for experiment in client.search_experiments()} >= {"Default"}


def test_a_websocket_asks_for_the_password(closed):
    _, _, dagster, _ = closed
    handshake = (
        "GET /graphql HTTP/1.1\r\nHost: gpu.lab\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Protocol: graphql-ws\r\n"
    )
    known = f"Authorization: Basic {base64.b64encode(f'ada:{PASSWORD}'.encode()).decode()}\r\n"
    foreign = "Origin: http://evil.com\r\n"
    for more, status in (("", b"401"), (known, b"101"), (known + foreign, b"403"), (foreign, b"403")):
        with socket.create_connection(("127.0.0.1", dagster), timeout=30) as connection:
            connection.sendall(f"{handshake}{more}\r\n".encode())
            assert connection.recv(100).split()[1] == status


def test_the_password_is_nowhere_to_be_seen(closed):
    """Not in the command line nor in the environment of any process."""
    place, *_ = closed
    seen = [Path(f"/proc/{pid}/{file}") for pid in processes_of(place) for file in ("cmdline", "environ")]
    assert len(seen) > 8 and not [path for path in seen if path.exists() and PASSWORD.encode() in path.read_bytes()]


def test_killed_it_leaves_no_server_and_its_runs_go_on(closed):
    """The last test here: SIGKILL gives `lth ui` no time to stop anything."""
    place, process, dagster, mlflow = closed
    selector = {"repositoryLocationName": "lth_pipeline", "repositoryName": "__repository__", "pipelineName": "small"}
    names = {
        "dagster/partition": "small|0",
        "dagster/partition/experiment": "small",
        "dagster/partition/replicate": "0",
    }
    tags = [{"key": key, "value": value} for key, value in names.items()]
    parameters = {"selector": selector, "executionMetadata": {"tags": tags}, "mode": "default"}

    def ask(query: str, **variables):
        status, body = answer(dagster, "/graphql", body={"query": query, "variables": variables})
        assert status == 200, body
        return json.loads(body)["data"]

    launched = ask(LAUNCH, p=parameters)["launchPipelineExecution"]
    assert launched["__typename"] == "LaunchRunSuccess", launched
    run = launched["run"]["runId"]
    until = time.monotonic() + 120
    while ask(STATUS, id=run)["runOrError"]["status"] != "STARTED":
        assert time.monotonic() < until
        time.sleep(0.2)
    process.kill()
    for port in (dagster, mlflow):
        while not refuses(port):
            assert time.monotonic() < until, place.logs()
            time.sleep(0.2)
    while processes_of(place):  # the code server is the last: it waits for the run
        assert time.monotonic() < until, place.logs()
        time.sleep(0.2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LTH_HOME", str(place.folder))
        from lth_pipeline_tests.orchestration.running import opened

        with opened() as (_, instance):
            assert instance.get_run_by_id(run).status.value == "SUCCESS"


def refuses(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0
