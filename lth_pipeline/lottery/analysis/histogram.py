"""Histograms over fixed bins, so that those of several networks can be added up and laid over each other."""

from __future__ import annotations

from typing import NamedTuple

import torch


class Bins(NamedTuple):
    """`count` bins of one width from `low` to `high`; what lies beyond counts in the first or the last."""

    low: float
    high: float
    count: int


def histogram(values: torch.Tensor, bins: Bins) -> torch.Tensor:
    """int64 (bins.count,): how many of `values`, which are finite, lie in each bin."""
    width = (bins.high - bins.low) / bins.count
    places = ((values.double() - bins.low) / width).floor().clamp(0, bins.count - 1)
    return torch.bincount(places.long().flatten(), minlength=bins.count)
