"""Whole units: the rows of a weight (out, in, *kernel), which are a layer's output units or channels."""

from __future__ import annotations

import torch


def alive(mask: torch.Tensor) -> torch.Tensor:
    """bool (units,): true where any weight of the unit is alive. `mask`: bool (units, …)."""
    return _rows(mask).any(1)


def only(mask: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
    """`mask` without the units that are not `chosen` (bool (units,))."""
    return (_rows(mask) & chosen.unsqueeze(1)).view_as(mask)


def scores(values: torch.Tensor, mask: torch.Tensor, how: str) -> torch.Tensor:
    """float64 (units,): one score of a unit from those of its surviving weights, `values` (units, …).

    "norm" is their L2 norm over the root of the unit's fan-in, "sum" their sum over the fan-in: root mean square and
    mean, so that units of layers with few and with many inputs compare in one ranking. The fan-in is all of it, pruned
    weights count as zeros; within a layer it is the same for all units and changes no order. "draw" is the score of its
    first surviving weight: a mean of draws would leave no unit of many weights a chance, or all of them.
    """
    survivors = torch.where(_rows(mask), _rows(values).double(), 0.0)
    match how:
        case "norm":
            return survivors.square().mean(1).sqrt()
        case "sum":
            return survivors.mean(1)
        case "draw":
            return survivors.gather(1, _rows(mask).int().argmax(1, keepdim=True)).squeeze(1)
    raise ValueError(f"a unit's score is a norm, a sum or a draw, not {how!r}")


def _rows(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.reshape(len(tensor), -1)
