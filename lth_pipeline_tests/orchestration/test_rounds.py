"""A lottery through Dagster's API, and what Dagster and MLflow then show of it."""

import json

import pytest
from dagster import AssetKey
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
from dagster._core.loader import LoadingContextForTest  # Dagster's own way to ask what its pages ask

from lth_pipeline_tests.orchestration.running import RECOMPUTE, gather, materialisations, materialise, opened, versions
from lth_pipeline_tests.places import SMALL_CARD, Place


@pytest.fixture(scope="module")
def lottery(tmp_path_factory):
    """The card `small`, replicate 0, run once for all tests of this file: (place, definitions, instance, result)."""
    patch = pytest.MonkeyPatch()
    made = Place(tmp_path_factory.mktemp("lottery"))
    made.card("small", SMALL_CARD)
    patch.setenv("LTH_HOME", str(made.folder))
    with opened() as (definitions, instance):
        result = materialise(definitions, instance, "small", 0)
        assert result.success
        assert gather(definitions, instance, "small").success
        yield made, definitions, instance, result
    patch.undo()


@pytest.fixture
def client(lottery):
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=f"sqlite:///{lottery[0].folder}/mlflow/mlflow.db")


def runs(client, where: str) -> list:
    experiment = client.get_experiment_by_name("small").experiment_id
    return list(client.search_runs([experiment], where, max_results=1000))


def test_every_asset_of_the_card_is_materialised_in_one_run(lottery):
    *_, result = lottery
    assert sorted(materialisations(result)) == sorted(
        ["r00_initial_weights", "r00_rewind_weights", "r00_trained"]
        + [f"r0{r}_{stage}" for r in (1, 2) for stage in ("mask", "ticket", "trained", "control")]
    )


def test_a_materialisation_shows_what_a_person_asks_for(lottery):
    *_, result = lottery
    shown = {name: made.metadata for name, made in materialisations(result).items()}
    for name in ("r00_trained", "r02_trained", "r02_control"):
        assert {
            "density",
            "weights",
            "test accuracy at early stop",
            "test accuracy at end",
            "train accuracy at end",
            "early-stop iteration",
            "seconds",
            "iterations a second",
            "MLflow run",
            "learning curve",
        } <= shown[name].keys()
        assert shown[name]["learning curve"].value.startswith("![learning curve](data:image/png;base64,iVBOR")
        assert "workflowType=machine_learning" in shown[name]["MLflow run"].value
    sizes = (64 * 24, 24 * 12, 12 * 10)
    kept = sum(round(size * rate**2) for size, rate in zip(sizes, (0.6, 0.6, 0.8), strict=True))
    assert shown["r02_mask"]["weights"].value == kept
    assert shown["r02_mask"]["density"].value == pytest.approx(kept / sum(sizes), abs=1e-6)


def test_the_invariants_are_checked_in_every_round(lottery):
    *_, result = lottery
    checks = {(e.asset_key.to_user_string(), e.check_name): e.passed for e in result.get_asset_check_evaluations()}
    assert all(checks.values())
    for r in ("r01", "r02"):
        assert {
            (f"{r}_mask", "inside_the_mask_before"),
            (f"{r}_mask", "counts_follow_the_ladder"),
            (f"{r}_ticket", "survivors_equal_the_rewind_point"),
            (f"{r}_trained", "pruned_weights_are_zero"),
            (f"{r}_control", "starts_from_other_weights"),
        } <= checks.keys()


def test_a_broken_invariant_fails_its_check_and_stops_what_lies_below(lottery, monkeypatch):
    """The mask of replicate 7 is tampered with on its way: one weight too many survives."""
    from lth_pipeline.recipes import pruning

    honest = pruning.prune

    def one_too_many(mask, score, keep, ranked, **how):
        return honest(mask, score, {name: count + 1 for name, count in keep.items()}, ranked, **how)

    monkeypatch.setattr(pruning, "prune", one_too_many)
    _, definitions, instance, _ = lottery
    result = materialise(definitions, instance, "small", 7)
    assert not result.success
    failed = {e.check_name for e in result.get_asset_check_evaluations() if not e.passed}
    assert failed == {"counts_follow_the_ladder"}
    assert "r01_ticket" not in materialisations(result)


def test_mlflow_has_a_series_for_each_arm_and_a_run_for_each_round(lottery, client):
    series = {
        run.data.tags["lth.arm"]: run
        for run in runs(client, "tags.`lth.kind` = 'series'")
        if run.data.tags["lth.replicate"] == "0"
    }
    assert series.keys() == {"ticket", "reinit"}
    for arm, run in series.items():
        assert run.info.run_name == f"{'ticket' if arm == 'ticket' else 'random reinit'} · replicate 0"
        for metric in ("test_accuracy_at_end", "early_stop_iteration", "remaining_percent"):
            points = client.get_metric_history(run.info.run_id, f"by_round/{metric}")
            assert sorted(point.step for point in points) == [0, 1, 2]
        children = runs(client, f"tags.`mlflow.parentRunId` = '{run.info.run_id}'")
        assert sorted(child.data.tags["lth.round"] for child in children) == (
            ["0", "1", "2"] if arm == "ticket" else ["1", "2"]
        )
        assert all(child.info.status == "FINISHED" for child in children)


