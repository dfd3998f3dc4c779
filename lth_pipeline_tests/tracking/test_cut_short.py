"""A process that is killed between any two of its calls to MLflow: the next one leaves all as if nothing had been."""

import pytest

from lth_pipeline.processes import is_dead, process_mark
from lth_pipeline.tracking import abandoned, series
from lth_pipeline.tracking.abandoned import close_abandoned
from lth_pipeline.tracking.results import log_results, results_runs
from lth_pipeline.tracking.rounds import CURVE_METRICS, SUMMARY_METRICS, Logger
from lth_pipeline.tracking.runs import Training, run_ids
from lth_pipeline.tracking.tracker import open_tracker

DEAD = process_mark().rpartition(".")[0] + ".1"  # a process with this number, but started at another time
CHANGES = ("create_run", "create_experiment", "log_batch", "log_param", "log_artifacts", "set_tag", "set_terminated")


class Killed(BaseException):
    pass


@pytest.fixture(scope="module")
def tracker(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mlflow")
    return open_tracker(f"sqlite:///{folder}/mlflow.db", folder, "http://127.0.0.1:5000")


def killed_after(tracker, monkeypatch, calls: int, act) -> bool:
    """Do `act` as a process that is killed after so many changes; whether that came before its end."""
    left = [calls]
    client = tracker.client

    class Dying:
        def __getattr__(self, name):
            found = getattr(client, name)
            if name not in CHANGES:
                return found

            def change(*args, **options):
                if not left[0]:
                    raise Killed
                left[0] -= 1
                return found(*args, **options)

            return change

    with monkeypatch.context() as patch:
        patch.setattr(tracker, "client", Dying())
        patch.setattr(abandoned, "process_mark", lambda: DEAD)
        try:
            act()
        except Killed:
            return True
    return False


def log(tracker, experiment: str, round: int, version: str, accuracy: float, live: bool = True) -> str:
    training = Training(experiment, "made up", 0, round, "ticket" if round else "dense")
    logger = Logger(tracker, training, {"lth.data_version": version})
    rows = [{"iteration": place, **dict.fromkeys(CURVE_METRICS, 0.5)} for place in range(3)]
    if live:
        logger.row(rows[0])
    facts = {**dict.fromkeys(SUMMARY_METRICS, 1.0), "test_accuracy_at_end": accuracy, "density": 0.8**round}
    return logger.finish(rows, facts, {"round": round}, {"summary.md": b"."})


def all_runs(tracker, experiment: str) -> list:
    return list(tracker.client.search_runs([tracker.known(experiment)], max_results=1000))


def points(tracker, run_id: str) -> dict[int, float]:
    history = tracker.client.get_metric_history(run_id, "by_round/test_accuracy_at_end")
    assert len(history) == len({point.step for point in history})
    return {point.step: point.value for point in history}


@pytest.mark.servers  # half a minute
@pytest.mark.parametrize("before", [None, "other"], ids=["first time", "in the place of an older one"])
def test_a_training_is_logged_whole_whenever_it_was_cut_short(tracker, monkeypatch, before):
    """before: an older run of the round, of other settings, whose place the new one takes."""
    calls, going = 0, True
    while going:
        experiment = f"cut after {calls} {before}"
        log(tracker, experiment, 0, "dense", 0.5)
        if before:
            log(tracker, experiment, 1, before, 0.6)
        going = killed_after(tracker, monkeypatch, calls, lambda name=experiment: log(tracker, name, 1, "new", 0.7))
        if calls % 2:  # as `lth run` does when it starts; a run from Dagster's pages does not
            close_abandoned(tracker, [experiment])
        current = run_ids(tracker, experiment)
        if (0, 1, "ticket", "new") not in current:  # or it is found, and nothing is logged once more
            log(tracker, experiment, 1, "new", 0.7, live=calls % 2 == 0)
            current = run_ids(tracker, experiment)
        check(tracker, experiment, current)
        calls += 1
    assert calls > 9


def check(tracker, experiment: str, current: dict) -> None:
    assert set(current) == {(0, 0, "dense", "dense"), (0, 1, "ticket", "new")}
    runs = {run.info.run_id: run for run in all_runs(tracker, experiment)}
    stands = [run for run in runs.values() if run.data.tags["lth.status"] == "current"]
    assert {run.info.status for run in runs.values()} <= {"FINISHED", "KILLED"}
    assert sorted(run.data.tags["lth.kind"] for run in stands) == ["round", "round", "series"]
    (its_series,) = (run for run in stands if run.data.tags["lth.kind"] == "series")
    assert points(tracker, its_series.info.run_id) == {0: 0.5, 1: 0.7}
    new = runs[current[0, 1, "ticket", "new"]]
    assert new.info.status == "FINISHED" and new.data.tags["mlflow.parentRunId"] == its_series.info.run_id
    for run in set(runs.values()) - set(stands):
        assert run.data.tags["lth.status"] == "superseded"
        while run.data.tags["lth.status"] == "superseded":  # each points to what came next, and that on
            run = runs[run.data.tags["lth.superseded_by"]]
        assert run in stands


def test_results_are_logged_whole_whenever_they_were_cut_short(tracker, monkeypatch):
    calls, going = 0, True
    while going:
        name = f"results after {calls}"
        old = log_results(tracker, name, "", {"results.csv": b"old"}, {})
        going = killed_after(
            tracker, monkeypatch, calls, lambda name=name: log_results(tracker, name, "", {"results.csv": b"new"}, {})
        )
        new = log_results(tracker, name, "", {"results.csv": b"new"}, {})
        runs = {run.info.run_id: run for run in all_runs(tracker, name)}
        assert results_runs(tracker, [name]) == {name: new}
        assert {run.info.status for run in runs.values()} <= {"FINISHED", "KILLED"}
        others = {run_id: run.data.tags["lth.status"] for run_id, run in runs.items() if run_id != new}
        assert old in others and set(others.values()) == {"superseded"}
        calls += 1
    assert calls > 4


def test_what_a_killed_process_left_open_is_closed_and_points_to_what_went_on(tracker, monkeypatch):
    training = Training("left open", "made up", 0, 0, "dense")
    row = {"iteration": 0, **dict.fromkeys(CURVE_METRICS, 0.5)}

    def begun() -> str:
        logger = Logger(tracker, training, {})
        logger.row(row)
        return logger.run_id

    with monkeypatch.context() as patch:
        patch.setattr(abandoned, "process_mark", lambda: DEAD)
        first = begun()
    second = begun()  # at its first row, not only when it has ended
    assert tracker.client.get_run(first).info.status == "KILLED"
    assert tracker.client.get_run(first).data.tags["lth.superseded_by"] == second
    assert close_abandoned(tracker, ["left open", "no such experiment"]) == []  # the second's process lives
    assert tracker.client.get_run(second).info.status == "RUNNING"
    with monkeypatch.context() as patch:
        patch.setattr(abandoned, "process_mark", lambda: DEAD)
        third = begun()
    assert close_abandoned(tracker, ["left open"]) == [third]
    assert tracker.client.get_run(third).info.status == "KILLED"
    fourth = begun()
    assert tracker.client.get_run(third).data.tags["lth.superseded_by"] == fourth


def test_only_a_process_of_this_machine_can_be_told_to_be_dead():
    assert not is_dead(process_mark()) and is_dead(DEAD)
    assert not is_dead("another-host.1.1") and not is_dead("") and not is_dead("..")


def test_a_process_in_another_container_may_live_and_one_from_before_a_restart_cannot():
    place, number, started = process_mark().rsplit(".", 2)
    host, machine, boot, namespace = place.split("/")
    assert not is_dead(f"{host}/{machine}/{boot}/{namespace}0.{number}.1")
    assert not is_dead(f"{host}/{machine}0/{boot}/{namespace}.{number}.1")
    assert is_dead(f"{host}/{machine}/another/{namespace}.{number}.{started}") == bool(boot)


def test_the_rounds_that_a_killed_process_left_off_a_series_are_put_there(tracker, monkeypatch):
    for round in range(3):
        log(tracker, "holes", round, f"v{round}", 0.5 + round / 10)
    empty = series._open(tracker, Training("holes", "", 0, 1, "ticket"), "current")  # as if it had just been renewed
    log(tracker, "holes", 3, "v3", 0.8)
    assert points(tracker, empty) == {0: 0.5, 1: 0.6, 2: 0.7, 3: 0.8}
