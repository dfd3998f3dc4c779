"""find_early through whole chains: the mask is of the weights at which it settled, and so is a fine-tuned ticket."""

import pytest
import torch

from lth_pipeline.lottery.pruning.criteria import CRITERIA
from lth_pipeline.recipes import Chain, Step
from lth_pipeline.recipes.artifacts import distances_of
from lth_pipeline_tests.recipes.invariants import it_is_laid_on
from lth_pipeline_tests.recipes.making import Made, card, load, made, same, workshop_in

DENSE = Step("trained", 0, "dense")
#: settles in the middle: 12 checkpoints, of which two distances in a row below a third are soon found
SETTLES = {"distance": 0.3, "checks": 2}
#: no two masks are the same before the learning rate is
NEVER = {"distance": 1e-6, "checks": 11}
LONG = {"iterations": 48, "evaluate_every": 4, "step_at": [30], "learning_rate": 0.3}


def early(settings=SETTLES, **changes) -> dict:
    return card(training=LONG, find_early=True, early_bird=settings, **changes)


def chain_of(tmp_path, settings: dict, name: str = "mine") -> Made:
    cards = load(tmp_path / "cards", **{name: settings})
    return made(workshop_in(tmp_path / "store"), cards, name)


def plain(tmp_path, iterations: int) -> dict[str, torch.Tensor]:
    """The weights of the same network trained without being followed, to `iterations`."""
    shorter = {**LONG, "iterations": iterations, "step_at": [30] if iterations > 30 else None}
    schedule = {} if iterations > 30 else {"schedule": None}
    cards = load(tmp_path / "plain", plain=card(training={**shorter, **schedule}))
    return made(workshop_in(tmp_path / "plain_store"), cards, "plain").weights(DENSE)


def largest(weights: dict[str, torch.Tensor], share: float) -> dict[str, torch.Tensor]:
    """Of each layer so many weights, by a plain sort."""
    found = {}
    for name, tensor in weights.items():
        if name.endswith("weight"):
            count = round(share * tensor.numel())
            order = tensor.abs().flatten().sort(descending=True, stable=True).indices[:count]
            found[name] = torch.zeros(tensor.numel(), dtype=torch.bool).scatter(0, order, True).view(tensor.shape)
    return found


def test_the_mask_is_of_the_weights_at_which_it_settled(tmp_path):
    chain = chain_of(tmp_path, early())
    settled = chain.product(DENSE).facts["early_bird_iteration"]
    assert 4 < settled < 30 and settled % 4 == 0
    there = plain(tmp_path, settled)
    assert same(chain.early_weights(DENSE), there)
    assert same(chain.mask(1), largest(there, 0.6))
    assert not same(chain.mask(1), largest(chain.weights(DENSE), 0.6))


def test_the_distances_are_those_of_the_masks_along_the_way(tmp_path):
    """And it settles at the first checkpoint where the last ones are small."""
    chain = chain_of(tmp_path, early())
    iterations, distances = distances_of(chain.tensors(DENSE))
    assert iterations == list(range(4, 49, 4))
    steps = [distances[place + 1][place] for place in range(len(iterations) - 1)]
    first = next(place for place in range(1, len(steps)) if max(steps[place - 1 : place + 1]) < SETTLES["distance"])
    assert chain.product(DENSE).facts["early_bird_iteration"] == iterations[first + 1]
    one, two = (largest(plain(tmp_path, iteration), 0.6) for iteration in (8, 12))
    differing = sum(int((one[name] != two[name]).sum()) for name in one)
    assert distances[1][2] == pytest.approx(differing / sum(mask.numel() for mask in one.values()), abs=1e-12)


def test_masks_are_as_far_apart_as_the_card_says(tmp_path):
    """An epoch (of 64 images in batches of 16) where it says nothing, and then to the next evaluation."""
    chain = chain_of(tmp_path, early({**SETTLES, "every": 12}))
    assert distances_of(chain.tensors(DENSE))[0] == [12, 24, 36, 48]
    for size, every in ((8, 8), (5, 16)):
        batches = card(training={**LONG, "batch_size": size}, find_early=True, early_bird=SETTLES)
        found = chain_of(tmp_path / f"{size}", batches)
        assert distances_of(found.tensors(DENSE))[0] == list(range(every, 49, every))


