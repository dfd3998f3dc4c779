"""The ways to make a training step, and which is taken for a network under a mask.

All give the results of "autograd": "by hand" the same bits where no layer is cut down, else up to rounding, as do
"sparse" and "distributed". The way follows from network, mask and schedule alone, never from a measurement on the
spot, so a recompute takes the same one and gives the same bits; "distributed" is for several processes, where they were
asked for.
"""

from __future__ import annotations

from typing import Protocol

import torch

from lth_pipeline.lottery.data.dataset import Part
from lth_pipeline.lottery.models.model import Mode, Model, Tensors
from lth_pipeline.lottery.models.share import Share
from lth_pipeline.lottery.training.autograd import Autograd
from lth_pipeline.lottery.training.by_hand import ByHand, computed
from lth_pipeline.lottery.training.distillation import Teacher
from lth_pipeline.lottery.training.distributed import Distributed
from lth_pipeline.lottery.training.schedule import Schedule
from lth_pipeline.lottery.training.sparse import Sparse, is_sparse

# Milliseconds of a step: (whatever the network, a weight, a weight and example), fitted by benchmarks/crossover.py to
# four networks of 2,368 to 1.8 million weights, batches of 16 to 128, densities of 0.5 to 0.02 and half to a tenth of
# the units, on an AMD EPYC, one thread. Of the 108 cases there the slower way is chosen in 5, by 8 % at most.
BY_HAND = (0.095, 8.0e-7, 4.7e-8)
SPARSE = (0.12, 1.27e-6, 1.69e-7)


class Way(Protocol):
    """The weights of one network, and its step.

    names: of all tensors that the optimiser moves, sorted. learned: these, or of each what survives, with gradients.
    share: of each batch, that this process learns; None: all of it.
    """

    names: list[str]
    learned: list[torch.Tensor]
    share: Share | None

    def gradients(self, images: torch.Tensor, labels: torch.Tensor, mode: Mode) -> torch.Tensor:
        """The loss of a batch, a scalar; the gradients stand in `learned`, those of the pruned zero."""

    def clear(self) -> None:
        """Make the gradients of the pruned zero once more, whatever was done to them."""

    def weights(self) -> Tensors:
        """All tensors as they are now, whole; the pruned exactly zero. Not copies."""

    def evaluate(self, part: Part) -> tuple[float, float]:
        """(mean cross-entropy, share classified correctly) over `part`."""


def choose(model: Model, mask: Tensors | None, schedule: Schedule, device: torch.device) -> str:
    """ "autograd", "by hand" or "sparse"."""
    # a CPU has no TF32: there "tf32" is "float32"
    plain = model.fully_connected and not model.dropout and schedule.precision != "bfloat16"
    if not plain or device.type != "cpu":
        return "autograd"
    if mask is None or not torch.backends.mkl.is_available():
        return "by hand"
    whole = sum(alive.numel() for alive in mask.values() if not is_sparse(alive))
    survivors = sum(int(alive.sum()) for alive in mask.values() if is_sparse(alive))
    sparse = SPARSE[0] + survivors * _each(SPARSE, schedule) + whole * _each(BY_HAND, schedule)
    by_hand = BY_HAND[0] + sum(map(computed, mask.values())) * _each(BY_HAND, schedule)
    return "sparse" if sparse < by_hand else "by hand"


def _each(milliseconds: tuple[float, float, float], schedule: Schedule) -> float:
    return milliseconds[1] + milliseconds[2] * schedule.batch_size


def begin(
    way: str, model: Model, weights: Tensors, mask: Tensors | None, schedule: Schedule, teacher: Teacher | None
) -> Way:
    """The step of `model` that way, from `weights`, which it takes over and changes."""
    made = {"autograd": Autograd, "by hand": ByHand, "sparse": Sparse, "distributed": Distributed}[way]
    return made(model, weights, mask, schedule, teacher)
