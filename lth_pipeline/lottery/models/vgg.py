"""VGG for small images: Simonyan & Zisserman 2015 (Table 1) with batch norm and global average pooling."""

from __future__ import annotations

from fractions import Fraction
from itertools import count
from math import prod
from typing import TYPE_CHECKING

from lth_pipeline.lottery.models import specs
from lth_pipeline.lottery.models.model import EVALUATION, Layer, Mode, Model, Tensors

if TYPE_CHECKING:
    import torch

FILTERS = (64, 128, 256, 512, 512)  # of each group
#: depth -> convolutions of each group: configurations A, B, D and E
GROUPS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
POOLS = len(FILTERS) - 1  # between groups


def vgg(
    depth: int, image_shape: tuple[int, ...], classes: int, initialisation: str, scale: Fraction = specs.FULL
) -> Model:
    """3×3 convolutions conv1 … without bias, norm1 …, a 2×2 max pooling between groups; average pooling, output.

    The average takes the place of the fifth pooling and the two hidden fully connected layers, as in the VGG-19
    of Frankle & Carbin 2019 (Fig. 2): images of 32×32 pixels are 2×2 by then.

    scale: of the filters (`narrow.py`).
    """
    specs.refuse_small(f"vgg{depth}", image_shape, 2**POOLS)
    channels, height, width = image_shape
    groups, number = [], count(1)
    widths = [specs.scaled(filters, scale) for filters in FILTERS]
    for filters, convolutions in zip(widths, GROUPS[depth], strict=True):
        group = []
        for index in (next(number) for _ in range(convolutions)):
            group.append(specs.unit(f"conv{index}", f"norm{index}", channels, filters))
            channels = filters
        groups.append(group)
    output = Layer("output", "fc", (classes, channels), is_output=True)

    def logits(weights: Tensors, images: torch.Tensor, mode: Mode = EVALUATION) -> torch.Tensor:
        from lth_pipeline.lottery.models import pieces

        activations = pieces.laid_out(images)
        for group in groups:
            for unit in group[:-1]:
                activations = pieces.conv_norm(weights, unit, activations, mode).relu_()
            activations = pieces.conv_norm(weights, group[-1], activations, mode)
            activations = activations.relu_() if group is groups[-1] else pieces.pooled_relu(activations)
        return pieces.averaged(weights, output, activations)

    # a group at most doubles the filters (n to 2n + 1, where a scale rounds them) and the pooling before it quarters
    # the pixels: the first is the widest
    widest = max(prod(image_shape), widths[0] * height * width, widths[-1], classes)
    units = specs.of(unit for group in groups for unit in group)
    return specs.network([*units, output], initialisation, logits, widest)
