"""Conv-2, Conv-4 and Conv-6 of Frankle & Carbin 2019 (Fig. 2): small networks after VGG."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from math import prod
from typing import TYPE_CHECKING

from lth_pipeline.lottery.models import specs
from lth_pipeline.lottery.models.model import EVALUATION, Layer, Mode, Model, Tensors

if TYPE_CHECKING:
    import torch


def conv(
    depth: int,
    image_shape: tuple[int, ...],
    classes: int,
    initialisation: str,
    dropout: float = 0.0,
    scale: Fraction = specs.FULL,
) -> Model:
    """`depth` 3×3 convolutions conv1 …, in pairs of 64, 128, 256 filters, each pair pooled; then fc1, fc2, output.

    scale: of filters and hidden units (`narrow.py`).
    """
    pools = depth // 2
    specs.refuse_small(f"conv{depth}", image_shape, 2**pools)
    channels, height, width = image_shape
    filters = [specs.scaled(64 * 2 ** (i // 2), scale) for i in range(depth)]
    units = specs.scaled(256, scale)
    layers = [
        Layer(f"conv{i + 1}", "conv", (fan_out, fan_in, 3, 3))
        for i, (fan_in, fan_out) in enumerate(pairwise([channels, *filters]))
    ]
    pairs = list(zip(layers[::2], layers[1::2], strict=True))
    head = specs.dense((filters[-1] * (height >> pools) * (width >> pools), units, units, classes))

    def logits(weights: Tensors, images: torch.Tensor, mode: Mode = EVALUATION) -> torch.Tensor:
        from lth_pipeline.lottery.models import pieces

        activations = pieces.laid_out(images)
        for first, second in pairs:
            activations = pieces.conv(weights, first, activations, padding=1).relu_()
            activations = pieces.pooled_relu(pieces.conv(weights, second, activations, padding=1))
        return pieces.dense(weights, head, activations.flatten(1), dropout, mode)

    # a pair doubles the filters (n to 2n + 1, where a scale rounds them) and the pooling before it quarters the pixels:
    # the first is the widest
    widest = max(prod(image_shape), filters[0] * height * width, units, classes)
    return specs.network([*layers, *head], initialisation, logits, widest, dropout)
