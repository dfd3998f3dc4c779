"""Tickets found elsewhere: what is carried over, what is fresh, and whose rounds they are made of."""

import numpy as np
import pytest
import torch
from PIL import Image

from lth_pipeline.lottery.data import DataDirs
from lth_pipeline.lottery.models import build
from lth_pipeline.recipes import Step, Store, Workshop
from lth_pipeline.recipes.ready import make_ready
from lth_pipeline.recipes.remarks import remarks
from lth_pipeline.recipes.transfer import carried
from lth_pipeline_tests.recipes.invariants import it_is_inside, it_is_laid_on
from lth_pipeline_tests.recipes.making import Made, card, left, load, made, same, weights_left, workshop_in

SIZES = {"fc1.weight": 64 * 16, "fc2.weight": 16 * 12, "output.weight": 12 * 10}
TRANSFERRED, INITIAL = Step("transferred_weights"), Step("initial_weights")
DATA_1D = {"name": "mnist1d", "validation_size": 40, "train_size": 64, "test_size": 40}
RESNET = {"name": "resnet_cifar", "depth": 8, "filters": 4, "widths": None}


def taking(source: str = "source", round: int = 2, weights: str = "source", **changes) -> dict:
    return card(seed=1, ticket_from={"experiment": source, "round": round, "weights": weights}, **changes)


def both(tmp_path, source: dict, taker: dict) -> tuple[Made, Made]:
    cards = load(tmp_path / "cards", source=source, taker=taker)
    workshop = workshop_in(tmp_path / "store")
    return made(workshop, cards, "source"), made(workshop, cards, "taker")


def test_to_other_images_the_first_layer_is_fresh(tmp_path):
    """64 pixels there, 40 values here: fc1 does not fit; its own weights, its own bias, and whole."""
    rewind = Step("rewind_weights", iteration=3)  # where biases are no longer zero
    source, taker = both(tmp_path, card(rewind={"iteration": 3}), taking(data=DATA_1D))
    assert taker.chain.carried() == ("fc2", "output")
    facts, mask = taker.product(Step("mask", 1)).facts, taker.mask(1)
    assert facts["fresh_layers"] == ["fc1"]
    assert mask["fc1.weight"].shape == (16, 40) and mask["fc1.weight"].all()
    assert facts["counts"] == weights_left(mask)
    for layer in ("fc2", "output"):
        assert mask[f"{layer}.weight"].equal(source.mask(2)[f"{layer}.weight"])
    ticket, own, theirs = taker.weights(Step("ticket", 1)), taker.weights(INITIAL), source.weights(rewind)
    assert all(theirs[f"{layer}.bias"].any() for layer in ("fc1", "fc2", "output"))
    expected = {name: own[name] if name.startswith("fc1") else theirs[name] for name in own}
    assert same(taker.weights(TRANSFERRED), expected)
    it_is_laid_on(mask, ticket, expected)
    assert not own["fc2.weight"].equal(theirs["fc2.weight"])
    second = taker.mask(2)
    it_is_inside(second, mask)
    it_is_laid_on(second, taker.weights(Step("ticket", 2)), expected)
    assert not taker.weights(Step("trained", 2, "ticket"))["fc1.weight"][~second["fc1.weight"]].any()


def test_a_mask_alone_goes_on_ones_own_weights(tmp_path):
    source, taker = both(tmp_path, card(), taking(weights="own", rewind={"iteration": 3}))
    at_3 = taker.weights(Step("rewind_weights", iteration=3))
    assert same(taker.mask(1), source.mask(2))
    it_is_laid_on(taker.mask(1), taker.weights(Step("ticket", 1)), at_3)
    assert not same(at_3, source.weights(INITIAL))
    assert taker.rows(Step("trained", 1, "ticket"))[0]["iteration"] == 3


@pytest.mark.parametrize(
    "rewind", [{"iteration": 3}, {"mode": "learning_rate"}, {"mode": "fine_tuning"}], ids=["weights", "rate", "tuning"]
)
def test_the_ticket_keeps_the_weights_it_was_rewound_to_there(tmp_path, rewind):
    source, taker = both(tmp_path, card(rewind=rewind), taking())
    theirs = source.weights(Step("ticket", 2))
    assert same(taker.weights(Step("ticket", 1)), theirs)
    biases = [name for name in theirs if name.endswith("bias")]
    assert all(theirs[name].any() for name in biases), "which have been trained, so that leaving them out would show"
    assert taker.rows(Step("trained", 1, "ticket"))[0]["iteration"] == 0