def test_following_changes_no_bit_of_the_training(tmp_path):
    chain = chain_of(tmp_path, early())
    assert same(chain.weights(DENSE), plain(tmp_path, 48))
    assert [row["iteration"] for row in chain.rows(DENSE)] == list(range(0, 49, 4))


def test_where_it_never_settles_the_end_counts(tmp_path):
    chain = chain_of(tmp_path, early(NEVER))
    facts = chain.product(DENSE).facts
    assert (facts["early_bird_iteration"], facts["early_bird_saves"]) == (None, 0)
    assert same(chain.early_weights(DENSE), chain.weights(DENSE))
    assert same(chain.mask(1), largest(chain.weights(DENSE), 0.6))


def test_the_facts_say_what_is_saved(tmp_path):
    chain = chain_of(tmp_path, early(arms=["ticket", "reinit"]))
    facts = chain.product(DENSE).facts
    assert facts["early_bird_saves"] == 48 - facts["early_bird_iteration"] > 0
    assert facts["iterations"] == 48
    for step in chain.chain.trainings(1):
        assert not {"early_bird_iteration", "early_bird_saves"} & set(chain.product(step).facts)


@pytest.mark.parametrize("mode", ["learning_rate", "fine_tuning"])
def test_what_is_not_rewound_goes_on_from_the_early_weights(tmp_path, mode):
    """The ticket and the arms with masks of their own; the teacher is the network at its end."""
    arms = ["ticket", "random_mask", "shuffled_mask", "ticket_distilled"]
    chain = chain_of(tmp_path, early(rewind={"mode": mode}, arms=arms))
    settled = chain.early_weights(DENSE)
    assert not same(settled, chain.weights(DENSE))
    it_is_laid_on(chain.mask(1), chain.weights(Step("ticket", 1)), settled)
    for arm in ("random_mask", "shuffled_mask"):
        it_is_laid_on(chain.tensors(Step("mask", 1, arm)), chain.weights(Step(arm, 1, arm)), settled)
    after = chain.weights(Step("trained", 1, "ticket"))
    it_is_laid_on(chain.mask(2), chain.weights(Step("ticket", 2)), after)  # a ticket is not followed
    assert not same(chain.weights(Step("trained", 1, "ticket_distilled")), after)


def test_a_rewound_ticket_goes_back_all_the_same(tmp_path):
    chain = chain_of(tmp_path, early())
    it_is_laid_on(chain.mask(1), chain.weights(Step("ticket", 1)), chain.weights(Step("initial_weights")))


def test_one_shot_prunes_the_early_weights_to_every_density(tmp_path):
    chain = chain_of(tmp_path, early(pruning={"mode": "one_shot"}))
    settled = chain.early_weights(DENSE)
    assert same(chain.mask(2), largest(settled, 0.36))


@pytest.mark.parametrize("criterion", ["magnitude_increase", "movement"])
def test_other_criteria_that_can_be_followed(tmp_path, criterion):
    assert CRITERIA[criterion].reads == {"trained", "initial"}
    chain = chain_of(tmp_path, early(pruning={"criterion": criterion}))
    settled, initial = chain.early_weights(DENSE), chain.weights(Step("initial_weights"))
    assert chain.product(DENSE).facts["early_bird_iteration"]
    for name, alive in chain.mask(1).items():
        score = (settled[name] - initial[name]).abs()
        if criterion == "magnitude_increase":
            score = settled[name].abs() - initial[name].abs()
        assert score[alive].min() >= score[~alive].max()


