"""The arms: what each is called and drawn as, everywhere the same, in the order of tables and legends."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Arm:
    title: str
    colour: str  # of Okabe & Ito's palette, told apart by the colour-blind
    marker: str  # matplotlib's
    meaning: str


ARMS = {
    "dense": Arm("dense network", "#444444", "s", "the network before pruning"),
    "ticket": Arm("winning ticket", "#0072B2", "o", "the mask on the original initialisation"),
    "reinit": Arm("random reinit", "#D55E00", "^", "the same mask on a fresh initialisation"),
}
