"""Replicates that train side by side, through Dagster's API: one run trains them, the next finds and logs its own."""

import pytest

from lth_pipeline.tracking.tracker import open_tracker
from lth_pipeline_tests.orchestration.running import materialisations, materialise, opened
from lth_pipeline_tests.places import SMALL_CARD, Place

LAST = [
    "r00_initial_weights",
    "r00_rewind_weights",
    "r00_trained",
    "r01_mask",
    "r01_ticket",
    "r01_trained",
    "r01_control",
]


@pytest.fixture(scope="module")
def lottery(tmp_path_factory):
    """Replicates 0 and 1 of `small`, through round 1: (MLflow's client, the two results)."""
    from mlflow import MlflowClient

    from lth_pipeline.home import find_home

    patch = pytest.MonkeyPatch()
    made = Place(tmp_path_factory.mktemp("together"))
    made.card("small", SMALL_CARD)
    made.card("twig", "branch_of: {experiment: small, round: 2}\npruning: {rates: {fc: 0.3}}\n")
    patch.setenv("LTH_HOME", str(made.folder))
    patch.setenv("LTH_TOGETHER", "50")
    with opened() as (definitions, instance):
        results = [materialise(definitions, instance, "small", replicate, LAST) for replicate in (0, 1)]
        results.append(materialise(definitions, instance, "twig", 1, LAST))
        assert all(result.success for result in results)
        home = find_home()
        open_tracker(home.tracking_uri, home.mlflow, home.mlflow_ui)
        yield MlflowClient(tracking_uri=f"sqlite:///{made.folder}/mlflow/mlflow.db"), results
    patch.undo()


def test_the_second_run_finds_what_the_first_trained_for_it(lottery):
    _, (first, second, _) = lottery
    for name in ("r00_trained", "r01_trained", "r01_control"):
        shown = {r: materialisations(result)[name].metadata for r, result in enumerate((first, second))}
        assert "together" in shown[0]["computed on"].value and "together" in shown[1]["computed on"].value
        assert shown[1]["came from"].value.startswith("found in the store: made for small, replicate 1")
    came = {materialisations(first)[name].metadata["came from"].value for name in ("r01_trained", "r01_control")}
    assert "computed" in came and len(came) == 2  # whichever came first trained the other


def test_each_replicate_has_runs_of_its_own_in_mlflow(lottery):
    client, _ = lottery
    experiment = client.get_experiment_by_name("small").experiment_id
    runs = client.search_runs([experiment], "tags.`lth.kind` = 'round'", max_results=100)
    found = sorted(
        (run.data.tags["lth.replicate"], run.data.tags["lth.round"], run.data.tags["lth.arm"]) for run in runs
    )
    assert found == sorted((r, *what) for r in "01" for what in (("0", "dense"), ("1", "ticket"), ("1", "reinit")))
    for run in runs:
        assert "together" in run.data.tags["lth.route"] and "lth.reused_from" not in run.data.tags
        assert len(client.get_metric_history(run.info.run_id, "test_accuracy")) > 2


def test_a_branch_names_the_run_of_what_it_takes_over(lottery):
    """The record of a network that was trained beside another's names none: its run came later."""
    client, _ = lottery
    theirs, ours = (
        {
            run.data.tags["lth.arm"]: run
            for run in client.search_runs(
                [client.get_experiment_by_name(name).experiment_id],
                "tags.`lth.kind` = 'round' and tags.`lth.replicate` = '1'",
            )
        }
        for name in ("small", "twig")
    )
    assert ours.keys() == {"dense", "ticket", "reinit"}
    for arm, run in ours.items():
        assert run.data.tags["lth.reused_from_run"] == theirs[arm].info.run_id


def test_every_check_holds(lottery):
    for result in lottery[1]:
        assert all(check.passed for check in result.get_asset_check_evaluations())
