"""`lth gc`: what goes after a change of card, what stays, and when it does nothing at all."""

import json

import pytest
import torch
from click.testing import CliRunner

from lth_pipeline.cli import lth
from lth_pipeline.recipes import Step, Store
from lth_pipeline.recipes.recipe import Recipe
from lth_pipeline_tests.commands.test_run import begun_run
from lth_pipeline_tests.orchestration.running import RECOMPUTE, gather, materialisations, materialise, opened
from lth_pipeline_tests.places import SMALL_CARD

SMALL = SMALL_CARD.replace("arms: [ticket, reinit]\nreplicates: 2", "arms: [ticket]\nreplicates: 1")
TAKER = """\
based_on: small
data: {name: mnist1d, validation_size: 500, train_size: 1000, test_size: 500}
training: {iterations: 90}
ticket_from: {experiment: small, round: 1}
pruning: {rounds: 1}
"""


def call(*arguments: str, answer: str = "", code: int = 0) -> str:
    """What a command says, in this process."""
    done = CliRunner().invoke(lth, [*arguments], input=answer)
    if code != 2:  # our own errors, which main() makes a message of
        assert done.exit_code == code, (done.output, done.exception)
        return done.output
    assert done.exception and done.exit_code, done.output
    return str(done.exception)


def files(place) -> dict[str, int]:
    folders = (place.store, place.folder / "mlflow" / "artifacts")
    paths = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return {str(path): path.stat().st_size for path in paths if path.name != ".lock"}


def trainings(place) -> set[str]:
    """What is in the store, with its iterations."""
    found = set()
    for path in (place.store / "recipes").rglob("*.json"):
        record = json.loads(path.read_text())["record"]
        if record["recipe"]["kind"] == "trained":
            about = record["made_by"]
            found.add(f"{about['experiment']}: {about['step']}, {record['facts']['iterations']}")
    return found


def runs(place) -> dict[str, dict[str, str]]:
    """Tags of every run in MLflow, by its id."""
    from mlflow import MlflowClient
    from mlflow.entities import ViewType

    client = MlflowClient(tracking_uri=f"sqlite:///{place.folder}/mlflow/mlflow.db")
    ids = [experiment.experiment_id for experiment in client.search_experiments()]
    return {run.info.run_id: run.data.tags for run in client.search_runs(ids, run_view_type=ViewType.ALL)}


def shown() -> list[str]:
    """What is stale, and the results."""
    return [call("status", "--stale"), call("results", "small", "--format", "csv")]


def to_do(name: str) -> dict:
    """What `lth run` would plan."""
    from lth_pipeline.commands.common import places, workshop
    from lth_pipeline.orchestration.partitions import deepest_round
    from lth_pipeline.orchestration.plan import plan
    from lth_pipeline.orchestration.status import read_records
    from lth_pipeline.tracking.runs import run_ids
    from lth_pipeline.tracking.tracker import open_tracker

    home, cards = places()
    tracker, deepest = open_tracker(home.tracking_uri, home.mlflow, home.mlflow_ui), deepest_round(cards)
    with opened() as (_, instance):
        recorded = read_records(instance, deepest)
    return plan(cards, name, workshop(home), recorded, run_ids(tracker, name), deepest)


def run(name: str) -> None:
    with opened() as (definitions, instance):
        assert materialise(definitions, instance, name, 0).success
        if name == "small":
            assert gather(definitions, instance, name).success


