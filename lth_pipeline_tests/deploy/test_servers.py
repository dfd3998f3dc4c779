"""`lth` on real servers, as docs/deploy.md has them: Dagster on PostgreSQL, MLflow on PostgreSQL behind a login."""

import json
import os
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from base64 import b64encode
from pathlib import Path
from unittest.mock import patch

import pytest
from dagster import DagsterInstance

from lth_pipeline.orchestration.partitions import deepest_round
from lth_pipeline.orchestration.status import read_records
from lth_pipeline.recipes import load_cards
from lth_pipeline.servers.daemon import wait_until_alone
from lth_pipeline_tests.commands.reading import store_versions
from lth_pipeline_tests.commands.test_ui import DAEMONS, ask, ended, launch
from lth_pipeline_tests.deploy.conftest import DAGSTER_PASSWORD, MLFLOW_PASSWORD, Deployment
from lth_pipeline_tests.deploy.mlflow_server import PASSWORD, SERVERS, USER
from lth_pipeline_tests.places import SMALL_CARD, Place, free_port

pytestmark = [pytest.mark.servers, pytest.mark.timeout(1200)]
SECRETS = (DAGSTER_PASSWORD, PASSWORD, MLFLOW_PASSWORD, "p%40ss")
NOTHING_IS_COMPUTED = """
import lth_pipeline.recipes.steps as steps
def refuse(*arguments, **options):
    raise AssertionError("something was computed")
steps.compute = refuse
"""


@pytest.fixture(scope="module")
def fresh(deployment, tmp_path_factory) -> Place:
    """A home with a store of its own, in which the card `fresh`, `small` under another name, was run on the servers."""
    place = Place(tmp_path_factory.mktemp("fresh"))
    place.card("fresh", SMALL_CARD)
    place.lth("run", "fresh", **deployment.env())
    return place


def tags(place: Place, **env: str) -> dict:
    """What Dagster has recorded: asset -> partition -> data version."""
    with patch.dict(os.environ, {**place.env, **env}), DagsterInstance.from_config(str(dagster(place))) as instance:
        found = read_records(instance, deepest_round(load_cards([place.folder / "experiments"])))
    return {
        asset: {partition: told["dagster/data_version"] for partition, told in partitions.items()}
        for asset, partitions in found.items()
        if partitions
    }


def metrics(env: dict[str, str], experiment: str) -> dict:
    """MLflow's current runs of trainings: (replicate, round, arm) -> metrics, but those of the clock."""
    program = """
import json, sys
from mlflow import MlflowClient
client = MlflowClient()
experiment = client.get_experiment_by_name(sys.argv[1])
where = "tags.`lth.kind` = 'round' and tags.`lth.status` = 'current'"
print(json.dumps([
    [[run.data.tags[f"lth.{name}"] for name in ("replicate", "round", "arm")], run.data.metrics]
    for run in client.search_runs([experiment.experiment_id], where, max_results=1000)
]))
"""
    done = subprocess.run([sys.executable, "-c", program, experiment], env=env, capture_output=True, text=True)
    assert not done.returncode, done.stderr
    clock = ("seconds", "iterations_per_second")
    return {
        tuple(key): {name: value for name, value in found.items() if name not in clock}
        for key, found in json.loads(done.stdout)
    }


def dagster(place: Place) -> Path:
    return place.folder / ".lth" / "dagster"


def no_secrets(text: str) -> None:
    assert not [secret for secret in SECRETS if secret in text]


def test_a_run_on_the_servers_gives_the_versions_of_one_without(fresh, embedded, deployment):
    here = {tuple(str(part).replace("fresh", "small") for part in key): version for key, version in versions(fresh)}
    there = {tuple(map(str, key)): version for key, version in versions(embedded)}
    assert here and here.items() <= there.items()
    recorded = tags(fresh, **deployment.env())
    assert set(recorded["r02_control"]) == {"fresh|0", "fresh|1"} and set(recorded["results"]) == {"fresh"}
    assert not list(fresh.folder.rglob("*.db")), "something was written into SQLite"
    assert "small" not in deployment.postgres.psql("-d", "lth_dagster", "-c", "SELECT partition FROM event_logs")


def versions(place: Place):
    return store_versions(place).items()


