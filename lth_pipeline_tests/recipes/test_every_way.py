"""Every way to prune, rewind and control, through whole chains on a network of 1,300 weights."""

from itertools import product

import pytest
import torch

from lth_pipeline.lottery.pruning.criteria import CRITERIA
from lth_pipeline.recipes import Step, training
from lth_pipeline.recipes.step import DRAWN
from lth_pipeline_tests.recipes.invariants import hold
from lth_pipeline_tests.recipes.making import ARMS, Made, card, load, made, workshop_in

#: rewinding -> (settings, the iteration that a pruned network is trained from)
REWINDINGS = {
    "weights_at_0": ({}, 0),
    "weights_at_3": ({"iteration": 3}, 3),
    "learning_rate": ({"mode": "learning_rate", "iteration": 3}, 3),
    "fine_tuning": ({"mode": "fine_tuning", "iteration": 5}, 5),
}
#: what keeps a criterion cheap on 64 images, and takes it through more than one step where it can go by steps
FAST = {
    "snip": {"examples": 20, "steps": 2},
    "grasp": {"examples": 20, "steps": 2},
    "gradient_magnitude": {"examples": 20},
    "synflow": {"steps": 4},
}
SCOPES, STRUCTURES, MODES = ("layerwise", "global"), ("weights", "units"), ("iterative", "one_shot")
WAYS = list(product(CRITERIA, SCOPES, STRUCTURES, MODES, REWINDINGS))
ROUNDS = 2
#: of a training that ends at the rewind point of weights_at_3
SHORT = {"iterations": 3, "evaluate_every": 3, "schedule": None, "step_at": None}


def named(way) -> str:
    """The name of the card."""
    return f"way_{WAYS.index(way)}"


def told(way) -> str:
    return "-".join(way)


def card_of(criterion, scope, structure, mode, rewinding, **others):
    pruning = {"criterion": criterion, "scope": scope, "structure": structure, "mode": mode, **FAST.get(criterion, {})}
    if structure == "units":  # so few that a global ranking takes no layer whole
        pruning["rates"] = {"fc": 0.2}
    return card(pruning=pruning, rewind=REWINDINGS[rewinding][0], arms=ARMS, draws=2, **others)


@pytest.fixture(scope="module")
def cards(tmp_path_factory):
    return load(tmp_path_factory.mktemp("cards"), short=card(training=SHORT), **{named(w): card_of(*w) for w in WAYS})


@pytest.fixture(scope="module")
def workshop(tmp_path_factory):
    """One for all: the dense network, and whatever else ways have in common, is trained once."""
    return workshop_in(tmp_path_factory.mktemp("store"))


def gone_on_from(made: Made, round: int, rewinding: str, short: str = "short"):
    """The weights that the ticket of `round` must have, found without asking the chain.

    short: the same experiment but for its trainings, which end at the rewind point.
    """
    if rewinding == "weights_at_0":
        return made.weights(Step("initial_weights"))
    if rewinding == "weights_at_3":
        return Made(made.workshop, made.chain.other(short)).weights(Step("trained", 0, "dense"))
    one_shot = made.chain.owner(round).pruning.mode == "one_shot"
    last = Step("trained", 0, "dense") if one_shot or round == 1 else Step("trained", round - 1, "ticket")
    return made.weights(last)


@pytest.mark.parametrize("way", WAYS, ids=told)
def test_the_invariants_hold(way, cards, workshop):
    chain, at = made(workshop, cards, named(way)), REWINDINGS[way[-1]][1]
    assert len(chain.chain.trainings(1)) == len(ARMS) + len(DRAWN)
    for round in range(1, ROUNDS + 1):
        hold(chain, round, gone_on_from(chain, round, way[-1]), at)


#: each criterion twice, so that every scope, structure, mode and rewinding is among them
SOME = [WAYS[32 * place + (13 * place + 17 * half) % 32] for place in range(len(CRITERIA)) for half in (0, 1)]


