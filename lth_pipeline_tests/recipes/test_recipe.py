"""The identity of steps: pinned, and covering exactly what a step depends on."""

import pytest

from lth_pipeline.experiments import Experiment
from lth_pipeline.recipes import Chain, Step, load_cards
from lth_pipeline.recipes.recipe import Recipe

#: every input gets this data version, so that a recipe depends on nothing but the code and the card
VERSION = "0" * 64
PINNED = {
    ("digits", Step("initial_weights")): "edd3f35bb3e022af2753a050eb1d4f22978e26c1",
    ("digits", Step("trained", 0, "dense")): "3cb13543d25ddf4a3fd2c973137d213b7fdcb31f",
    ("digits", Step("mask", 1)): "9b7c8569fe2db602ed289156c221ecf54b63a810",
    ("digits", Step("ticket", 3)): "13ba7635889820dcac008d0014c9c2eab570bf61",
    ("digits", Step("reinit", 3)): "4399893f6428fff5d19d70034aa1f5deace40fcf",
    ("digits", Step("trained", 3, "ticket")): "8d002a32336880cbdd3f4ee3a875d664a5c494c6",
    ("digits", Step("trained", 3, "reinit")): "8d002a32336880cbdd3f4ee3a875d664a5c494c6",
    ("lenet_mnist", Step("initial_weights")): "47637cb92994b8d3b491db69b5fc44300588a9ee",
    ("lenet_mnist", Step("mask", 20)): "f4b32e2d9045e73bdae1ce5e8d716813aa9c018f",
    ("lenet_mnist", Step("trained", 20, "ticket")): "c6fc8941c60f4fc8ad655507326b48c58ba50745",
    ("lenet_fashion", Step("trained", 0, "dense")): "f9893e12a89ecc565b5e4cdc8defbacf1c6ce6bd",
    ("criteria_mnist_snip", Step("mask", 2)): "5f28f9c4e1d7192d109a290841aa9ae4cbc199fd",
    ("criteria_mnist_random", Step("mask", 1)): "c0f73566bc2182593bdc9075e39ce9b450340d4f",
    ("criteria_mnist_synflow", Step("mask", 1)): "713c93e7921c4a8bd3e196a4cba7c76a196be3bd",
    ("criteria_mnist_movement", Step("mask", 3)): "7ff314ddffce98a5c4b2805cefa4b0ddfc2593e7",
    ("lenet_mnist_one_shot", Step("mask", 5)): "2585a3472723a93af06d4679561330b74008a506",
    ("lenet_mnist_strategy_2", Step("trained", 3, "ticket")): "d91a13c51139bd93cb2eb2319c6035d028876d90",
    ("lenet_mnist_strategies_strategy_1", Step("mask", 3, "random_mask")): "51fceb0e086d028108546bf54dbdaca46e724109",
    ("resnet20_rewinding_weights", Step("rewind_weights", iteration=7109)): "51ad747573ce71424fcc07b1104af6511e8032f5",
    ("resnet20_rewinding_learning_rate", Step("trained", 2, "ticket")): "84e7d7a795814f90e04756611a3843921699698d",
    ("fashion_from_mnist", Step("mask", 1)): "ce591368ffcb4c78b3eb93a4d3d1b36190f5bcc5",
    ("fashion_from_mnist", Step("transferred_weights")): "24d596efe32644f0488ac8c1ea005ebc66d5a0e9",
    ("early_bird_mnist", Step("trained", 0, "dense")): "4e2d64382796762c2b02c78ab722be558ca1f8b3",
    ("early_bird_mnist", Step("mask", 1)): "9d2cdffbd29cbb97317522dd5f183874b8646d78",
}


def recipe(cards: dict[str, Experiment], name: str, step: Step, replicate: int = 0) -> Recipe:
    return Chain(cards, name, replicate).recipe(step, lambda source: VERSION)


@pytest.fixture(scope="module")
def cards():
    return load_cards([])


@pytest.mark.parametrize(("name", "step"), PINNED, ids=str)
def test_recipes_are_pinned(cards, name, step):
    """A change here means that everybody's artifacts are made anew: raise recipe.CODE instead, knowingly."""
    assert recipe(cards, name, step).id == PINNED[name, step]


def changed(cards, **changes) -> dict[str, Experiment]:
    """The cards with another `digits`. A change: section={field: value}, or field=value."""
    digits = cards["digits"]
    update = {
        name: getattr(digits, name).model_copy(update=value) if isinstance(value, dict) else value
        for name, value in changes.items()
    }
    return {**cards, "digits": digits.model_copy(update=update)}


TRAINED, MASK, TICKET, INITIAL, REINIT = (
    Step("trained", 2, "ticket"),
    Step("mask", 2),
    Step("ticket", 2),
    Step("initial_weights"),
    Step("reinit", 2),
)


@pytest.mark.parametrize(
    ("change", "concerned"),
    [
        ({"training": {"iterations": 4001}}, {TRAINED}),
        ({"training": {"learning_rate": 1e-3}}, {TRAINED}),
        ({"training": {"evaluate_every": 100}}, {TRAINED}),
        ({"data": {"validation_size": 100}}, {TRAINED}),
        ({"data": {"normalisation": "unit"}}, {TRAINED}),
        ({"pruning": {"output_rate": 0.2}}, {MASK}),
        ({"pruning": {"rounds": 9}}, set()),
        ({"model": {"widths": (300, 99)}}, {TRAINED, MASK, INITIAL, REINIT}),
        ({"seed": 1}, {TRAINED, INITIAL, REINIT}),
        ({"replicates": 5}, set()),
        ({"description": "other words"}, set()),
        ({"arms": ("ticket",)}, set()),
    ],
)
def test_a_recipe_covers_what_its_step_depends_on_and_nothing_else(cards, change, concerned):
    after = changed(cards, **change)
    steps = (TRAINED, MASK, TICKET, INITIAL, REINIT)
    assert {step for step in steps if recipe(cards, "digits", step).id != recipe(after, "digits", step).id} == concerned


def test_replicates_differ_where_something_is_drawn(cards):
    same = {
        step
        for step in (TRAINED, MASK, TICKET, INITIAL, REINIT)
        if recipe(cards, "digits", step, 0).id == recipe(cards, "digits", step, 1).id
    }
    assert same == {MASK, TICKET}


def test_experiments_share_what_does_not_depend_on_what_they_differ_in(cards):
    """lenet_mnist and its quick twin draw the same initial weights; trained, they differ."""
    assert recipe(cards, "lenet_mnist", INITIAL).id == recipe(cards, "lenet_mnist_quick", INITIAL).id
    assert recipe(cards, "lenet_mnist", TRAINED).id != recipe(cards, "lenet_mnist_quick", TRAINED).id


def test_another_input_is_another_recipe(cards):
    chain = Chain(cards, "digits", 0)
    assert chain.recipe(MASK, lambda s: VERSION).id != chain.recipe(MASK, lambda s: "1" * 64).id
    assert chain.recipe(MASK, lambda s: None) is None
