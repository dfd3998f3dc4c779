"""What must hold of every round of every chain, read off the artifacts alone.

Nothing of `lottery.pruning.masks` is used: what makes masks does not judge them.
"""

from __future__ import annotations

import torch

from lth_pipeline.recipes import Step
from lth_pipeline_tests.recipes.making import Made, left, same, units, weights_left

Tensors = dict[str, torch.Tensor]


def hold(made: Made, round: int, rewound: Tensors, at: int) -> None:
    """All of them, of `round`. rewound: the weights that survivors must have; at: the iteration they train on from."""
    mask, ticket = made.mask(round), made.weights(Step("ticket", round))
    the_counts_are_the_ladders(made, round, mask)
    if made.chain.owner(round).pruning.mode == "iterative" and round > 1:
        it_is_inside(mask, made.mask(round - 1))
    it_is_laid_on(mask, ticket, rewound)
    for step in made.chain.trainings(round):
        its_pruned_weights_are_zero(made, step)
        it_has_the_right_learning_curve(made, step, at)
    reinit_is_the_tickets_mask_on_other_weights(made, round, mask, ticket)
    same_sign_has_other_magnitudes(made, round, mask, ticket)
    masks_of_their_own(made, round, mask)
    the_small_network_is_dense(made, round, mask)
    distillation_starts_from_the_ticket(made, round)


def the_counts_are_the_ladders(made: Made, round: int, mask: Tensors) -> None:
    """By the formula of the paper, worked out here from the card."""
    pruning, model = made.chain.owner(round).pruning, made.chain.model(round)
    counted = weights_left(mask) if pruning.structure == "weights" else units(mask)
    sizes = {
        layer.weight: layer.size if pruning.structure == "weights" else layer.shape[0]
        for layer in model.layers
        if pruning.structure == "weights" or not layer.is_output
    }
    rates = {layer.weight: pruning.rates[layer.kind] for layer in model.layers if layer.weight in sizes}
    if pruning.scope == "layerwise":
        expected = {name: left(size, *[rates[name]] * round) for name, size in sizes.items()}
        assert {name: counted[name] for name in sizes} == expected
    else:
        assert sum(counted[name] for name in sizes) == left(sum(sizes.values()), *[next(iter(rates.values()))] * round)
    if pruning.structure == "units":
        (output,) = (layer.weight for layer in model.layers if layer.is_output)
        assert mask[output].all()
        assert all(set(row.unique().tolist()) in ({0}, {1}) for each in mask.values() for row in each.flatten(1).int())


def it_is_inside(mask: Tensors, before: Tensors) -> None:
    for name, alive in mask.items():
        assert before[name][alive].all(), name


def it_is_laid_on(mask: Tensors, weights: Tensors, below: Tensors) -> None:
    """`weights` are `below` where the mask leaves them, bit for bit; else +0."""
    assert weights.keys() == below.keys()
    for name, tensor in weights.items():
        alive = mask.get(name, torch.ones_like(tensor, dtype=torch.bool))
        assert torch.equal(tensor[alive].view(torch.int32), below[name][alive].view(torch.int32)), name
        assert not tensor[~alive].view(torch.int32).any(), name


def its_pruned_weights_are_zero(made: Made, step: Step) -> None:
    under = made.chain.mask(step)
    if step.arm == "dense_small":
        assert under is None
        return
    mask, start, end = made.tensors(under), made.start(step), made.weights(step)
    for name, alive in mask.items():
        assert not start[name][~alive].any() and not end[name][~alive].any(), (step, name)
        assert alive.any() <= (start[name] != end[name])[alive].any(), f"{step}, {name}: nothing is learned"


def it_has_the_right_learning_curve(made: Made, step: Step, at: int) -> None:
    """Fresh weights are trained from iteration 0; what goes on from a rewind point, from there."""
    fresh = step.arm in ("reinit", "reinit_same_sign", "dense_small")
    training = made.chain.owner(step.round).training
    whole = range(training.evaluate_every, training.iterations, training.evaluate_every)
    first = 0 if fresh else at
    expected = [first, *(iteration for iteration in whole if iteration > first), training.iterations]
    assert [row["iteration"] for row in made.rows(step)] == expected, step
    assert made.product(step).facts["iterations"] == training.iterations - first


