"""The criteria by which weights are chosen to stay. No torch at import: cards are checked without it.

`scores.py` computes them, `prune.py` keeps the highest.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Criterion:
    """What a score is and what must be known to compute it; w_T are trained weights, w_0 initial ones."""

    about: str  # one phrase
    source: str  # paper, section
    reads: frozenset[str]  # of "trained" and "initial" weights, "examples" of the training part, "draws"
    of_unit: str  # how the scores of a unit's weights become the unit's: their L2 "norm", their "sum", or one "draw"
    steps: int = 1  # pruning steps in a round where the card says nothing


#: Of a unit the sum is taken where scores add up to something (a first-order change of a loss, a flow) or have signs.
CRITERIA: dict[str, Criterion] = {
    "magnitude": Criterion(
        "the largest trained weights stay: |w_T|, “large final”",
        "Han et al. 2015, §3; Frankle & Carbin 2019, §2",
        frozenset({"trained"}),
        "norm",
    ),
    "magnitude_increase": Criterion(
        "the weights that training made larger by most stay: |w_T| − |w_0|",
        "Zhou et al. 2019 (1905.01067), §2",
        frozenset({"trained", "initial"}),
        "sum",
    ),
    "movement": Criterion(
        "the weights that training moved farthest stay: |w_T − w_0|",
        "Zhou et al. 2019 (1905.01067), §2",
        frozenset({"trained", "initial"}),
        "norm",
    ),
    "initial_magnitude": Criterion(
        "the largest initial weights stay: |w_0|, “large init”",
        "Zhou et al. 2019 (1905.01067), §2",
        frozenset({"initial"}),
        "norm",
    ),
    "random": Criterion(
        "weights stay by lot",
        "Frankle et al. 2021 (2009.08576), §3",
        frozenset({"draws"}),
        "draw",
    ),
    "snip": Criterion(
        "the initial weights that the loss is most sensitive to stay: |w_0 · g|",
        "Lee et al. 2019 (1810.02340), §4, Alg. 1",
        frozenset({"initial", "examples"}),
        "sum",
    ),
    "grasp": Criterion(
        "the initial weights without which gradients would be smallest stay: w_0 · Hg",
        "Wang et al. 2020 (2002.07376), Alg. 1",
        frozenset({"initial", "examples"}),
        "sum",
    ),
    "synflow": Criterion(
        "the initial weights with the greatest flow through them stay: |w_0| · ∂R/∂|w_0|, without data",
        "Tanaka et al. 2020 (2006.05467), §6, Alg. 1",
        frozenset({"initial"}),
        "sum",
        steps=100,
    ),
    "gradient_magnitude": Criterion(
        "the trained weights that the loss is most sensitive to stay: |w_T · g|",
        "Blalock et al. 2020 (2003.03033)",
        frozenset({"trained", "examples"}),
        "sum",
    ),
}
