"""What a training records, and when."""

import math
from dataclasses import replace
from time import perf_counter, sleep

import pytest
import torch
from torch.nn.functional import cross_entropy

from lth_pipeline.lottery.data.dataset import Part
from lth_pipeline.lottery.training import evaluation
from lth_pipeline.lottery.training.order import batches
from lth_pipeline_tests.lottery.small import DATA, MODEL, SCHEDULES, WEIGHTS, epoch_seed, run

SGD = SCHEDULES["sgd"]


def recorded_at(schedule, **options):
    return [row["iteration"] for row in run(schedule, **options).rows]


def test_rows_stand_at_the_start_every_so_often_and_at_the_end():
    assert recorded_at(SGD) == [0, 10, 20, 26]
    assert recorded_at(replace(SGD, iterations=20)) == [0, 10, 20]  # the end is recorded once
    assert recorded_at(replace(SGD, start=7)) == [7, 10, 20, 26]
    assert recorded_at(SGD, stop=13) == [0, 10, 13]


def test_each_row_is_handed_over_when_it_is_made():
    seen = []
    trained = run(SGD, on_evaluation=lambda row, state: seen.append(row))
    assert len(seen) == 4
    assert repr(seen) == repr(trained.rows)  # not ==, since NaN is not equal to itself


def test_only_the_first_train_loss_is_nan():
    losses = [row["train_loss"] for row in run(SGD).rows]
    assert math.isnan(losses[0]) and all(map(math.isfinite, losses[1:]))


def test_train_loss_is_the_mean_over_the_batches_since_the_row_before():
    """With weights that all but stand still, each batch's loss can be had without training."""
    rows = run(replace(SGD, learning_rate=1e-30)).rows
    losses = [
        float(cross_entropy(MODEL.logits(WEIGHTS, DATA.train.images[batch]), DATA.train.labels[batch]))
        for batch in batches(len(DATA.train), SGD.batch_size, 0, SGD.iterations, epoch_seed)
    ]
    for row, since in zip(rows[1:], (losses[0:10], losses[10:20], losses[20:26]), strict=True):
        assert row["train_loss"] == pytest.approx(sum(since) / len(since), rel=1e-6)


def test_the_first_row_is_of_the_given_weights_and_the_last_of_the_trained():
    trained = run(SGD)
    for row, weights in ((trained.rows[0], WEIGHTS), (trained.rows[-1], trained.weights)):
        for name, part in (("validation", DATA.validation), ("test", DATA.test)):
            logits = MODEL.logits(weights, part.images)
            loss = float(cross_entropy(logits, part.labels))
            accuracy = float((logits.argmax(1) == part.labels).double().mean())
            assert row[f"{name}_loss"] == pytest.approx(loss, rel=1e-6)
            assert row[f"{name}_accuracy"] == pytest.approx(accuracy)
    correct = MODEL.logits(trained.weights, DATA.train.images).argmax(1) == DATA.train.labels
    assert trained.train_accuracy == pytest.approx(float(correct.double().mean()))


def test_evaluating_in_chunks_is_evaluating_the_whole(monkeypatch):
    """Also where the last chunk is smaller: a mean of the chunks' means would weigh it too much."""
    part = Part(DATA.train.images[:11], DATA.train.labels[:11])
    whole = evaluation.evaluate(MODEL, WEIGHTS, part)
    monkeypatch.setattr(evaluation, "CHUNK", 4)
    assert evaluation.evaluate(MODEL, WEIGHTS, part) == pytest.approx(whole, rel=1e-6)


def test_evaluating_builds_no_graph():
    live = {name: tensor.clone().requires_grad_() for name, tensor in WEIGHTS.items()}
    evaluation.evaluate(MODEL, live, DATA.test)
    assert all(tensor.grad is None for tensor in live.values())
    assert torch.is_grad_enabled()


def test_iterations_and_seconds_count_this_call():
    trained = run(SGD, stop=13)
    assert trained.iterations == 13
    assert run(replace(SGD, start=20)).iterations == 6
    assert 0 < trained.seconds < 60


def test_seconds_are_the_trainings_and_not_the_listeners():
    """Or writing rows to a slow server would pass for slow training."""
    started = perf_counter()
    trained = run(SGD, on_evaluation=lambda row, state: sleep(0.2))
    assert perf_counter() - started - trained.seconds >= 4 * 0.2
