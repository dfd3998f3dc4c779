"""The built-in cards hold what the paper and the issue say."""

import pytest
from pydantic import ValidationError

from lth_pipeline.experiments.flat import described
from lth_pipeline.experiments.sweeps import sweeps
from lth_pipeline.lottery.pruning.criteria import CRITERIA
from lth_pipeline.recipes import load_cards


@pytest.fixture(scope="module")
def cards():
    return load_cards([])


FULL = [
    *(f"conv{depth}_cifar10{kind}" for depth in (2, 4, 6) for kind in ("", "_dropout")),
    "resnet18_cifar10",
    "vgg19_cifar10",
    "resnet50_imagefolder",
    "lenet_mnist_sgd",
    "early_bird_mnist",
    "fashion_from_mnist",
]
BRANCHES = ["lenet_mnist_one_shot", "lenet_mnist_strategy_2"]
SWEEPS = {
    "criteria_mnist": 9,
    "lenet_mnist_strategies": 3,
    "resnet18_cifar10_rates": 3,
    "resnet20_rewinding": 3,
    "vgg19_cifar10_rates": 3,
}


def test_there_are_these_in_the_order_of_their_names(cards):
    alone = [name for name, card in cards.items() if card.sweep is None]
    twins = [twin for name in (*FULL, *BRANCHES, "lenet_mnist") for twin in (name, f"{name}_quick")]
    assert alone == sorted([*twins, "digits", "lenet_fashion"])
    assert all(card.name == name and card.description for name, card in cards.items())


def test_every_sweep_has_a_quick_twin_of_the_same_experiments(cards):
    found = sweeps(cards)
    assert sorted(found) == sorted(twin for name in SWEEPS for twin in (name, f"{name}_quick"))
    for name, size in SWEEPS.items():
        full, quick = found[name].members, found[f"{name}_quick"].members
        assert len(full) == len(set(full)) == size
        assert [member.replace(name, f"{name}_quick", 1) for member in full] == list(quick)
        for one, two in zip(full, quick, strict=True):
            assert (cards[one].quick, cards[two].quick) == (False, True) and "not the paper" in cards[two].description
            assert (cards[one].model, cards[one].arms, cards[one].rewind) == (
                cards[two].model,
                cards[two].arms,
                cards[two].rewind,
            )
            assert cards[one].pruning.criterion == cards[two].pruning.criterion


@pytest.mark.parametrize("name", BRANCHES)
def test_the_branches_of_lenet_share_its_dense_network(cards, name):
    for card, parent in ((cards[name], "lenet_mnist"), (cards[f"{name}_quick"], "lenet_mnist_quick")):
        assert (card.branch_of.experiment, card.branch_of.round) == (parent, 1)
        assert (card.training, card.data, card.quick) == (
            cards[parent].training,
            cards[parent].data,
            cards[parent].quick,
        )
    assert cards["lenet_mnist_one_shot"].pruning.mode == "one_shot"
    assert cards["lenet_mnist_strategy_2"].rewind.mode == "fine_tuning"


def test_every_criterion_is_compared(cards):
    members = sweeps(cards)["criteria_mnist"].members
    assert [cards[member].pruning.criterion for member in members] == list(CRITERIA)


def test_the_rewinding_variants_are_trained_for_as_long(cards):
    """Renda et al. 2020: at the same retraining time."""
    members = [cards[name] for name in sweeps(cards)["resnet20_rewinding"].members]
    assert [card.rewind.mode for card in members] == ["weights", "learning_rate", "fine_tuning"]
    assert {card.rewind.fraction for card in members} == {0.1}
    assert {(card.training.learning_rate, card.training.iterations) for card in members} == {(0.1, 71_094)}


def test_the_rates_are_the_papers(cards):
    """Frankle & Carbin 2019, Fig. 7 and 8."""
    told = {
        name: [(c.training.learning_rate, c.training.warmup) for c in map(cards.get, sweeps(cards)[name].members)]
        for name in ("resnet18_cifar10_rates", "vgg19_cifar10_rates")
    }
    assert told == {
        "resnet18_cifar10_rates": [(0.1, None), (0.01, None), (0.03, 20_000)],
        "vgg19_cifar10_rates": [(0.1, None), (0.01, None), (0.1, 10_000)],
    }


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


