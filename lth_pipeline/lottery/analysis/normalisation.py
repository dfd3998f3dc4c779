"""From images as a network takes them back to pixels of full scale 1, and the other way."""

from __future__ import annotations

from typing import NamedTuple

import torch

from lth_pipeline.lottery.data.batches import ready
from lth_pipeline.lottery.data.dataset import Data, Part


class Scale(NamedTuple):
    """What a pixel is shifted and divided by before a network sees it, float32 (C, 1, 1) each."""

    shift: torch.Tensor
    divisor: torch.Tensor


def scale_of(data: Data, normalisation: str) -> Scale:
    """How `data` was normalised, on its device; normalisation: the card's, "standard" or "unit"."""
    unit = normalisation == "unit"
    shift, divisor = ([0.0] * len(data.mean), [1.0] * len(data.std)) if unit else (data.mean, data.std)
    device = data.test.labels.device
    return Scale(*(torch.tensor(values, device=device).view(-1, 1, 1) for values in (shift, divisor)))


def pixels_of(part: Part, scale: Scale) -> torch.Tensor:
    """The pixels of a part that is not streamed, float32 (N, C, H, W), of full scale 1 (signals: as they were)."""
    images = ready(part, part.images).double()
    return images.mul_(scale.divisor.double()).add_(scale.shift.double()).float()


def normalised(pixels: torch.Tensor, scale: Scale) -> torch.Tensor:
    """Pixels of full scale 1 as a network takes them; gradients pass through."""
    return (pixels - scale.shift) / scale.divisor


def as_bytes(pixels: torch.Tensor) -> torch.Tensor:
    """Pixels of full scale 1 as uint8 on the CPU: the nearest of 256 steps."""
    return pixels.mul(255).round_().clamp_(0, 255).to("cpu", torch.uint8)