def test_the_selection_has_everything():
    assert [set(column) for column in zip(*SOME, strict=True)] == [
        set(CRITERIA), set(SCOPES), set(STRUCTURES), set(MODES), set(REWINDINGS)
    ]  # fmt: skip


@pytest.mark.parametrize("way", SOME, ids=told)
def test_another_store_gets_the_same_bits(way, cards, workshop, tmp_path):
    """Nothing comes from the clock, the global generator, or what was computed before."""
    again = workshop_in(tmp_path / "other")
    assert made(again, cards, named(way)).versions(ROUNDS) == made(workshop, cards, named(way)).versions(ROUNDS)


@pytest.mark.parametrize("way", SOME[::3], ids=told)
def test_the_arms_of_a_round_see_the_same_batches(way, cards, tmp_path, monkeypatch):
    """Or the gap between them would be partly luck. An epoch's stream is what orders it."""
    streams: list[tuple] = []
    plain = training.train

    def spied(model, weights, mask, data, schedule, seeds, **options):
        streams.append(
            tuple(seeds(purpose, number) for purpose in ("data_order", "augmentation") for number in range(9))
        )
        return plain(model, weights, mask, data, schedule, seeds, **options)

    monkeypatch.setattr(training, "train", spied)
    chain = made(workshop_in(tmp_path / "own"), cards, named(way))
    seen = []
    for round in range(ROUNDS + 1):
        steps = chain.chain.trainings(round)
        for before in [each for step in steps for each in (chain.chain.begin(step), chain.chain.mask(step)) if each]:
            chain.product(before)
        streams.clear()
        for step in steps:
            chain.product(step)
        assert len(streams) == len(steps), "each was trained, and once"
        assert len(set(streams)) == 1, "from the same streams"
        seen.append(streams[0])
    assert len(set(seen)) == ROUNDS + 1, "which are the round's own"


def test_a_random_mask_knows_nothing_of_the_tickets(cards, workshop):
    """With the same counts it is the same whatever the criterion found; a shuffled one is what was found, shuffled."""
    chains = [
        made(workshop, cards, named((criterion, "layerwise", "weights", "iterative", "weights_at_0")))
        for criterion in ("magnitude", "movement")
    ]
    for round in range(1, ROUNDS + 1):
        found = {
            arm: [chain.product(Step("mask", round, arm)).version for chain in chains]
            for arm in ("random_mask", "shuffled_mask")
        }
        assert len(set(found["random_mask"])) == 1 and len(set(found["shuffled_mask"])) == 2


HIGH, LOW = 0.1, 0.01  # card()'s rate, a tenth of it from iteration 6 on
#: rewinding -> the learning rates of a ticket's steps
RATES = {
    "weights_at_0": [HIGH] * 6 + [LOW] * 4,
    "weights_at_3": [HIGH] * 3 + [LOW] * 4,
    "learning_rate": [HIGH] * 3 + [LOW] * 4,
    "fine_tuning": [LOW] * 5,
}


@pytest.mark.parametrize("rewinding", REWINDINGS)
def test_the_learning_rate_goes_back_or_stays(rewinding, cards, tmp_path, monkeypatch):
    """As the optimiser gets it: of what goes on from trained or rewound weights; fresh ones begin at the beginning."""
    used: list[float] = []
    plain = torch.optim.SGD.step

    def spied(self, *arguments, **options):
        used.append(self.param_groups[0]["lr"])
        return plain(self, *arguments, **options)

    monkeypatch.setattr(torch.optim.SGD, "step", spied)
    way = ("random", "layerwise", "weights", "iterative", rewinding)
    chain = made(workshop_in(tmp_path / "own"), cards, named(way))
    for step in chain.chain.trainings(1):
        for before in (chain.chain.begin(step), chain.chain.mask(step), Step("trained", 0, "dense")):
            if before:
                chain.product(before)
        used.clear()
        chain.product(step)
        fresh = step.arm in ("reinit", "reinit_same_sign", "dense_small")
        assert used == pytest.approx(RATES["weights_at_0" if fresh else rewinding], rel=1e-12), step
