"""`lth ui`: both servers, on loopback alone, show what was made, and a round is recomputed from the page."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from dagster import DagsterInstance

from lth_pipeline.processes import PROCESS_TAG
from lth_pipeline_tests.commands.reading import store_versions, undisturbed_versions
from lth_pipeline_tests.orchestration.running import gather, materialise, opened
from lth_pipeline_tests.places import SMALL_CARD, Place, free_port

SLOW_CARD = SMALL_CARD.replace("iterations: 90, evaluate_every: 30", "iterations: 2000, evaluate_every: 500")
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
LAUNCH = """
mutation($p: ExecutionParams!) {
  launchPipelineExecution(executionParams: $p) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
  }
}"""
STATUS = "query($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
ASSET = """
query($k: AssetKeyInput!) {
  assetNodeOrError(assetKey: $k) {
    ... on AssetNode {
      assetMaterializations(limit: 5) { partition metadataEntries { label ... on TextMetadataEntry { text } } }
    }
  }
}"""

STATES = "checkpoints/*"
REEXECUTE = """
mutation($p: ReexecutionParams!) {
  launchRunReexecution(reexecutionParams: $p) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
  }
}"""
RETRIES = """
query($id: String!) {
  runsOrError(filter: { tags: [{ key: "dagster/parent_run_id", value: $id }] }) {
    ... on Runs { results { runId status } }
  }
}"""
DAEMONS = "{ instance { daemonHealth { allDaemonStatuses { daemonType required healthy } } } }"
RELOAD = """
mutation {
  reloadRepositoryLocation(repositoryLocationName: "lth_pipeline") {
    __typename ... on WorkspaceLocationEntry { locationOrLoadError { __typename } }
  }
}"""


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    """(place, Dagster's address, MLflow's address) with the card `small`, replicate 0, run and both servers up."""
    place = Place(tmp_path_factory.mktemp("ui"))
    place.card("small", SMALL_CARD)
    place.card("slow", SLOW_CARD)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LTH_HOME", str(place.folder))
        with opened() as (definitions, instance):
            assert materialise(definitions, instance, "small", 0).success
            assert gather(definitions, instance, "small").success
    dagster, mlflow = free_port(), free_port()
    process = place.start("ui", "--dagster-port", str(dagster), "--mlflow-port", str(mlflow))
    said = ""
    while "Ctrl-C" not in said:
        line = process.stdout.readline()
        assert line, process.stderr.read() + place.logs()
        said += line
    yield place, f"http://127.0.0.1:{dagster}", f"http://127.0.0.1:{mlflow}"
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    for port in (dagster, mlflow):
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)), "a server was left behind"


def launch(dagster: str, card: str, replicate: int, assets: list[str], compute: dict, **tags: str) -> str:
    """What the page sends when a person shift-clicks Materialize, sets what is in `compute` and launches; the run's
    id."""
    tags |= {"dagster/partition": f"{card}|{replicate}"}
    tags |= {"dagster/partition/experiment": card, "dagster/partition/replicate": str(replicate)}
    parameters = {
        "selector": {
            "repositoryLocationName": "lth_pipeline",
            "repositoryName": "__repository__",
            "pipelineName": card,
            "assetSelection": [{"path": [asset]} for asset in assets],
        },
        "runConfigData": {"resources": {"compute": {"config": compute}}},
        "executionMetadata": {"tags": [{"key": key, "value": value} for key, value in tags.items()]},
        "mode": "default",
    }
    launched = ask(dagster, LAUNCH, p=parameters)["launchPipelineExecution"]
    assert launched["__typename"] == "LaunchRunSuccess", launched
    return launched["run"]["runId"]


def ended(dagster: str, run_id: str) -> str:
    """The status that a run ends with."""
    until = time.monotonic() + 120
    while (status := ask(dagster, STATUS, id=run_id)["runOrError"]["status"]) not in ("SUCCESS", "FAILURE", "CANCELED"):
        assert time.monotonic() < until, status
        time.sleep(0.3)
    return status


def post(address: str, body: dict) -> dict:
    request = urllib.request.Request(address, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def status(address: str, headers: dict[str, str] | None = None, body: bytes | None = None) -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(address, body, headers or {}), timeout=60) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def ask(dagster: str, query: str, **variables) -> dict:
    answer = post(f"{dagster}/graphql", {"query": query, "variables": variables})
    assert "errors" not in answer, answer
    return answer["data"]


def test_mlflow_serves_runs_and_artifacts(servers):
    _, _, mlflow = servers
    experiments = post(f"{mlflow}/api/2.0/mlflow/experiments/search", {"max_results": 10})["experiments"]
    (experiment,) = [entry["experiment_id"] for entry in experiments if entry["name"] == "small"]
    where = "tags.`lth.kind` = 'round' and tags.`lth.round` = '1' and tags.`lth.arm` = 'ticket'"
    body = {"experiment_ids": [experiment], "filter": where}
    (run,) = post(f"{mlflow}/api/2.0/mlflow/runs/search", body)["runs"]
    address = f"{mlflow}/get-artifact?path=learning_curve.csv&run_uuid={run['info']['run_id']}"
    with urllib.request.urlopen(address, timeout=60) as answer:
        assert answer.read().decode().startswith("iteration,train_loss,validation_loss")


def test_a_round_is_recomputed_from_dagsters_page(servers):
    _, dagster, _ = servers
    assert ended(dagster, launch(dagster, "small", 0, ["r01_mask", "r01_ticket"], {"recompute": True})) == "SUCCESS"
    shown = ask(dagster, ASSET, k={"path": ["r01_mask"]})["assetNodeOrError"]["assetMaterializations"]
    entries = {entry["label"]: entry.get("text") for entry in shown[0]["metadataEntries"]}
    assert shown[0]["partition"] == "small|0"
    assert entries["came from"] == "computed, again, with the same bits"


@pytest.mark.servers  # half a minute
def test_a_run_that_is_killed_goes_on_by_itself_and_from_its_page(servers, tmp_path):
    """Killed in the middle of a training, Dagster's daemon begins it again; where that is not wanted, a person does."""
    place, dagster, _ = servers
    versions = undisturbed_versions(tmp_path, SLOW_CARD, replicates=2, through=1)
    assets = ["r00_initial_weights", "r00_rewind_weights", "r00_trained", "r01_mask", "r01_ticket", "r01_trained"]
    alone = launch(dagster, "slow", 0, [*assets, "r01_control"], {"checkpoint_seconds": 0.1})
    kill_in_training(place, alone)
    by_hand = launch(
        dagster, "slow", 1, [*assets, "r01_control"], {"checkpoint_seconds": 0.1}, **{"dagster/max_retries": "0"}
    )
    kill_in_training(place, by_hand)
    assert [ended(dagster, run_id) for run_id in (alone, by_hand)] == ["FAILURE"] * 2
    again = ask(dagster, REEXECUTE, p={"parentRunId": by_hand, "strategy": "FROM_ASSET_FAILURE"})
    assert ended(dagster, again["launchRunReexecution"]["run"]["runId"]) == "SUCCESS"
    until = time.monotonic() + 120
    while not (retries := ask(dagster, RETRIES, id=alone)["runsOrError"]["results"]):
        assert time.monotonic() < until, "the daemon did not begin it again"
        time.sleep(0.5)
    assert ended(dagster, retries[0]["runId"]) == "SUCCESS"
    made = store_versions(place)
    assert {recipe: made.get(recipe) for recipe in versions} == versions
    assert not list(place.store.glob(STATES))


