"""Distillation: the loss by hand, and a training with a teacher keeps all that a training keeps."""

from dataclasses import replace
from math import exp, log

import pytest
import torch
from torch.nn.functional import cross_entropy

from lth_pipeline.lottery.data.augmentation import Augmentation, augmented
from lth_pipeline.lottery.data.dataset import Data
from lth_pipeline.lottery.models.model import EVALUATION
from lth_pipeline.lottery.pruning import masks
from lth_pipeline.lottery.randomness import generator
from lth_pipeline.lottery.training.distillation import Teacher, answers, distilled
from lth_pipeline.lottery.training.train import train
from lth_pipeline_tests.lottery.networks import images, lively, network
from lth_pipeline_tests.lottery.small import DATA, MODEL, SCHEDULES, WEIGHTS, bits, half_mask, run, seeds

all_schedules = pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=list(SCHEDULES))
TRAINED = run(replace(SCHEDULES["adam"], iterations=120)).weights


def teacher(temperature=4.0, weight=0.7, weights=TRAINED) -> Teacher:
    return Teacher(MODEL, weights, temperature, weight)


def softmax(logits: list[float], temperature: float) -> list[float]:
    powers = [exp(logit / temperature) for logit in logits]
    return [power / sum(powers) for power in powers]


def test_the_loss_is_the_one_by_hand():
    student, taught, labels = [[1.0, -2.0, 0.5], [0.0, 3.0, 1.0]], [[2.0, 0.0, -1.0], [0.5, 0.25, 4.0]], [0, 2]
    temperature, weight = 3.0, 0.6
    divergence = hard = 0.0
    for given, wanted, label in zip(student, taught, labels, strict=True):
        q, p = softmax(given, temperature), softmax(wanted, temperature)
        divergence += sum(a * log(a / b) for a, b in zip(p, q, strict=True)) / 2
        hard -= log(softmax(given, 1.0)[label]) / 2
    logits = torch.tensor(student, dtype=torch.float64)
    loss = cross_entropy(logits, torch.tensor(labels))
    found = distilled(loss, logits, torch.tensor(taught, dtype=torch.float64), teacher(temperature, weight))
    assert float(loss) == pytest.approx(hard, rel=1e-12)
    assert float(found) == pytest.approx((1 - weight) * hard + weight * temperature**2 * divergence, rel=1e-12)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 20.0])
def test_a_student_that_answers_as_its_teacher_has_nothing_to_learn_from_it(temperature):
    taught = torch.randn(6, 5, generator=generator(1), dtype=torch.float64)
    logits = (taught + 3.0).requires_grad_()  # softmax does not see what all classes share
    loss = cross_entropy(logits, torch.arange(6) % 5)
    found = distilled(loss, logits, taught, teacher(temperature, 1.0))
    found.backward()
    assert float(found.detach()) == pytest.approx(0.0, abs=1e-12)
    assert logits.grad.abs().max() < 1e-12


