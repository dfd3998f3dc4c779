"""Training under a mask: what is pruned stays zero, what survives learns, and all of it is repeatable."""

from dataclasses import replace

import pytest
import torch
from torch.nn.functional import cross_entropy

from lth_pipeline.lottery.digest import digest
from lth_pipeline.lottery.pruning import masks
from lth_pipeline.lottery.training.order import batches
from lth_pipeline_tests.lottery.small import (
    DATA,
    MODEL,
    ONES,
    SCHEDULES,
    WEIGHTS,
    bits,
    epoch_seed,
    half_mask,
    run,
)

all_schedules = pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=list(SCHEDULES))


@all_schedules
def test_pruned_weights_are_exactly_zero_after_every_step(schedule):
    """Momentum and Adam's moments move a weight that is masked but not held."""
    mask, steps = half_mask(), []

    def on_step(iteration, live, state):
        live = live()
        steps.append(iteration)
        for name, alive in mask.items():
            assert (live[name].detach()[~alive].view(torch.int32) == 0).all(), f"{name}, step {iteration}"

    trained = run(schedule, mask, on_step=on_step)
    assert steps == list(range(1, schedule.iterations + 1))
    assert masks.pruned_are_zero(mask, trained.weights)


@all_schedules
def test_pruned_weights_are_exactly_zero_even_where_training_diverges(schedule):
    """0 · NaN is NaN: a gradient times the mask lets a diverged training grow its pruned weights back."""
    mask = half_mask()
    trained = run(replace(schedule, learning_rate=1e30), mask)
    assert not all(tensor.isfinite().all() for tensor in trained.weights.values())  # it did diverge
    assert masks.pruned_are_zero(mask, trained.weights)


@all_schedules
def test_survivors_of_both_signs_learn(schedule):
    """Published code has frozen every negative weight with `where(weight < EPS, 0, grad)`."""
    mask = half_mask()
    after = run(schedule, mask).weights
    for name, alive in mask.items():
        for sign in (-1, 1):
            those = alive & (WEIGHTS[name].sign() == sign)
            moved = after[name][those] != WEIGHTS[name][those]
            assert moved.float().mean() > 0.5, f"{name}, sign {sign}: {int(moved.sum())} of {len(moved)}"


@all_schedules
def test_biases_learn_under_a_mask(schedule):
    after = run(schedule, half_mask()).weights
    assert all((after[f"{layer.name}.bias"] != 0).any() for layer in MODEL.layers)


@all_schedules
def test_a_mask_of_ones_trains_to_the_same_bits_as_none(schedule):
    assert bits(run(schedule, ONES)) == bits(run(schedule, None))


@all_schedules
def test_training_twice_gives_the_same_bits_whatever_the_global_generator(schedule):
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = run(schedule, half_mask())
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert bits(run(schedule, half_mask())) == bits(first)


def test_another_order_of_the_data_gives_other_weights():
    """Or the test above would pass for a training that ignores its order."""
    schedule = SCHEDULES["sgd"]
    assert digest(run(schedule, order=lambda purpose, epoch: epoch).weights) != digest(run(schedule).weights)


@all_schedules
def test_the_given_weights_are_left_as_they_are(schedule):
    before = digest(WEIGHTS)
    trained = run(schedule)
    assert digest(WEIGHTS) == before != digest(trained.weights)
    assert not any(tensor.requires_grad for tensor in trained.weights.values())


@all_schedules
def test_a_training_is_torchs_own(schedule):
    """Against a plain loop over torch's unfused optimisers: rate, momentum and batches all arrive."""
    live = [tensor.clone().requires_grad_() for tensor in WEIGHTS.values()]
    if schedule.optimiser == "adam":
        optimiser = torch.optim.Adam(live, lr=schedule.learning_rate, foreach=False)
    else:
        optimiser = torch.optim.SGD(live, schedule.learning_rate, schedule.momentum, foreach=False)
    named = dict(zip(WEIGHTS, live, strict=True))
    for batch in batches(len(DATA.train), schedule.batch_size, 0, schedule.iterations, epoch_seed):
        optimiser.zero_grad()
        logits = MODEL.logits(named, DATA.train.images[batch])
        cross_entropy(logits, DATA.train.labels[batch]).backward()
        optimiser.step()
    for name, tensor in run(schedule).weights.items():
        torch.testing.assert_close(tensor, named[name].detach(), rtol=1e-4, atol=1e-5)


@all_schedules
def test_it_learns(schedule):
    longer = replace(schedule, iterations=120)
    trained = run(longer, half_mask())
    first, last = trained.rows[0], trained.rows[-1]
    assert last["validation_loss"] < 0.3 * first["validation_loss"]
    assert last["train_loss"] < trained.rows[1]["train_loss"]
    assert min(last["validation_accuracy"], last["test_accuracy"], trained.train_accuracy) > 0.9


def test_an_unknown_optimiser_is_refused_by_name():
    with pytest.raises(ValueError, match=r"'rmsprop'.*adam, adamw, sgd"):
        run(replace(SCHEDULES["adam"], optimiser="rmsprop"))
