"""The asset `published_ticket`, through Dagster's API: what it registers in MLflow, and what it refuses.

One place for all; its tests go from nothing to what is there, in their order. A card whose margin is so wide that every
round matches, the same with too few replicates to say so, and one whose tickets are pruned to almost nothing.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
from dagster import AssetCheckKey, AssetKey, DagsterInstance

from lth_pipeline.lottery.data import DataDirs
from lth_pipeline.orchestration.publish import CHECK, JOB, NAME, PUBLISHED, published_in
from lth_pipeline.recipes import Store, Workshop, load_cards, promotion
from lth_pipeline.recipes.published import read_ticket
from lth_pipeline.recipes.small import ticket_of
from lth_pipeline.tracking.garbage import removable
from lth_pipeline.tracking.registered import fetch_file, resolve
from lth_pipeline.tracking.registry import aliases_of, versions
from lth_pipeline.tracking.tracker import Tracker, open_tracker
from lth_pipeline_tests.orchestration.running import materialisations, opened
from lth_pipeline_tests.places import SMALL_CARD, Place

WIDE = SMALL_CARD.replace("replicates: 2", "replicates: 3").replace("arms: [ticket, reinit]", "arms: [ticket]")
WIDE += "analysis: {margin: 0.2, resamples: 200}\n"
BAD = WIDE.replace("rates: {fc: 0.4}, output_rate: 0.2, rounds: 2", "rates: {fc: 0.99}, output_rate: 0.99, rounds: 1")
CARDS = {"wide": WIDE, "few": "based_on: wide\nreplicates: 2\n", "bad": BAD}
FILES = {"MODEL_CARD.md", "lth_network.py", "model", "network.safetensors", "ticket.onnx", "ticket.safetensors"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory, furnished) -> Place:
    """A place whose store has the trainings of all cards; Dagster and MLflow know nothing of them."""
    place = furnished(tmp_path_factory.mktemp("published"))
    for name, text in CARDS.items():
        place.card(name, text)
    shop, cards = workshop(place), load_cards([place.folder / "experiments"])
    for name in CARDS:
        for replicate in range(cards[name].replicates):
            chain = shop.chain(cards, name, replicate)
            for round in range(cards[name].pruning.rounds + 1):
                shop.make(chain, chain.main(round))
    return place


@pytest.fixture
def inside(trained, monkeypatch) -> Place:
    """The same, and this process in it."""
    for name in ("DAGSTER_HOME", "MLFLOW_TRACKING_URI", "LTH_STORE_DIR", "LTH_EXPERIMENTS_DIR", "LTH_DEVICE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LTH_HOME", str(trained.folder))
    return trained


def workshop(place: Place) -> Workshop:
    return Workshop(Store(place.store), DataDirs(Path("data"), place.folder / "cache"), device="cpu")


def tracker_of(place: Place) -> Tracker:
    return open_tracker(f"sqlite:///{place.folder}/mlflow/mlflow.db", place.folder / "mlflow", "http://ui")


def published(experiment: str, **config) -> list[dict]:
    """What the asset says that it has published."""
    result = run(experiment, **config)
    assert result.success
    made = materialisations(result)[NAME]
    assert "not_worse" not in made.metadata and any(key.endswith("model card") for key in made.metadata)
    return made.metadata[PUBLISHED].value


def refused(experiment: str, **config) -> str:
    """Why nothing was published."""
    result = run(experiment, **config)
    assert not result.success and not materialisations(result)
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    error = failure.step_failure_data.error
    while error.cause is not None and error.cls_name != "Failure":
        error = error.cause
    return error.message


def run(experiment: str, **config):
    with opened() as (definitions, instance):
        return definitions.resolve_job_def(JOB).execute_in_process(
            instance=instance,
            partition_key=experiment,
            run_config={"ops": {NAME: {"config": config}}},
            raise_on_error=False,
        )


def check_of(instance: DagsterInstance, experiment: str):
    """(whether the last check of an experiment passed, what it said)"""
    key = AssetCheckKey(AssetKey(NAME), CHECK)
    records = instance.event_log_storage.get_asset_check_execution_history(key, limit=20)
    said = [record.event.dagster_event.asset_check_evaluation_data for record in records]
    last = next(each for each in said if each.partition == experiment)
    return last.passed, last.description


def test_what_is_worse_than_dense_is_refused_and_nothing_is_registered(inside):
    assert "not published: no ticket is shown to match" in refused("bad")
    named = refused("bad", round=1)
    assert "Beyond the margin of 20.00" in named
    with opened() as (_, instance):
        passed, said = check_of(instance, "bad")
    assert not passed and said in named
    tracker = tracker_of(inside)
    assert not versions(tracker, "bad") and not aliases_of(tracker, "bad")


def test_with_too_few_replicates_a_ticket_is_published_by_name_alone(inside):
    assert "2 replicates show nothing" in refused("few")
    (one,) = published("few", round=2)
    assert one["aliases"] == ["chosen"] and one["version"] == "1"
    with opened() as (_, instance):
        passed, said = check_of(instance, "few")
    assert passed and "That shows little: 2 replicates may differ by chance" in said


def test_by_rule_the_sparsest_and_the_best_are_published(inside):
    found = published("wide")
    tracker = tracker_of(inside)
    assert aliases_of(tracker, "wide") == {alias: one["version"] for one in found for alias in one["aliases"]}
    assert found[0]["aliases"][0] == "sparsest-matching" and found[0]["round"] == 2
    assert {alias for one in found for alias in one["aliases"]} == {"sparsest-matching", "best"}
    version = resolve(tracker, "wide", alias="sparsest-matching")
    shop, cards = workshop(inside), load_cards([inside.folder / "experiments"])
    ticket = ticket_of(shop, shop.chain(cards, "wide", found[0]["replicate"]), 2)
    about = ticket.about
    assert version.tags["lth.data_version"] == about["versions"]["trained"]
    assert float(version.tags["lth.test_accuracy"]) == pytest.approx(about["accuracy"]["test"], abs=1e-6)
    assert float(version.tags["lth.dense_test_accuracy"]) == pytest.approx(about["accuracy"]["dense"], abs=1e-6)
    more = ("experiment", "replicate", "round", "density", "recipe", "chosen_by", "margin")
    assert {f"lth.{name}" for name in more} <= version.tags.keys()
    assert {file.path for file in tracker.client.list_artifacts(version.run_id)} == FILES


def test_mlflow_loads_a_version_and_says_what_the_ticket_says(inside, monkeypatch, tmp_path):
    import mlflow

    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracker_of(inside).uri)
    monkeypatch.chdir(tmp_path)
    model = mlflow.pyfunc.load_model("models:/wide@sparsest-matching")
    shop, cards = workshop(inside), load_cards([inside.folder / "experiments"])
    tags = resolve(tracker_of(inside), "wide", alias="sparsest-matching").tags
    ticket = ticket_of(shop, shop.chain(cards, "wide", int(tags["lth.replicate"])), 2)
    images = ticket.data.test.images[:50]
    images = images if images.is_floating_point() else images.float() / 255
    (said,) = model.predict(images.numpy()).values()
    mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (ticket.mean, ticket.std))
    expected = ticket.model.logits(ticket.weights, (images - mean) / std).detach().numpy()
    assert np.abs(said - expected).max() <= 1e-5 * max(1, np.abs(expected).max())
    assert model.metadata.signature.inputs.inputs[0].shape == (-1, 1, 8, 8)
    assert model.input_example.shape == (2, 1, 8, 8)
    requirements = {line.split("==")[0] for line in Path(model_folder(inside), "requirements.txt").read_text().split()}
    assert requirements == {"mlflow", "onnx", "onnxruntime", "numpy"}


def model_folder(place: Place) -> Path:
    tracker = tracker_of(place)
    run = tracker.client.get_run(resolve(tracker, "wide", alias="sparsest-matching").run_id)
    return Path(run.info.artifact_uri.removeprefix("file://")) / "model"


def test_the_file_for_retraining_is_the_ticket(inside, tmp_path):
    tracker = tracker_of(inside)
    version = resolve(tracker, "wide", alias="sparsest-matching")
    ticket = read_ticket(fetch_file(tracker, version.run_id, "ticket.safetensors", tmp_path))
    assert (ticket.facts["experiment"], ticket.facts["round"]) == ("wide", 2)
    assert ticket.facts["versions"]["trained"] == version.tags["lth.data_version"]


def test_the_same_ticket_again_is_the_same_version_and_an_alias_moves(inside):
    tracker = tracker_of(inside)
    before, count = aliases_of(tracker, "wide"), len(versions(tracker, "wide"))
    assert [one["is_new"] for one in published("wide")] == [False] * count
    assert aliases_of(tracker, "wide") == before and len(versions(tracker, "wide")) == count
    taken = {version.tags["lth.replicate"] for version in versions(tracker, "wide")}
    other = next(each for each in range(3) if str(each) not in taken)
    (one,) = published("wide", round=1, replicate=other, alias="prod")
    assert one["is_new"] and aliases_of(tracker, "wide") == {**before, "prod": one["version"]}
    first, *_ = published("wide", alias="prod")
    assert aliases_of(tracker, "wide") == {**before, "prod": first["version"]}
    assert len(versions(tracker, "wide")) == count + 1


def test_a_publishing_is_told_as_it_was_whatever_others_did_since(inside):
    """One of them under a name that is too long for a file's: 512 bytes."""
    first, second = run("wide", round=1, replicate=0, name="ü" * 256), run("wide", round=2, replicate=0)
    with opened() as (_, instance):
        told = [published_in(instance, each.run_id) for each in (first, second)]
        assert published_in(instance, "none") == ([], "")
    assert [(published[0]["round"], refused) for published, refused in told] == [(1, ""), (2, "")]


