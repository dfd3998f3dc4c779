"""Every network with every optimiser and schedule: the invariants hold after every step, to the bit."""

from dataclasses import replace
from functools import lru_cache
from itertools import product

import pytest
import torch

from lth_pipeline.lottery.data.augmentation import Augmentation
from lth_pipeline.lottery.data.dataset import Data, Part
from lth_pipeline.lottery.digest import digest
from lth_pipeline.lottery.models import MODELS, Model, build
from lth_pipeline.lottery.pruning import masks
from lth_pipeline.lottery.pruning.prune import prune
from lth_pipeline.lottery.pruning.scores import scores
from lth_pipeline.lottery.randomness import generator, stream_seed
from lth_pipeline.lottery.training.schedule import Schedule, learning_rate
from lth_pipeline.lottery.training.train import train

#: the smallest images and settings that each can take; one of each kind has dropout
SMALL = {
    "mlp": ((1, 4, 4), {"widths": (9, 7), "dropout": 0.3}),
    "lenet5": ((1, 14, 14), {"dropout": 0.3}),
    "conv2": ((3, 4, 4), {"dropout": 0.3}),
    "conv4": ((3, 8, 8), {}),
    "conv6": ((3, 8, 8), {"dropout": 0.3}),
    "vgg11": ((3, 16, 16), {}),
    "vgg13": ((3, 16, 16), {}),
    "vgg16": ((3, 16, 16), {}),
    "vgg19": ((3, 16, 16), {}),
    "resnet_cifar": ((3, 8, 8), {"depth": 8, "filters": 4}),
    "resnet18": ((3, 32, 32), {}),
    "resnet50": ((3, 32, 32), {}),
}
COMMON = {"learning_rate": 0.01, "batch_size": 4, "iterations": 3, "evaluate_every": 2, "weight_decay": 0.01}
OPTIMISERS = {
    "adam": {"optimiser": "adam"},
    "adamw": {"optimiser": "adamw"},
    "sgd": {"optimiser": "sgd"},
    "momentum": {"optimiser": "sgd", "momentum": 0.9},
    "nesterov": {"optimiser": "sgd", "momentum": 0.9, "nesterov": True, "clip_norm": 1.0, "label_smoothing": 0.1},
}
RATES = {
    "constant": {},
    "step": {"schedule": "step", "step_at": (1, 2), "step_factor": 0.5},
    "cosine": {"schedule": "cosine"},
    "warm-up": {"warmup": 2, "schedule": "cosine"},
}
AUGMENTATION = Augmentation(flip=True, crop=1)


@lru_cache(maxsize=2)
def network(name: str) -> tuple[Model, dict, dict, Data]:
    """(model, fresh weights, a mask of about half of each layer, images to train on)."""
    shape, settings = SMALL[name]
    model = build(name, shape, 3, initialisation="kaiming_normal", **settings)
    draws = generator(7)
    mask = {layer.weight: torch.rand(layer.shape, generator=draws) < 0.5 for layer in model.layers}
    labels = torch.arange(8) % 3
    images = torch.randn(8, *shape, generator=draws) + labels.view(-1, 1, 1, 1)
    part = Part(images, labels)
    return model, model.initialise(generator(1)), mask, Data(part, part, part, (0.0,), (1.0,))


def seeds(purpose: str, number: int) -> int:
    return stream_seed(0, purpose, number=number)


def schedule(optimiser: str, rate: str) -> Schedule:
    return Schedule(**COMMON, **OPTIMISERS[optimiser], **RATES[rate], augmentation=AUGMENTATION)


def result(trained) -> tuple[str, list]:
    return digest(trained.weights), [list(map(repr, row.values())) for row in trained.rows]


def test_every_network_is_here():
    assert set(SMALL) == set(MODELS)


@pytest.mark.parametrize(("optimiser", "rate"), list(product(OPTIMISERS, RATES)))
@pytest.mark.parametrize("name", SMALL)
def test_the_invariants_hold(name, optimiser, rate):
    model, weights, mask, data = network(name)
    ticket = masks.apply(mask, weights)
    steps = []

    def on_step(iteration, live, state):
        live = live()
        steps.append(iteration)
        for weight, alive in mask.items():
            pruned = live[weight].detach().masked_fill(alive, 0.0).view(torch.int32)
            assert not pruned.any(), f"{weight}, step {iteration}"

    how = schedule(optimiser, rate)
    trained = train(model, ticket, mask, data, how, seeds, on_step=on_step)
    assert steps == [1, 2, 3] and [row["iteration"] for row in trained.rows] == [0, 2, 3]
    assert all(bool(tensor.isfinite().all()) for tensor in trained.weights.values())
    for weight, alive in mask.items():
        moved = (trained.weights[weight] != weights[weight]) & alive
        for sign in (-1, 1):
            those = alive & (weights[weight] > 0 if sign > 0 else weights[weight] < 0)
            assert (moved & those).sum() > 0.5 * those.sum(), f"{weight}: survivors of sign {sign} do not learn"
    for buffer in model.buffers:
        assert (trained.weights[buffer] != weights[buffer]).any(), f"{buffer} does not move"


