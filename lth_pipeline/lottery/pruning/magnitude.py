"""Magnitude pruning by count: the smallest surviving weights go (Han et al. 2015; Frankle & Carbin 2019).

By count and not by threshold: with a threshold, ties and rounding take one weight too many or too few.
Among equal magnitudes the one that stands first in the tensor stays, so the mask is the same everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from lth_pipeline.lottery.errors import PruningError
from lth_pipeline.lottery.models.model import Tensors


def prune_layerwise(weights: Tensors, mask: Tensors, keep: Mapping[str, int]) -> dict[str, torch.Tensor]:
    """A mask inside `mask` that keeps the `keep[name]` largest of each weight tensor.

    Tensors without an entry in `keep` are left as they are.
    """
    pruned = dict(mask)
    for name, count in keep.items():
        pruned[name] = _keep_largest(weights[name].abs(), mask[name], count, name)
    return _checked(pruned)


def prune_global(weights: Tensors, mask: Tensors, names: Sequence[str], keep: int) -> dict[str, torch.Tensor]:
    """A mask inside `mask` that keeps the `keep` largest weights of the tensors `names` taken together."""
    magnitudes = torch.cat([weights[name].abs().flatten() for name in names])
    alive = torch.cat([mask[name].flatten() for name in names])
    chosen = _keep_largest(magnitudes, alive, keep, "the network")
    pieces = chosen.split([mask[name].numel() for name in names])
    return _checked({**mask, **{name: piece.view_as(mask[name]) for name, piece in zip(names, pieces, strict=True)}})


def _keep_largest(magnitudes: torch.Tensor, alive: torch.Tensor, keep: int, name: str) -> torch.Tensor:
    survivors = alive.flatten().nonzero().squeeze(1)
    if keep < 1:
        raise PruningError(f"no weight would be left in {name}: prune less, or fewer rounds")
    if keep > len(survivors):
        raise PruningError(f"{name}: cannot keep {keep:,} weights, only {len(survivors):,} survive")
    values = magnitudes.flatten()[survivors]
    if not bool(values.isfinite().all()):
        raise PruningError(
            f"{name}: the trained weights are not finite; training diverged, try a smaller learning rate"
        )
    largest = values.sort(stable=True, descending=True).indices[:keep]
    chosen = torch.zeros(alive.numel(), dtype=torch.bool)
    chosen[survivors[largest]] = True
    return chosen.view_as(alive)


def _checked(mask: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    empty = [name for name, tensor in mask.items() if not bool(tensor.any())]
    if empty:
        raise PruningError(f"no weight would be left in {', '.join(empty)}: prune less, or fewer rounds")
    return mask
