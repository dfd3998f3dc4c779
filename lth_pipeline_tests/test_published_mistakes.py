"""Mistakes that published code makes: each has a check here, which ours passes and a copy with the mistake does not.

A check that nothing can fail proves nothing; hence the copies. Here those of single pieces; those that only whole
chains show are in test_published_mistakes_in_chains.py, and that each setting has an effect is held by
recipes/test_every_setting_counts.py.
"""

import pytest
import torch
from torch.nn.functional import cross_entropy

from lth_pipeline.lottery.errors import PruningError
from lth_pipeline.lottery.pruning import masks
from lth_pipeline.lottery.pruning.ladder import kept
from lth_pipeline.lottery.pruning.prune import prune
from lth_pipeline.recipes import Step
from lth_pipeline_tests.lottery.small import DATA, MODEL, SCHEDULES, WEIGHTS, half_mask, run
from lth_pipeline_tests.recipes.making import card, load, made, workshop_in


def passes(check, *arguments) -> None:
    check(*arguments)


def is_caught(check, *arguments) -> None:
    with pytest.raises(AssertionError):
        check(*arguments)


# 1: gradients cleared wherever a weight is small, and so wherever it is negative


def both_signs_learn(trained: dict, begun: dict, mask: dict) -> None:
    for name, alive in mask.items():
        for sign in (-1, 1):
            those = alive & (begun[name].sign() == sign)
            moved = (trained[name] != begun[name])[those].float().mean()
            assert moved > 0.5, f"{name}: of the survivors of sign {sign} {moved:.0%} learn"


def loop(mask, cleared, optimiser=torch.optim.SGD, begin=WEIGHTS, dense_steps=0, **settings) -> dict:
    """A plain loop, as in scripts. cleared: (weight, gradient, its mask) -> gradient.

    dense_steps: how many of its steps are made before pruning, with the same optimiser.
    """
    live = {name: tensor.clone().requires_grad_() for name, tensor in begin.items()}
    stepping = optimiser(live.values(), lr=0.1, **settings)
    for step in range(20):
        pruned = step >= dense_steps
        if step == dense_steps:
            for name, alive in mask.items():
                live[name].data *= alive
        stepping.zero_grad()
        cross_entropy(MODEL.logits(live, DATA.train.images), DATA.train.labels).backward()
        for name, alive in mask.items() if pruned else ():
            live[name].grad = cleared(live[name], live[name].grad, alive)
        stepping.step()
    return {name: tensor.detach() for name, tensor in live.items()}


def by_value(weight, gradient, alive):
    return torch.where(weight < 1e-6, 0.0, gradient)


def by_mask(weight, gradient, alive):
    return torch.where(alive, gradient, 0.0)


@pytest.mark.parametrize("name", SCHEDULES)
def test_negative_weights_learn(name):
    mask = half_mask()
    begun = masks.apply(mask, WEIGHTS)
    passes(both_signs_learn, run(SCHEDULES[name], mask).weights, begun, mask)
    passes(both_signs_learn, loop(mask, by_mask), begun, mask)
    is_caught(both_signs_learn, loop(mask, by_value), begun, mask)


# 2: pruned weights that drift, and networks that are not as sparse as they are said to be


def pruned_are_zero(trained: dict, mask: dict) -> None:
    for name, alive in mask.items():
        drifted = int(trained[name][~alive].count_nonzero())
        assert not drifted, f"{name}: {drifted} of {int((~alive).sum())} pruned weights are not zero"


DRIFTS = {
    "nothing is cleared": (lambda weight, gradient, alive: gradient, torch.optim.SGD, {}),
    "momentum of the dense training": (by_mask, torch.optim.SGD, {"momentum": 0.9, "dense_steps": 10}),
    "Adam's memory of it": (by_mask, torch.optim.Adam, {"dense_steps": 10}),
    "decay towards the rewind point": (
        lambda weight, gradient, alive: torch.where(alive, gradient, 0.0) + 0.1 * (weight.detach() - 1),
        torch.optim.SGD,
        {},
    ),
}


@pytest.mark.parametrize("drift", DRIFTS)
def test_pruned_weights_that_drift_are_seen(drift):
    mask, (cleared, optimiser, settings) = half_mask(), DRIFTS[drift]
    is_caught(pruned_are_zero, loop(mask, cleared, optimiser, **settings), mask)