def test_every_command_speaks_with_the_servers(fresh, deployment):
    env = deployment.env()
    assert "nothing to train" in fresh.lth("run", "fresh", **env).stdout
    shown = fresh.lth("status", "fresh", **env).stdout
    assert [line.split()[:4] for line in shown.splitlines() if line.startswith("fresh")][:2] == [
        ["fresh", "0", "2", "11"],
        ["fresh", "1", "2", "11"],
    ]
    rows = fresh.lth("results", "fresh", "--format", "csv", **env).stdout.splitlines()
    assert len(rows) == 1 + 2 * 5 and all(row.rpartition(",")[2] for row in rows), "a row names its run in MLflow"
    assert "Nothing to remove." in fresh.lth("gc", "--dry-run", **env).stdout
    fresh.lth("run", "fresh", "--rounds", "2", "--replicates", "1", "--recompute", **env)
    assert "marked as deleted" in fresh.lth("gc", "--yes", **env).stdout
    for command in (["list"], ["show", "fresh"], ["data", "get", "digits"]):
        fresh.lth(*command, **env)
    no_secrets(fresh.logs())


def test_a_run_that_is_launched_in_dagsters_pages_goes_through_its_queue(fresh, deployment):
    port, elsewhere = free_port(), free_port()
    process = fresh.start("ui", "--dagster-port", str(port), "--mlflow-port", str(elsewhere), **deployment.env())
    said = ""
    try:
        while "Ctrl-C" not in said:
            line = process.stdout.readline()
            assert line, process.stderr.read() + fresh.logs()
            said += line
        assert deployment.mlflow.address in said and str(elsewhere) not in said
        address = f"http://127.0.0.1:{port}"
        run = launch(address, "fresh", 1, ["r02_mask", "r02_ticket", "r02_trained"], {"recompute": True})
        assert ended(address, run) == "SUCCESS", fresh.logs()
        health = ask(address, DAEMONS)["instance"]["daemonHealth"]["allDaemonStatuses"]
        assert "QUEUED_RUN_COORDINATOR" in [daemon["daemonType"] for daemon in health if daemon["healthy"]]
        arguments = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
        no_secrets(arguments)
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    no_secrets(fresh.logs())


def test_an_import_keeps_what_was_there_and_trains_nothing(embedded, deployment, tmp_path):
    old, old_metrics = tags(embedded), metrics({**embedded.env, **mlflow_of(embedded)}, "small")
    settings = (dagster(embedded) / "dagster.yaml").read_text()
    deployment.postgres.database("moved", DAGSTER_PASSWORD)
    env = deployment.env("moved")
    (tmp_path / "sitecustomize.py").write_text(NOTHING_IS_COMPUTED)
    computing_fails = {**env, "PYTHONPATH": str(tmp_path)}
    files = store_files(embedded)
    said = embedded.lth("import", **computing_fails).stdout
    assert "small, replicate 2: rounds 0 … 3" in said and "Results: small" in said
    assert tags(embedded, **env) == old
    assert metrics({**embedded.env, **env}, "small") == old_metrics and len(old_metrics) == 2 * 5 + 7
    assert store_files(embedded) == files
    assert "Nothing to import" in embedded.lth("import", **computing_fails).stdout
    assert "nothing to train" in embedded.lth("run", "small", **computing_fails).stdout
    failed = embedded.lth("run", "small", "--replicates", "3", check=False, **computing_fails)
    assert "something was computed" in failed.stderr, "the trap is not set"
    # and back again, by the environment alone
    assert "nothing to train" in embedded.lth("run", "small").stdout
    assert tags(embedded) == old and (dagster(embedded) / "dagster.yaml").read_text() == settings


def mlflow_of(place: Place) -> dict[str, str]:
    return {"MLFLOW_TRACKING_URI": f"sqlite:///{place.folder}/mlflow/mlflow.db"}


def store_files(place: Place) -> dict[Path, int]:
    folders = (place.store / name for name in ("objects", "recipes"))
    return {path: path.stat().st_mtime_ns for folder in folders for path in folder.rglob("*.*")}


