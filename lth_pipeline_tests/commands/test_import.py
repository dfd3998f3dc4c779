"""`lth import`: what it would record, and what it leaves out. That it trains nothing is shown on real servers."""

import shutil

import pytest

from lth_pipeline.home import find_home
from lth_pipeline.orchestration.imports import held, import_plan
from lth_pipeline.orchestration.partitions import deepest_round
from lth_pipeline.orchestration.status import read_records
from lth_pipeline.recipes import Chain, DamagedError, Step, Store, Workshop, load_cards
from lth_pipeline.recipes.inventory import take_inventory
from lth_pipeline.recipes.remote import store_at
from lth_pipeline_tests.orchestration.running import opened
from lth_pipeline_tests.places import SMALL_CARD

FIRST = ["r00_initial_weights", "r00_rewind_weights", "r00_trained"]
LATER = [f"r{round:02d}_{stage}" for round in (1, 2, 3) for stage in ("mask", "ticket", "trained", "control")]


@pytest.fixture
def filled(inside):
    """A home whose store has all of replicate 0 of `small`, of replicate 1 what its round 0 takes, and of replicate 5
    rounds 0 … 3, beyond the card; Dagster and MLflow know nothing."""
    cards = load_cards([inside.folder / "experiments"])
    shop = Workshop(Store(inside.store), find_home().data, device="cpu")
    for replicate, last in ((0, 2), (1, 0), (5, 3)):
        shop.made_by = {"experiment": "small", "replicate": replicate, "dagster_run": "gone"}
        chain = shop.chain(cards, "small", replicate)
        for step in (step for round in range(last + 1) for step in chain.trainings(round)):
            shop.make(chain, step)
    shop.make(shop.chain(cards, "small", 6), Step("initial_weights"))  # as a run leaves it that was killed early
    inside.card("other", SMALL_CARD.replace("widths: [24, 12]", "widths: [20]"))
    return inside


def planned(place, *names: str, store: Store | None = None):
    """({experiment: {replicate: assets}}, notes)"""
    cards = load_cards([place.folder / "experiments"])
    shop = Workshop(store or Store(place.store), find_home().data, device="cpu")
    deepest = deepest_round(cards)
    found = held(cards, take_inventory(shop.store), names, deepest, shop)
    with opened() as (_, instance):
        recorded = read_records(instance, deepest)
    plans = {
        name: import_plan(cards, name, shop, through, recorded, (), deepest) for name, through in found.through.items()
    }
    assets = {
        name: {number: [e.asset for e in entries] for number, entries in plan.items()} for name, plan in plans.items()
    }
    return assets, found.notes


def test_all_that_the_store_has_is_recorded_and_nothing_else(filled):
    assets, notes = planned(filled)
    assert assets == {"small": {0: [*FIRST, *LATER[:8]], 1: FIRST, 5: [*FIRST, *LATER]}} and not notes
    assert planned(filled, "other") == ({"other": {}}, [])


def test_what_only_a_shared_store_has_is_found_by_the_cards(filled, tmp_path):
    shutil.copytree(filled.store, tmp_path / "shared")
    assets, notes = planned(filled, store=store_at(tmp_path / "empty", f"file://{tmp_path / 'shared'}"))
    assert {name: plan for name, plan in assets.items() if plan} == {"small": {0: [*FIRST, *LATER[:8]], 1: FIRST}}
    assert not notes


def test_of_a_sweep_that_was_begun_all_experiments_are_recorded(filled):
    """One of them shares all it has with `small`, for which it was made."""
    filled.card("both", "based_on: small\nmatrix: {pruning.criterion: [magnitude, random]}\n")
    assert set(planned(filled)[0]) == {"small"}
    cards = load_cards([filled.folder / "experiments"])
    shop = Workshop(Store(filled.store), find_home().data, device="cpu")
    shop.made_by = {"experiment": "both_criterion_random", "replicate": 0, "dagster_run": "gone"}
    shop.make(shop.chain(cards, "both_criterion_random", 0), Step("trained", 1, "ticket"))
    assets, _ = planned(filled)
    assert assets["both_criterion_magnitude"][0] == assets["small"][0] and list(assets["both_criterion_magnitude"]) == [
        0,
        1,
    ]
    assert assets["both_criterion_random"] == {0: [*FIRST, "r01_mask", "r01_ticket", "r01_trained"], 1: FIRST}


def test_what_lies_beyond_the_partitions_is_named(filled, monkeypatch):
    shutil.move(filled.folder / "experiments" / "other.yaml", filled.folder / "other.yaml")
    shop = Workshop(Store(filled.store), find_home().data, device="cpu")
    chain = Chain(load_cards([filled.folder / "experiments"]), "small", 12)
    shop.made_by = {"experiment": "small", "replicate": 12, "dagster_run": "gone"}
    shop.make(chain, chain.main(0))
    assert planned(filled)[1] == ["small: replicate 12 is left out: LTH_REPLICATES=13 takes it in"]
    monkeypatch.setenv("LTH_REPLICATES", "13")
    assert planned(filled)[0]["small"][12] == FIRST


def test_a_damaged_artifact_is_put_aside_and_not_made_anew(filled):
    shop = Workshop(Store(filled.store), find_home().data, device="cpu")
    chain = Chain(load_cards([filled.folder / "experiments"]), "small", 0)
    path = shop.store.object_path(shop.look_up(chain, Step("trained", 1, "ticket")).version)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(DamagedError):
        planned(filled)
    assets, _ = planned(filled)
    assert assets["small"][0][-2:] == ["r01_ticket", "r01_control"] and "r01_trained" not in assets["small"][0]
    assert not path.exists() and list((filled.store / "damaged").iterdir())
