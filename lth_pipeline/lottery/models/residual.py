"""Residual networks from their blocks (He et al. 2016); `resnet.py` and `resnet_cifar.py` say which blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from lth_pipeline.lottery.models import specs
from lth_pipeline.lottery.models.model import EVALUATION, Layer, Mode, Model, Tensors
from lth_pipeline.lottery.models.specs import Unit

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Block:
    """ReLU(body + shortcut); the shortcut is the block's input itself (None) or a projection of it (a Unit)."""

    body: tuple[Unit, ...]
    shortcut: Unit | None

    @property
    def units(self) -> tuple[Unit, ...]:
        return self.body if self.shortcut is None else (*self.body, self.shortcut)


def residual(
    image_shape: tuple[int, ...],
    initialisation: str,
    stem: Unit,
    blocks: Sequence[Block],
    output: Layer,
    *,
    pooled: bool = False,
) -> Model:
    """The stem, `blocks`, the mean of each channel and `output`; `pooled`: 3×3 max pooling of stride 2 after the stem.

    Everything is padded, so images of any size will do.
    """

    def logits(weights: Tensors, images: torch.Tensor, mode: Mode = EVALUATION) -> torch.Tensor:
        from torch.nn.functional import max_pool2d

        from lth_pipeline.lottery.models import pieces

        activations = pieces.conv_norm(weights, stem, pieces.laid_out(images), mode)
        if pooled:
            activations = max_pool2d(activations, 3, stride=2, padding=1)
        activations = activations.relu_()  # after the pooling, see pieces.pooled_relu
        for block in blocks:
            shortcut = activations
            for unit in block.body[:-1]:
                activations = pieces.conv_norm(weights, unit, activations, mode).relu_()
            activations = pieces.conv_norm(weights, block.body[-1], activations, mode)
            if block.shortcut is not None:
                shortcut = pieces.conv_norm(weights, block.shortcut, shortcut, mode)
            activations = activations.add_(shortcut).relu_()
        return pieces.averaged(weights, output, activations)

    units = [stem, *(unit for block in blocks for unit in block.units)]
    widest = _widest(image_shape, stem, blocks, output, 2 if pooled else 1)
    return specs.network([*specs.of(units), output], initialisation, logits, widest)


def _widest(image_shape: tuple[int, ...], stem: Unit, blocks: Sequence[Block], output: Layer, pool: int) -> int:
    _, *sides = image_shape
    sides = _strided(sides, stem.stride)
    found = [prod(image_shape), stem.filters * prod(sides), *output.shape]
    sides = _strided(sides, pool)
    for block in blocks:
        for unit in block.body:
            sides = _strided(sides, unit.stride)
            found.append(unit.filters * prod(sides))
    return max(found)


def _strided(sides: Sequence[int], stride: int) -> list[int]:
    """Height and width after a padded convolution or pooling of `stride`: a side of 5 is 3 after a stride of 2."""
    return [-(-side // stride) for side in sides]
