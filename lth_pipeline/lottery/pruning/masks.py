"""Masks: {weight name: bool tensor of the weight's shape}, true where a weight survives.

Only the weights of prunable layers have an entry; biases have none.
"""

from __future__ import annotations

import torch

from lth_pipeline.lottery.models.model import Model, Tensors


def ones(model: Model) -> dict[str, torch.Tensor]:
    """The dense network's mask."""
    return {layer.weight: torch.ones(layer.shape, dtype=torch.bool) for layer in model.layers}


def apply(mask: Tensors, weights: Tensors) -> dict[str, torch.Tensor]:
    """mask ⊙ weights, as new tensors. Survivors keep their bits; the pruned become +0.0, never -0.0."""
    return {
        name: torch.where(mask[name], tensor, torch.zeros((), dtype=tensor.dtype)) if name in mask else tensor.clone()
        for name, tensor in weights.items()
    }


def counts(mask: Tensors) -> dict[str, int]:
    """Survivors by weight name."""
    return {name: int(tensor.sum()) for name, tensor in mask.items()}


def density(mask: Tensors) -> float:
    """Share of prunable weights left, from 1.0 (dense) to 0."""
    return sum(counts(mask).values()) / sum(tensor.numel() for tensor in mask.values())


def is_subset(mask: Tensors, of: Tensors) -> bool:
    """True where no weight that `of` has pruned is alive in `mask`."""
    return mask.keys() == of.keys() and not any(bool((mask[name] & ~of[name]).any()) for name in mask)


def pruned_are_zero(mask: Tensors, weights: Tensors) -> bool:
    """True where every pruned weight is exactly zero."""
    return not any(bool((weights[name][~tensor] != 0).any()) for name, tensor in mask.items())


def survivors_equal(mask: Tensors, weights: Tensors, others: Tensors) -> bool:
    """True where the surviving weights (and all biases) of both are the same, bit for bit."""
    return weights.keys() == others.keys() and all(
        torch.equal(_bits(weights[name], mask.get(name)), _bits(others[name], mask.get(name))) for name in weights
    )


def _bits(tensor: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    return (tensor if mask is None else tensor[mask]).contiguous().view(torch.int32)
