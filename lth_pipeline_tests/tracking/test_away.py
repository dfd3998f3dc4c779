"""MLflow's server goes away in the middle: nobody waits for it but at the end, and no point is lost."""

import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import contextmanager, suppress

import pytest

from lth_pipeline.tracking.patience import Away, Patience, TrackingError
from lth_pipeline.tracking.registered import NotRegisteredError, fetch_file, resolve
from lth_pipeline.tracking.rounds import CURVE_METRICS, SUMMARY_METRICS, Logger
from lth_pipeline.tracking.runs import Training
from lth_pipeline.tracking.tracker import open_tracker
from lth_pipeline_tests.places import free_port
from lth_pipeline_tests.publishing import register

ROWS = [{"iteration": place, **dict.fromkeys(CURVE_METRICS, place / 8)} for place in range(8)]
FACTS = {**dict.fromkeys(SUMMARY_METRICS, 1.0), "density": 0.8}


@pytest.fixture(scope="module")
def server(tmp_path_factory, blank):
    """(its address, a context in which it is away)"""
    folder, port = tmp_path_factory.mktemp("server"), free_port()
    (folder / "mlflow.db").write_bytes((blank / "mlflow" / "mlflow.db").read_bytes())
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", f"sqlite:///{folder}/mlflow.db"]
    command += ["--artifacts-destination", str(folder / "artifacts"), "--port", str(port), "--workers", "1"]
    uri, running = f"http://127.0.0.1:{port}", []

    def start() -> None:
        env = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        running.append(subprocess.Popen(command, cwd=folder, env=env, start_new_session=True, **quiet))

    def stop() -> None:
        process = running.pop()
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    @contextmanager
    def away():
        stop()
        try:
            yield start
        finally:
            if not running:
                start()
            wait_for(uri)

    start()
    wait_for(uri)
    yield uri, away
    stop()


def wait_for(uri: str) -> None:
    until = time.monotonic() + 90
    while time.monotonic() < until:
        with suppress(OSError):
            urllib.request.urlopen(f"{uri}/health", timeout=1).close()
            return
        time.sleep(0.2)
    raise AssertionError(f"{uri} does not answer")


@pytest.fixture
def tracker(server, tmp_path):
    patience = Patience(server[0], 60.0)
    patience.told = []
    patience.on_trouble = patience.told.append
    return open_tracker(server[0], tmp_path, server[0], patience)


def points(tracker, run_id: str) -> list[tuple[int, float]]:
    history = tracker.client.get_metric_history(run_id, "test_accuracy")
    return sorted((point.step, point.value) for point in history)


def test_what_is_logged_while_it_is_away_is_all_there_afterwards(server, tracker, monkeypatch):
    """Away for half of the curve, and still when the training has ended; then it comes back."""
    monkeypatch.setattr("lth_pipeline.tracking.rounds.FLUSH_SECONDS", 0.01)  # every row tries
    monkeypatch.setattr("lth_pipeline.tracking.rounds.PART", 0)
    _, away = server
    logger = Logger(tracker, Training("away", "made up", 0, 0, "dense"), {})
    for row in ROWS[:4]:
        logger.row(row)
        time.sleep(0.02)
    assert points(tracker, logger.run_id) == [(place, place / 8) for place in range(4)]
    with away() as start:
        for row in ROWS[4:]:
            logger.row(row)
            time.sleep(0.02)
        told = tracker.patience.told
        assert len(told) == 1 and "does not answer" in told[0] and "is kept until it can be sent" in told[0]
        threading.Timer(2.0, start).start()
        run_id = logger.finish(ROWS, FACTS, {"round": 0}, {"summary.md": b"whole"})
    assert "it is asked again for 60 s" in tracker.patience.told[1]
    assert run_id == logger.run_id and points(tracker, run_id) == [(place, place / 8) for place in range(8)]
    run = tracker.client.get_run(run_id)
    assert (run.info.status, run.data.tags["lth.status"]) == ("FINISHED", "current")
    assert [file.path for file in tracker.client.list_artifacts(run_id)] == ["summary.md"]


def test_a_training_that_begins_while_it_is_away_opens_its_run_later(server, tracker):
    logger = Logger(tracker, Training("begun while away", "made up", 0, 0, "dense"), {})
    with server[1]():
        logger.row(ROWS[0])
        assert logger.run_id is None
    run_id = logger.finish(ROWS, FACTS, {}, {})
    assert points(tracker, run_id) == [(place, place / 8) for place in range(8)]


def test_when_patience_ends_the_error_names_the_server_and_nothing_is_current(server, tracker):
    tracker.patience.seconds = 0.5
    logger = Logger(tracker, Training("given up", "made up", 0, 0, "dense"), {})
    logger.row(ROWS[0])
    with server[1](), pytest.raises(Away, match=server[0]):
        logger.finish(ROWS, FACTS, {}, {})
    assert tracker.client.get_run(logger.run_id).data.tags["lth.status"] == "running"
    again = Logger(tracker, Training("given up", "made up", 0, 0, "dense"), {})  # as the next run does
    run_id = again.finish(ROWS, FACTS, {}, {})
    assert points(tracker, run_id) == [(place, place / 8) for place in range(8)]
    assert tracker.client.get_run(logger.run_id).data.tags["lth.superseded_by"] == run_id


def test_a_wrong_question_is_no_server_that_is_away(server, tracker):
    from mlflow.exceptions import MlflowException

    with pytest.raises(MlflowException, match="not found"):
        tracker.client.get_run("0" * 32)
    assert tracker.patience.told == []


def test_a_run_waits_for_a_server_that_starts_up(server):
    uri, away = server
    patience = Patience(uri, 60.0)
    with away() as start:
        threading.Timer(1.0, start).start()
        assert open_tracker(uri, None, uri, patience).known("no such experiment") is None


def test_a_database_that_takes_nothing_more_is_not_waited_for():
    patience, asked = Patience("sqlite:////somewhere/mlflow.db", 60.0), []

    def full():
        from mlflow.exceptions import MlflowException
        from mlflow.protos.databricks_pb2 import TEMPORARILY_UNAVAILABLE

        asked.append(1)
        raise MlflowException("(sqlite3.OperationalError) database or disk is full", TEMPORARILY_UNAVAILABLE)

    with pytest.raises(TrackingError, match=r"somewhere/mlflow.db cannot be used .*disk is full"):
        patience.insist(full)
    assert len(asked) == 1


def test_a_published_file_comes_through_the_server_and_not_while_it_is_away(server, tracker, tmp_path):
    version = register(tracker.client, "tickets", b"a ticket", "best")
    found = resolve(tracker, "tickets", "best")
    assert (found.version, found.run_id) == (version.version, version.run_id)
    assert fetch_file(tracker, found.run_id, "ticket.safetensors", tmp_path).read_bytes() == b"a ticket"
    for asked, said in ((("fund", "best"), "there are: tickets"), (("tickets", "worst"), r"best \(version 1\)")):
        with pytest.raises(NotRegisteredError, match=said):
            resolve(tracker, *asked)
    with server[1](), tracker.patience.none():
        with pytest.raises(Away, match="does not answer"):
            resolve(tracker, "tickets", "best")
        with pytest.raises(Away, match="does not answer"):
            fetch_file(tracker, found.run_id, "ticket.safetensors", tmp_path)
