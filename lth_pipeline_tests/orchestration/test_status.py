"""What is left out below a ticket that diverged, and results that no longer say what their card says."""

import pytest

from lth_pipeline.home import find_home
from lth_pipeline.orchestration import status
from lth_pipeline.orchestration.plan import plan
from lth_pipeline.recipes import Step, Store, Workshop, load_cards
from lth_pipeline_tests.orchestration.running import gather, materialise, opened
from lth_pipeline_tests.places import SMALL_CARD

ALL_ROUNDS = 2
WILD = SMALL_CARD.replace("optimiser: adam, learning_rate: 2e-3", "optimiser: sgd, learning_rate: 1e30")


def looked_at(instance, place):
    """({asset: state} of replicate 0, the state of the results, what `lth run` would do) as card and store are now."""
    cards = load_cards([place.folder / "experiments"])
    shop = Workshop(Store(place.store), find_home().data)
    recorded = status.read_records(instance, ALL_ROUNDS)
    found = status.replicate_status(shop.chain(cards, "small", 0), shop, recorded, ALL_ROUNDS, ALL_ROUNDS)
    todo = plan(cards, "small", shop, recorded, (), ALL_ROUNDS, replicates=(0,))
    results = status.results_status(cards, "small", shop, recorded)
    return {entry.asset: entry.state for entry in found}, results.state, [e.asset for e in todo.get(0, [])]


@pytest.fixture
def instance(inside):
    with opened() as (definitions, instance):
        assert materialise(definitions, instance, "small", 0).success
        assert gather(definitions, instance, "small").success
        yield instance


def test_rounds_that_were_made_before_it_diverged_are_left_out_and_not_tried_for_ever(inside, instance):
    inside.card("small", WILD)
    with opened() as (definitions, _):
        assert materialise(definitions, instance, "small", 0, ["r00_trained"]).success
    states, _, todo = looked_at(instance, inside)
    assert states["r00_trained"] == "fresh"
    below = {state for asset, state in states.items() if not asset.startswith("r00")}
    assert below == {"left out"}
    assert not [asset for asset in todo if not asset.startswith("r00")]


def test_the_control_of_the_round_whose_ticket_diverged_is_still_run(inside, instance, monkeypatch):
    """Its mask is there: only what lies below cannot be."""
    look_up = Workshop.look_up

    def diverged(self, chain, step, seen=None):
        product = look_up(self, chain, step, seen)
        if step == Step("trained", 1, "ticket"):
            product.record["facts"]["diverged_at"] = 30
        return product if step != Step("trained", 1, "reinit") else None

    monkeypatch.setattr(Workshop, "look_up", diverged)
    states, _, todo = looked_at(instance, inside)
    assert states["r01_control"] == "stale" and "r01_control" in todo
    assert {states[f"r02_{stage}"] for stage in ("trained", "control")} <= {"left out", "fresh"}


def test_results_follow_what_every_figure_says(inside, instance):
    assert looked_at(instance, inside)[1] == "fresh"
    inside.card("small", "quick: true\n" + SMALL_CARD)
    states, results, _ = looked_at(instance, inside)
    assert set(states.values()) == {"fresh"} and results == "stale"