def test_an_early_ticket_keeps_its_early_weights(tmp_path):
    early = {"find_early": True, "early_bird": {"distance": 0.4, "checks": 1}, "rewind": {"mode": "fine_tuning"}}
    source, taker = both(tmp_path, card(**early), taking(round=1))
    dense = Step("trained", 0, "dense")
    assert not same(source.early_weights(dense), source.weights(dense))
    assert same(taker.weights(TRANSFERRED), source.early_weights(dense))
    assert same(taker.weights(Step("ticket", 1)), source.weights(Step("ticket", 1)))


def test_to_a_network_with_more_layers(tmp_path):
    """Those of the same name and shape are carried; the new one, and the output behind it, begin whole."""
    source, taker = both(tmp_path, card(), taking(model={"widths": [16, 12, 8]}))
    mask, counts = taker.mask(1), weights_left(source.mask(2))
    assert taker.chain.carried() == ("fc1", "fc2")
    expected = {**counts, "fc3.weight": 12 * 8, "output.weight": 8 * 10}
    assert weights_left(mask) == expected == dict(taker.chain.rung(1).keep)
    assert weights_left(taker.mask(2)) == {name: left(count, "0.4") for name, count in expected.items()}


def test_a_residual_network_with_another_head_and_another_first_layer(tmp_path):
    """CIFAR-100 has colours and a hundred classes; its images are not needed for what is not trained on them."""
    rates = {"fc": 0.2, "conv": 0.4, "shortcut": 0.4}
    cifar = {"name": "cifar100", "validation_size": 40, "train_size": None, "test_size": None}
    source, taker = both(
        tmp_path,
        card(model=RESNET, pruning={"rates": rates}, rewind={"iteration": 3}),
        taking(model=RESNET, data=cifar, pruning={"rates": rates}),
    )
    mask, ticket = taker.mask(1), taker.weights(Step("ticket", 1))
    facts = taker.product(Step("mask", 1)).facts
    assert facts["fresh_layers"] == ["conv1", "output"]
    assert mask["output.weight"].shape == (100, 16) and mask["output.weight"].all() and mask["conv1.weight"].all()
    own, theirs = taker.weights(INITIAL), source.weights(Step("rewind_weights", iteration=3))
    after = [name for name in own if name.startswith("norm1.")]  # the batch norm of the fresh convolution goes with it
    assert len(after) == 4 and not own["norm1.running_mean"].any() and theirs["norm1.running_mean"].any()
    for fresh in ("output.weight", "output.bias", "conv1.weight", *after):
        assert ticket[fresh].equal(own[fresh])
    carried = [name for name in theirs if name.startswith("stage")]
    for name in carried:  # convolutions, and batch norm: what is learned, and statistics
        assert ticket[name].equal(torch.where(source.mask(2)[name], theirs[name], 0) if name in mask else theirs[name])
    moved = [name for name in carried if name.endswith("running_mean")]
    assert moved and all(ticket[name].any() for name in moved)


def test_the_sources_rounds_are_made_on_demand_and_found_again(tmp_path):
    cards = load(tmp_path / "cards", source=card(), taker=taking(round=2, weights="own"))
    seen: list[str] = []
    workshop = workshop_in(tmp_path / "store")
    workshop.on_row = lambda step, row, total: seen.append(str(step))
    taker, source = made(workshop, cards, "taker"), made(workshop, cards, "source")
    assert workshop.look_up(taker.chain, Step("mask", 1)) is None and not seen
    taker.product(Step("mask", 1))
    assert set(seen) == {"source, round 0 dense trained", "source, round 1 ticket trained"}
    seen.clear()
    found = workshop_in(tmp_path / "store")
    found.on_row = workshop.on_row
    assert not made(found, cards, "source").product(Step("trained", 1, "ticket")).computed
    assert workshop.look_up(taker.chain, Step("mask", 1)).version == source.product(Step("mask", 2)).version
    assert not seen
    with_own = made(workshop, cards, "taker", replicate=1)
    assert not same(with_own.mask(1), taker.mask(1)), "each replicate takes the ticket of the same replicate"