@pytest.mark.parametrize("name", FULL)
def test_a_quick_twin_says_so_and_keeps_network_criterion_and_arms(cards, name):
    full, quick = cards[name], cards[f"{name}_quick"]
    assert (full.quick, quick.quick) == (False, True) and "not the paper's" in quick.description
    assert quick.based_on == name
    assert (quick.model, quick.arms, quick.pruning.scope) == (full.model, full.arms, full.pruning.scope)
    assert (quick.pruning.rates, quick.pruning.output_rate) == (full.pruning.rates, full.pruning.output_rate)
    assert quick.training.optimiser == full.training.optimiser
    most = 10 if full.data.name.endswith("mnist") else 60  # MNIST's images are small
    assert quick.training.iterations <= full.training.iterations / most


@pytest.mark.parametrize(
    ("depth", "rate", "iterations", "conv", "dropout_rate"),
    [(2, 2e-4, 20_000, 0.1, 3e-4), (4, 3e-4, 25_000, 0.1, 2e-4), (6, 3e-4, 30_000, 0.15, 2e-4)],
)
def test_the_conv_cards_are_the_papers(cards, depth, rate, iterations, conv, dropout_rate):
    """Frankle & Carbin 2019, Fig. 2 and §3."""
    card, dropout = cards[f"conv{depth}_cifar10"], cards[f"conv{depth}_cifar10_dropout"]
    assert (card.data.name, card.data.validation_size, card.model.name) == ("cifar10", 5000, f"conv{depth}")
    assert (card.training.optimiser, card.training.learning_rate) == ("adam", rate)
    assert (card.training.iterations, card.training.batch_size) == (iterations, 60)
    assert card.pruning.rates == {"conv": conv, "fc": 0.2} and card.pruning.output_rate == 0.1
    assert (card.model.dropout, dropout.model.dropout) == (None, 0.5)
    assert dropout.training.learning_rate == dropout_rate
    changed = {"model": card.model, "training": card.training, "based_on": None, "description": "", "name": "x"}
    assert dropout.model_copy(update=changed) == card.model_copy(update=changed)


@pytest.mark.parametrize(
    ("name", "model", "rate", "batch", "iterations", "warmup"),
    [
        ("resnet18_cifar10", {"name": "resnet_cifar", "depth": 20}, 0.03, 128, 30_000, 20_000),
        ("vgg19_cifar10", {"name": "vgg19"}, 0.1, 64, 112_000, 10_000),
    ],
)
def test_the_deep_cards_are_the_papers(cards, name, model, rate, batch, iterations, warmup):
    """Frankle & Carbin 2019, Fig. 2 and §4: the settings that find tickets."""
    card = cards[name]
    assert card.model.model_dump(include=model.keys()) == model
    training = card.training
    assert (training.optimiser, training.momentum, training.weight_decay) == ("sgd", 0.9, 1e-4)
    assert (training.learning_rate, training.batch_size, training.iterations, training.warmup) == (
        rate,
        batch,
        iterations,
        warmup,
    )
    rates = {kind: rate for kind, rate in card.pruning.rates.items() if rate}
    assert (card.pruning.scope, rates) == ("global", {"conv": 0.2})
    assert card.data.augmentation.model_dump() == {"flip": True, "crop": 4}


def without_texts(card):
    return card.model_dump(exclude={"name", "description"})


def test_the_quick_card_differs_in_iterations_and_replicates_only(cards):
    quick, full = without_texts(cards["lenet_mnist_quick"]), without_texts(cards["lenet_mnist"])
    assert (quick["training"]["iterations"], quick["replicates"]) == (5000, 2)
    quick["training"]["iterations"], quick["replicates"], quick["quick"] = 50_000, 5, False
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