@pytest.mark.parametrize("name", SMALL)
def test_the_next_round_follows(name):
    model, weights, mask, data = network(name)
    trained = train(model, masks.apply(mask, weights), mask, data, schedule("momentum", "step"), seeds)
    keep = {weight: int(alive.sum()) * 4 // 5 for weight, alive in mask.items()}
    next_mask = prune(mask, lambda alive: scores("magnitude", alive, trained=trained.weights), keep)
    assert masks.counts(next_mask) == keep and masks.is_subset(next_mask, mask)
    next_ticket = masks.apply(next_mask, weights)
    assert masks.survivors_equal(next_mask, next_ticket, weights)
    control = masks.apply(next_mask, model.initialise(generator(2)))
    assert masks.pruned_are_zero(next_mask, control) and not masks.survivors_equal(next_mask, next_ticket, control)


@pytest.mark.parametrize("optimiser", ["adamw", "nesterov"])
@pytest.mark.parametrize("name", SMALL)
def test_a_mask_of_ones_and_a_resumed_training_change_no_bit(name, optimiser):
    model, weights, _, data = network(name)
    how = schedule(optimiser, "warm-up")
    states = []
    whole = train(model, weights, None, data, how, seeds, on_evaluation=lambda row, state: states.append(state()))
    assert result(train(model, weights, masks.ones(model), data, how, seeds)) == result(whole)
    before_the_last_step = next(state for state in states if state.iteration == 2)
    resumed = train(model, weights, None, data, how, seeds, resume=before_the_last_step)
    assert result(resumed) == result(whole) and resumed.iterations == 3


@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_the_order_in_which_weights_are_given_changes_no_bit(optimiser):
    """A store may give them in any order; the norm that clipping takes is a sum over them."""
    model, weights, mask, data = network("conv4")
    how = schedule(optimiser, "cosine")
    turned = dict(reversed(weights.items()))
    assert result(train(model, turned, mask, data, how, seeds)) == result(train(model, weights, mask, data, how, seeds))


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_it_is_the_training_of_torchs_own_loop(optimiser, rate):
    """Optimiser, decay, schedule, smoothing and clipping against a plain loop over torch's unfused optimisers."""
    model, weights, _, data = network("conv4")
    how = replace(schedule(optimiser, rate), augmentation=None)
    live = {name: tensor.clone().requires_grad_() for name, tensor in weights.items()}
    tensors, decay, foreach = list(live.values()), how.weight_decay, {"foreach": False}
    if optimiser == "adam":
        stepping = torch.optim.Adam(tensors, lr=how.learning_rate, weight_decay=decay, **foreach)
    elif optimiser == "adamw":
        stepping = torch.optim.AdamW(tensors, lr=how.learning_rate, weight_decay=decay, **foreach)
    else:
        stepping = torch.optim.SGD(
            tensors, how.learning_rate, how.momentum, weight_decay=decay, nesterov=how.nesterov, **foreach
        )
    expected = {"constant": [1, 1, 1], "step": [1, 0.5, 0.25], "cosine": [1, 0.75, 0.25], "warm-up": [0.5, 1, 1]}
    order = torch.randperm(8, generator=generator(seeds("data_order", 0)))
    second = torch.randperm(8, generator=generator(seeds("data_order", 1)))
    for done, batch in enumerate(torch.cat([order, second])[:12].split(4)):
        assert learning_rate(how, done) == pytest.approx(0.01 * expected[rate][done])
        for group in stepping.param_groups:
            group["lr"] = 0.01 * expected[rate][done]
        logits = model.logits(live, data.train.images[batch])
        stepping.zero_grad()
        torch.nn.functional.cross_entropy(
            logits, data.train.labels[batch], label_smoothing=how.label_smoothing
        ).backward()
        if how.clip_norm:
            torch.nn.utils.clip_grad_norm_(tensors, how.clip_norm)
        stepping.step()
    for name, tensor in train(model, weights, None, data, how, seeds).weights.items():
        torch.testing.assert_close(tensor, live[name].detach(), rtol=1e-3, atol=2e-4)
