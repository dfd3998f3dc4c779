"""Runs that are killed again and again, at random instants, until they are done all the same.

In the suite some twenty times; a night of it: python -m lth_pipeline_tests.kills --times 500 [--together 10] [--whole]
"""

import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import click

from lth_pipeline_tests.commands.reading import store_versions
from lth_pipeline_tests.places import SMALL_CARD, Place

#: trainings of a second or less, and about as much between them
CARD = SMALL_CARD.replace("iterations: 90, evaluate_every: 30", "iterations: 450, evaluate_every: 200").replace(
    "replicates: 2", "replicates: 1"
)
NAME, ROUNDS = "killed", 2
ASSETS = [
    *("r00_initial_weights", "r00_rewind_weights", "r00_trained"),
    *(f"r{round:02d}_{stage}" for round in range(1, ROUNDS + 1) for stage in ("mask", "ticket", "trained", "control")),
]
CHECKPOINTS = 0.05  # seconds between two, so that there are many to be killed in


@dataclass
class Count:
    """kills: runs that were killed before their end. ends: those that came to it, most after several kills."""

    kills: int = 0
    ends: int = 0


def kill_and_compare(
    new_place: Callable[[], Place], times: int, seed: int, together: int, whole: bool = False
) -> Count:
    """Kill runs at `times` random instants; each goes on where it was until it is done, and is then what a run is that
    was left alone. whole: `lth run` with all its processes, not only the process of the Dagster run."""
    draw, count = random.Random(seed), Count()
    attempt = attempt_whole if whole else attempt_worker
    for _ in range(2):  # the first time imports are slow
        undisturbed, began = _with_card(new_place()), time.monotonic()
        assert attempt(undisturbed, None, together)
        longest, versions = time.monotonic() - began, store_versions(undisturbed)
        check(undisturbed, versions)
    place = _with_card(new_place())
    while count.kills < times:
        if attempt(place, draw.uniform(0.1, longest), together):
            check(place, versions)
            count.ends, place = count.ends + 1, _with_card(new_place())
        else:
            count.kills += 1
    assert attempt(place, None, together)
    check(place, versions)
    count.ends += 1
    return count


def _with_card(place: Place) -> Place:
    place.card(NAME, CARD)
    return place


@contextmanager
def at_home(place: Place) -> Iterator[None]:
    """This process's environment points to `place`."""
    with patch.dict(os.environ, place.env, clear=True):
        yield


def attempt_worker(place: Place, seconds: float | None, together: int) -> bool:
    """One Dagster run of all rounds in a process of its own, as `lth run` starts it, killed after so many seconds.
    Gives whether it came to its end."""
    from lth_pipeline.home import find_home
    from lth_pipeline.orchestration.instance import close_dead_runs, open_instance
    from lth_pipeline.orchestration.launch import Task, run_tasks

    settings = {"checkpoint_seconds": CHECKPOINTS, "together": together}
    config = {"resources": {"compute": {"config": settings}}}
    with at_home(place):
        home = find_home()
        with open_instance(home) as instance:
            close_dead_runs(instance)
        log = place.folder / ".lth" / "logs" / "killed.log"
        task = Task("lth_pipeline.definitions", NAME, f"{NAME}|0", tuple(ASSETS), home.dagster, log, run_config=config)
        killer = threading.Timer(seconds or 0.0, _kill_workers)
        if seconds is not None:
            killer.start()
        (done,) = [details for event, details in run_tasks([task], 1) if event == "done"]
        killer.cancel()
    assert done["success"] or "killed (SIGKILL)" in done["errors"][0], done["errors"]
    return done["success"]


def attempt_whole(place: Place, seconds: float | None, together: int) -> bool:
    """The same by `lth run`, killed with all that it started, as by a power cut."""
    process = place.start("run", NAME, LTH_TOGETHER=str(together), LTH_CHECKPOINT_SECONDS=str(CHECKPOINTS))
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        kill_all(process.pid)
        process.communicate()
        return False
    assert process.returncode == 0, out + err + place.logs()
    return True


def kill_all(pid: int) -> None:
    """A process with all that it has started: none of them may tidy up. They are halted first, or one could start
    another meanwhile."""
    found = [pid]
    for each in found:
        with suppress(ProcessLookupError):
            os.kill(each, signal.SIGSTOP)
        found += _children(each)
    for each in found:
        with suppress(ProcessLookupError):
            os.kill(each, signal.SIGKILL)