def test_what_is_wrong_with_a_server_is_said_in_one_line(fresh, deployment):
    env, postgres = deployment.env(), deployment.postgres
    wrong = [
        ({"LTH_DAGSTER_DATABASE": postgres.address("lth_dagster", "not the one")}, "password authentication failed"),
        ({"LTH_DAGSTER_DATABASE": "postgresql+psycopg2://x:y@127.0.0.1:1/x"}, "Connection refused"),
        ({"LTH_DAGSTER_DATABASE": postgres.address("lth_mlflow", DAGSTER_PASSWORD)}, "password authentication failed"),
        ({"MLFLOW_TRACKING_PASSWORD": "not the one"}, f"knows no user '{USER}' with the password"),
        ({"MLFLOW_TRACKING_USERNAME": "", "MLFLOW_TRACKING_PASSWORD": ""}, "asks for a login"),
        ({"MLFLOW_TRACKING_URI": "http://127.0.0.1:1"}, "does not answer"),
    ]
    for changed, message in wrong:
        done = fresh.here("gc", "--dry-run", check=False, **{**env, **changed})
        (line,) = done.stderr.strip().splitlines()
        assert done.returncode == 2 and line.startswith("lth: ") and message in line, done.stderr
        assert "not the one" not in done.stderr
        no_secrets(done.stderr)


def test_artifacts_are_read_with_the_login_and_not_without(fresh, deployment: Deployment):
    address, experiments = deployment.mlflow.address, f"{deployment.mlflow.address}/api/2.0/mlflow/experiments/search"
    login = {"Authorization": f"Basic {b64encode(f'{USER}:{PASSWORD}'.encode()).decode()}"}
    assert get(experiments, {}, b'{"max_results": 10}')[0] == 401
    status, found = get(experiments, login, b'{"max_results": 10}')
    (number,) = [each["experiment_id"] for each in json.loads(found)["experiments"] if each["name"] == "fresh"]
    body = {"experiment_ids": [number], "filter": "tags.`lth.arm` = 'reinit' and tags.`lth.kind` = 'round'"}
    runs = json.loads(get(f"{address}/api/2.0/mlflow/runs/search", login, json.dumps(body).encode())[1])["runs"]
    uri = runs[0]["info"]["artifact_uri"]
    assert status == 200 and uri.startswith("mlflow-artifacts:/"), "artifacts are served by the server"
    file = f"{address}/api/2.0/mlflow-artifacts/artifacts/{uri.removeprefix('mlflow-artifacts:/')}/summary.md"
    assert get(file, {})[0] == 401
    assert get(file, login)[1].startswith(b"# ")
    assert list(deployment.mlflow.artifacts.rglob("weights.safetensors"))


def get(address: str, headers: dict[str, str], body: bytes | None = None) -> tuple[int, bytes]:
    request = urllib.request.Request(address, body, {"Content-Type": "application/json", **headers})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_of_two_daemons_on_one_database_one_works(deployment):
    database = deployment.env()["LTH_DAGSTER_DATABASE"]
    first, taken = wait_until_alone(database), threading.Event()
    thread = threading.Thread(target=lambda: (wait_until_alone(database), taken.set()), daemon=True)
    thread.start()
    assert not taken.wait(2)
    first.close()
    assert taken.wait(20)


def test_the_service_and_the_shell_claim_gpus_in_one_place():
    """With a /tmp of its own the service would see no claim of a shell's runs."""
    settings = dict(line.split("=", 1) for line in (SERVERS / "lth.env").read_text().splitlines() if "=" in line)
    unit = (SERVERS / "lth-dagster.service").read_text()
    assert "PrivateTmp=yes" in unit
    (writable,) = [line.partition("=")[2] for line in unit.splitlines() if line.startswith("ReadWritePaths=")]
    assert Path(settings["LTH_DEVICES_DIR"]).is_relative_to(writable)


def test_the_units_are_what_systemd_takes(tmp_path):
    for unit in SERVERS.glob("*.service"):
        text = unit.read_text().replace("/opt/lth/.venv/bin/lth", sys.executable)
        (tmp_path / unit.name).write_text(text)
    try:
        command = ["systemd-analyze", "verify", *map(str, tmp_path.glob("*.service"))]
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("systemd is not here")
    assert (done.returncode, done.stderr) == (0, "")
