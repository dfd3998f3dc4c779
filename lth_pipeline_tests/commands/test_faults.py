"""What a machine can do to a run: its disk fills up or turns read-only, its clock is put back. Nothing is lost."""

import subprocess

import pytest
from mlflow import MlflowClient

from lth_pipeline_tests.commands.reading import store_versions, undisturbed_versions
from lth_pipeline_tests.commands.test_run import wait_until
from lth_pipeline_tests.faults import Faults, compiled
from lth_pipeline_tests.places import SMALL_CARD

#: a second or two a training
CARD = SMALL_CARD.replace("iterations: 90, evaluate_every: 30", "iterations: 1000, evaluate_every: 500").replace(
    "replicates: 2", "replicates: 1"
)
RUN = ("run", "slow", "--through", "1")
DAY = 86_400


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return compiled(tmp_path_factory.mktemp("faults"))


@pytest.fixture
def place(place):
    place.card("slow", CARD)
    return place


@pytest.fixture(scope="module")
def versions(tmp_path_factory) -> dict[str, str]:
    """{recipe id: data version} of the rounds, made without Dagster and without faults."""
    return undisturbed_versions(tmp_path_factory.mktemp("undisturbed"), CARD, replicates=1, through=1)


@pytest.mark.servers  # minutes
@pytest.mark.parametrize(
    ("fault", "says", "under"),
    [
        ("full", "No space left on device", ""),
        ("readonly", "Read-only file system", ".lth/store"),
    ],
    ids=["disk full", "store read-only"],
)
def test_a_disk_that_takes_no_more_ends_the_run_with_a_word_and_loses_nothing(
    place, library, tmp_path_factory, versions, fault, says, under
):
    faults = Faults(library, tmp_path_factory.mktemp("there"), place.folder / under)
    process = place.start(*RUN, **faults.env, LTH_CHECKPOINT_SECONDS="0.1")
    wait_until(lambda: len(store_versions(place)) >= 2, process)  # θ₀ and the dense network: the ticket is next
    with faults.there(fault):
        said = process.communicate(timeout=120)[1]
        assert process.returncode == 1, said
        assert says in said and str(place.folder) in said and "Traceback" not in said
        kept = store_versions(place)
        assert kept.items() <= versions.items()
        if not under:  # before anything is begun
            again = place.lth(*RUN, check=False, **faults.env)
            assert again.returncode == 2 and says in again.stderr and "Traceback" not in again.stderr
    assert not list(place.store.rglob(".*-*")), "something half-written was left"
    place.lth(*RUN, **faults.env)
    assert store_versions(place) == versions
    expect_whole(place)


@pytest.mark.servers  # minutes
def test_a_clock_that_is_put_back_changes_nothing(place, library, tmp_path_factory, versions):
    """A day, in the middle of a round; what is made then is older than what it is made of."""
    faults = Faults(library, tmp_path_factory.mktemp("there"), place.folder)
    process = place.start(*RUN, **faults.env, LTH_CHECKPOINT_SECONDS="0.1")
    wait_until(lambda: len(store_versions(place)) >= 2 and list((place.store / "checkpoints").glob("*")), process)
    process.terminate()
    process.communicate(timeout=60)
    done = place.lth(*RUN, **faults.env, FAULTS_CLOCK=str(-DAY))
    assert store_versions(place) == versions
    seconds = float(done.stdout.partition("Done (")[2].partition(" s)")[0])
    assert 0 < seconds < DAY
    expect_whole(place)
    assert "nothing to train" in place.lth(*RUN, **faults.env, FAULTS_CLOCK=str(-2 * DAY)).stdout


def expect_whole(place) -> None:
    """MLflow has one current run of each training and of the results, and none that is open."""
    client = MlflowClient(tracking_uri=f"sqlite:///{place.folder}/mlflow/mlflow.db")
    runs = client.search_runs([client.get_experiment_by_name("slow").experiment_id], max_results=1000)
    assert {run.info.status for run in runs} <= {"FINISHED", "FAILED", "KILLED"}
    tags = [run.data.tags for run in runs if run.data.tags["lth.status"] == "current"]
    rounds = sorted((found["lth.round"], found["lth.arm"]) for found in tags if found["lth.kind"] == "round")
    assert rounds == [("0", "dense"), ("1", "reinit"), ("1", "ticket")]
    assert sum(found["lth.kind"] == "results" for found in tags) == 1


def test_the_faults_are_there_when_they_are_switched_on(library, tmp_path):
    """Or the tests above would pass without any."""
    faults = Faults(library, tmp_path / "there", tmp_path / "disk")
    faults.folder.mkdir()
    faults.under.mkdir()
    write = ["cp", __file__, f"{faults.under}/file"]
    env = {"PATH": "/usr/bin:/bin", **faults.env}
    assert subprocess.run(write, env=env).returncode == 0
    for fault, says in (("full", "No space left"), ("readonly", "Read-only")):
        with faults.there(fault):
            done = subprocess.run(write, env=env, capture_output=True, text=True)
            assert done.returncode and says in done.stderr
    now, before = (
        int(subprocess.run(["date", "+%s"], env=env | clock, capture_output=True, text=True).stdout)
        for clock in ({}, {"FAULTS_CLOCK": str(-DAY)})
    )
    assert DAY - 60 < now - before < DAY + 60
