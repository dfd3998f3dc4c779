"""What two masks of one network have in common, against chance.

Any two masks will do: of replicates, rounds, arms, or of two experiments whose networks have layers of the same shapes.
"""

from __future__ import annotations

from math import sqrt
from typing import Any

import torch

from lth_pipeline.lottery.models.model import Tensors

ALL = "all"  # what stands for the whole network where layers are named
SUMMED = ("size", "left", "other_left", "common", "expected", "variance", "expected_by_input", "variance_by_input")


def overlaps(one: Tensors, other: Tensors) -> list[dict[str, Any]]:
    """A row per layer that both have in the same shape, and one for all of these together.

    one, other: {weight name: bool}. Columns: layer, size, left and other_left (survivors of each), common (of both),
    jaccard (common of those that either has), share (common of the smaller one's).

    expected, sd, z: of common, were the survivors of each layer placed at random (hypergeometric). The row for all is
    against chance within each layer: that both keep the same layers is no overlap.
    expected_by_input, z_by_input: the same were the weights of every input of a layer (a pixel, a channel's kernel
    position) shuffled among the units that read it: what is above the first and not above the second is owed to
    the inputs alone. z is None where chance has one outcome only.
    """
    names = [name for name in one if name in other and one[name].shape == other[name].shape]
    found = [{"layer": name.removesuffix(".weight"), **_common(one[name], other[name])} for name in names]
    if found:
        found.append({"layer": ALL, **{column: sum(row[column] for row in found) for column in SUMMED}})
    return [_row(**row) for row in found]


def _common(one: torch.Tensor, other: torch.Tensor) -> dict[str, float]:
    size, left, other_left = one.numel(), int(one.sum()), int(other.sum())
    units = len(one)
    of_input, of_other_input = (mask.flatten(1).sum(0).double() for mask in (one, other))
    by_input, variance_by_input = chance(units, of_input, of_other_input)
    expected, variance = chance(size, torch.tensor([left]).double(), torch.tensor([other_left]).double())
    return {
        "size": size,
        "left": left,
        "other_left": other_left,
        "common": int((one & other).sum()),
        "expected": expected,
        "variance": variance,
        "expected_by_input": by_input,
        "variance_by_input": variance_by_input,
    }


def chance(size: int, left: torch.Tensor, other_left: torch.Tensor) -> tuple[float, float]:
    """(mean, variance) of how many two random choices have in common, summed over groups of `size` of which they take
    `left` and `other_left` (float64, a number per group)."""
    mean = left * other_left / size
    variance = mean * (size - left) * (size - other_left) / (size * max(size - 1, 1))
    return float(mean.sum()), float(variance.sum())


def _row(
    layer: str,
    size: int,
    left: int,
    other_left: int,
    common: int,
    expected: float,
    variance: float,
    expected_by_input: float,
    variance_by_input: float,
) -> dict[str, Any]:
    either, fewer = left + other_left - common, min(left, other_left)
    return {
        "layer": layer,
        "size": size,
        "left": left,
        "other_left": other_left,
        "common": common,
        "jaccard": common / either if either else None,
        "share": common / fewer if fewer else None,
        "expected": expected,
        "sd": sqrt(variance),
        "z": (common - expected) / sqrt(variance) if variance > 0 else None,
        "expected_share": expected / fewer if fewer else None,
        "expected_by_input": expected_by_input,
        "z_by_input": (common - expected_by_input) / sqrt(variance_by_input) if variance_by_input > 0 else None,
    }