def test_after_a_change_what_was_replaced_goes_and_what_others_use_stays(inside):
    inside.card("small", SMALL)
    inside.card("taker", TAKER)
    for name in ("small", "taker"):
        run(name)
    inside.card("small", SMALL.replace("iterations: 90", "iterations: 120"))
    assert "Nothing to remove" in call("gc", "--yes"), "what Dagster and MLflow hold as current went"
    run("small")
    before, whole, said = files(inside), trainings(inside), shown()

    told = call("gc", answer="n\n", code=1)
    assert "MLflow runs" in told and "small" in told and "taker" not in told and "Aborted" in told
    assert files(inside) == before

    told = call("gc", answer="y\n")
    left, tags = files(inside), runs(inside)
    # the taker's mask was made from round 0, and its runs name that of round 0
    assert whole - trainings(inside) == {f"small: round {gone} trained, 90" for gone in ("1 ticket", "2 ticket")}
    assert "Freed" in told and left.keys() < before.keys() and left.items() <= before.items()
    old = [(tag["lth.kind"], tag.get("lth.round")) for tag in tags.values() if tag["lth.status"] == "superseded"]
    assert old == [("round", "0")]
    named = {tag[key] for tag in tags.values() for key in POINTERS if key in tag}
    assert named and named <= tags.keys()
    assert {path.parent.name for path in (inside.folder / "mlflow" / "artifacts").glob("*/*/artifacts")} <= tags.keys()

    assert shown() == said
    assert to_do("small") == {}
    assert "Nothing to remove" in call("gc", "--yes")
    takes_so_much_disk(inside)
    with opened() as (definitions, instance):
        again = materialise(definitions, instance, "small", 0, ["r02_trained"], RECOMPUTE)
    assert again.success and materialisations(again)["r02_trained"].metadata["came from"].value.endswith(
        "with the same bits"
    )


def takes_so_much_disk(place) -> None:
    """What `lth status` says of it: artifacts that two share count for each, and once in the whole."""
    from lth_pipeline.commands.disk import in_words
    from lth_pipeline.orchestration.disk import below

    told = call("status").splitlines()
    (whole,) = (line for line in told if line.startswith("Disk: "))
    for name, folder in {"store": place.store, "MLflow": "mlflow", "reports": "reports"}.items():
        assert f"{name} {in_words(below(place.folder / folder))}" in whole
    rows = {tuple(line.split()[:2]): " ".join(line.split()[-2:]) for line in told}
    reported = below(place.folder / "reports" / "small") + below(place.folder / "mlflow" / "artifacts" / "small")
    assert rows["small", "results"] == in_words(reported)
    assert rows["small", "0"] == in_words(sum(path.stat().st_size for path in artifacts_of(place, "small")))
    assert rows["taker", "0"] != "0 B"


def artifacts_of(place, name: str) -> set:
    """The files that replicate 0 of an experiment consists of, as Dagster recorded their versions."""
    from lth_pipeline.orchestration.keep import of_dagster, read_dagster

    with opened() as (_, instance):
        _, versions = of_dagster(read_dagster(instance).recorded, [name])
    return {path for path in (place.store / "objects").rglob("*.safetensors") if path.stem in versions}


POINTERS = (
    "lth.mask_from_run",
    "lth.reused_from_run",
    "lth.ticket_from_run",
    "lth.superseded_by",
    "mlflow.parentRunId",
)


@pytest.fixture
def orphan(inside):
    """A place where nothing was run, with an artifact that nothing refers to."""
    Store(inside.store).put({"mask": torch.ones(2)})
    return inside


def test_refusals_that_cost_nothing(orphan):
    """Whenever it cannot be told what is current, or somebody is at work."""
    from dagster import AssetMaterialization

    from lth_pipeline.home import find_home
    from lth_pipeline.orchestration.instance import open_instance
    from lth_pipeline.orchestration.partitions import partition_key

    before = files(orphan)
    assert "artifacts without a record" in call("gc", "--dry-run")
    with open_instance(find_home()) as instance:
        unfinished = begun_run(instance, {})
        assert unfinished in call("gc", "--yes", code=1)
        assert f"Not now: these Dagster runs have not ended: {unfinished}" in call("gc", "--dry-run")
        instance.delete_run(unfinished)

        with Store(orphan.store).claimed("abc", wait=False):
            assert "about to make abc" in call("gc", "--yes", code=1)

        orphan.card("broken", "branch_of: {experiment: nobody, round: 1}\n")
        assert "broken.yaml" in call("gc", "--yes", code=2)
        (orphan.folder / "experiments" / "broken.yaml").unlink()

        assert "no experiment 'smal'. Did you mean small?" in call("gc", "smal", "--yes", code=1)

        instance.report_runless_asset_event(AssetMaterialization("r00_trained", partition=partition_key("small", 0)))
        (orphan.folder / "mlflow" / "mlflow.db").unlink(missing_ok=True)
        assert "mlflow.db is not there" in call("gc", "--yes", code=2)
    assert files(orphan) == before