def test_t_squared_keeps_the_gradients_size_at_high_temperatures():
    """At a high T it is (centred logits − centred taught) / classes, whatever T (Hinton et al. 2015, eq. 4)."""
    taught = torch.randn(1, 5, generator=generator(1), dtype=torch.float64)
    logits = torch.randn(1, 5, generator=generator(2), dtype=torch.float64).requires_grad_()
    distilled(cross_entropy(logits, torch.tensor([0])), logits, taught, teacher(1e4, 1.0)).backward()
    apart = (logits - logits.mean() - taught + taught.mean()).detach()
    torch.testing.assert_close(logits.grad, apart / 5, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(("temperature", "weight"), [(0.0, 0.5), (-1.0, 0.5), (float("nan"), 0.5), (1, 0.0), (1, 1.1)])
def test_settings_that_make_no_teacher_are_refused(temperature, weight):
    with pytest.raises(ValueError, match="a teacher's"):
        teacher(temperature, weight)


@all_schedules
@pytest.mark.parametrize("masked", [False, True], ids=["dense", "masked"])
def test_without_a_teacher_not_a_bit_changes(schedule, masked):
    mask = half_mask() if masked else None
    assert bits(run(schedule, mask, teacher=None, follower=None)) == bits(run(schedule, mask))
    assert bits(run(schedule, mask, teacher=teacher())) != bits(run(schedule, mask))


@all_schedules
def test_pruned_weights_are_exactly_zero_after_every_step_with_a_teacher(schedule):
    mask, steps = half_mask(), []

    def on_step(iteration, live, state):
        live = live()
        steps.append(iteration)
        for name, alive in mask.items():
            assert (live[name].detach()[~alive].view(torch.int32) == 0).all(), f"{name}, step {iteration}"

    trained = run(schedule, mask, on_step=on_step, teacher=teacher())
    assert len(steps) == schedule.iterations and masks.pruned_are_zero(mask, trained.weights)


@all_schedules
def test_resuming_with_a_teacher_is_never_having_stopped(schedule):
    states = []
    whole = run(schedule, half_mask(), teacher=teacher(), on_evaluation=lambda row, state: states.append(state()))
    for state in states:
        assert bits(run(schedule, half_mask(), teacher=teacher(), resume=state)) == bits(whole)


@all_schedules
def test_it_is_the_training_of_a_plain_loop(schedule):
    """The teacher is asked about the batch as it is after augmentation, and train_loss is what is minimised."""
    how = replace(schedule, iterations=10, augmentation=Augmentation(flip=True))
    order = torch.randperm(len(DATA.train), generator=generator(seeds("data_order", 0)))
    order = torch.cat([order, torch.randperm(len(DATA.train), generator=generator(seeds("data_order", 1)))])
    named = {name: tensor.clone().requires_grad_() for name, tensor in WEIGHTS.items()}
    if how.optimiser == "adam":
        stepping = torch.optim.Adam(named.values(), lr=how.learning_rate, foreach=False)
    else:
        stepping = torch.optim.SGD(named.values(), how.learning_rate, how.momentum, foreach=False)
    losses = []
    for iteration, batch in enumerate(order.split(how.batch_size)[: how.iterations], start=1):
        pixels = augmented(DATA.train.images[batch], how.augmentation, generator(seeds("augmentation", iteration)))
        logits, taught = MODEL.logits(named, pixels), MODEL.logits(TRAINED, pixels)
        soft = (taught / 4).softmax(1)
        divergence = (soft * (soft.log() - (logits / 4).log_softmax(1))).sum(1).mean()
        loss = 0.3 * cross_entropy(logits, DATA.train.labels[batch]) + 0.7 * 16 * divergence
        stepping.zero_grad()
        loss.backward()
        stepping.step()
        losses.append(float(loss.detach()))
    trained = run(how, teacher=teacher())
    assert trained.rows[-1]["train_loss"] == pytest.approx(sum(losses) / len(losses), rel=1e-4)
    for name, tensor in trained.weights.items():
        torch.testing.assert_close(tensor, named[name].detach(), rtol=1e-3, atol=1e-4)


def test_a_student_comes_nearer_to_its_teacher_than_one_that_learns_from_labels():
    how, pixels = replace(SCHEDULES["adam"], iterations=120), DATA.test.images
    wanted = MODEL.logits(TRAINED, pixels).softmax(1)

    def apart(trained) -> float:
        return float((MODEL.logits(trained.weights, pixels).softmax(1) - wanted).abs().mean())

    fresh = MODEL.initialise(generator(9))
    taught = run(how, weights=fresh, teacher=teacher(2.0, 1.0))
    assert apart(taught) < 0.5 * apart(run(how, weights=fresh))


def test_the_teacher_answers_in_evaluation_mode_and_stays_as_it_is():
    """Batch norm's running statistics are used and not moved; no gradient reaches a weight; dropout is off."""
    model = network("resnet_cifar", depth=8, filters=4)
    weights = {name: tensor.float().requires_grad_(name not in model.buffers) for name, tensor in lively(model).items()}
    pixels = images(3, dtype=torch.float32)
    before = {name: tensor.detach().clone() for name, tensor in weights.items()}
    found = answers(Teacher(model, weights, 1.0, 1.0), pixels)
    assert not found.requires_grad and torch.equal(found, model.logits(weights, pixels, EVALUATION).detach())
    assert all(torch.equal(before[name], tensor.detach()) for name, tensor in weights.items())
    dropping = network("conv2", dropout=0.5)
    weights = dropping.initialise(generator(0))
    assert torch.equal(answers(Teacher(dropping, weights, 1.0, 1.0), pixels), dropping.logits(weights, pixels))


def test_the_teacher_may_be_another_network():
    small = network("mlp", (1, 2, 3), 3, widths=(4,))
    weights = small.initialise(generator(2))
    data = Data(DATA.train, DATA.validation, DATA.test, (0.0,), (1.0,))
    trained = train(small, weights, None, data, SCHEDULES["adam"], seeds, teacher=teacher())
    assert trained.diverged_at is None and trained.rows[-1]["validation_loss"] < trained.rows[0]["validation_loss"]


@all_schedules
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_diverged_teacher_gives_a_recorded_divergence(schedule, value):
    lost = {name: torch.full_like(tensor, value) for name, tensor in TRAINED.items()}
    mask = half_mask()
    trained = run(schedule, mask, teacher=teacher(weights=lost))
    assert trained.diverged_at == 10 and trained.rows[-1]["iteration"] == 10
    assert masks.pruned_are_zero(mask, trained.weights)