@pytest.mark.parametrize("cut", [4, 16, 28, 44])
def test_resumed_in_the_middle_it_is_the_same(tmp_path, cut):
    """Before, at and after the mask has settled; what is done is not done again."""
    cards = load(tmp_path / "cards", mine=early())
    whole = made(workshop_in(tmp_path / "whole"), cards, "mine")
    stopped = workshop_in(tmp_path / "cut", checkpoint_seconds=0)

    def stop(step, row, total):
        if row["iteration"] > cut:
            raise KeyboardInterrupt

    stopped.on_row = stop
    with pytest.raises(KeyboardInterrupt):
        made(stopped, cards, "mine").product(DENSE)
    seen = []
    resumed = workshop_in(tmp_path / "cut")
    resumed.on_row = lambda step, row, total: seen.append(row["iteration"])
    again = made(resumed, cards, "mine")
    assert again.product(DENSE).version == whole.product(DENSE).version
    assert seen == list(range(cut + 4, 49, 4))
    for fact in ("early_bird_iteration", "early_bird_saves", "iterations"):
        assert again.product(DENSE).facts[fact] == whole.product(DENSE).facts[fact]
    assert again.product(Step("mask", 1)).version == whole.product(Step("mask", 1)).version


def recipe(tmp_path, step: Step, **cards) -> list[str]:
    """Its id in each card, given the same inputs."""
    loaded = load(tmp_path / f"{len(list(tmp_path.iterdir()))}", **cards)
    return [Chain(loaded, name, 0).recipe(step, lambda source: "0" * 64).id for name in cards]


def test_a_followed_training_is_another_recipe(tmp_path):
    """By all that decides where the mask settles, and by nothing else."""
    others = {
        "plain": card(training=LONG),
        "farther": early({**SETTLES, "distance": 0.4}),
        "longer": early({**SETTLES, "checks": 3}),
        "rarer": early({**SETTLES, "every": 8}),
        "deeper": early(pruning={"rates": {"fc": 0.5}}),
        "moved": early(pruning={"criterion": "movement"}),
        "ranked": early(pruning={"scope": "global"}),
        "units": early(pruning={"structure": "units"}),
    }
    ids = recipe(tmp_path, DENSE, mine=early(), **others)
    assert len(set(ids)) == len(ids)
    same_training = recipe(
        tmp_path,
        DENSE,
        mine=early(),
        rounds=early(pruning={"rounds": 5}),
        shot=early(pruning={"mode": "one_shot"}),
        arms=early(arms=["ticket", "random_mask"]),
        rewound=early(rewind={"iteration": 4}),
    )
    assert len(set(same_training)) == 1


def test_what_does_not_depend_on_it_keeps_its_recipe(tmp_path):
    steps = [
        Step("initial_weights"),
        Step("rewind_weights", iteration=4),
        Step("trained", 1, "ticket"),
        Step("reinit", 1),
    ]
    for step in steps:
        one, two = recipe(tmp_path, step, plain=card(training=LONG), mine=early())
        assert one == two, step


def test_a_branch_takes_over_the_followed_training(tmp_path):
    """From round 1 too, whatever its own first mask is: nothing is trained twice."""
    branch = {"branch_of": {"experiment": "mine", "round": 1}, "pruning": {"rates": {"fc": 0.2}}}
    cards = load(tmp_path / "cards", mine=early(), other=branch)
    workshop = workshop_in(tmp_path / "store")
    parent, child = made(workshop, cards, "mine"), made(workshop, cards, "other")
    assert child.product(DENSE).recipe == parent.product(DENSE).recipe
    assert same(child.mask(1), largest(parent.early_weights(DENSE), 0.8))


def test_in_a_global_ranking_of_units(tmp_path):
    pruning = {"scope": "global", "structure": "units", "rates": {"fc": 0.25}}
    chain = chain_of(tmp_path, early({"distance": 0.5, "checks": 1}, pruning=pruning))
    assert chain.product(DENSE).facts["early_bird_iteration"] == 8
    settled = chain.early_weights(DENSE)
    sizes = {name: settled[name].square().mean(1).sqrt() for name in ("fc1.weight", "fc2.weight")}
    kept = {name: chain.mask(1)[name].any(1) for name in sizes}
    assert sum(int(alive.sum()) for alive in kept.values()) == 21
    assert min(sizes[n][kept[n]].min() for n in sizes) >= max(
        sizes[n][~kept[n]].max() for n in sizes if (~kept[n]).any()
    )
