"""Directions, surfaces and the rise of the loss, against what they must be."""

import math

import pytest
import torch

from lth_pipeline.lottery.analysis.landscape import direction, moved, rise, surface
from lth_pipeline.lottery.analysis.sample import loss_on
from lth_pipeline.lottery.pruning import masks
from lth_pipeline.lottery.randomness import generator
from lth_pipeline_tests.lottery.networks import lively, network
from lth_pipeline_tests.lottery.small import DATA, MODEL, WEIGHTS, half_mask


def prunable(model):
    return [layer.weight for layer in model.layers]


def rows(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.flatten(1).norm(dim=1)


@pytest.mark.parametrize("name", ["mlp", "conv2", "resnet_cifar"])
def test_each_filter_is_as_long_as_the_networks(name):
    model = network(name)
    weights = lively(model, torch.float32)
    found = direction(weights, prunable(model), None, generator(1))
    assert set(found) == set(prunable(model))  # no bias, no batch norm
    for name, tensor in found.items():
        torch.testing.assert_close(rows(tensor), rows(weights[name]))


def test_under_a_mask_it_is_the_same_direction_cut():
    mask = half_mask()
    pruned = masks.apply(mask, WEIGHTS)
    whole = direction(WEIGHTS, prunable(MODEL), None, generator(1))
    cut = direction(pruned, prunable(MODEL), mask, generator(1))
    assert masks.pruned_are_zero(mask, cut)
    for name, tensor in cut.items():
        torch.testing.assert_close(rows(tensor), rows(pruned[name]))
        for own, other in zip(tensor, whole[name] * mask[name], strict=True):
            if mask[name].any():
                cosine = torch.dot(own, other) / (own.norm() * other.norm())
                assert math.isnan(cosine) or cosine == pytest.approx(1.0)


def test_a_filter_that_is_pruned_whole_stays_where_it_is():
    mask = masks.ones(MODEL)
    mask["fc1.weight"][2] = False
    found = direction(masks.apply(mask, WEIGHTS), prunable(MODEL), mask, generator(1))
    assert not found["fc1.weight"][2].any() and found["fc1.weight"].isfinite().all()


def test_a_surface_has_the_loss_of_each_point_rows_along_the_second_direction():
    axes = tuple(direction(WEIGHTS, prunable(MODEL), None, generator(seed)) for seed in (1, 2))
    loss = loss_on(MODEL, DATA.train)
    found = surface(loss, WEIGHTS, axes, [-1.0, 0.0, 1.0], [0.0, 0.5])
    assert found.shape == (2, 3) and found.dtype == torch.float32
    assert float(found[0, 1]) == pytest.approx(loss(WEIGHTS))
    by_hand = {name: tensor.clone() for name, tensor in WEIGHTS.items()}
    for name in axes[0]:
        by_hand[name] += axes[0][name] + 0.5 * axes[1][name]
    assert float(found[1, 2]) == pytest.approx(loss(by_hand), rel=1e-5)


def test_the_rise_of_a_bowl_is_known_and_of_a_slope_it_is_none():
    start = {"w": torch.tensor([[3.0, 4.0]])}
    ways = [{"w": torch.tensor([[2.0, 0.0]])}, {"w": torch.tensor([[0.0, 4.0]])}]

    def bowl(weights):
        return float((weights["w"] - start["w"]).square().sum()) + 7

    assert rise(bowl, start, ways, radius=0.5) == pytest.approx((2.5, 1.5))  # of 1 and 4, ± their deviation / √2
    assert rise(lambda weights: float(weights["w"].sum()), start, ways)[0] == pytest.approx(0.0)
    assert math.isnan(rise(bowl, start, ways[:1])[1])


def test_moving_leaves_what_was_given():
    before = {name: tensor.clone() for name, tensor in WEIGHTS.items()}
    moved(WEIGHTS, (1.0, direction(WEIGHTS, prunable(MODEL), None, generator(1))))
    assert all(torch.equal(WEIGHTS[name], before[name]) for name in before)
