"""What is made, one at a time."""

from __future__ import annotations

from dataclasses import dataclass

from lth_pipeline.experiments.settings.experiment import DRAWN as DRAWN  # several of each may be asked for

#: arms with a mask of their own
MASKED = ("random_mask", "shuffled_mask")
#: kinds of what a published ticket brings along
PUBLISHED = ("published_mask", "published_weights")
#: arms that go on from the rewind point's weights, or from trained ones
ON_REWOUND = ("ticket", "random_mask", "shuffled_mask", "ticket_distilled")


@dataclass(frozen=True)
class Step:
    """One thing to make.

    kind: "initial_weights", "rewind_weights", "transferred_weights", "mask", "trained", of a ticket from the model
        registry "published_mask" and "published_weights", or what an arm starts from: "ticket", "reinit",
        "reinit_same_sign", "random_mask", "shuffled_mask", "dense_small".
    arm: of "trained": "dense" in round 0, then "ticket" or another arm; of "mask" and its weights: an arm with a mask
        of its own, else the round's mask.
    iteration: of "rewind_weights" only: the rewind point.
    draw: of what is drawn at random: 0 for the first, and so on.
    of: another experiment, whose step of the same replicate it is.
    """

    kind: str
    round: int = 0
    arm: str = ""
    iteration: int = 0
    draw: int = 0
    of: str = ""

    def __str__(self) -> str:
        arm = f"{self.label} " if self.arm and self.arm != self.kind else ""
        number = f" {self.draw + 1}" if self.draw and not arm else ""
        place = f"{self.of}, " if self.of else ""
        return f"{place}round {self.round} {(arm + self.kind + number).replace('_', ' ')}"

    @property
    def trains(self) -> bool:
        return self.kind in ("trained", "rewind_weights")

    @property
    def label(self) -> str:
        """The arm, with the number of its draw from the second on."""
        return f"{self.arm} {self.draw + 1}" if self.draw else self.arm
