"""Which pixels a mask still reads, and how much the data varies there."""

from __future__ import annotations

import torch

from lth_pipeline.lottery.analysis.movement import correlation
from lth_pipeline.lottery.data import Part
from lth_pipeline.lottery.data.batches import chunks

CHUNK = 1000  # images at once


def pixel_map(mask: torch.Tensor, image_shape: tuple[int, ...]) -> torch.Tensor:
    """int32 (C, H, W): surviving weights that read each value of an image. mask: bool (units, C·H·W), of a fully
    connected first layer."""
    return mask.sum(0, dtype=torch.int32).view(image_shape)


def kernel_map(mask: torch.Tensor) -> torch.Tensor:
    """int32 (C, height, width): filters in which each position of the kernel survives. mask: bool (filters, C, height,
    width), of a convolution that is the first layer."""
    return mask.sum(0, dtype=torch.int32)


def mean_and_deviation(part: Part, shift: tuple[float, ...], scale: tuple[float, ...]) -> torch.Tensor:
    """float64 (2, C, H, W): mean and standard deviation of each pixel over `part`, of pixels in [0, 1]. shift, scale:
    per channel, what the images were normalised by."""
    total = squares = torch.zeros((), dtype=torch.float64)
    back = [torch.tensor(values, dtype=torch.float64).view(-1, 1, 1) for values in (shift, scale)]
    for images, _ in chunks(part, CHUNK):
        pixels = images.cpu().double() * back[1] + back[0]
        total, squares = total + pixels.sum(0), squares + pixels.square().sum(0)
    mean = total / len(part)
    return torch.stack([mean, (squares / len(part) - mean.square()).clamp(min=0).sqrt()])


def rank_correlation(one: torch.Tensor, other: torch.Tensor) -> float | None:
    """Spearman's, of two tensors of one size, equals ranked equal; None where one of them does not vary."""
    return correlation(ranks(one.flatten()), ranks(other.flatten()))


def ranks(values: torch.Tensor) -> torch.Tensor:
    """float64 (N,): the rank of each of `values` (N,), of equal ones the mean of theirs."""
    _, which, counts = values.unique(return_inverse=True, return_counts=True)
    last = counts.cumsum(0).double()
    return (last - (counts.double() - 1) / 2)[which]
