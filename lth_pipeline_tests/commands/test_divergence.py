"""A training that diverges is a record, not a crash: its sweep ends well, and nothing is tried again and again."""

from lth_pipeline_tests.commands.reading import results
from lth_pipeline_tests.orchestration.running import materialisations, materialise, opened

WILD = """\
description: a learning rate that no network survives
data: {name: digits, validation_size: 200}
model: {name: mlp, widths: [24, 12]}
training: {optimiser: sgd, learning_rate: 1e30, batch_size: 32, iterations: 90, evaluate_every: 30}
pruning: {scope: layerwise, rates: {fc: 0.4}, output_rate: 0.2, rounds: 2}
replicates: 1
"""


def test_a_dense_network_that_diverges_leaves_out_what_lies_below(place):
    place.card("wild", WILD)
    first = place.lth("run", "wild")
    assert "Diverged, left out of means: dense of round 0 in replicate 0." in first.stdout.replace("\n", " ")
    (row,) = results(place, "wild")
    assert (row["round"], row["arm"], row["diverged_at"]) == ("0", "dense", "30")
    assert "up to date" in place.here("run", "wild").stdout  # there is nothing to try again
    line = next(line for line in place.here("status", "wild").stdout.splitlines() if line.split()[:2] == ["wild", "0"])
    assert line.split()[2:7] == ["0", "3", "0", "0", "8"]  # deepest round, fresh, stale, missing, left out
    assert "what was trained diverged" in (place.folder / "reports" / "wild" / "report.html").read_text()
    _look_at_the_records(place)


def _look_at_the_records(place) -> None:
    """MLflow and Dagster say where it diverged."""
    from dagster import DagsterInstance
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{place.folder / 'mlflow' / 'mlflow.db'}")
    (run,) = client.search_runs([client.get_experiment_by_name("wild").experiment_id], "tags.`lth.kind` = 'round'")
    assert (run.data.tags["lth.diverged_at"], run.info.status) == ("30", "FINISHED")
    with DagsterInstance.from_config(str(place.folder / ".lth" / "dagster")) as instance:
        statuses = {run.status.value for run in instance.get_runs()}
        events = instance.all_logs(next(run.run_id for run in instance.get_runs() if run.job_name == "wild"))
    assert statuses == {"SUCCESS"}
    checks = {
        (check.asset_key.to_user_string(), check.check_name): check
        for event in events
        if event.is_dagster_event and event.dagster_event.event_type_value == "ASSET_CHECK_EVALUATION"
        for check in [event.dagster_event.event_specific_data]
    }
    dense = checks["r00_trained", "training_did_not_diverge"]
    assert not dense.passed and "iteration 30" in dense.description
    mask = checks["r01_mask", "counts_follow_the_ladder"]
    assert not mask.passed and "there is nothing to prune" in mask.description
    skipped = {event.step_key for event in events if event.is_dagster_event and event.dagster_event.is_step_skipped}
    assert {"r01_ticket", "r01_trained", "r01_control", "r02_mask"} <= skipped


def test_a_branch_of_a_parent_that_diverged_is_left_out_too(inside):
    inside.card("wild", WILD)
    inside.card("calm", "branch_of: {experiment: wild, round: 1}\ntraining: {learning_rate: 0.1}\n")
    with opened() as (definitions, instance):
        for name in ("wild", "calm"):
            done = materialise(definitions, instance, name, 0)
            assert done.success
            assert sorted(materialisations(done)) == ["r00_initial_weights", "r00_rewind_weights", "r00_trained"]
