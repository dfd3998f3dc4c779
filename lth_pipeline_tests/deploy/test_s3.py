"""Artifacts in S3, as docs/s3.md has them, on moto's server: MLflow's, and the store that two machines share."""

import os
import subprocess
import sys
import time
import urllib.request
from unittest.mock import patch

import pytest

from lth_pipeline_tests.commands.reading import store_versions
from lth_pipeline_tests.places import SMALL_CARD, Place, free_port

pytestmark = [pytest.mark.servers, pytest.mark.timeout(600)]
SECRET = "a secret of the test"
CARD = SMALL_CARD.replace("rounds: 2", "rounds: 1").replace("replicates: 2", "replicates: 1")


@pytest.fixture(scope="module")
def s3():
    """The variables with which S3 is found and used; it holds an empty bucket `lottery`."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    env = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    with patch.dict(os.environ, env):
        boto3.client("s3").create_bucket(Bucket="lottery")
        yield env
    server.stop()


def objects(prefix: str) -> dict[str, int]:
    """{key: bytes} of what the bucket holds."""
    import boto3

    pages = boto3.client("s3").get_paginator("list_objects_v2").paginate(Bucket="lottery", Prefix=prefix)
    return {found["Key"]: found["Size"] for page in pages for found in page.get("Contents", [])}


def test_mlflows_artifacts_lie_in_s3_and_are_read_through_its_server(s3, tmp_path):
    port, log = free_port(), tmp_path / "log"
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{tmp_path}/mlflow.db"]
    command += ["--artifacts-destination", "s3://lottery/mlflow"]
    env = {**os.environ, "MLFLOW_S3_ENDPOINT_URL": s3["AWS_ENDPOINT_URL"]}
    with log.open("wb") as file:
        server = subprocess.Popen(command, cwd=tmp_path, env=env, stdout=file, stderr=file)
    try:
        while not answers(address):
            assert server.poll() is None, log.read_text()
            time.sleep(0.3)
        place = Place(tmp_path / "home")
        place.card("small", CARD)
        # the runs know the server alone: no key, no bucket
        place.lth("run", "small", MLFLOW_TRACKING_URI=address, **dict.fromkeys(s3, ""))
        from mlflow import MlflowClient

        with patch.dict(os.environ, {"MLFLOW_TRACKING_URI": address}):
            client = MlflowClient(address)
            experiment = client.get_experiment_by_name("small").experiment_id
            (run,) = client.search_runs([experiment], "tags.`lth.round` = '1' and tags.`lth.arm` = 'ticket'")
            assert run.info.artifact_uri.startswith("mlflow-artifacts:")
            (tmp_path / "read").mkdir()
            read = client.download_artifacts(run.info.run_id, "weights.safetensors", str(tmp_path / "read"))
        (size,) = [
            size
            for key, size in objects("mlflow/").items()
            if key.endswith(f"{run.info.run_id}/artifacts/weights.safetensors")
        ]
        assert os.stat(read).st_size == size > 1000  # noqa: PTH116 (a string of MLflow's)
        assert not list(place.folder.rglob("weights.safetensors"))
    finally:
        server.terminate()
        server.wait(30)


def test_two_homes_share_what_they_make_over_s3(s3, tmp_path):
    env = {**s3, "LTH_STORE_REMOTE": "s3://lottery/store"}
    first, second = Place(tmp_path / "one"), Place(tmp_path / "two")
    for place in (first, second):
        place.card("small", CARD)
        place.lth("run", "small", **env)
    assert store_versions(first) and store_versions(second) == store_versions(first)
    records = [
        {path.name: path.read_bytes() for path in place.store.glob("recipes/*/*.json")} for place in (first, second)
    ]
    assert records[0] == records[1]  # with the time at which, and the run for which, it was made: nothing was made anew
    assert not list(first.store.glob("unsent/*"))
    shared = objects("store/")
    assert {path.relative_to(first.store).as_posix() for path in first.store.glob("[or]*/*/*")} == {
        key.removeprefix("store/") for key in shared
    }
    assert first.lth("gc", "--yes", "small", **env) and objects("store/") == shared  # what others share is not touched
    assert SECRET not in first.logs() + second.logs()


def test_a_run_goes_on_where_s3_is_away_and_sends_what_it_made_later(s3, tmp_path):
    place = Place(tmp_path / "one")
    place.card("small", CARD)
    env = {**s3, "LTH_STORE_REMOTE": "s3://lottery/later"}
    away = {**env, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{free_port()}"}
    done = place.lth("run", "small", **away)
    unsent = list(place.store.glob("unsent/*"))
    assert "cannot be used now" in done.stderr + place.logs() and unsent and not objects("later/")
    assert SECRET not in done.stderr + done.stdout + place.logs()
    assert "nothing to train" in place.lth("run", "small", **env).stdout
    assert not list(place.store.glob("unsent/*"))
    assert len([key for key in objects("later/") if key.endswith(".json")]) == len(unsent)


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/health", timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False
