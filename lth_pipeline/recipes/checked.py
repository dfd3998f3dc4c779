"""Whether an exported network says what the trained one says, on every test image."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from lth_pipeline.lottery.data.batches import chunks
from lth_pipeline.lottery.small.errors import ExportError
from lth_pipeline.lottery.small.singly import Logits
from lth_pipeline.recipes.small import Ticket

#: the most that logits may differ, a share of the greatest of them, or of 1 where that is less: float32's rounding in
#: another order of adding up
TOLERANCE = 1e-5


class DiffersError(ExportError):
    """An exported network does not say what the trained one says."""


@dataclass(frozen=True)
class Checked:
    """What came of the comparison.

    images: how many. max_difference: of logits. scale: the greatest absolute logit of the trained network.
    changed: predictions that differ. ties: images for which the two greatest logits of the trained network are so near
    that float32 cannot tell them apart: nearer than twice the most that logits may differ.
    beyond: predictions that differ although it is no tie. correct: bool (images,): classified correctly.
    """

    images: int
    max_difference: float
    scale: float
    changed: int
    ties: int
    beyond: int
    correct: np.ndarray = field(repr=False)

    @property
    def accuracy(self) -> float:
        return float(self.correct.mean())

    @property
    def allowed(self) -> float:
        """The most that logits may differ."""
        return TOLERANCE * max(1.0, self.scale)

    @property
    def same(self) -> bool:
        return self.max_difference <= self.allowed and not self.beyond


def compared(ticket: Ticket, logits_of: Logits) -> Checked:
    """The logits of `logits_of` on all test images, against those of the network as it was trained. Judges nothing."""
    found = np.concatenate([logits_of(images.numpy()) for images, _ in chunks(ticket.data.test, ticket.batch)])
    expected = ticket.logits
    if found.shape != expected.shape:
        raise DiffersError(f"logits of shape {found.shape} in the place of {expected.shape}")
    scale = float(np.abs(expected).max())
    difference = float(np.abs(found - expected).max())  # not a number where any is
    first, second = np.sort(expected, axis=1)[:, :-3:-1].T if expected.shape[1] > 1 else (expected[:, 0], -np.inf)
    tie = first - second < 2 * TOLERANCE * max(1.0, scale)
    predicted = found.argmax(1)
    changed = predicted != expected.argmax(1)
    return Checked(
        len(found),
        difference,
        scale,
        int(changed.sum()),
        int(tie.sum()),
        int((changed & ~tie).sum()),
        predicted == ticket.labels,
    )


def checked(ticket: Ticket, logits_of: Logits, what: str = "the exported network") -> Checked:
    """The same; raises DiffersError where logits differ by more than rounding, or a prediction that is no tie."""
    found = compared(ticket, logits_of)
    if not found.same:
        raise DiffersError(
            f"{what}: on {found.images:,} test images its logits differ from the trained network's by up to "
            f"{found.max_difference:.3g} (allowed: {found.allowed:.3g}) and {found.beyond:,} predictions differ; "
            f"nothing was written"
        )
    return found