def _kill_workers() -> None:
    for child in _children(os.getpid()):
        for worker in _children(child):  # of the fork server
            with suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)


def _children(pid: int) -> list[int]:
    found = []
    for thread in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            found += [int(child) for child in thread.read_text().split()]
    return found


def check(place: Place, versions: dict[str, str]) -> None:
    """All is as if nothing had been: artifacts, Dagster's records, MLflow's runs, and nothing half-done lies about."""
    assert store_versions(place) == versions
    for left in ("checkpoints", "damaged"):
        assert not list((place.store / left).glob("[!.]*")), left  # what was half-written goes with the next state
    with at_home(place):
        _check_dagster()
        _check_mlflow()


def _check_dagster() -> None:
    from lth_pipeline.commands.common import places, workshop
    from lth_pipeline.orchestration.instance import close_dead_runs, open_instance
    from lth_pipeline.orchestration.partitions import deepest_round
    from lth_pipeline.orchestration.status import experiment_status, read_records

    home, cards = places()
    deepest = deepest_round(cards)
    with open_instance(home) as instance:
        close_dead_runs(instance)
        found = experiment_status(cards, NAME, workshop(home), read_records(instance, deepest), deepest)
        states = {entry.asset: entry.state for entry in found}
        assert states.pop("results") in ("missing", "fresh") and states == dict.fromkeys(ASSETS, "fresh")
        assert {run.status.value for run in instance.get_runs()} <= {"SUCCESS", "FAILURE"}


def _check_mlflow() -> None:
    from lth_pipeline.home import find_home
    from lth_pipeline.tracking.abandoned import close_abandoned
    from lth_pipeline.tracking.tracker import open_tracker

    home = find_home()
    tracker = open_tracker(home.tracking_uri, home.mlflow, home.mlflow_ui)
    close_abandoned(tracker, [NAME])
    found = list(tracker.client.search_runs([tracker.known(NAME)], max_results=5000))
    runs = {run.info.run_id: run for run in found}
    assert {run.info.status for run in found} <= {"FINISHED", "KILLED"}
    current = [run for run in found if run.data.tags["lth.status"] == "current"]
    about = sorted((run.data.tags["lth.round"], run.data.tags["lth.arm"]) for run in _of("round", current))
    assert about == [("0", "dense"), *((str(n), arm) for n in range(1, ROUNDS + 1) for arm in ("reinit", "ticket"))]
    for run in _of("round", current):
        assert run.info.status == "FINISHED"
        iterations = [point.step for point in tracker.client.get_metric_history(run.info.run_id, "test_accuracy")]
        assert iterations == [0, 200, 400, 450], (run.info.run_name, iterations)
    assert sorted(run.data.tags["lth.arm"] for run in _of("series", current)) == ["reinit", "ticket"]
    for run in _of("series", current):
        points = tracker.client.get_metric_history(run.info.run_id, "by_round/test_accuracy_at_end")
        assert [point.step for point in points] == [*range(ROUNDS + 1)]
    for run in found:
        if run.info.status == "KILLED":  # it says what came in its place, and that leads to what stands
            while run.data.tags["lth.status"] == "superseded":
                run = runs[run.data.tags["lth.superseded_by"]]
            assert run in current


def _of(kind: str, runs: list) -> list:
    return [run for run in runs if run.data.tags["lth.kind"] == kind]


@click.command()
@click.option("--times", default=100, show_default=True, help="kills")
@click.option("--seed", default=0, show_default=True)
@click.option("--together", default=1, show_default=True, help="networks that train side by side")
@click.option("--whole", is_flag=True, help="kill `lth run` with all its processes, not only that of the Dagster run")
def main(times: int, seed: int, together: int, whole: bool) -> None:
    with TemporaryDirectory() as folder:
        number = iter(range(10**6))

        def new_place() -> Place:
            made = Path(folder) / str(next(number))
            made.mkdir()
            return Place(made)

        count = kill_and_compare(new_place, times, seed, together, whole)
    click.echo(f"{count.kills} kills, {count.ends} runs that ended in spite of them: nothing lost, the same versions")


if __name__ == "__main__":
    main()
