"""What no longer follows from its inputs is listed, all the way down, and `lth run` brings up to date just that."""

import json

import pytest

from lth_pipeline.orchestration.report import GATHERED
from lth_pipeline.recipes import load_cards
from lth_pipeline.recipes.analyses.catalog import ANALYSES
from lth_pipeline.recipes.recipe import CODE
from lth_pipeline_tests.orchestration.running import gather, materialise, opened
from lth_pipeline_tests.places import SMALL_CARD, Place

EVERY = [f"r{r:02d}_{stage}" for r in (1, 2) for stage in ("mask", "ticket", "trained", "control")]


@pytest.fixture(scope="module")
def once(tmp_path_factory):
    """The card `small`, replicate 0, run once for this file."""
    made = Place(tmp_path_factory.mktemp("once"))
    made.card("small", SMALL_CARD)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LTH_HOME", str(made.folder))
        with opened() as (definitions, instance):
            assert materialise(definitions, instance, "small", 0).success
            assert gather(definitions, instance, "small").success
    return made


@pytest.fixture
def done(once, tmp_path, monkeypatch):
    """A copy of that, for one test."""
    monkeypatch.setenv("LTH_HOME", str(tmp_path / "copy"))
    return once.copy(tmp_path / "copy")


def stale(home) -> dict[str, str]:
    """{asset: why} of replicate 0, as `lth status --stale` says it in this process."""
    from click.testing import CliRunner

    from lth_pipeline.commands.status import status

    said = CliRunner().invoke(status, ["small", "--stale"], catch_exceptions=False).output
    rows = [line.split("\t") for line in said.splitlines() if "\t" in line]
    return {asset: why for partition, asset, why in rows if partition in ("small", "small|0")}


def test_nothing_is_stale_after_a_run(done):
    assert stale(done) == {}


def test_a_change_of_training_makes_every_training_stale_and_all_below(done):
    done.card("small", SMALL_CARD.replace("iterations: 90", "iterations: 120"))
    found = stale(done)
    assert found.keys() == {"r00_trained", *EVERY, *GATHERED}  # the initial weights do not depend on it
    assert found["r00_trained"] == "training.iterations: 90 → 120"
    assert found["r02_ticket"].startswith("follows r02_mask")


def test_a_change_of_pruning_leaves_the_dense_network_alone(done):
    done.card("small", SMALL_CARD.replace("output_rate: 0.2", "output_rate: 0.3"))
    assert stale(done).keys() == {*EVERY, *GATHERED}


def test_a_change_that_concerns_one_stage_only_leaves_the_others(done):
    """Other arms: the control is another asset's business, tickets and masks stay."""
    done.card("small", SMALL_CARD.replace("arms: [ticket, reinit]", "arms: [ticket]"))
    assert stale(done).keys() == {"r01_control", "r02_control", *GATHERED}


def test_a_change_of_code_is_seen(done, monkeypatch):
    monkeypatch.setitem(CODE, "reinit", CODE["reinit"] + 1)
    found = stale(done)
    assert found.keys() == {"r01_control", "r02_control", *GATHERED}


def test_a_change_without_consequence_makes_nothing_stale(done):
    done.card("small", SMALL_CARD.replace("seconds", "a few seconds").replace("rounds: 2", "rounds: 3"))
    assert stale(done).keys() == {"report"}  # which shows the whole card


def test_a_lost_artifact_is_seen(done):
    for path in (done.store / "recipes").rglob("*.json"):
        record = json.loads(path.read_text())["record"]
        if record["recipe"]["kind"] == "trained" and record["made_by"]["step"] == "round 1 ticket trained":
            (done.store / "objects" / record["version"][:2] / f"{record['version']}.safetensors").unlink()
    found = stale(done)
    assert found["r01_trained"] == "its artifact is gone from the store, or was computed anew with other bits"
    assert found.keys() >= {"r02_mask", "r02_trained", *GATHERED} and "r01_control" not in found


