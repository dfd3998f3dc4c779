"""A ticket of the digits on MNIST-1D, from the CLI: the source is run first, and lineage crosses in both stores."""

import pytest
from dagster import AssetKey

from lth_pipeline_tests.orchestration.running import opened

SOURCE = """\
data: {name: digits, validation_size: 200}
model: {name: mlp, widths: [24, 12]}
training: {optimiser: adam, learning_rate: 2e-3, batch_size: 32, iterations: 90, evaluate_every: 30}
pruning: {scope: layerwise, rates: {fc: 0.4}, rounds: 3}
arms: [ticket, reinit]
replicates: 2
"""
TAKER = """\
based_on: source
data: {name: mnist1d, validation_size: 500, train_size: 1000, test_size: 500}
ticket_from: {experiment: source, round: 2}
pruning: {rounds: 1}
replicates: 1
"""


@pytest.fixture
def done(inside):
    inside.card("source", SOURCE)
    inside.card("taker", TAKER)
    inside.lth("run", "taker")
    return inside


def observations(instance, asset: str) -> list:
    return [record.asset_observation for record in instance.fetch_observations(AssetKey(asset), limit=10).records]


def test_the_source_is_run_as_far_as_needed_and_both_say_so(done):
    from mlflow import MlflowClient

    with opened() as (_, instance):
        assert instance.get_materialized_partitions(AssetKey("r02_mask")) == {"source|0"}
        assert instance.get_materialized_partitions(AssetKey("r02_trained")) == set()  # the mask is all that is taken
        assert instance.get_materialized_partitions(AssetKey("r01_trained")) == {"source|0", "taker|0"}
        assert instance.get_materialized_partitions(AssetKey("r01_control")) == {"taker|0"}
        made = {
            name: instance.get_latest_materialization_event(AssetKey(name)).asset_materialization.metadata
            for name in ("r01_mask", "r00_rewind_weights")
        }
        (told,) = observations(instance, "r02_mask")
    for metadata in made.values():
        assert metadata["ticket from"].value == "source, replicate 0, round 2"
        assert metadata["layers that are fresh here"].value == "fc1"  # 40 inputs in place of 64
    assert "/assets/r02_mask?view=partitions&partition=source%7C0" in made["r01_mask"]["ticket from, its page"].value
    assert told.partition == "source|0" and told.metadata["taken over by"].value == "taker, replicate 0, r01_mask"
    assert "partition=taker%7C0" in told.metadata["its page"].value

    client = MlflowClient(tracking_uri=f"sqlite:///{done.folder}/mlflow/mlflow.db")
    mine, source = (client.get_experiment_by_name(name).experiment_id for name in ("taker", "source"))
    (run,) = client.search_runs([mine], "tags.`lth.arm` = 'ticket' and tags.`lth.kind` = 'round'")
    assert run.data.tags["lth.ticket_from"] == "source, round 2" and run.data.tags["lth.fresh_layers"] == "fc1"
    parent = client.get_run(run.data.tags["lth.ticket_from_run"])
    assert parent.info.experiment_id == source and parent.data.tags["lth.round"] == "1"  # what the mask was pruned from
    assert parent.data.tags["lth.ticket_taken_by.taker"] == "replicate 0"
    assert run.data.tags["lth.ticket_from_run"] in run.data.tags["mlflow.note.content"]
    report = (done.folder / "reports" / "taker" / "report.html").read_text()
    assert "Round 1 is the ticket of source, round 2" in report and "fresh and whole: fc1" in report
    assert "the ticket of source, round 2" in done.here("show", "taker").stdout.replace("\n", " ")
    a_changed_source_makes_what_took_its_ticket_stale(done)


def a_changed_source_makes_what_took_its_ticket_stale(done):
    done.card("source", SOURCE.replace("2e-3", "3e-3"))
    done.card("taker", TAKER + "training: {learning_rate: 2e-3}\n")  # only the source's changes
    stale = done.here("status", "taker", "--stale").stdout
    assert "r01_mask" in stale and "r00_trained" not in stale
