"""What is drawn at random: whole units where the ticket has whole units, and examples of every class."""

import torch

from lth_pipeline.recipes import Step
from lth_pipeline.recipes.pruning import _one_of_each_in_turn
from lth_pipeline_tests.recipes.making import card, load, made, units, weights_left, workshop_in


def test_controls_of_a_ticket_of_units_from_elsewhere_draw_whole_units(tmp_path):
    arms = ["ticket", "random_mask", "shuffled_mask"]
    source = card(pruning={"structure": "units", "rounds": 1})
    taker = card(ticket_from={"experiment": "source", "round": 1}, pruning={"rounds": 1}, arms=arms)
    cards = load(tmp_path / "cards", source=source, taker=taker)
    chain = made(workshop_in(tmp_path / "store"), cards, "taker")
    ticket = chain.mask(1)
    assert units(ticket)["fc1.weight"] == 10
    for arm in arms[1:]:
        drawn = chain.tensors(Step("mask", 1, arm))
        assert units(drawn) == units(ticket) and weights_left(drawn) == weights_left(ticket)


def test_examples_are_of_every_class_alike():
    """The first of each class, then the second of each, in the order that was drawn."""
    labels = torch.tensor([2, 0, 0, 1, 0, 2, 0, 1])
    order = _one_of_each_in_turn(labels)
    assert order.tolist() == [0, 1, 3, 2, 5, 7, 4, 6]
    assert labels[order[:6]].bincount().tolist() == [2, 2, 2]
