"""What a few replicates allow one to say: intervals, paired tests, corrections for many of them. docs/verdict.md.

scipy is imported where a test is made, and so not at all where there are too few pairs for one.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import sqrt

import numpy as np

LEAST = 3  # pairs: with fewer nothing is tested
LEVEL = 0.95  # of intervals and bounds
CHANCE = 0.05  # below which a corrected p is taken for more than chance
SAME = 1e-9  # differences that lie no further apart are the same but for rounding


def bootstrap_interval(values: Sequence[float], resamples: int, seed: int) -> tuple[float, float] | None:
    """The percentile interval of the mean: `values` drawn with replacement, the middle 95 % of their means.

    None for a single value. Where there are no more than `resamples` ways to draw (up to 5 values for 10,000), all of
    them are taken, and `seed` does nothing. The order of `values` does not matter.
    """
    if len(values) < 2:
        return None
    given = np.sort(np.asarray(values, dtype=np.float64))
    return _middle(given[_draws(len(given), resamples, seed)].mean(1))


def bootstrap_ratio(
    above: Sequence[float], below: Sequence[float], resamples: int, seed: int
) -> tuple[float, float] | None:
    """The same of mean(above) / mean(below), whose values belong together in pairs and are drawn as pairs.

    None for a single pair; an end is infinite where a mean below may be zero.
    """
    if len(above) < 2:
        return None
    pairs = np.array(sorted(zip(above, below, strict=True)), dtype=np.float64)
    means = pairs[_draws(len(pairs), resamples, seed)].mean(1)
    ratios = np.full(len(means), np.inf)
    np.divide(means[:, 0], means[:, 1], out=ratios, where=means[:, 1] != 0)
    return _middle(ratios)


def spread(values: Sequence[float]) -> float | None:
    """The sample standard deviation; None for a single value."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else None


def paired_p(differences: Sequence[float]) -> float | None:
    """p of the two-sided paired t-test that `differences` are zero on average; None for fewer than LEAST.

    All the same, they leave the t-test no spread to go by, and the sign test stands in for it: 1 where they are
    zero, else 2^(1 - n).
    """
    n = len(differences)
    if n < LEAST:
        return None
    mean = float(np.mean(differences))
    if _are_same(differences):
        return 1.0 if abs(mean) <= SAME else 2.0 ** (1 - n)
    from scipy.special import stdtr

    return float(2 * stdtr(n - 1, -abs(mean) / (spread(differences) / sqrt(n))))


def lower_bound(differences: Sequence[float]) -> float | None:
    """The one-sided 95 % confidence bound of their mean from below, by the t distribution; None for fewer than LEAST.

    Where all are the same it is they themselves.
    """
    n = len(differences)
    if n < LEAST:
        return None
    mean = float(np.mean(differences))
    if _are_same(differences):
        return mean
    from scipy.special import stdtrit

    return mean - float(stdtrit(n - 1, LEVEL)) * spread(differences) / sqrt(n)


def non_inferior(differences: Sequence[float], margin: float) -> bool | None:
    """Whether they show that their mean is not below -margin (one-sided, at 5 %); None for fewer than LEAST."""
    bound = lower_bound(differences)
    return None if bound is None else bound >= -margin


def holm(ps: Sequence[float | None]) -> list[float | None]:
    """p-values after Holm's correction (1979), in their order: the chance of a single false rejection among all of
    them is at most the level that they are held against. None, for what was not tested, stays None and counts for
    nothing."""
    tested = sorted((p, place) for place, p in enumerate(ps) if p is not None)
    corrected: list[float | None] = [None] * len(ps)
    least = 0.0
    for rank, (p, place) in enumerate(tested):
        least = max(least, min(1.0, (len(tested) - rank) * p))
        corrected[place] = least
    return corrected


def in_sequence(passed: Sequence[bool | None]) -> list[bool | None]:
    """A fixed sequence of tests, each at the full level: what passes counts up to the first that does not.

    The chance of a single false pass is at most the level of one test, for the first false claim ends it. None, for
    what was not tested, ends it too, and stays None.
    """
    going, found = True, []
    for one in passed:
        going = going and one is True
        found.append(None if one is None else going)
    return found


def verdict(mean: float, p: float | None) -> str:
    """What a corrected p says: "better", "worse", "not told apart", "too few replicates"."""
    if p is None:
        return "too few replicates"
    if p >= CHANCE:
        return "not told apart"
    return "better" if mean > 0 else "worse"


@lru_cache(maxsize=8)
def _draws(n: int, resamples: int, seed: int) -> np.ndarray:
    """(draws, n): which of n values each draw takes."""
    if n**n <= resamples:
        return np.indices((n,) * n).reshape(n, -1).T
    return np.random.Generator(np.random.PCG64(seed)).integers(0, n, (resamples, n))


def _middle(found: np.ndarray) -> tuple[float, float]:
    """Quantiles that are among what was found: of few draws none lies between them."""
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(found, [tail, 1 - tail], method="inverted_cdf")
    return float(low), float(high)


def _are_same(differences: Sequence[float]) -> bool:
    return float(np.ptp(differences)) <= SAME
