"""Mean and deviation of each channel over a training part, exactly: sums of whole numbers have no rounding."""

from __future__ import annotations

from fractions import Fraction
from math import sqrt

import torch

from lth_pipeline.lottery.data.dataset import Raw

CHUNK = 2**21  # pixels at once: their squares take 8 MB


def mean_and_deviation(raw: Raw, rows: torch.Tensor) -> tuple[list[float], list[float]]:
    """(mean, standard deviation) per channel of the training images `rows`, of pixels in [0, 1].

    Whole numbers are summed exactly, so the result depends neither on the order of the rows nor on whether
    images are in memory or streamed. A channel of one value gets deviation 1: there is nothing to scale.
    """
    if raw.train_images.dtype != torch.uint8:
        pixels = raw.train_images[rows].double() / raw.full_scale
        means, deviations = pixels.mean((0, 2, 3)).tolist(), pixels.std((0, 2, 3), correction=0).tolist()
    else:
        sums, squares = _sums(raw, rows)
        count = len(rows) * raw.train_images[0, 0].numel()
        full = count * raw.full_scale
        means = [float(Fraction(total, full)) for total in sums]
        deviations = [
            sqrt(Fraction(count * square - total * total, full * full))
            for total, square in zip(sums, squares, strict=True)
        ]
    return means, [deviation or 1.0 for deviation in deviations]


def _sums(raw: Raw, rows: torch.Tensor) -> tuple[list[int], list[int]]:
    if raw.sums is not None and raw.squares is not None:
        return raw.sums[rows].sum(0).tolist(), raw.squares[rows].sum(0).tolist()
    channels = raw.train_images.shape[1]
    sums, squares = torch.zeros(channels, dtype=torch.int64), torch.zeros(channels, dtype=torch.int64)
    for chunk in rows.split(max(1, CHUNK // raw.train_images[0].numel())):
        pixels = raw.train_images[chunk].int()
        sums += pixels.sum((0, 2, 3))
        squares += (pixels * pixels).sum((0, 2, 3))
    return sums.tolist(), squares.tolist()