def kill_in_training(place: Place, run_id: str) -> None:
    """Kill the process of a run as soon as it has left a state to resume from."""
    until = time.monotonic() + 60
    with DagsterInstance.from_config(str(place.folder / ".lth" / "dagster")) as instance:
        while not (PROCESS_TAG in (tags := instance.get_run_by_id(run_id).tags) and list(place.store.glob(STATES))):
            assert time.monotonic() < until
            time.sleep(0.02)
        os.kill(int(tags[PROCESS_TAG].split(".")[-2]), signal.SIGKILL)


def test_the_daemon_runs_and_the_code_is_reloaded(servers):
    _, dagster, _ = servers
    until = time.monotonic() + 60
    while True:
        health = ask(dagster, DAEMONS)["instance"]["daemonHealth"]["allDaemonStatuses"]
        if all(daemon["healthy"] for daemon in health if daemon["required"]):
            break
        assert time.monotonic() < until, health
        time.sleep(1)
    assert {"SENSOR", "SCHEDULER", "BACKFILL", "MONITORING", "QUEUED_RUN_COORDINATOR"} <= {
        daemon["daemonType"] for daemon in health if daemon["required"]
    }
    reloaded = ask(dagster, RELOAD)["reloadRepositoryLocation"]
    assert reloaded["locationOrLoadError"]["__typename"] == "RepositoryLocation", reloaded


@pytest.mark.parametrize("server", [0, 1], ids=["Dagster", "MLflow"])
def test_a_foreign_page_gets_nowhere(servers, server):
    """Neither under a name of its own that it points at this machine, nor by what it has a browser send here."""
    address = servers[1 + server]
    assert status(address) == 200
    assert status(address, {"Host": f"evil.com:{address.rpartition(':')[2]}"}) == 403
    assert status(f"{address}/graphql", {"Origin": "http://evil.com", "Content-Type": "text/plain"}, b"{}") == 403
    assert status(f"{address}/graphql?query=%7Bversion%7D", {"Accept": "image/*"}) == 405


def test_the_servers_listen_on_loopback_alone(servers):
    """Every listening socket of the two servers, from the kernel's own table: 0100007F is 127.0.0.1."""
    _, *addresses = servers
    ports = {int(address.rpartition(":")[2]) for address in addresses}
    with Path("/proc/net/tcp").open() as table:
        rows = [line.split() for line in table.readlines()[1:]]
    listening = {(int(row[1].split(":")[1], 16), row[1].split(":")[0]) for row in rows if row[3] == "0A"}
    assert {host for port, host in listening if port in ports} == {"0100007F"}


@pytest.mark.skipif(not BROWSER, reason="no Chromium here; .ci/run installs it")
@pytest.mark.parametrize(
    ("server", "path", "words"),
    [
        (0, "/assets/r01_trained?view=partitions&partition=small%7C0", ["r01_trained", "early-stop", "computed"]),
        (
            1,
            "/#/experiments/1/runs?workflowType=machine_learning",
            ["ticket", "random reinit", "lottery of seconds"],
        ),
    ],
    ids=["Dagster", "MLflow"],
)
def test_a_browser_shows_it(servers, tmp_path, server, path, words):
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
    flags += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    flags += [f"--user-data-dir={tmp_path}", "--window-size=1400,1000", "--dump-dom"]
    for budget in (10_000, 30_000, 90_000):  # milliseconds of the page's own time, which runs ahead of a busy machine's
        command = [BROWSER, *flags, f"--virtual-time-budget={budget}", servers[1 + server] + path]
        page = subprocess.run(command, capture_output=True, text=True, timeout=120).stdout
        if all(word in page for word in words):
            return
    raise AssertionError([word for word in words if word not in page], page[-3000:])
