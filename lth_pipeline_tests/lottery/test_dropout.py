"""Dropout: how much is dropped, when, and from which generator."""

import math

import pytest
import torch

from lth_pipeline.lottery.models.model import EVALUATION, Mode
from lth_pipeline.lottery.models.pieces import dropout
from lth_pipeline.lottery.randomness import generator
from lth_pipeline_tests.lottery.networks import NAMES, WITH_DROPOUT, images, lively, network

ONES = torch.ones(500, 400)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.8])
def test_the_share_is_dropped_and_the_rest_scaled(rate):
    found = dropout(ONES, rate, Mode(training=True, draws=generator(0)))
    dropped = (found == 0).double().mean().item()
    assert abs(dropped - rate) < 4 * math.sqrt(rate * (1 - rate) / ONES.numel())
    torch.testing.assert_close(found[found != 0].unique(), torch.tensor([1 / (1 - rate)]))
    assert (ONES == 1).all()


def test_gradients_go_where_activations_went():
    activations = torch.ones(20, 30, requires_grad=True)
    found = dropout(activations, 0.5, Mode(training=True, draws=generator(0)))
    found.sum().backward()
    assert torch.equal(activations.grad, found.detach())
    assert set(found.unique().tolist()) == {0.0, 2.0}


def test_evaluation_and_a_rate_of_zero_do_nothing_and_draw_nothing():
    draws = generator(0)
    before = draws.get_state()
    assert dropout(ONES, 0.5, EVALUATION) is ONES
    assert dropout(ONES, 0.5, Mode(draws=draws)) is ONES
    assert dropout(ONES, 0.0, Mode(training=True, draws=draws)) is ONES
    assert dropout(ONES, 0.0, Mode(training=True)) is ONES
    assert torch.equal(draws.get_state(), before)


@pytest.mark.parametrize("name", WITH_DROPOUT)
def test_training_without_a_generator_is_refused(name):
    model = network(name, dropout=0.5)
    with pytest.raises(ValueError, match="generator"):
        model.logits(lively(model), images(2), Mode(training=True))


@pytest.mark.parametrize("name", WITH_DROPOUT)
def test_a_pass_is_repeated_by_its_generator_alone(name):
    model, plain = network(name, dropout=0.3), network(name)
    assert (model.dropout, plain.dropout) == (0.3, 0.0)
    weights, batch = lively(model), images(4)
    before = torch.get_rng_state()
    first, again, other = (
        model.logits(weights, batch, Mode(training=True, draws=generator(seed))) for seed in (1, 1, 2)
    )
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)
    evaluated = model.logits(weights, batch)
    assert torch.equal(evaluated, plain.logits(weights, batch))
    assert torch.equal(evaluated, plain.logits(weights, batch, Mode(training=True)))
    assert not torch.equal(evaluated, first)


#: units of the hidden fully connected layers, the only ones that are dropped
HIDDEN = {"mlp": (30, 20), "lenet5": (120, 84), "conv2": (256, 256), "conv4": (256, 256), "conv6": (256, 256)}


@pytest.mark.parametrize("name", WITH_DROPOUT)
def test_every_hidden_fc_layer_is_dropped_and_no_other(name):
    """Seen by what is drawn: after a pass, the generator stands where draws of just these sizes leave it."""
    model, draws, expected = network(name, dropout=0.5), generator(0), generator(0)
    model.logits(lively(model), images(3), Mode(training=True, draws=draws))
    for units in HIDDEN[name]:
        torch.rand(3, units, generator=expected)
    assert torch.equal(draws.get_state(), expected.get_state())
    assert len(HIDDEN[name]) == sum(layer.kind == "fc" and not layer.is_output for layer in model.layers)


def test_units_are_dropped_after_the_relu_layer_by_layer():
    model = network("mlp", (1, 4, 4), dropout=0.25)
    weights, batch, draws = lively(model), images(6, (1, 4, 4)), generator(8)
    found = model.logits(weights, batch, Mode(training=True, draws=generator(8)))
    activations = batch.flatten(1)
    for layer in ("fc1", "fc2"):
        activations = (activations @ weights[f"{layer}.weight"].T + weights[f"{layer}.bias"]).clamp(min=0)
        kept = torch.rand(activations.shape, generator=draws) < 0.75
        activations = torch.where(kept, activations / 0.75, 0.0)
    torch.testing.assert_close(found, activations @ weights["output.weight"].T + weights["output.bias"])


@pytest.mark.parametrize("name", sorted(set(NAMES) - set(WITH_DROPOUT)))
def test_the_deep_networks_need_no_generator(name):
    model, draws = network(name), generator(0)
    before = draws.get_state()
    assert model.dropout == 0.0
    model.logits(lively(model), images(2), Mode(training=True, draws=draws))
    assert torch.equal(draws.get_state(), before)