def test_where_the_best_is_refused_that_is_told(inside, monkeypatch):
    """And its alias stays. Here the rule's own `judge` refuses it, as it would one that got worse to its end."""
    judge = promotion.judge

    def strict(found, rows, candidate, margin):
        judged = judge(found, rows, candidate, margin)
        return judged._replace(passed=False, why="Beyond it.") if "best" in candidate.aliases else judged

    monkeypatch.setattr(promotion, "judge", strict)
    monkeypatch.setattr(promotion, "best_round", lambda found, rows: promotion.Chosen(1, "the best"))
    before = aliases_of(tracker_of(inside), "wide")
    result = run("wide")
    with opened() as (_, instance):
        (one,), refused = published_in(instance, result.run_id)
        passed, said = check_of(instance, "wide")
    assert passed and refused in said and one["aliases"] == ["sparsest-matching"]
    assert refused == f"best was not published: Beyond it. (best stays version {before['best']})"
    assert aliases_of(tracker_of(inside), "wide") == before


def test_what_a_version_refers_to_is_no_garbage(inside):
    """Neither the run of one without an alias, nor those of cards that are gone."""
    tracker = tracker_of(inside)
    runs = {version.run_id for name in ("wide", "few") for version in versions(tracker, name)}
    assert len(runs) >= 3 and {*aliases_of(tracker, "wide").values()} < {
        str(version.version) for version in versions(tracker, "wide")
    }
    assert not runs & {run.id for run in removable(tracker, lambda run: False, cards=[]).remove}
    gone = versions(tracker, "few")[0]
    tracker.client.delete_model_version("few", gone.version)
    assert {run.id for run in removable(tracker, lambda run: False).remove} == {gone.run_id}


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"round": 9}, "round 9: there is no trained ticket of it; there are those of round 1, 2"),
        ({"round": 1, "replicate": 7}, "there are replicate 0, 1, 2 of that round"),
        ({"name": "a/b"}, "'a/b' is no name for a registered model"),
        ({"round": 1, "alias": "best"}, "'best' is given by the rule alone"),
    ],
)
def test_what_cannot_be_is_said(inside, config, says):
    assert says in refused("wide", **config)