def test_a_server_that_is_away_is_a_refusal(orphan, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    before = files(orphan)
    assert "http://127.0.0.1:9 does not answer" in call("gc", "--yes", code=2)
    assert files(orphan) == before


def test_what_was_made_elsewhere_is_kept_unless_everything_is_to_go(orphan):
    images = "based_on: small\ndata: {name: images, path: mine, validation_size: 5, test_size: 5}\n"
    orphan.card("mine", images)
    store = Store(orphan.store)
    makers = {
        "made from Python": {},
        "made for gone, which has no card any more": {"experiment": "gone", "dagster_run": "r"},
        "made by runs that Dagster here does not know": {"experiment": "small", "dagster_run": "r"},
        "mine: its images are not in the cache": {"experiment": "mine", "dagster_run": "r"},
    }
    for number, made_by in enumerate(makers.values()):
        store.save(Recipe("mask", {"number": number}, {}), {"mask": torch.tensor([float(number)])}, made_by=made_by)
    store.save_checkpoint("a" * 40, {"weights": torch.ones(2)}, {})
    told = call("gc", "--yes")
    assert all(f"Kept, {why}" in told and "1 artifact(s)" in told for why in makers)
    assert len(list((orphan.store / "objects").rglob("*.safetensors"))) == 4, "the orphan alone went"
    assert list((orphan.store / "checkpoints").iterdir()), "whose it is cannot be told: mine's perhaps"
    assert "gone" in call("gc", "gone", "--everything", "--yes")
    assert len(list((orphan.store / "recipes").rglob("*.json"))) == 3
    call("gc", "--everything", "--yes")
    (left,) = (orphan.store / "recipes").rglob("*.json")
    assert json.loads(left.read_text())["record"]["made_by"]["experiment"] == "mine"


def test_what_dagster_recorded_last_stays_and_a_damaged_record_keeps_its_experiment(orphan):
    """Of a replicate that no card asks for, in a round that none has any more."""
    from dagster import AssetMaterialization, DagsterRunStatus
    from dagster._core.test_utils import create_run_for_test

    from lth_pipeline.orchestration.partitions import partition_key
    from lth_pipeline.orchestration.rounds import RECIPE_TAG

    store = Store(orphan.store)
    with opened() as (_, instance):
        made_by = {
            "experiment": "small",
            "dagster_run": create_run_for_test(instance, status=DagsterRunStatus.SUCCESS).run_id,
        }
        last, before = (Recipe("mask", {"number": number}, {}) for number in (1, 2))
        for number, recipe in enumerate((last, before)):
            store.save(recipe, {"mask": torch.tensor([float(number)])}, made_by=made_by)
        key, tags = partition_key("small", 7), {RECIPE_TAG: last.id}
        instance.report_runless_asset_event(AssetMaterialization("r99_mask", partition=key, tags=tags))
    shop, chain = chain_of("small")
    shop.made_by = made_by
    first = shop.make(chain, Step("initial_weights"))
    whole = store.record_path(first.recipe.id).read_text()
    store.record_path(first.recipe.id).write_text(whole[:-20])
    told = call("gc", "--yes")
    assert "small: one of its records is damaged" in told and store.find(before.id)
    store.record_path(first.recipe.id).write_text(whole)
    call("gc", "--yes")
    assert store.find(last.id) and store.find(first.recipe.id) and not store.find(before.id)


def test_a_training_that_was_killed_goes_on_from_its_checkpoint_after_gc(inside):
    """The first step that is missing, whose recipe a card would make next, keeps its checkpoint and what it reads."""
    shop, chain = chain_of("small")
    with opened() as (definitions, instance):
        assert materialise(definitions, instance, "small", 0, ["r00_initial_weights"]).success
    next_one = shop.recipe(chain, Step("trained", 0, "dense"))
    for recipe_id in (next_one.id, "a" * 40):
        shop.store.save_checkpoint(recipe_id, {"weights": torch.ones(2)}, {})
    call("gc", "--yes", "--everything")
    assert [path.stem for path in (inside.store / "checkpoints").iterdir()] == [next_one.id]
    assert shop.store.find(shop.recipe(chain, Step("initial_weights")).id)


def chain_of(name: str):
    """(workshop, chain) of replicate 0."""
    from lth_pipeline.commands.common import places, workshop

    home, cards = places()
    shop = workshop(home)
    return shop, shop.chain(cards, name, 0)
