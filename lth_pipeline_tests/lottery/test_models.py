"""The fully connected networks: sizes, fresh weights, and logits against torch's own modules."""

import math

import pytest
import torch
from torch import nn

from lth_pipeline.lottery.models import build
from lth_pipeline.lottery.models.initialisation import glorot_normal
from lth_pipeline.lottery.randomness import generator

LENET = build("mlp", (1, 28, 28), 10, widths=(300, 100), initialisation="glorot_normal")


def test_lenet_300_100_on_mnist_has_the_papers_size():
    assert LENET.prunable == 266_200
    weights = LENET.initialise(generator(0))
    assert sum(tensor.numel() for tensor in weights.values()) == 266_200 + 410
    assert {name: tuple(tensor.shape) for name, tensor in weights.items()} == {
        "fc1.weight": (300, 784),
        "fc1.bias": (300,),
        "fc2.weight": (100, 300),
        "fc2.bias": (100,),
        "output.weight": (10, 100),
        "output.bias": (10,),
    }
    assert {tensor.dtype for tensor in weights.values()} == {torch.float32}


def test_layers_are_named_and_sized_as_the_weights():
    weights = LENET.initialise(generator(0))
    assert [layer.name for layer in LENET.layers if layer.is_output] == ["output"]
    for layer in LENET.layers:
        assert weights[layer.weight].shape == layer.shape
        assert weights[layer.weight].numel() == layer.size


def test_fresh_weights_are_glorot_normal_and_biases_zero():
    weights = LENET.initialise(generator(3))
    for layer in LENET.layers:
        drawn = weights[layer.weight].double()
        std = math.sqrt(2 / sum(layer.shape))
        tolerance = 4 / math.sqrt(layer.size)  # four standard errors
        assert abs(drawn.mean()) < tolerance * std
        assert drawn.std() == pytest.approx(std, rel=tolerance)
        assert (weights[f"{layer.name}.bias"] == 0).all()
    # normal and not uniform: 4.55 % lie beyond two deviations, where a uniform draw of this std has none
    beyond = (weights["fc1.weight"].abs() > 2 * math.sqrt(2 / 1084)).double().mean()
    assert beyond == pytest.approx(0.0455, abs=0.003)


def test_glorot_counts_the_field_of_a_kernel():
    drawn = glorot_normal((64, 32, 3, 3), generator(0))
    assert drawn.std().item() == pytest.approx(math.sqrt(2 / (9 * (64 + 32))), rel=0.03)


def test_fresh_weights_come_from_the_seed_alone():
    before = torch.get_rng_state()
    first, again, other = (LENET.initialise(generator(seed)) for seed in (1, 1, 2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    for layer in LENET.layers:
        assert (first[layer.weight] != other[layer.weight]).any()
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("widths", [(7,), (300, 100), (6, 5, 4)])
def test_logits_are_those_of_the_same_network_in_torch(widths):
    model = build("mlp", (1, 4, 3), 10, widths=widths, initialisation="glorot_normal")
    weights = model.initialise(generator(0))
    modules: list[nn.Module] = [nn.Flatten()]
    for index, layer in enumerate(model.layers):
        linear = nn.Linear(layer.shape[1], layer.shape[0])
        weights[f"{layer.name}.bias"] = torch.randn(layer.shape[0], generator=generator(10 + index))
        linear.load_state_dict({"weight": weights[layer.weight], "bias": weights[f"{layer.name}.bias"]})
        modules += [linear] if layer.is_output else [linear, nn.ReLU()]
    images = torch.randn(9, 1, 4, 3, generator=generator(99))
    found = model.logits(weights, images)
    assert found.shape == (9, 10)
    assert torch.equal(found, nn.Sequential(*modules)(images))