def test_a_rounds_run_has_curve_parameters_lineage_and_artifacts(lottery, client):
    place, _, _, result = lottery
    (run,) = runs(client, "tags.`lth.round` = '2' and tags.`lth.arm` = 'ticket' and tags.`lth.replicate` = '0'")
    for metric in ("validation_loss", "validation_accuracy", "test_loss", "test_accuracy"):
        assert [p.step for p in client.get_metric_history(run.info.run_id, metric)] == [0, 30, 60, 90]
    assert [p.step for p in client.get_metric_history(run.info.run_id, "train_loss")] == [30, 60, 90]
    assert run.data.params["training.learning_rate"] == "0.002"
    assert run.data.params["round"] == "2"
    tags = run.data.tags
    assert tags["lth.dagster_run"] == result.run_id
    assert (tags["lth.asset"], tags["lth.partition"]) == ("r02_trained", "small|0")
    assert tags["lth.data_version"] == versions(result)["r02_trained"]
    before = client.get_run(tags["lth.mask_from_run"]).data.tags
    assert (before["lth.round"], before["lth.arm"]) == ("1", "ticket")
    names = {entry.path for entry in client.list_artifacts(run.info.run_id)}
    assert names == {
        "mask.safetensors",
        "weights.safetensors",
        "learning_curve.csv",
        "learning_curve.png",
        "summary.md",
    }
    summary = (
        place.folder / "mlflow" / "artifacts" / "small" / run.info.run_id / "artifacts" / "summary.md"
    ).read_text()
    assert "**ticket**" in summary and "fc1.weight" in summary


def test_the_artifacts_are_the_ticket(lottery, client, tmp_path):
    from safetensors.torch import load_file

    (run,) = runs(client, "tags.`lth.round` = '2' and tags.`lth.arm` = 'reinit' and tags.`lth.replicate` = '0'")
    folder = client.download_artifacts(run.info.run_id, "", str(tmp_path))
    mask, weights = load_file(f"{folder}/mask.safetensors"), load_file(f"{folder}/weights.safetensors")
    assert all((weights[name][~mask[name]] == 0).all() for name in mask)
    assert int(sum(m.sum() for m in mask.values())) == int(sum((weights[n] != 0).sum() for n in mask))


def stale_statuses(definitions, instance, partition: str) -> dict[str, StaleStatus]:
    graph = definitions.resolve_asset_graph()
    resolver = CachingStaleStatusResolver(instance, graph, LoadingContextForTest(instance))
    names = [f"r0{r}_{stage}" for r in (1, 2) for stage in ("mask", "ticket", "trained", "control")]
    return {name: resolver.get_status(AssetKey(name), partition) for name in names}


def test_recomputing_a_round_from_scratch_gives_the_same_versions_and_leaves_the_rest_fresh(lottery, client):
    _, definitions, instance, result = lottery
    assert set(stale_statuses(definitions, instance, "small|0").values()) == {StaleStatus.FRESH}
    chosen = ["r01_mask", "r01_ticket", "r01_trained", "r01_control"]
    again = materialise(definitions, instance, "small", 0, chosen, RECOMPUTE)
    assert again.success
    made = materialisations(again)
    assert all(made[name].metadata["came from"].value == "computed, again, with the same bits" for name in chosen)
    assert versions(again) == {name: versions(result)[name] for name in chosen}
    assert set(stale_statuses(definitions, instance, "small|0").values()) == {StaleStatus.FRESH}

    attempts = runs(client, "tags.`lth.round` = '1' and tags.`lth.arm` = 'ticket' and tags.`lth.replicate` = '0'")
    assert sorted(run.data.tags["lth.status"] for run in attempts) == ["current", "superseded"]
    new, old = sorted(attempts, key=lambda run: run.data.tags["lth.status"])
    assert old.data.tags["lth.superseded_by"] == new.info.run_id
    where = "tags.`lth.kind` = 'series' and tags.`lth.arm` = 'ticket' and tags.`lth.replicate` = '0'"
    (series,) = runs(client, where)  # the same points again: the series stands
    assert new.data.tags["mlflow.parentRunId"] == series.info.run_id
    points = client.get_metric_history(series.info.run_id, "by_round/remaining_percent")
    assert sorted(point.step for point in points) == [0, 1, 2]


def test_a_second_run_finds_everything_and_makes_no_new_run(lottery, client):
    _, definitions, instance, _ = lottery
    before = len(runs(client, "tags.`lth.kind` = 'round'"))
    again = materialise(definitions, instance, "small", 0)
    assert again.success
    assert all("found in the store" in made.metadata["came from"].value for made in materialisations(again).values())
    assert len(runs(client, "tags.`lth.kind` = 'round'")) == before


def test_rounds_beyond_the_cards_can_be_asked_for(lottery):
    _, definitions, instance, _ = lottery
    deeper = ["r03_mask", "r03_ticket", "r03_trained", "r03_control"]
    result = materialise(definitions, instance, "small", 0, deeper, job="every_round")
    assert result.success
    assert materialisations(result)["r03_mask"].metadata["density"].value < 0.25


def test_the_results_are_one_table_and_two_figures(lottery, client):
    _, definitions, instance, _ = lottery
    result = gather(definitions, instance, "small")
    shown = materialisations(result)["results"].metadata
    assert shown["dagster/row_count"].value >= 5
    for name in ("test accuracy", "early stop"):
        assert "data:image/png;base64,iVBOR" in shown[name].value
    assert "| ticket |" in shown["table"].value
    found = [run for run in runs(client, "tags.`lth.kind` = 'results'") if run.data.tags["lth.status"] == "current"]
    assert len(found) == 1
    names = {entry.path for entry in client.list_artifacts(found[0].info.run_id)}
    assert names == {"results.csv", "accuracy_by_density.png", "early_stop_by_density.png"}


def test_the_record_says_by_what_it_was_made(lottery):
    place, *_ = lottery
    records = [json.loads(path.read_text())["record"] for path in (place.store / "recipes").rglob("*.json")]
    assert all(record["route"]["device"] == "cpu" and record["route"]["threads"] == 1 for record in records)
    assert {record["made_by"]["experiment"] for record in records} == {"small"}