def test_run_brings_up_to_date_just_what_is_stale(inside):
    """In real processes: after a change of pruning, the dense network is not materialised again."""
    with opened() as (definitions, instance):
        assert materialise(definitions, instance, "small", 0).success
        assert gather(definitions, instance, "small").success
    inside.card("small", SMALL_CARD.replace("output_rate: 0.2", "output_rate: 0.3"))
    before = {path.stem for path in (inside.store / "recipes").rglob("*.json")}
    inside.lth("run", "small", "--replicates", "0")
    assert stale(inside) == {}
    new = {path.stem for path in (inside.store / "recipes").rglob("*.json")} - before
    made = [
        json.loads(path.read_text())["record"]["recipe"]["kind"]
        for path in (inside.store / "recipes").rglob("*.json")
        if path.stem in new
    ]
    kinds = [kind for kind in made if kind not in ANALYSES]
    assert sorted(kinds) == sorted(["mask", "ticket", "reinit", "trained", "trained"] * 2)
    with opened() as (_, instance):
        latest = instance.get_runs(limit=10)
        rounds = [run for run in latest if run.job_name == "small"]
        assert {key.to_user_string() for key in rounds[0].asset_selection} == set(EVERY)


def test_a_branch_is_recorded_with_whose_work_it_reuses(inside):
    """Through Dagster's API: the parent's rounds are not trained again, and both sides of the lineage say so."""
    from mlflow import MlflowClient

    from lth_pipeline_tests.orchestration.running import materialisations, versions

    inside.card("gentler", "branch_of: {experiment: small, round: 2}\npruning: {rates: {fc: 0.1}}\n")
    assert load_cards([inside.folder / "experiments"])["gentler"].branch_of.round == 2
    with opened() as (definitions, instance):
        parent = materialise(definitions, instance, "small", 0)
        result = materialise(definitions, instance, "gentler", 0)
    assert result.success
    shown = {name: made.metadata for name, made in materialisations(result).items()}
    for name in ("r00_trained", "r01_mask", "r01_trained", "r01_control"):
        assert versions(result)[name] == versions(parent)[name]
        assert shown[name]["came from"].value.startswith("found in the store: made for small, replicate 0, round")
        assert shown[name]["branch"].value.endswith("is taken over from small")
    assert shown["r02_trained"]["came from"].value == "computed"
    assert "branch" not in shown["r02_trained"]

    client = MlflowClient(tracking_uri=f"sqlite:///{inside.folder}/mlflow/mlflow.db")
    experiment = client.get_experiment_by_name("gentler").experiment_id
    runs = {
        (run.data.tags["lth.round"], run.data.tags["lth.arm"]): run.data.tags
        for run in client.search_runs([experiment], "tags.`lth.kind` = 'round'")
    }
    reused = client.get_run(runs["1", "ticket"]["lth.reused_from_run"]).data.tags
    assert (reused["lth.experiment"], reused["lth.round"], reused["lth.arm"]) == ("small", "1", "ticket")
    assert runs["1", "ticket"]["lth.round_of"] == "small"
    assert "lth.reused_from_run" not in runs["2", "ticket"]
    assert client.get_run(runs["2", "ticket"]["lth.mask_from_run"]).data.tags["lth.experiment"] == "gentler"


def test_run_leaves_nothing_stale_however_deep_or_far(inside):
    """Round 3 and replicate 3 are beyond the card; after a change, plain `lth run` brings them up to date too."""
    with opened() as (definitions, instance):
        assert materialise(definitions, instance, "small", 0).success
        deeper = ["r03_mask", "r03_ticket", "r03_trained", "r03_control"]
        assert materialise(definitions, instance, "small", 0, deeper, job="every_round").success
        assert materialise(definitions, instance, "small", 3).success
    inside.card(
        "small", SMALL_CARD.replace("iterations: 90", "iterations: 120").replace("replicates: 2", "replicates: 1")
    )
    inside.lth("run", "small")
    assert inside.here("status", "--stale").stdout.strip() == "Nothing is stale."


def test_a_round_asked_for_alone_brings_what_it_needs_in_sight(place):
    """Rounds 0 and 1 are not there: they are run as assets of their own, with records, checks and MLflow runs."""
    from lth_pipeline_tests.commands.reading import results

    place.lth("run", "small", "--rounds", "2", "--replicates", "0")
    rows = [(row["round"], row["arm"], len(row["mlflow_run_id"])) for row in results(place, "small")]
    assert rows == [("0", "dense", 32), ("1", "ticket", 32), ("2", "ticket", 32), ("2", "reinit", 32)]
