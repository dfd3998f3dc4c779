"""The built-in cards hold what the paper and the issue say."""

import pytest
from pydantic import ValidationError

from lth_pipeline.experiments.flat import described
from lth_pipeline.recipes import load_cards


@pytest.fixture(scope="module")
def cards():
    return load_cards([])


def test_there_are_four_in_the_order_of_their_names(cards):
    assert list(cards) == ["digits", "lenet_fashion", "lenet_mnist", "lenet_mnist_quick"]
    assert all(card.name == name and card.description for name, card in cards.items())


def test_digits_is_a_whole_lottery_without_a_download(cards):
    digits = cards["digits"]
    assert digits.data.name == "digits"
    assert (digits.replicates, digits.pruning.rounds) == (3, 8)
    assert digits.arms == ("ticket", "reinit")


def test_lenet_mnist_is_the_papers_protocol(cards):
    """Frankle & Carbin 2019, Fig. 2 and §2."""
    card = cards["lenet_mnist"]
    assert (card.data.name, card.data.validation_size) == ("mnist", 5000)
    assert (card.model.name, card.model.widths) == ("mlp", (300, 100))
    assert card.model.initialisation == "glorot_normal"
    training = card.training
    assert (training.optimiser, training.learning_rate, training.momentum) == ("adam", 1.2e-3, None)
    assert (training.iterations, training.batch_size, training.evaluate_every) == (50_000, 60, 100)
    assert (card.pruning.scope, card.pruning.rates, card.pruning.output_rate) == (
        "layerwise",
        {"fc": 0.2},
        0.1,
    )
    assert (card.pruning.rounds, card.replicates) == (20, 5)
    assert card.rewind.iteration == 0
    assert card.arms == ("ticket", "reinit")
    assert card.branch_of is None


def without_texts(card):
    return card.model_dump(exclude={"name", "description"})


def test_the_quick_card_differs_in_iterations_and_replicates_only(cards):
    quick, full = without_texts(cards["lenet_mnist_quick"]), without_texts(cards["lenet_mnist"])
    assert (quick["training"]["iterations"], quick["replicates"]) == (5000, 2)
    quick["training"]["iterations"], quick["replicates"] = 50_000, 5
    assert quick == full


def test_the_fashion_card_differs_in_its_data_only(cards):
    fashion, mnist = without_texts(cards["lenet_fashion"]), without_texts(cards["lenet_mnist"])
    assert fashion["data"]["name"] == "fashion_mnist"
    fashion["data"]["name"] = "mnist"
    assert fashion == mnist


def test_experiments_are_frozen(cards):
    for settings, field in ((cards["digits"], "replicates"), (cards["digits"].training, "iterations")):
        with pytest.raises(ValidationError, match="frozen"):
            setattr(settings, field, 1)


def test_every_setting_says_what_it_means(cards):
    lines = list(described(cards["lenet_mnist"]))
    assert all(meaning for _, _, meaning in lines)
    shown = {field: value for field, value, _ in lines}
    assert len(shown) == len(lines)
    assert shown["training.learning_rate"] == "0.0012"
    assert shown["pruning.rates"] == "fc: 0.2"
    assert shown["model.widths"] == "300, 100"
    assert shown["training.momentum"] == "–"
