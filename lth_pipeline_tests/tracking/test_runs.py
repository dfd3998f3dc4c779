"""MLflow's layout under change: runs are found by what they gave, series never mix settings."""

import pytest

from lth_pipeline_tests.orchestration.running import gather, materialise, opened
from lth_pipeline_tests.places import SMALL_CARD

CHANGED = SMALL_CARD.replace("iterations: 90", "iterations: 120")


@pytest.fixture
def client(inside):
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=f"sqlite:///{inside.folder}/mlflow/mlflow.db")


def run_all(assets=None) -> None:
    with opened() as (definitions, instance):
        assert materialise(definitions, instance, "small", 0, assets).success
        assert gather(definitions, instance, "small").success


def runs(client, where: str) -> list:
    experiment = client.get_experiment_by_name("small").experiment_id
    return list(client.search_runs([experiment], where, max_results=1000))


def table(inside):
    import pandas as pd

    return pd.read_csv(inside.folder / "reports" / "small" / "results.csv", keep_default_na=False)


def test_a_row_of_results_never_names_a_run_of_other_settings(inside, client):
    """There and back: the rows are again those of 90 iterations, whose runs have been superseded meanwhile."""
    run_all()
    inside.card("small", CHANGED)
    run_all()
    for row in table(inside).itertuples():
        assert client.get_run(row.mlflow_run_id).data.params["training.iterations"] == "120"
    inside.card("small", SMALL_CARD)
    with opened() as (definitions, instance):
        assert gather(definitions, instance, "small").success
    assert set(table(inside)["mlflow_run_id"]) == {""}  # none, rather than a wrong one
    run_all()
    for row in table(inside).itertuples():
        run = client.get_run(row.mlflow_run_id).data
        assert run.params["training.iterations"] == "90"
        assert run.metrics["test_accuracy_at_end"] == row.test_accuracy_at_end


@pytest.mark.servers  # half a minute
def test_a_change_gives_one_new_series_an_arm_and_no_mixture(inside, client):
    run_all()
    inside.card("small", CHANGED)
    run_all()
    for arm in ("ticket", "reinit"):
        found = runs(client, f"tags.`lth.kind` = 'series' and tags.`lth.arm` = '{arm}'")
        status = sorted(run.data.tags["lth.status"] for run in found)
        assert status[0] == "current" and set(status[1:]) == {"superseded"} and len(status) <= 3
        (current,) = (run for run in found if run.data.tags["lth.status"] == "current")
        points = client.get_metric_history(current.info.run_id, "by_round/test_accuracy_at_end")
        shown = {point.step: point.value for point in points}
        frame = table(inside)
        wanted = {row.round: row.test_accuracy_at_end for row in frame.itertuples() if row.arm in ("dense", arm)}
        assert shown == wanted and len(points) == len(wanted)


def test_the_mask_comes_from_the_run_whose_weights_were_pruned(inside, client):
    run_all()
    inside.card("small", CHANGED)
    run_all()
    where = "tags.`lth.status` = 'current' and tags.`lth.round` = '2' and tags.`lth.arm` = 'ticket'"
    (second,) = runs(client, where)
    first = client.get_run(second.data.tags["lth.mask_from_run"]).data
    assert (first.params["training.iterations"], first.tags["lth.round"]) == ("120", "1")


@pytest.mark.servers  # minutes
def test_a_store_that_was_lost_is_filled_again_and_nothing_trained(inside):
    import shutil

    run_all()
    shutil.rmtree(inside.folder / "mlflow")
    before = {path: path.stat().st_mtime for path in (inside.store / "recipes").rglob("*.json")}
    inside.lth("run", "small", "--replicates", "0")
    assert {path: path.stat().st_mtime for path in (inside.store / "recipes").rglob("*.json")} == before
    assert all(len(run_id) == 32 for run_id in table(inside)["mlflow_run_id"])


def test_a_copied_store_is_refused_instead_of_writing_into_the_old_place(inside, tmp_path_factory):
    import shutil

    run_all()
    other = tmp_path_factory.mktemp("copy") / "home"
    shutil.copytree(inside.folder, other)
    done = inside.lth("run", "small", "--recompute", "--rounds", "0", check=False, LTH_HOME=str(other))
    assert done.returncode == 2
    assert str(inside.folder) in done.stderr and "was the folder moved or copied" in done.stderr


def test_a_server_that_does_not_answer_is_named_at_once(place):
    done = place.here("run", "small", check=False, MLFLOW_TRACKING_URI="http://127.0.0.1:9")
    assert done.returncode == 2
    assert "http://127.0.0.1:9 does not answer" in done.stderr


def test_the_runs_of_an_experiment_are_the_same_from_the_database_and_from_a_server(inside, client, monkeypatch):
    """Superseded ones, series and those that were deleted are not among them."""
    from lth_pipeline.home import find_home
    from lth_pipeline.tracking import runs as tracking_runs
    from lth_pipeline.tracking.tracker import open_tracker

    run_all()
    inside.card("small", CHANGED)
    run_all()
    rounds = runs(client, "tags.`lth.kind` = 'round' and tags.`lth.status` = 'current'")
    client.delete_run(rounds[0].info.run_id)
    home = find_home()
    tracker = open_tracker(home.tracking_uri, home.mlflow, home.mlflow_ui)
    found = tracking_runs.run_ids(tracker, "small")
    monkeypatch.setattr(tracking_runs, "tags_of_runs", lambda *asked: None)
    assert found == tracking_runs.run_ids(tracker, "small")
    assert set(found.values()) == {run.info.run_id for run in rounds[1:]}
    assert tracking_runs.run_ids(tracker, "never run") == {}
