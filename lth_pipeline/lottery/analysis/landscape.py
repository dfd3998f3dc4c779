"""The loss over a plane through a network's weights (Li et al. 2018), in directions that compare between networks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch

from lth_pipeline.lottery.analysis.sample import Loss
from lth_pipeline.lottery.models.model import Tensors

RADIUS = 0.5  # at which `rise` looks


def direction(
    weights: Tensors, names: Sequence[str], mask: Tensors | None, draws: torch.Generator
) -> dict[str, torch.Tensor]:
    """A random direction in the weights `names`, filter-normalised (Li et al. 2018, §4): each row of a tensor (an
    output unit, a filter) is as long as that of the weights. Pruned weights, biases and batch norm have none.

    Drawn for whole tensors in sorted order, so the same draws under another mask are the same direction, cut.
    """
    found = {}
    for name in sorted(names):
        drawn = torch.randn(weights[name].shape, generator=draws).to(weights[name].device)
        if mask and name in mask:
            drawn = drawn * mask[name].to(drawn.device)
        length = drawn.flatten(1).norm(dim=1)
        wanted = weights[name].flatten(1).norm(dim=1)
        scale = torch.where(length > 0, wanted / length.clamp_min(1e-30), torch.zeros_like(length))
        found[name] = drawn * scale.view(-1, *[1] * (drawn.dim() - 1))
    return found


def moved(weights: Tensors, *steps: tuple[float, Tensors]) -> dict[str, torch.Tensor]:
    """weights + Σ how far · direction; what a direction does not name stays."""
    found = dict(weights)
    for far, way in steps:
        for name, tensor in way.items():
            found[name] = torch.add(found[name], tensor, alpha=far)
    return found


def surface(
    loss: Loss, weights: Tensors, axes: tuple[Tensors, Tensors], x: Sequence[float], y: Sequence[float]
) -> torch.Tensor:
    """float32 (len(y), len(x)): the loss at weights + x · axes[0] + y · axes[1]."""

    def row(up: float) -> list[float]:
        there = moved(weights, (up, axes[1]))
        return [loss(moved(there, (along, axes[0]))) for along in x]

    return torch.tensor([row(up) for up in y])


def rise(loss: Loss, weights: Tensors, ways: Iterable[Tensors], radius: float = RADIUS) -> tuple[float, float]:
    """(by how much the loss is higher at `radius` along the directions `ways`, forth and back, than at their centre;
    the standard error of that mean, NaN of a single direction)."""
    centre = loss(weights)
    pairs = [[loss(moved(weights, (far, way))) for far in (radius, -radius)] for way in ways]
    each = torch.tensor(pairs, dtype=torch.float64).mean(1) - centre
    error = float(each.std()) / len(each) ** 0.5 if len(each) > 1 else float("nan")
    return float(each.mean()), error
