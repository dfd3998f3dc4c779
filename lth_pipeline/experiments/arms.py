"""The arms: what each is called and drawn as, everywhere the same, in the order of tables and legends."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Arm:
    title: str
    colour: str  # of Okabe & Ito's palette, told apart by the colour-blind
    marker: str  # matplotlib's
    meaning: str
    control: bool = True  # what the ticket is held against, to tell what its mask or its weights are worth


ARMS = {
    "dense": Arm("dense network", "#444444", "s", "the network before pruning", control=False),
    "ticket": Arm("ticket", "#0072B2", "o", "the mask on the original initialisation", control=False),
    "ticket_distilled": Arm(
        "distilled ticket", "#882255", "X", "the ticket, taught by the trained dense network", control=False
    ),
    "reinit": Arm("random reinit", "#D55E00", "^", "the same mask on a fresh initialisation"),
    "reinit_same_sign": Arm(
        "reinit, same signs", "#E69F00", "v", "the same mask on fresh magnitudes with the ticket's signs"
    ),
    "random_mask": Arm("random mask", "#009E73", "D", "a random mask of the same densities on the ticket's weights"),
    "shuffled_mask": Arm("shuffled mask", "#CC79A7", "P", "the ticket's mask, permuted within each layer"),
    "dense_small": Arm("small dense network", "#56B4E9", "s", "a dense network with as many weights as the ticket"),
}