@pytest.mark.parametrize("name", SCHEDULES)
def test_pruned_weights_are_zero_after_every_step(name):
    mask, steps_done = half_mask(), []

    def on_step(iteration, live, state):
        live = live()
        pruned_are_zero(live, mask)
        steps_done.append(iteration)

    pruned_are_zero(run(SCHEDULES[name], mask, on_step=on_step).weights, mask)
    assert steps_done == list(range(1, 27))


# 3: pruning by a threshold


def so_many_are_left(pruned_by, values: torch.Tensor, keep: int) -> None:
    left = int(pruned_by(values, keep).sum())
    assert left == keep, f"{left} are left, not {keep}"


def by_count(values, keep):
    ones = {"w": torch.ones_like(values, dtype=torch.bool)}
    return prune(ones, lambda mask: {"w": values.abs()}, {"w": keep})["w"]


def by_threshold(values, keep):
    return values.abs() > values.abs().sort().values[len(values) - keep - 1]


def by_quantile(values, keep):
    return values.abs() > torch.quantile(values.abs(), 1 - keep / len(values))


VALUES = {
    "all equal": torch.full((20,), 0.5),
    "ties at the border": torch.tensor([1.0] * 5 + [0.5] * 10 + [0.1] * 5),
    "signs only": torch.tensor([0.3, -0.3] * 10),
    "zeros": torch.zeros(20),
}


@pytest.mark.parametrize("values", VALUES)
def test_counts_and_not_thresholds(values):
    for keep in range(1, 20):
        passes(so_many_are_left, by_count, VALUES[values], keep)
    is_caught(so_many_are_left, by_threshold, VALUES[values], 7)
    is_caught(so_many_are_left, by_quantile, VALUES[values], 7)


def test_rounding_takes_no_weight_too_many():
    """0.8 of 0.8 of … of 235,200 in float arithmetic, rounded down at each round, drifts off the paper's formula."""

    def follows_the_formula(counts: list[int]) -> None:
        assert all(abs(count - 235_200 * 0.8**round) <= 0.5 for round, count in enumerate(counts))

    cut = [235_200]
    for _ in range(25):
        cut.append(int(cut[-1] * (1 - 0.2)))
    passes(follows_the_formula, [kept(235_200, [0.2] * round) for round in range(26)])
    is_caught(follows_the_formula, cut)


# 5: a layer pruned away whole without a word


def no_layer_vanishes_silently(pruned_by) -> None:
    """One layer has smaller weights than the other: a global ranking would take it whole."""
    values = {"small": torch.linspace(0.1, 0.2, 10), "large": torch.linspace(1, 2, 10)}
    try:
        mask = pruned_by(values, 8)
    except PruningError as error:
        assert "small" in str(error)
        return
    assert all(tensor.any() for tensor in mask.values()), "a layer is empty and nobody was told"


def by_global_count(values, keep):
    ones = {name: torch.ones_like(tensor, dtype=torch.bool) for name, tensor in values.items()}
    return prune(ones, lambda mask: values, {"": keep}, list(values))


def by_global_threshold(values, keep):
    border = torch.cat(list(values.values())).sort(descending=True).values[keep]
    return {name: tensor > border for name, tensor in values.items()}


def test_no_layer_vanishes_silently():
    passes(no_layer_vanishes_silently, by_global_count)
    is_caught(no_layer_vanishes_silently, by_global_threshold)


@pytest.mark.parametrize("empty", ["refuse", "allow"])
def test_a_chain_says_which_layer_is_gone(tmp_path, empty):
    """Units of fc1 have the smaller weights. Refused by name, or, where the card allows it, recorded."""
    settings = {"scope": "global", "structure": "units", "rates": {"fc": 0.7}, "rounds": 1, "empty_layers": empty}
    chain = made(workshop_in(tmp_path / "store"), load(tmp_path / "cards", mine=card(pruning=settings)), "mine")
    if empty == "refuse":
        with pytest.raises(PruningError, match=r"no weight would be left in fc1\.weight"):
            chain.product(Step("mask", 1))
    else:
        assert chain.product(Step("mask", 1)).facts["counts"]["fc1.weight"] == 0
        assert not chain.weights(Step("trained", 1, "ticket"))["fc1.weight"].any()
