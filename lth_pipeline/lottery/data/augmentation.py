"""Random changes of training images: whole batches at once, on their device, every draw seeded.

Flips and padded crops are those of He et al. 2015, §4.2, which Frankle & Carbin 2019 use for ResNet-18 and VGG-19.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn.functional import pad


@dataclass(frozen=True)
class Augmentation:
    """flip: mirror left to right, one time in two. crop: pad by so many zeros, cut a window of the old size."""

    flip: bool = False
    crop: int | None = None


def augmented(pixels: torch.Tensor, how: Augmentation, draws: torch.Generator) -> torch.Tensor:
    """`pixels` (N, C, H, W) changed, each image by draws of its own.

    The draws (three small whole numbers an image) are made on the CPU, so they are the same on every device.
    """
    images, device = len(pixels), pixels.device
    if how.crop:
        height, width = pixels.shape[2:]
        shifts = torch.randint(2 * how.crop + 1, (2, images), generator=draws).to(device)
        windows = pad(pixels, (how.crop,) * 4).unfold(2, height, 1).unfold(3, width, 1)
        pixels = windows[torch.arange(images, device=device), :, shifts[0], shifts[1]]
    if how.flip:
        chosen = torch.randint(2, (images,), generator=draws, dtype=torch.bool).to(device)
        pixels = torch.where(chosen.view(-1, 1, 1, 1), pixels.flip(3), pixels)
    return pixels
