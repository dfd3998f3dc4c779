"""When the mask settles, followed while a dense network trains (You et al. 2020, "Drawing Early-Bird Tickets")."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise

import numpy as np
import torch

from lth_pipeline.lottery.models.model import Tensors

WORD = 8  # bytes: masks are compared in words of 64 weights


class EarlyBird:
    """The masks that pruning would give at successive checkpoints, and the iteration at which they settle.

    The distance between two masks is the share of their entries in which they differ: the Hamming distance over the
    number of prunable weights, from 0 to 1, as the paper normalises it; its masks are of channels, these of whatever
    `mask_of` prunes. At density d it is at most 2 · min(d, 1 − d): below 0.1 whatever happens for masks of less than
    5 % or more than 95 %.

    mask_of: weights (all tensors, on the CPU) -> the mask {weight name: bool tensor} that pruning would give.
    every: iterations between checkpoints.
    distance, checks: settled once each of the last `checks` distances between successive checkpoints was below
        `distance`, as in the paper's algorithm 1, with its values.
    """

    def __init__(
        self,
        mask_of: Callable[[Tensors], Mapping[str, torch.Tensor]],
        every: int,
        distance: float = 0.1,
        checks: int = 5,
    ) -> None:
        if every < 1 or checks < 1:
            raise ValueError(f"iterations between checkpoints and number of checks are at least 1: {every=}, {checks=}")
        self._mask_of, self._every, self._distance, self._checks = mask_of, every, distance, checks
        self._iterations: list[int] = []
        self._masks: list[np.ndarray] = []  # uint8, one bit a weight
        self._entries = 0  # of a mask
        self.settled: int | None = None  # the iteration
        self.weights: dict[str, torch.Tensor] | None = None  # all tensors at that iteration, on the CPU

    def see(self, iteration: int, weights: Tensors) -> None:
        """Take a checkpoint where `iteration` is a positive multiple of `every`; `weights` may be live, on any device.

        None is taken where a tensor is not finite: the weights of a diverged network have no ranking.
        Raises ValueError where an iteration is not later than the one before, or masks have not one size.
        """
        if iteration <= 0 or iteration % self._every:
            return
        if self._iterations and iteration <= self._iterations[-1]:
            raise ValueError(f"iteration {iteration} is not after {self._iterations[-1]}, which was followed already")
        seen = {name: tensor.detach().to("cpu", copy=True) for name, tensor in weights.items()}
        if not all(bool(tensor.isfinite().all()) for tensor in seen.values()):
            return
        packed, entries = _packed(self._mask_of(seen))
        if self._masks and entries != self._entries:
            raise ValueError(f"a mask of {entries} weights at iteration {iteration}, before it of {self._entries}")
        self._entries = entries
        self._iterations.append(iteration)
        self._masks.append(packed)
        if self.settled is None and self._has_settled():
            self.settled, self.weights = iteration, seen

    def distances(self) -> tuple[torch.Tensor, torch.Tensor]:
        """(iterations int64 (C,), distances float64 (C, C) between the masks of all checkpoints)."""
        found = torch.zeros(len(self._masks), len(self._masks), dtype=torch.float64)
        for row, mask in enumerate(self._masks):
            for column in range(row):
                found[row, column] = found[column, row] = self._between(mask, self._masks[column])
        return torch.tensor(self._iterations, dtype=torch.int64), found

    def state(self) -> dict[str, torch.Tensor]:
        """All that was seen, as tensors with flat names; never empty. C checkpoints, masks packed into B bytes each."""
        masks = np.stack(self._masks) if self._masks else np.empty((0, 0), np.uint8)
        return {
            "iterations": torch.tensor(self._iterations, dtype=torch.int64),  # (C,)
            "masks": torch.from_numpy(masks),  # uint8 (C, B)
            "entries": torch.tensor(self._entries),  # int64 ()
            "settled": torch.tensor(-1 if self.settled is None else self.settled),  # int64 ()
            **{f"weights/{name}": tensor.clone() for name, tensor in (self.weights or {}).items()},
        }

    def restore(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Go on from the `state` of a follower with the same settings, whatever this one has seen.

        Raises ValueError where `tensors` is no such state: a training that was not followed up to there.
        """
        if missing := {"iterations", "masks", "entries", "settled"} - tensors.keys():
            raise ValueError(f"this training was not followed so far: its state has no {', '.join(sorted(missing))}")
        self._iterations = tensors["iterations"].tolist()
        self._masks = list(tensors["masks"].cpu().numpy().copy())
        self._entries = int(tensors["entries"])
        settled, prefix = int(tensors["settled"]), "weights/"
        self.settled = None if settled < 0 else settled
        self.weights = None
        if self.settled is not None:
            kept = {name: tensor for name, tensor in tensors.items() if name.startswith(prefix)}
            self.weights = {name.removeprefix(prefix): tensor.cpu().clone() for name, tensor in kept.items()}

    def _has_settled(self) -> bool:
        last = self._masks[-(self._checks + 1) :]
        return len(last) > self._checks and all(
            self._between(before, after) < self._distance for before, after in pairwise(last)
        )

    def _between(self, mask: np.ndarray, other: np.ndarray) -> float:
        differing = np.bitwise_count(mask.view(np.uint64) ^ other.view(np.uint64)).sum(dtype=np.int64)
        return int(differing) / self._entries


def _packed(mask: Mapping[str, torch.Tensor]) -> tuple[np.ndarray, int]:
    """(uint8 (B,), entries): a bit for each weight, by name, zeros up to whole words."""
    flat = np.concatenate([mask[name].cpu().numpy().reshape(-1) for name in sorted(mask)])
    bits = np.packbits(flat)
    return np.pad(bits, (0, -len(bits) % WORD)), len(flat)
