"""The run of one training, and the point it puts on its series."""

import pytest
from mlflow.exceptions import MlflowException

from lth_pipeline.tracking import runs, series
from lth_pipeline.tracking.patience import Away
from lth_pipeline.tracking.rounds import CURVE_METRICS, SUMMARY_METRICS, Logger
from lth_pipeline.tracking.runs import Training
from lth_pipeline.tracking.tracker import open_tracker


@pytest.fixture(scope="module")
def tracker(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mlflow")
    return open_tracker(f"sqlite:///{folder}/mlflow.db", folder, "http://127.0.0.1:5000")


def training(experiment: str, round: int) -> Training:
    return Training(experiment, "made up", 0, round, "ticket" if round else "dense")


def rows(count: int = 3) -> list[dict[str, float]]:
    return [{"iteration": place, **dict.fromkeys(CURVE_METRICS, 0.5)} for place in range(count)]


def finish(logger: Logger, accuracy: float = 0.5) -> str:
    facts = {**dict.fromkeys(SUMMARY_METRICS, 1.0), "test_accuracy_at_end": accuracy, "density": 0.8}
    return logger.finish(rows(), facts, {}, {})


def points(tracker, run_id: str) -> dict[int, float]:
    history = tracker.client.get_metric_history(run_id, "by_round/test_accuracy_at_end")
    assert len(history) == len({point.step for point in history})
    return {point.step: point.value for point in history}


def test_a_training_that_was_found_looks_its_series_up_once(tracker, monkeypatch):
    first = Logger(tracker, training("found", 0), {})
    finish(first)
    asked = []
    search = runs.search
    for module in (runs, series):
        monkeypatch.setattr(module, "search", lambda *about: asked.append(about[2]["lth.kind"]) or search(*about))
    second = Logger(tracker, training("found", 1), {})
    run = tracker.client.get_run(finish(second, 0.7))
    assert asked == ["series", "round"]  # the series it goes under, and earlier attempts
    assert points(tracker, run.data.tags["mlflow.parentRunId"]) == {0: 0.5, 1: 0.7}


def test_the_point_of_a_training_goes_on_the_series_that_stands_when_it_ends(tracker):
    """Round 1 trains, and meanwhile another process recomputes round 0 with other results."""
    finish(Logger(tracker, training("meanwhile", 0), {}))
    slow = Logger(tracker, training("meanwhile", 1), {})
    slow.row(rows()[0])
    old = tracker.client.get_run(slow.run_id).data.tags["mlflow.parentRunId"]
    finish(Logger(tracker, training("meanwhile", 0), {}), 0.9)
    finish(slow, 0.7)
    new = series.series_of(tracker, training("meanwhile", 1))
    assert new != old
    assert points(tracker, new) == {0: 0.9, 1: 0.7} and points(tracker, old) == {0: 0.5}


@pytest.mark.parametrize(
    "error", [Away("away"), MlflowException("403: the token has expired")], ids=["away", "refused"]
)
@pytest.mark.parametrize("times", [1, 5000])
def test_what_cannot_be_sent_ends_no_training_however_long_it_lasts(tracker, monkeypatch, error, times):
    def refuse(logger):
        raise error

    told = []
    monkeypatch.setattr(tracker.patience, "on_trouble", told.append)
    monkeypatch.setattr(Logger, "flush", refuse)
    logger = Logger(tracker, training("refused", 0), {})
    logger._failed = times - 1
    for row in rows():
        logger.row(row)
    assert len(logger._rows) == 3 and logger._failed == times  # kept, and not asked again at once
    assert len(told) == (times == 1) and all(str(error) in said for said in told)
