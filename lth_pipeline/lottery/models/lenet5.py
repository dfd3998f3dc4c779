"""LeNet-5: two convolutions and three fully connected layers."""

from __future__ import annotations

from fractions import Fraction
from math import prod
from typing import TYPE_CHECKING

from lth_pipeline.lottery.models import specs
from lth_pipeline.lottery.models.model import EVALUATION, Layer, Mode, Model, Tensors

if TYPE_CHECKING:
    import torch


def lenet5(
    image_shape: tuple[int, ...],
    classes: int,
    initialisation: str,
    dropout: float = 0.0,
    scale: Fraction = specs.FULL,
) -> Model:
    """conv1 6@5×5, pool, conv2 16@5×5, pool, fc1 120, fc2 84, output: LeCun et al. 1998, §II.B, in today's form.

    ReLU for tanh, 2×2 max pooling for trained subsampling, every map of conv2 fed by all six of conv1, and plain
    logits for the distances to drawn digits. conv1 is padded by 2, as the paper's 28×28 digits stood in 32×32.

    scale: of filters and hidden units (`narrow.py`).
    """
    specs.refuse_small("lenet5", image_shape, 12)  # 12 pixels are 6 after a pooling, 2 after conv2, 1 after a pooling
    channels, height, width = image_shape
    first, second, *hidden = (specs.scaled(width, scale) for width in (6, 16, 120, 84))
    conv1, conv2 = Layer("conv1", "conv", (first, channels, 5, 5)), Layer("conv2", "conv", (second, first, 5, 5))
    halves = height // 2, width // 2
    maps = second * prod((half - 4) // 2 for half in halves)
    head = specs.dense((maps, *hidden, classes))

    def logits(weights: Tensors, images: torch.Tensor, mode: Mode = EVALUATION) -> torch.Tensor:
        from lth_pipeline.lottery.models import pieces

        activations = pieces.pooled_relu(pieces.conv(weights, conv1, pieces.laid_out(images), padding=2))
        activations = pieces.pooled_relu(pieces.conv(weights, conv2, activations, padding=0))
        return pieces.dense(weights, head, activations.flatten(1), dropout, mode)

    activations = first * height * width, second * prod(half - 4 for half in halves), *hidden
    widest = max(prod(image_shape), *activations, classes)
    return specs.network([conv1, conv2, *head], initialisation, logits, widest, dropout)
