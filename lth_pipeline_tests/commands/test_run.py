"""`lth run` as a person uses it: real processes, real Dagster runs, killed and gone on."""

import json
import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest
from dagster import DagsterInstance

from lth_pipeline.orchestration.instance import close_dead_runs
from lth_pipeline_tests.commands.reading import results, store_versions, undisturbed_versions
from lth_pipeline_tests.places import SMALL_CARD, Place

#: long enough (some seconds a training) to be killed in the middle of one
SLOW = SMALL_CARD.replace("iterations: 90, evaluate_every: 30", "iterations: 2500, evaluate_every: 500").replace(
    "replicates: 2", "replicates: 1"
)


def test_a_lottery_from_nothing_to_its_table_and_again(tmp_path, tmp_path_factory):
    place = Place(tmp_path)  # an empty folder, without any database
    place.card("small", SMALL_CARD)
    done = place.lth("run", "small")
    for said in (
        "ticket−reinit",
        "the ticket ends",
        "report.html",
        "accuracy_by_density.png",
        "lth ui",
        "results.csv",
    ):
        assert said in done.stdout
    assert (place.folder / "reports" / "small" / "report.html").is_file()
    versions = store_versions(place)
    again = place.here("run", "small")
    assert "nothing to train" in again.stdout
    assert store_versions(place) == versions
    assert versions == undisturbed_versions(tmp_path_factory.mktemp("other"), SMALL_CARD, replicates=2, through=2)


def test_only_what_is_asked_for_is_run(place):
    place.lth("run", "small", "--replicates", "1", "--through", "1")
    assert {row["replicate"] for row in results(place, "small")} == {"1"}
    assert {row["round"] for row in results(place, "small")} == {"0", "1"}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> dict[str, str]:
    """The versions of the slow card, made without a stop."""
    return undisturbed_versions(tmp_path_factory.mktemp("undisturbed"), SLOW, replicates=1, through=1)


@pytest.mark.servers  # minutes
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_is_stopped_in_the_middle_of_a_round_goes_on_from_there(place, how, undisturbed):
    place.card("slow", SLOW)
    process = place.start("run", "slow", "--through", "1")
    wait_until(lambda: len(trained(place)) >= 1 and list((place.store / "recipes").rglob("*.json")), process)
    before = trained(place)
    time.sleep(0.7)  # into the training after it
    if how == signal.SIGKILL:
        kill_all(process, place)
    else:
        process.send_signal(signal.SIGINT)  # as Ctrl-C does: to `lth run` alone
    out, err = process.communicate(timeout=60)
    if how == signal.SIGINT:
        assert process.returncode == 130, out + err
        assert "What is done is kept" in err
    assert len(trained(place)) < 3, "it was not stopped in the middle"

    done = place.lth("run", "slow", "--through", "1")
    after = trained(place)
    assert before.items() <= after.items(), "what was done was done again"
    assert len(after) == 3
    if how == signal.SIGKILL:
        assert "was killed earlier" in done.stdout

    assert store_versions(place) == undisturbed


def trained(place) -> dict[str, float]:
    """{recipe of a finished training: when its record was written}."""
    found = {}
    for path in (place.store / "recipes").rglob("[!.]*.json"):
        if json.loads(path.read_text())["record"]["recipe"]["kind"] == "trained":
            found[path.stem] = path.stat().st_mtime
    return found


def wait_until(condition, process, seconds: float = 90) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.05)


def kill_all(process, place) -> None:
    """As a power cut: `lth run`, its fork server and its workers, none of which may tidy up."""
    found = subprocess.run(["pgrep", "-f", "lth_pipeline"], capture_output=True, text=True).stdout.split()
    mine = [int(pid) for pid in found if belongs_to(int(pid), place)]
    assert process.pid in mine and len(mine) >= 2
    for pid in mine:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def belongs_to(pid: int, place) -> bool:
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False
    return f"LTH_HOME={place.folder}".encode() in environment


def test_runs_of_living_processes_are_left_alone(inside):
    from lth_pipeline.home import find_home
    from lth_pipeline.orchestration.instance import open_instance
    from lth_pipeline.processes import PROCESS_TAG, process_mark

    with open_instance(find_home()) as instance:
        assert isinstance(instance, DagsterInstance)
        gone = "@" + process_mark().rpartition(".")[0] + ".1"  # another process's start
        alive = begun_run(instance, {PROCESS_TAG: f"@{process_mark()}"})
        dead = begun_run(instance, {PROCESS_TAG: gone})
        foreign = begun_run(instance, {})
        again = begun_run(instance, {PROCESS_TAG: f"{dead}{gone}"})  # Dagster gives it the tags of what it repeats
        assert close_dead_runs(instance) == [dead]
        left = {alive: "STARTED", dead: "FAILURE", foreign: "STARTED", again: "STARTED"}
        assert {run_id: instance.get_run_by_id(run_id).status.value for run_id in left} == left
        instance.add_run_tags(again, {PROCESS_TAG: f"{again}{gone}"})
        assert close_dead_runs(instance) == [again]


def begun_run(instance, tags: dict[str, str]) -> str:
    from dagster import DagsterRunStatus
    from dagster._core.test_utils import create_run_for_test

    return create_run_for_test(instance, status=DagsterRunStatus.STARTED, tags=tags).run_id
