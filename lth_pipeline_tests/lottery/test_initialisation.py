"""Fresh weights of every network: their distribution, their seed, and how batch norm starts."""

import math

import pytest
import torch

from lth_pipeline.lottery.models.initialisation import INITIALISATIONS, kaiming_normal
from lth_pipeline.lottery.randomness import generator
from lth_pipeline_tests.lottery.networks import NAMES, network


def deviation(initialisation: str, shape: tuple[int, ...]) -> float:
    fan_in, fan_out = math.prod(shape[1:]), shape[0] * math.prod(shape[2:])
    return math.sqrt(2 / {"glorot_normal": fan_in + fan_out, "kaiming_normal": fan_in}[initialisation])


@pytest.mark.parametrize("initialisation", INITIALISATIONS)
@pytest.mark.parametrize("name", NAMES)
def test_fresh_weights_have_the_deviation_of_their_initialisation(name, initialisation):
    model = network(name, (3, 16, 16), initialisation=initialisation)
    weights = model.initialise(generator(3))
    for layer in model.layers:
        drawn, std = weights[layer.weight].double(), deviation(initialisation, layer.shape)
        tolerance = 4.5 / math.sqrt(layer.size)  # in standard errors; once in 150,000
        assert abs(drawn.mean()) < tolerance * std
        assert abs(drawn.std() / std - 1) < tolerance
        if layer.bias:
            assert not weights[f"{layer.name}.bias"].any()
    assert {tensor.dtype for tensor in weights.values()} == {torch.float32}


def test_kaiming_is_normal_and_counts_inputs_alone():
    drawn = kaiming_normal((8, 64, 5, 5), generator(0)) / math.sqrt(2 / (64 * 25))
    assert drawn.std().item() == pytest.approx(1, rel=0.03)
    assert (drawn.abs() > 2).double().mean().item() == pytest.approx(0.0455, abs=0.006)  # a uniform draw: none


def test_kaiming_keeps_the_scale_of_activations_through_many_layers():
    """What it is for (He et al. 2015, §2.2): after 30 layers of ReLU the second moment is about what it was."""
    model = network("mlp", (1, 16, 16), 256, widths=(256,) * 30)
    batch = torch.randn(50, 1, 16, 16, generator=generator(1))
    kaiming = model.logits(model.initialise(generator(2)), batch).square().mean()
    glorot = network("mlp", (1, 16, 16), 256, widths=(256,) * 30, initialisation="glorot_normal")
    halved = glorot.logits(glorot.initialise(generator(2)), batch).square().mean()
    assert 0.3 < kaiming < 10
    assert halved / kaiming == pytest.approx(2.0**-31, rel=1e-3)  # Glorot's variance is half of it where fans are equal


@pytest.mark.parametrize("name", [name for name in NAMES if network(name).norms])
def test_batch_norm_starts_as_the_identity(name):
    model = network(name)
    weights = model.initialise(generator(0))
    for norm in model.norms:
        assert (weights[f"{norm.name}.weight"] == 1).all() and (weights[f"{norm.name}.bias"] == 0).all()
        mean, variance = (weights[buffer] for buffer in norm.buffers)
        assert (mean == 0).all() and (variance == 1).all()


@pytest.mark.parametrize("name", NAMES)
def test_fresh_weights_come_from_the_seed_alone(name):
    model = network(name, (3, 16, 16))
    before = torch.get_rng_state()
    first, again, other = (model.initialise(generator(seed)) for seed in (1, 1, 2))
    assert all(torch.equal(first[key], again[key]) for key in first)
    for layer in model.layers:
        assert (first[layer.weight] != other[layer.weight]).any()
    assert torch.equal(torch.get_rng_state(), before)
    assert len({tensor.data_ptr() for tensor in first.values()}) == len(first)
