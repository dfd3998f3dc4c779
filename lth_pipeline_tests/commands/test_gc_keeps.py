"""`lth gc`: what it keeps, and when it does nothing at all, where nothing was run."""

import json

import pytest
import torch

from lth_pipeline.recipes import Step, Store
from lth_pipeline.recipes.recipe import Recipe
from lth_pipeline_tests.commands.test_gc import call, files
from lth_pipeline_tests.commands.test_run import begun_run
from lth_pipeline_tests.orchestration.running import materialise, opened
from lth_pipeline_tests.places import SMALL_CARD


def ended_run() -> str:
    """A run that Dagster here knows."""
    from dagster import DagsterRunStatus
    from dagster._core.test_utils import create_run_for_test

    with opened() as (_, instance):
        return create_run_for_test(instance, status=DagsterRunStatus.SUCCESS).run_id


@pytest.fixture
def orphan(inside):
    """A place where nothing was run, with an artifact that nothing refers to, and one made from Python."""
    store = Store(inside.store)
    store.put({"mask": torch.ones(2)})
    store.save(Recipe("mask", {}, {}), {"mask": torch.zeros(2)})
    return inside


def artifacts(place) -> int:
    return len(list((place.store / "objects").rglob("*.safetensors")))


def test_it_asks_first_and_the_second_finds_nothing(orphan):
    before = files(orphan)
    assert "Aborted" in call("gc", answer="n\n", code=1) and files(orphan) == before
    assert "Freed" in call("gc", answer="y\n") and artifacts(orphan) == 1
    assert "Nothing to remove" in call("gc")


def test_a_card_that_is_put_back_while_it_asks_keeps_what_it_made(orphan, monkeypatch):
    shop, chain = chain_of("small")
    shop.made_by = {"experiment": "small", "dagster_run": ended_run(), "replicate": 0}
    made = shop.make(chain, Step("initial_weights"))
    orphan.card("small", SMALL_CARD.replace("24, 12", "20, 12"))
    monkeypatch.setattr("click.confirm", lambda *_, **__: orphan.card("small", SMALL_CARD))
    assert "small       records" in call("gc") and shop.store.find(made.recipe.id)


@pytest.mark.parametrize("use", ["lth run", "Dagster's pages"])
def test_a_store_that_another_project_uses_is_kept_unless_everything_is_to_go(
    use, orphan, tmp_path_factory, monkeypatch
):
    from lth_pipeline.commands.before_run import check_places
    from lth_pipeline.home import find_home
    from lth_pipeline.orchestration.resources import Compute

    other = tmp_path_factory.mktemp("other")
    with monkeypatch.context() as there:
        there.setenv("LTH_HOME", str(other))
        there.setenv("LTH_STORE_DIR", str(orphan.store))
        find_home().dagster.mkdir(parents=True)
        check_places(find_home()) if use == "lth run" else Compute().workshop()  # what each does first of all
    before = files(orphan)
    told = call("gc", "--yes")
    assert f"other projects use this store too: {other}/.lth/dagster: 2 file(s)" in told.replace("\n", " ")
    assert "Nothing to remove" in told and files(orphan) == before
    assert "Freed" in call("gc", "--yes", "--everything") and artifacts(orphan) == 0


def test_what_was_trained_beside_others_stays_although_dagster_has_no_record_of_it(orphan):
    """Of replicate 3 and round 3, where the card has fewer of both."""
    shop, chain = chain_of("small", 3)
    recipe = chain.recipe(Step("initial_weights"), lambda source: None)
    made_by = {"experiment": "small", "dagster_run": ended_run(), "replicate": 3, "step": "round 3 ticket trained"}
    for one in (recipe, Recipe("mask", {"of": "an older card"}, {})):
        shop.store.save(one, {"fc1.weight": torch.ones(len(one.id), 2)}, made_by=made_by)
    assert "small       records" in call("gc", "--yes") and shop.store.find(recipe.id)
    assert len(list((orphan.store / "recipes").rglob("*.json"))) == 2


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
        assert "mlflow.db has no run of small" in call("gc", "--yes", code=2)  # a store that was made anew
        (orphan.folder / "mlflow" / "mlflow.db").unlink()
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
        "made for gone, which has no card any more": {"experiment": "gone", "dagster_run": "r"},
        "made by runs that Dagster here does not know": {"experiment": "small", "dagster_run": "r"},
        "mine: its images are not in the cache": {"experiment": "mine", "dagster_run": "r"},
    }
    for number, made_by in enumerate(makers.values()):
        store.save(Recipe("mask", {"number": number}, {}), {"mask": torch.tensor([float(number)])}, made_by=made_by)
    store.save_checkpoint("a" * 40, {"weights": torch.ones(2)}, {})
    told = call("gc", "--yes")
    assert all(f"Kept, {why}" in told for why in ("made from Python", *makers)) and "1 file(s)" in told
    assert artifacts(orphan) == 4, "the orphan alone went"
    assert list((orphan.store / "checkpoints").iterdir()), "whose it is cannot be told: mine's perhaps"
    assert "gone" in call("gc", "gone", "--everything", "--yes")
    assert len(list((orphan.store / "recipes").rglob("*.json"))) == 3
    call("gc", "--everything", "--yes")
    (left,) = (orphan.store / "recipes").rglob("*.json")
    assert json.loads(left.read_text())["record"]["made_by"]["experiment"] == "mine"


def test_what_dagster_recorded_last_stays_and_a_damaged_record_keeps_its_experiment(orphan):
    """Of a replicate that no card asks for, in a round that none has any more."""
    from dagster import AssetMaterialization

    from lth_pipeline.orchestration.partitions import partition_key
    from lth_pipeline.orchestration.rounds import RECIPE_TAG

    store = Store(orphan.store)
    made_by = {"experiment": "small", "dagster_run": ended_run()}
    with opened() as (_, instance):
        last, before = (Recipe("mask", {"number": number}, {}) for number in (1, 2))
        for number, recipe in enumerate((last, before)):
            store.save(recipe, {"mask": torch.tensor([float(number)])}, made_by=made_by)
        key, tags = partition_key("small", 7), {RECIPE_TAG: last.id}
        instance.report_runless_asset_event(AssetMaterialization("r09_mask", partition=key, tags=tags))
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
    assert "Kept, as no card here would go on with them" in call("gc", "--yes")
    assert len(list((inside.store / "checkpoints").iterdir())) == 2
    call("gc", "--yes", "--everything")
    assert [path.stem for path in (inside.store / "checkpoints").iterdir()] == [next_one.id]
    assert shop.store.find(shop.recipe(chain, Step("initial_weights")).id)


def chain_of(name: str, replicate: int = 0):
    """(workshop, chain) of a replicate."""
    from lth_pipeline.commands.common import places, workshop

    home, cards = places()
    shop = workshop(home)
    return shop, shop.chain(cards, name, replicate)
