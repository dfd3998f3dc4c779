"""Which of MLflow's runs go: on a real store of runs made by hand, with their files."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lth_pipeline.processes import process_mark
from lth_pipeline.tracking.garbage import administrators_command, referred, removable, remove
from lth_pipeline.tracking.tracker import TrackingError, open_tracker

ids = st.integers(0, 9).map(str)


@given(st.dictionaries(ids, st.sets(ids)), st.sets(ids))
def test_what_stays_is_all_that_can_be_reached(refers, roots):
    stay = referred(refers, roots)
    assert stay >= roots & refers.keys() and stay <= refers.keys()
    found, before = roots & refers.keys(), set()
    while found != before:
        before, found = found, found | {name for run in found for name in refers[run] if name in refers}
    assert stay == found


class Made:
    """A store and runs by their names."""

    def __init__(self, folder: Path):
        self.tracker = open_tracker(f"sqlite:///{folder}/mlflow.db", folder, "http://ui")
        self.ids: dict[str, str] = {}

    def run(self, name: str, status: str | None, experiment="small", state="FINISHED", files=None, **tags: str) -> str:
        """status: its lth.status; None: a run of the user's own."""
        client = self.tracker.client
        ours = {"lth.kind": "round", "lth.experiment": experiment, "lth.status": status} if status else {}
        given = {f"lth.{tag}": value for tag, value in tags.items()}
        run_id = client.create_run(self.tracker.experiment_id(experiment), tags={**ours, **given}).info.run_id
        for file, content in (files or {"weights.bin": "x" * 100}).items():
            client.log_text(run_id, content, file)
        if state != "RUNNING":
            client.set_terminated(run_id, status=state)
        self.ids[name] = run_id
        return run_id

    def names(self, runs) -> set[str]:
        return {name for name, run_id in self.ids.items() if run_id in {run.id for run in runs}}

    def left(self) -> set[str]:
        """Runs that have files."""
        folder = self.tracker.artifacts
        return {name for name, run_id in self.ids.items() if list(folder.glob(f"*/{run_id}"))}


def removed(made: Made, alive=(), **asked) -> set[str]:
    return made.names(removable(made.tracker, lambda run: run in alive, **asked).remove)


@pytest.fixture(scope="module")
def made(tmp_path_factory, furnished) -> Made:
    store = Made(furnished(tmp_path_factory.mktemp("home")).folder / "mlflow")
    reused = store.run("reused", "superseded", mask_from_run=store.run("far above", "superseded"))
    registered = store.run("registered", "failed")
    new = store.run("new", "current", reused_from_run=reused, recipe="a" * 40, data_version="b" * 64)
    store.run("old", "superseded", superseded_by=new)
    store.run("failed", "failed", state="FAILED")
    store.run("killed", "running", state="RUNNING", dagster_run="dead")
    store.run("training", "running", state="RUNNING", dagster_run="alive")
    mark = process_mark()
    store.run("of this process", "running", state="RUNNING", dagster_run="elsewhere", process=mark)
    dead = f"{mark.rpartition('.')[0]}.1"  # its number, given to another since
    store.run("of one that died", "running", state="RUNNING", dagster_run="alive", process=dead)
    elsewhere = store.run("elsewhere", "superseded", dagster_run="elsewhere")
    store.run("other", "superseded", experiment="other", note=elsewhere)
    store.run("the user's", None, note=store.run("noted", "superseded"))
    row = store.run("in a table", "superseded")
    store.run("table", "current", files={"results.csv": f"round,mlflow_run_id\n0,{row}\n"}, kind="results")
    row = store.run("compared row", "superseded")
    compared = {"comparison.csv": f"round,mlflow_run_id\n0,{row}\n"}
    store.run("compared", "current", experiment="small+other", files=compared, kind="comparison")
    store.run("wanted back", "superseded")
    client = store.tracker.client
    client.delete_run(store.ids["wanted back"])  # by a person
    client.create_registered_model("mine")
    client.create_model_version("mine", f"runs:/{registered}/model", registered)
    return store


OLD = {"old", "failed", "killed", "of one that died", "elsewhere"}


def test_what_a_run_that_stays_names_stays_with_it(made):
    assert removed(made, alive=["alive"]) == {*OLD, "other"}
    assert removed(made, alive=["alive", "dead"]) == {*OLD, "other"} - {"killed"}
    assert removed(made, alive=["alive"], only={"small"}) == OLD - {"elsewhere"}  # which `other` names
    runs = removable(made.tracker, lambda run: True, ours=lambda run: run != "elsewhere")
    assert made.names(runs.remove) == {"old", "failed", "of one that died", "other"}
    assert made.names(runs.elsewhere) == {"elsewhere"} and runs.experiments() == {"small", "other", "small+other"}
    assert runs.logged() == ({"a" * 40}, {"b" * 64})
    assert all("lth.kind" in run.tags for run in (*runs.kept, *runs.remove))


def test_runs_of_experiments_without_a_card_go_only_where_that_was_asked_for(made):
    assert removed(made, alive=["alive"], cards={"other"}) >= {"new", "table", "old", "reused", "compared"}
    assert not removed(made, alive=["alive"], cards={"other", "small"}) & {"new", "compared", "compared row"}
    spared = {"registered", "the user's", "noted", "wanted back", "of this process"}
    assert not removed(made, cards={"other"}) & spared


def test_a_store_whose_artifacts_lie_elsewhere_is_left_alone(made, tmp_path):
    moved = replace(made.tracker, artifacts=tmp_path, experiment_ids={})
    with pytest.raises(TrackingError, match="was the folder moved or copied"):
        removable(moved, lambda run: False)


def test_on_a_server_runs_are_marked_and_its_administrator_frees_the_disk(place):
    made = Made(place.folder / "mlflow")
    gone = made.run("old", "superseded")
    served = replace(made.tracker, artifacts=None)
    runs = removable(served, lambda run: False, cards=())  # others may have the card
    assert remove(served, runs) == 0 and gone in administrators_command(runs)
    assert made.tracker.client.get_run(gone).info.lifecycle_stage == "deleted" and made.left() == {"old"}
    assert removable(served, lambda run: False).remove == []


def test_runs_and_files_are_gone_and_nothing_else_is(made):
    """First beside an experiment that a person deleted, which MLflow's own way would remove with them."""
    from mlflow.exceptions import MlflowException

    client, whole = made.tracker.client, set(made.ids)
    bystander = client.create_experiment("deleted", artifact_location=(made.tracker.artifacts / "deleted").as_uri())
    client.delete_experiment(bystander)
    runs = removable(made.tracker, lambda run: run == "alive", only={"other"})
    assert "'deleted'" in runs.bystanders
    assert remove(made.tracker, runs) == 100
    assert made.left() == whole - {"other"} and client.get_experiment(bystander).lifecycle_stage == "deleted"
    assert client.get_run(made.ids["other"]).info.lifecycle_stage == "deleted"
    client.restore_experiment(bystander)

    runs = removable(made.tracker, lambda run: run == "alive")
    assert made.names(runs.remove) == {*OLD, "other"} and runs.bystanders == ""  # what was begun is gone on with
    assert remove(made.tracker, runs) == 500
    assert made.left() == whole - OLD - {"other"}
    for name in (*OLD, "other"):
        with pytest.raises((MlflowException, TrackingError), match="not found"):
            client.get_run(made.ids[name])
    assert client.get_run(made.ids["wanted back"]).info.lifecycle_stage == "deleted"
    assert client.get_run(made.ids["training"]).info.status == "RUNNING"
    assert removable(made.tracker, lambda run: run == "alive").remove == []
