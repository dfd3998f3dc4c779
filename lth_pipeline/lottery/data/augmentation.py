"""Random changes of training images: whole batches at once, on their device, every draw seeded.

Flips and padded crops are those of He et al. 2015, §4.2, which Frankle & Carbin 2019 use for ResNet-18 and VGG-19.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn.functional import pad

from lth_pipeline.lottery.models.share import Share


@dataclass(frozen=True)
class Augmentation:
    """flip: mirror left to right, one time in two. crop: pad by so many zeros, cut a window of the old size."""

    flip: bool = False
    crop: int | None = None


def augmented(
    pixels: torch.Tensor, how: Augmentation, draws: torch.Generator, share: Share | None = None
) -> torch.Tensor:
    """`pixels` (N, C, H, W) changed, each image by draws of its own.

    share: of a batch, that `pixels` are; the draws are those of the whole batch then. None: they are all of it.
    The draws (three small whole numbers an image) are made on the CPU, so they are the same on every device.
    """
    numbers = drawn(share.batch, how, draws)[:, share.own] if share else drawn(len(pixels), how, draws)
    return changed(pixels, how, numbers.to(pixels.device))


def drawn(images: int, how: Augmentation, draws: torch.Generator) -> torch.Tensor:
    """int64 (3, images), on the CPU: how far down and to the right of the padding's corner each window lies, and
    whether it is mirrored (0 or 1). What `how` does not ask for is not drawn, and 0."""
    numbers = torch.zeros(3, images, dtype=torch.int64)
    if how.crop:
        numbers[:2] = torch.randint(2 * how.crop + 1, (2, images), generator=draws)
    if how.flip:
        numbers[2] = torch.randint(2, (images,), generator=draws, dtype=torch.bool)
    return numbers


def changed(pixels: torch.Tensor, how: Augmentation, numbers: torch.Tensor) -> torch.Tensor:
    """`pixels` (N, C, H, W) changed by `drawn`'s numbers (3, N), on the device of both, which is not waited for."""
    if how.crop:
        height, width = pixels.shape[2:]
        windows = pad(pixels, (how.crop,) * 4).unfold(2, height, 1).unfold(3, width, 1)
        pixels = windows[torch.arange(len(pixels), device=pixels.device), :, numbers[0], numbers[1]]
    if how.flip:
        pixels = torch.where(numbers[2].bool().view(-1, 1, 1, 1), pixels.flip(3), pixels)
    return pixels
