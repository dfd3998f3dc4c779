"""What chance gives: survivors placed at random among a layer's weights, as many as there are (hypergeometric)."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, inf, lgamma, sqrt

import numpy as np
import torch

LEAST = 1e-12  # probabilities below are left out of a distribution's tails

#: (weights, survivors among them, weights that one unit has): what a unit's degree is drawn from
Draw = tuple[int, int, int]


def in_one_group(mask: torch.Tensor, units: int) -> Draw:
    """Of a layer whose weights belong to `units`, each as many."""
    return mask.numel(), int(mask.sum()), mask.numel() // units


def none_left(weights: int, survivors: int, own: int) -> float:
    """The probability that none of a unit's `own` weights is among the survivors."""
    if survivors > weights - own:
        return 0.0
    return exp(_log_choose(weights - own, survivors) - _log_choose(weights, survivors))


def moments(weights: int, survivors: int, own: int) -> tuple[float, float]:
    """(mean, variance) of the number of a unit's own weights among the survivors."""
    share = survivors / weights
    variance = own * share * (1 - share) * (weights - own) / (weights - 1) if weights > 1 else 0.0
    return own * share, variance


def spread_of(draws: Sequence[Draw]) -> float:
    """The standard deviation of a degree that counts in several layers, each drawn by itself."""
    return sqrt(sum(moments(*draw)[1] for draw in draws))


def of_sum(draws: Sequence[Draw]) -> tuple[int, np.ndarray]:
    """(least degree, probabilities of it and of those that follow) of a degree that counts in several layers."""
    first, likely = 0, np.ones(1)
    for draw in draws:
        least, other = _distribution(*draw)
        first, likely = first + least, np.convolve(likely, other)
    return first, likely


def expected_counts(units: int, offset: int, likely: Sequence[float], width: int, bins: int) -> list[float]:
    """How many of `units` are expected in each of `bins`, `width` degrees wide. offset: of likely's first degree from
    the first bin's."""
    places = (offset + np.arange(len(likely))) // width
    return (units * np.bincount(places, weights=likely, minlength=bins)).tolist()


def _distribution(weights: int, survivors: int, own: int) -> tuple[int, np.ndarray]:
    """(least degree, probabilities from there on), tails of less than LEAST cut off."""
    lowest, highest = max(0, survivors - (weights - own)), min(own, survivors)
    mean, variance = moments(weights, survivors, own)
    reach = 12 * sqrt(variance) + 12  # beyond are no probabilities of LEAST
    lowest, highest = max(lowest, int(mean - reach)), min(highest, int(mean + reach) + 1)
    whole = _log_choose(weights, survivors)
    likely = np.array(
        [
            exp(_log_choose(own, k) + _log_choose(weights - own, survivors - k) - whole)
            for k in range(lowest, highest + 1)
        ]
    )
    there = np.flatnonzero(likely >= LEAST)
    return lowest + int(there[0]), likely[there[0] : there[-1] + 1]


def _log_choose(of: int, chosen: int) -> float:
    if not 0 <= chosen <= of:
        return -inf
    return lgamma(of + 1) - lgamma(chosen + 1) - lgamma(of - chosen + 1)
