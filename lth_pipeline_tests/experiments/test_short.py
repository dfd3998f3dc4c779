"""`ticket_from: registry:…`: a child or a matrix changes a part of it, or names the ticket in the other way."""

import pytest

from lth_pipeline_tests.experiments.writing import GOOD, load

SHORT = GOOD + "ticket_from: registry:a@b\n"
LONG = GOOD + "ticket_from: {experiment: mine, round: 1}\n"


@pytest.mark.parametrize(
    ("base", "child", "expected"),
    [
        (SHORT, "ticket_from: {weights: trained}", {"registry": "a@b", "weights": "trained"}),
        (SHORT, "ticket_from: registry:c/3", {"registry": "c/3", "weights": "source"}),
        (SHORT, "ticket_from: {experiment: mine, round: 2}", {"experiment": "mine", "round": 2, "weights": "source"}),
        (LONG, "ticket_from: registry:a@b", {"registry": "a@b", "weights": "source"}),
        (LONG, "ticket_from: {round: 2}", {"experiment": "mine", "round": 2, "weights": "source"}),
        (LONG, "ticket_from: null", None),
    ],
)
def test_of_a_card_that_another_builds_on(tmp_path, base, child, expected):
    cards = load(tmp_path, mine=GOOD, base=base, child=f"based_on: base\nseed: 3\n{child}\n")
    origin = cards["child"].ticket_from
    assert (origin.model_dump() if origin else None) == expected


@pytest.mark.parametrize("rest", ["", "ticket_from: registry:a@b\n"])
def test_of_a_matrix(tmp_path, rest):
    matrix = "matrix: {ticket_from.weights: [source, own]}\n"
    if rest:
        cards = load(tmp_path, other=GOOD + rest + matrix)
    else:
        cards = load(tmp_path, base=SHORT, other=f"based_on: base\n{matrix}")
    mine = {card.ticket_from.weights: card.ticket_from.registry for name, card in cards.items() if name[:6] == "other_"}
    assert mine == {"source": "a@b", "own": "a@b"}
