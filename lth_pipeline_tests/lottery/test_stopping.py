"""Trainings that end before their last iteration: diverged, or without a lower validation loss for a while."""

import math
from dataclasses import replace

import pytest
import torch

from lth_pipeline.lottery.pruning import masks
from lth_pipeline.lottery.training.curve import diverged_at, early_stop, waited
from lth_pipeline.lottery.training.train import train
from lth_pipeline_tests.lottery.small import DATA, MODEL, SCHEDULES, WEIGHTS, bits, half_mask, run, seeds

ADAM, SGD = SCHEDULES["adam"], SCHEDULES["sgd"]
LONG = replace(ADAM, iterations=400)
#: a third of its validation labels is wrong: the surer the network, the greater the validation loss
NOISY = replace(DATA, validation=replace(DATA.validation, labels=(DATA.validation.labels + (torch.arange(15) < 5)) % 3))


def overfit(schedule, **options):
    return train(MODEL, WEIGHTS, None, NOISY, schedule, seeds, **options)


def row(iteration: int, validation: float, train: float = 0.5) -> dict[str, float]:
    return {"iteration": iteration, "validation_loss": validation, "train_loss": train, "test_accuracy": 0.5}


@pytest.mark.parametrize("clip", [None, 1.0])
def test_a_diverged_training_stops_at_the_next_evaluation_and_says_where(clip):
    mask = half_mask()
    trained = run(replace(SGD, learning_rate=1e30, iterations=1000, clip_norm=clip, momentum=0.9), mask)
    assert masks.pruned_are_zero(mask, trained.weights)
    if clip is None:
        assert trained.diverged_at == 10 == trained.iterations == trained.rows[-1]["iteration"]
        assert len(trained.rows) == 2
        assert math.isfinite(trained.train_accuracy)


def test_pruned_weights_stay_zero_where_clipping_meets_a_gradient_that_is_not_finite():
    """The norm is not a number then, and so is every gradient that is divided by it: the pruned ones too."""
    mask = half_mask()
    broken = replace(DATA, train=replace(DATA.train, images=DATA.train.images * torch.inf))
    trained = train(MODEL, masks.apply(mask, WEIGHTS), mask, broken, replace(SGD, clip_norm=1.0), seeds)
    assert trained.diverged_at == 10
    assert masks.pruned_are_zero(mask, trained.weights)


def test_a_training_that_ends_well_did_not_diverge():
    assert run(ADAM).diverged_at is None


def test_where_losses_are_not_finite():
    assert diverged_at([row(0, 2.0, math.nan), row(10, 1.0)]) is None  # nothing was trained before the first row
    assert diverged_at([row(0, math.nan, math.nan)]) == 0
    assert diverged_at([row(0, 2.0, math.nan), row(10, math.inf), row(20, math.nan)]) == 10
    assert diverged_at([row(0, 2.0, math.nan), row(10, 1.0, math.nan)]) == 10


def test_patience_counts_evaluations_since_the_least_validation_loss():
    rows = [row(0, 3.0), row(10, 1.0), row(20, 2.0), row(30, 1.0)]
    assert early_stop(rows)["iteration"] == 10  # the first of equals
    assert waited(rows) == 2
    assert waited(rows[:2]) == 0


def test_patience_stops_where_the_whole_training_had_waited_so_long():
    """And up to there it is the whole training, to the bit."""
    whole, stopped = overfit(LONG), overfit(replace(LONG, patience=3))
    expected = next(n for n in range(1, len(whole.rows) + 1) if waited(whole.rows[:n]) >= 3)
    assert [list(map(repr, r.values())) for r in stopped.rows] == [
        list(map(repr, r.values())) for r in whole.rows[:expected]
    ]
    assert stopped.iterations == whole.rows[expected - 1]["iteration"] < 400
    assert early_stop(stopped.rows) == early_stop(whole.rows[:expected])


def test_a_rewind_point_is_reached_whatever_the_patience():
    impatient, plain = replace(LONG, patience=1), replace(LONG, patience=None)
    assert bits(overfit(impatient, stop=300)) == bits(overfit(plain, stop=300))
    assert overfit(impatient, stop=300).iterations == 300


def test_a_training_resumed_after_its_patience_ended_does_nothing_more():
    patient = replace(LONG, patience=3)
    states = []
    whole = overfit(patient, on_evaluation=lambda _, state: states.append(state()))
    assert bits(overfit(patient, resume=states[-1])) == bits(whole)
    assert bits(overfit(patient, resume=states[1])) == bits(whole)
