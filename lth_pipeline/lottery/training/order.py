"""The order in which training sees its examples."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch


def batches(
    examples: int, batch_size: int, start: int, stop: int, epoch_seed: Callable[[int], int]
) -> Iterator[torch.Tensor]:
    """int64 index tensors (batch_size,) of the iterations start … stop − 1.

    One endless sequence of epochs, each a fresh permutation from its own generator `epoch_seed(epoch)`, cut
    into batches that may reach over the end of an epoch: every batch is full, every example is seen once an
    epoch, and iteration t has the same batch whether or not the ones before it were run (so a resumed
    training needs no state of a generator).
    """
    epoch, order = -1, torch.empty(0, dtype=torch.int64)
    for iteration in range(start, stop):
        first = iteration * batch_size
        batch = []
        while len(batch) == 0 or sum(map(len, batch)) < batch_size:
            position = first + sum(map(len, batch))
            if position // examples != epoch:
                epoch = position // examples
                permuting = torch.Generator().manual_seed(epoch_seed(epoch))
                order = torch.randperm(examples, generator=permuting)
            offset = position % examples
            batch.append(order[offset : offset + batch_size - (position - first)])
        yield batch[0] if len(batch) == 1 else torch.cat(batch)
