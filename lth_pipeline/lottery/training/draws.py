"""What several networks draw in a block of iterations: the examples they see, and how these are changed.

The draws are those of `order.batches` and `augmentation.augmented` from the same seeds, number for number, so a network
sees what it would see alone. They are made on the CPU, a block of steps at a time, and lie ready on the device.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import torch

from lth_pipeline.lottery.data.augmentation import drawn
from lth_pipeline.lottery.randomness import generator
from lth_pipeline.lottery.training.schedule import Schedule, learning_rate
from lth_pipeline.lottery.training.stacked_optimiser import rates

STEPS = 256  # of a block: for 10 networks of batch 128 with augmentation 10 MB

Seeds = Callable[[str, int], int]


def positions(epoch_order: Callable[[int], torch.Tensor], examples: int, first: int, count: int) -> torch.Tensor:
    """int64 (count,): the examples at places first … first + count − 1 of one endless sequence of epochs.

    epoch_order: epoch -> int64 (examples,), its permutation.
    """
    found, place = [], first
    while place < first + count:
        epoch, offset = divmod(place, examples)
        found.append(epoch_order(epoch)[offset : offset + first + count - place])
        place += len(found[-1])
    return torch.cat(found)


class Draws:
    """All draws of R networks. `block` may be asked for any iterations; in order costs least."""

    def __init__(self, schedule: Schedule, seeds: Sequence[Seeds], examples: int) -> None:
        self._schedule, self._seeds, self._examples = schedule, seeds, examples
        self._orders = [self._order_of(each) for each in seeds]

    def _order_of(self, seeds: Seeds) -> Callable[[int], torch.Tensor]:
        @lru_cache(maxsize=1)  # a block mostly goes on in the epoch in which the one before ended
        def order(epoch: int) -> torch.Tensor:
            return torch.randperm(self._examples, generator=generator(seeds("data_order", epoch)))

        return order

    def block(self, first: int, steps: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
        """(draws int64 (steps, R, 1 or 4, batch), rates (steps,)) of the steps after `first` iterations, on the CPU.

        draws: the example, and where there is augmentation its three numbers (`augmentation.drawn`).
        Pinned where `device` is a GPU, so that the copy there need not be waited for.
        """
        size, how = self._schedule.batch_size, self._schedule.augmentation
        numbers = torch.empty(steps, len(self._seeds), 4 if how else 1, size, dtype=torch.int64)
        for network, order in enumerate(self._orders):
            found = positions(order, self._examples, first * size, steps * size)
            numbers[:, network, 0] = found.view(steps, size)
        if how:
            for step in range(steps):
                for network, seeds in enumerate(self._seeds):
                    of_step = generator(seeds("augmentation", first + step + 1))
                    numbers[step, network, 1:] = drawn(size, how, of_step)
        falling = rates([learning_rate(self._schedule, first + step) for step in range(steps)], device)
        if device.type == "cuda":
            return numbers.pin_memory(), falling.pin_memory()
        return numbers, falling