def test_where_all_fits_the_mask_is_the_very_artifact(tmp_path):
    source, taker = both(tmp_path, card(), taking())
    assert taker.product(Step("mask", 1)).version == source.product(Step("mask", 2)).version
    assert taker.product(Step("ticket", 1)).version == source.product(Step("ticket", 2)).version
    assert taker.product(TRANSFERRED).version == source.product(INITIAL).version
    assert taker.product(Step("mask", 1)).facts["fresh_layers"] == []


def test_another_round_is_another_recipe_and_another_name_is_not(tmp_path):
    twin = card(description="the same under another name")
    cards = load(
        tmp_path / "cards",
        source=card(),
        twin=twin,
        taker=taking(round=2),
        first=taking(round=1),
        of_twin=taking("twin", round=2),
        own=taking(round=2, weights="own"),
    )
    workshop = workshop_in(tmp_path / "store")

    def ids(name: str) -> list[str]:
        chain = made(workshop, cards, name)
        return [chain.product(step).recipe.id for step in (Step("mask", 1), Step("ticket", 1), Step("mask", 2))]

    taker, first, of_twin, own = map(ids, ("taker", "first", "of_twin", "own"))
    assert taker == of_twin
    assert not set(taker) & set(first)
    assert taker[0] == own[0] and taker[1] != own[1]


def test_a_branch_of_a_transfer_takes_over_its_ticket(tmp_path):
    branch = {"branch_of": {"experiment": "taker", "round": 2}, "pruning": {"rates": {"fc": 0.2}}}
    cards = load(tmp_path / "cards", source=card(), taker=taking(), branch=branch)
    workshop = workshop_in(tmp_path / "store")
    parent, child = made(workshop, cards, "taker"), made(workshop, cards, "branch")
    for step in (Step("mask", 1), Step("ticket", 1), TRANSFERRED, Step("trained", 1, "ticket")):
        assert child.product(step).recipe == parent.product(step).recipe
    counts = weights_left(parent.mask(1))
    assert weights_left(child.mask(2)) == {name: left(count, "0.2") for name, count in counts.items()}
    it_is_laid_on(child.mask(2), child.weights(Step("ticket", 2)), parent.weights(TRANSFERRED))


def test_a_ticket_of_a_transfer_of_a_branch(tmp_path):
    """Through all of them to the first one's weights."""
    branch = {"branch_of": {"experiment": "source", "round": 2}, "pruning": {"rates": {"fc": 0.2}}}
    cards = load(tmp_path / "cards", source=card(), branch=branch, middle=taking("branch", 2), last=taking("middle", 1))
    workshop = workshop_in(tmp_path / "store")
    chains = [made(workshop, cards, name) for name in ("source", "branch", "last")]
    source, branched, last = chains
    assert same(last.mask(1), branched.mask(2))
    it_is_laid_on(last.mask(1), last.weights(Step("ticket", 1)), source.weights(INITIAL))
    assert weights_left(last.mask(1)) == {name: left(size, "0.4", "0.2") for name, size in SIZES.items()}


@pytest.mark.parametrize("criterion", ["movement", "magnitude_increase"])
def test_what_a_taken_ticket_moved_is_told_from_where_it_began(tmp_path, criterion):
    """Not from this card's own initialisation, which it has never seen."""
    _, taker = both(tmp_path, card(), taking(pruning={"criterion": criterion}))
    trained, began = taker.weights(Step("trained", 1, "ticket")), taker.weights(Step("ticket", 1))
    for name, alive in taker.mask(2).items():
        score = (trained[name] - began[name]).abs()
        if criterion == "magnitude_increase":
            score = trained[name].abs() - began[name].abs()
        out = taker.mask(1)[name] & ~alive
        assert out.any() and score[alive].min() >= score[out].max(), name


@pytest.mark.parametrize("weights", ["source", "own"])
def test_what_is_pruned_before_training_ranks_the_weights_that_the_ticket_has(tmp_path, weights):
    _, taker = both(tmp_path, card(), taking(weights=weights, pruning={"criterion": "initial_magnitude"}))
    ticket = taker.weights(Step("ticket", 1))
    for name, alive in taker.mask(2).items():
        out = taker.mask(1)[name] & ~alive
        assert out.any() and ticket[name].abs()[alive].min() >= ticket[name].abs()[out].max(), name


