"""A published ticket as people use it: `lth publish`, `mlflow models serve`, a request; with and without a server."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

from lth_pipeline.lottery.data import DataDirs
from lth_pipeline.lottery.data.batches import chunks
from lth_pipeline.recipes import Store, Workshop, load_cards
from lth_pipeline.recipes.small import ticket_of
from lth_pipeline.tracking.registered import resolve
from lth_pipeline.tracking.tracker import open_tracker
from lth_pipeline_tests.orchestration.test_publish import WIDE
from lth_pipeline_tests.places import Place, free_port

pytestmark = pytest.mark.servers
MLFLOW = [sys.executable, "-m", "mlflow"]


@contextmanager
def running(command: list[str], address: str, folder: Path, env: dict[str, str]):
    """A server that answers at `address`, for as long as this lasts."""
    log = folder / f"{command[3]}.log"
    with log.open("wb") as file:
        process = subprocess.Popen(command, cwd=folder, env=env, stdout=file, stderr=file, start_new_session=True)
    try:
        until = time.monotonic() + 120
        while not _answers(address):
            assert process.poll() is None and time.monotonic() < until, log.read_text()
            time.sleep(0.3)
        yield
    finally:
        os.killpg(process.pid, 15)
        process.wait(30)


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


def asked(address: str, images: np.ndarray) -> np.ndarray:
    body = json.dumps({"inputs": images.tolist()}).encode()
    request = urllib.request.Request(f"{address}/invocations", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return np.array(json.load(answer)["predictions"]["logits"])


@pytest.mark.parametrize("with_a_server", [False, True], ids=["in a file", "on a server"])
def test_a_published_ticket_is_served(place: Place, with_a_server):
    place.card("wide", WIDE)
    shop = Workshop(Store(place.store), DataDirs(Path("data"), place.folder / "cache"), device="cpu")
    cards = load_cards([place.folder / "experiments"])
    for replicate in range(3):
        chain = shop.chain(cards, "wide", replicate)
        for round in range(3):
            shop.make(chain, chain.main(round))
    port, database = free_port(), f"sqlite:///{place.folder}/mlflow/mlflow.db"
    uri = f"http://127.0.0.1:{port}" if with_a_server else database
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # where uvicorn is
    env = {**place.env, "MLFLOW_TRACKING_URI": uri, "PATH": path, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    server = [*MLFLOW, "server", "--backend-store-uri", database, "--port", str(port), "--workers", "1"]
    server += ["--artifacts-destination", str(place.folder / "served")]
    if not with_a_server:
        publish_and_ask(place, shop, cards, env)
        again = place.lth("publish", "wide")
        assert "version 1 (was published before)" in again.stdout
        refused = place.lth("publish", "wide", "--round", "7", check=False)
        assert refused.returncode == 1 and "there are those of round 1, 2" in refused.stderr
        return
    with running(server, f"{uri}/health", place.folder, env):
        publish_and_ask(place, shop, cards, env)


def publish_and_ask(place: Place, shop: Workshop, cards, env: dict[str, str]) -> None:
    uri = env["MLFLOW_TRACKING_URI"]
    done = place.lth("publish", "wide", MLFLOW_TRACKING_URI=uri)
    assert "wide, version 1 (new), aliases sparsest-matching" in done.stdout and "mlflow models serve" in done.stdout
    tags = resolve(open_tracker(uri, place.folder / "mlflow", ""), "wide", alias="sparsest-matching").tags
    ticket = ticket_of(shop, shop.chain(cards, "wide", int(tags["lth.replicate"])), int(tags["lth.round"]))
    images, _ = next(chunks(ticket.data.test, 20))
    mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (ticket.mean, ticket.std))
    expected = ticket.model.logits(ticket.weights, (images - mean) / std).detach().numpy()
    port = free_port()
    serve = [*MLFLOW, "models", "serve", "-m", "models:/wide@sparsest-matching", "--env-manager", "local"]
    serve += ["-h", "127.0.0.1", "-p", str(port)]
    with running(serve, f"http://127.0.0.1:{port}/ping", place.folder, env):
        said = asked(f"http://127.0.0.1:{port}", images.numpy())
        with pytest.raises(urllib.error.HTTPError, match="400"):
            asked(f"http://127.0.0.1:{port}", images[:, :, :5].numpy())
    assert np.abs(said - expected).max() <= 1e-5 * max(1, np.abs(expected).max())
    assert (said.argmax(1) == expected.argmax(1)).all()
