"""Cards that are based on another: its settings where they are silent, and none of its rounds."""

import pytest

from lth_pipeline.recipes import Chain, Step
from lth_pipeline_tests.experiments.writing import GOOD, load, refusal


def test_the_other_cards_settings_hold_where_this_one_is_silent(tmp_path):
    cards = load(tmp_path, mine=GOOD, wider="based_on: mine\nmodel: {widths: [40, 20]}\nseed: 3\n")
    mine, wider = cards["mine"], cards["wider"]
    assert (wider.model.widths, wider.seed, wider.based_on, wider.branch_of) == ((40, 20), 3, "mine", None)
    assert (wider.training, wider.data, wider.pruning) == (mine.training, mine.data, mine.pruning)
    assert (wider.name, wider.description) == ("wider", "")


def test_what_is_based_on_a_quick_card_is_quick_unless_it_says_otherwise(tmp_path):
    cards = load(
        tmp_path,
        longer="based_on: lenet_mnist_quick\ntraining: {iterations: 6000}\n",
        full="based_on: lenet_mnist_quick\nquick: false\ntraining: {iterations: 50000}\n",
    )
    assert (cards["longer"].quick, cards["full"].quick) == (True, False)


def test_the_same_settings_are_the_same_recipes(tmp_path):
    """What a card is based on, is called and says of itself is not part of what it makes."""
    cards = load(tmp_path, mine=GOOD, again="based_on: mine\ndescription: other words\nquick: true\n")
    for step in (Step("initial_weights"), Step("trained", 0, "dense"), Step("trained", 2, "reinit"), Step("mask", 3)):
        one, two = (Chain(cards, name, 0).recipe(step, lambda _: "0" * 64) for name in ("mine", "again"))
        assert one.id == two.id


def test_a_branch_of_a_card_that_is_based_on_another(tmp_path):
    cards = load(
        tmp_path,
        mine=GOOD,
        other="based_on: mine\nseed: 3\n",
        late="branch_of: {experiment: other, round: 2}\npruning: {rates: {fc: 0.3}}\n",
    )
    assert (cards["late"].seed, cards["late"].based_on) == (3, None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("based_on: mina\n", "other.yaml, line 1: based_on = 'mina': no such experiment; did you mean mine?"),
        ("based_on: other\n", "other.yaml, line 1: based_on = 'other': the cards form a circle: other → other"),
        ("based_on: mine\nbranch_of: {experiment: mine, round: 1}\nseed: 1\n", "line 1: based_on = 'mine': a branch"),
        ("based_on: 3\n", "based_on = 3: "),
        ("based_on: mine\nmodel: {width: 3}\n", "line 2: model.width = 3: unknown key; did you mean widths?"),
    ],
)
def test_what_cannot_be(tmp_path, text, message):
    assert message in refusal(tmp_path, mine=GOOD, other=text)
