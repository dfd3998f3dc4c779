"""How many weights are left in each round, in exact arithmetic and before anything is trained."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from functools import cache
from math import prod


def kept(size: int, rates: Iterable[float]) -> int:
    """Survivors of `size` weights after pruning at each of `rates` in turn.

    The nearest whole number to size · Π (1 − rate), so a round is never more than half a weight off the
    formula of Frankle & Carbin 2019 (footnote 1 of §2), however many rounds came before; rounding every
    round in turn would drift. A rate is read as the decimal that it is written as: 0.2 is exactly 1/5.
    """
    return nearest(size * prod(map(share_left, rates), start=Fraction(1)))


def nearest(weights: Fraction) -> int:
    """The nearest whole number; of two equally near the even one."""
    return round(weights)


@cache
def share_left(rate: float) -> Fraction:
    """What one round at `rate` leaves, exactly."""
    return 1 - Fraction(str(rate))
