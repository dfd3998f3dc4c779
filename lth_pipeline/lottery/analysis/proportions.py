"""Intervals of shares: what one network's accuracy on so many images says of all images like them."""

from __future__ import annotations

from math import sqrt

Z = 1.959964  # of a normal distribution 95 % lie within so many standard deviations


def wilson(hits: int, n: int) -> tuple[float, float]:
    """The 95 % interval of a share of which `hits` of `n` were seen (Wilson 1927)."""
    share, more = hits / n, Z * Z / n
    middle = (share + more / 2) / (1 + more)
    half = Z / (1 + more) * sqrt(share * (1 - share) / n + more / (4 * n))
    return (middle - half if hits else 0.0), (middle + half if hits < n else 1.0)


def paired_difference(won: int, lost: int, n: int) -> tuple[float, float, float]:
    """(difference, its 95 % interval: from, to) of two shares of the same `n`, as shares of 1.

    won: of those, that the first hit and the second missed; lost: the other way round. The interval is that of Agresti
    and Min 2005: half an observation is added to each of the four cells, which keeps it honest where few differ.
    """
    above, below, whole = won + 0.5, lost + 0.5, n + 2
    middle = (above - below) / whole
    half = Z * sqrt(above + below - (above - below) ** 2 / whole) / whole
    return (won - lost) / n, max(-1.0, middle - half), min(1.0, middle + half)