def reinit_is_the_tickets_mask_on_other_weights(made: Made, round: int, mask: Tensors, ticket: Tensors) -> None:
    for tensors in _drawn(made, round, "reinit"):
        for name, alive in mask.items():
            assert (tensors[name] != 0)[alive].all() and not tensors[name][~alive].any()
            assert _others(tensors[name], ticket[name], alive), name


def same_sign_has_other_magnitudes(made: Made, round: int, mask: Tensors, ticket: Tensors) -> None:
    for tensors in _drawn(made, round, "reinit_same_sign"):
        for name, alive in mask.items():
            assert torch.equal(tensors[name].sign(), ticket[name].sign()), name
            assert _others(tensors[name], ticket[name], alive), name


def masks_of_their_own(made: Made, round: int, mask: Tensors) -> None:
    """random_mask and shuffled_mask: the ticket's counts in each layer, elsewhere, on the weights it goes back to."""
    chain = made.chain
    rewound = chain.owner(round).rewind.mode == "weights"
    below = made.weights(chain.rewind_weights(round)) if rewound else made.early_weights(chain.main(0))
    for arm in ("random_mask", "shuffled_mask"):
        drawn = []
        for step in (step for step in chain.trainings(round) if step.arm == arm):
            own = made.tensors(chain.mask(step))
            assert weights_left(own) == weights_left(mask), step
            assert not same(own, mask), step
            it_is_laid_on(own, made.start(step), below)
            drawn.append(own)
            before = Step("mask", round - 1, arm, draw=step.draw)
            falling = round > 1 and all(
                count <= weights_left(made.mask(round - 1))[name] for name, count in weights_left(mask).items()
            )
            if arm == "random_mask" and falling:
                it_is_inside(own, made.tensors(before))
        assert len(drawn) == chain.owner(round).draws
        assert not any(same(one, two) for place, one in enumerate(drawn) for two in drawn[:place])


def the_small_network_is_dense(made: Made, round: int, mask: Tensors) -> None:
    """No zero weight, and as many weights as the ticket, as near as one factor for all widths comes."""
    step = Step("trained", round, "dense_small")
    start, end = made.start(step), made.weights(step)
    wanted, facts = sum(weights_left(mask).values()), made.product(step).facts
    assert all((start[name] != 0).all() for name in mask) and all((end[name] != 0).all() for name in mask)
    assert facts["weights"] == sum(start[name].numel() for name in mask)
    assert abs(facts["weights"] - wanted) <= 0.25 * wanted, (facts["weights"], wanted)
    assert facts["density"] == facts["weights"] / sum(alive.numel() for alive in mask.values())


def distillation_starts_from_the_ticket(made: Made, round: int) -> None:
    ticket, taught = (Step("trained", round, arm) for arm in ("ticket", "ticket_distilled"))
    assert made.chain.begin(taught) == Step("ticket", round) == made.chain.begin(ticket)
    assert str(made.rows(taught)[0]) == str(made.rows(ticket)[0])  # as text: no training loss yet, which is NaN
    assert not same(made.weights(taught), made.weights(ticket))


def _drawn(made: Made, round: int, arm: str) -> list[Tensors]:
    """What each draw of an arm begins with, no two alike."""
    found = [made.start(step) for step in made.chain.trainings(round) if step.arm == arm]
    assert len(found) == made.chain.owner(round).draws
    mask = made.mask(round)
    for place, one in enumerate(found):
        assert all(_others(one[name], two[name], mask[name]) for two in found[:place] for name in mask)
    return found


def _others(some: torch.Tensor, others: torch.Tensor, alive: torch.Tensor) -> bool:
    """Whether two draws differ: of a quarter of a million float32 a few fall on the same value by chance."""
    return int((some == others)[alive].sum()) <= 1e-4 * int(alive.sum())