@pytest.mark.parametrize("source_structure", ["weights", "units"])
def test_masks_drawn_at_random_have_the_taken_tickets_counts(tmp_path, source_structure):
    """Of single weights, also where what was taken over is of whole units: it is this card's structure that counts."""
    arms = ["ticket", "random_mask", "shuffled_mask", "reinit", "dense_small"]
    _, taker = both(
        tmp_path,
        card(pruning={"structure": source_structure, "rates": {"fc": 0.2}}),
        taking(round=1, arms=arms),
    )
    counts = weights_left(taker.mask(1))
    for arm in ("random_mask", "shuffled_mask"):
        own = taker.tensors(Step("mask", 1, arm))
        assert weights_left(own) == counts and not same(own, taker.mask(1))
        trained = taker.weights(Step("trained", 1, arm))
        assert not any(trained[name][~alive].any() for name, alive in own.items())


def test_to_other_classes_the_head_is_fresh_and_learns(tmp_path):
    """Digits know ten classes, these pictures two."""
    folder = tmp_path / "data" / "pets"
    draws = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (folder / name).mkdir(parents=True)
        for number in range(20):
            Image.fromarray(draws.integers(0, 256, (8, 8), dtype=np.uint8)).save(folder / name / f"{number:02}.png")
    pets = {"name": "images", "path": "pets", "colour": "grey", "validation_size": 6, "test_size": 6}
    taker = taking(round=2, training={"batch_size": 8}) | {"data": pets}
    cards = load(tmp_path / "cards", source=card(), taker=taker)
    dirs = DataDirs(tmp_path / "data", tmp_path / "cache")
    make_ready(cards, "taker", dirs)
    workshop = Workshop(Store(tmp_path / "store"), dirs, device="cpu")
    chain, source = Made(workshop, workshop.chain(cards, "taker", 0)), made(workshop, cards, "source")
    ticket, trained = chain.weights(Step("ticket", 1)), chain.weights(Step("trained", 1, "ticket"))
    assert chain.product(Step("mask", 1)).facts["fresh_layers"] == ["output"]
    assert ticket["output.weight"].shape == (2, 12) and chain.mask(1)["output.weight"].all()
    assert ticket["output.weight"].equal(chain.weights(INITIAL)["output.weight"])
    assert ticket["fc1.weight"].equal(source.weights(Step("ticket", 2))["fc1.weight"])
    assert (trained["output.weight"] != ticket["output.weight"]).all()


@pytest.mark.parametrize(("one", "other"), [("conv6", "vgg13"), ("vgg13", "conv6")])
def test_a_bias_or_the_batch_norm_in_its_place_must_be_on_both_sides(one, other):
    """Of weights that are carried; the mask alone fits a layer of the same shape."""
    source, target = (build(name, (3, 32, 32), 10, initialisation="kaiming_normal").layers for name in (one, other))
    assert "conv1" in carried(source, target, "own")
    for weights in ("source", "trained"):
        assert "conv1" not in carried(source, target, weights)
        assert carried(source, source, weights) == tuple(layer.name for layer in source)


@pytest.mark.parametrize("arms", [["ticket", "random_mask"], ["ticket"]])
def test_another_mask_on_weights_that_were_pruned_before_is_remarked_on(tmp_path, arms):
    """Of a source that does not rewind, its weights are those of the round before, zero where that was pruned."""
    _, taker = both(tmp_path, card(rewind={"mode": "fine_tuning"}), taking(arms=arms))
    said = remarks(taker.workshop, [taker.chain])
    found = [each for each in said if "Random mask cannot be compared with the ticket: the weights of source" in each]
    assert len(found) == (len(arms) > 1)


@pytest.mark.parametrize(("seed", "remarked"), [(1, False), (5, True)])
def test_trained_weights_that_may_have_seen_what_is_held_out_are_remarked_on(tmp_path, seed, remarked):
    """The card that takes them has seed 1, which the split of its data is drawn with."""
    _, taker = both(tmp_path, card(seed=seed), taking(weights="trained"))
    said = remarks(taker.workshop, [taker.chain])
    assert any("were trained on images of the same data set" in each for each in said) is remarked
