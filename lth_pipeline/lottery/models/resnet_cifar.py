"""The residual networks for small images of He et al. 2016, §4.2."""

from __future__ import annotations

from fractions import Fraction

from lth_pipeline.lottery.errors import ModelError
from lth_pipeline.lottery.models import specs
from lth_pipeline.lottery.models.model import Layer, Model
from lth_pipeline.lottery.models.residual import Block, residual


def resnet_cifar(
    image_shape: tuple[int, ...],
    classes: int,
    depth: int,
    initialisation: str,
    filters: int = 16,
    scale: Fraction = specs.FULL,
) -> Model:
    """conv1, then three stages of n blocks of two 3×3 convolutions, with `filters`, 2 and 4 times as many filters.

    depth: 6n + 2 layers. 20 is what Frankle & Carbin 2019 call ResNet-18 (Fig. 2). Where a stage begins with more
    filters, at stride 2, the shortcut is a 1×1 convolution and its batch norm: option B of He et al. (§3.3), who
    took A (zeros) here; with B depth 20 has the 270K weights in convolutions that Frankle & Carbin count.

    scale: of the filters of every stage (`narrow.py`).
    """
    blocks_a_stage, rest = divmod(depth - 2, 6)
    if rest or blocks_a_stage < 1:
        raise ModelError(f"resnet_cifar has no depth {depth}: depths are 6n + 2 (8, 14, 20, 32, 44, 56, 110 and so on)")
    channels = specs.scaled(filters, scale)
    stem = specs.unit("conv1", "norm1", image_shape[0], channels)
    blocks = []
    for stage in range(3):
        width = specs.scaled(filters * 2**stage, scale)
        for index in range(blocks_a_stage):
            begins = stage > 0 and index == 0
            blocks.append(_block(f"stage{stage + 1}.block{index + 1}", channels, width, begins))
            channels = width
    output = Layer("output", "fc", (classes, channels), is_output=True)
    return residual(image_shape, initialisation, stem, blocks, output)


def _block(name: str, channels: int, filters: int, begins: bool) -> Block:
    """begins: a stage other than the first, at stride 2 and with a projection, even where a scale left the filters."""
    stride = 2 if begins else 1
    body = (
        specs.unit(f"{name}.conv1", f"{name}.norm1", channels, filters, stride=stride),
        specs.unit(f"{name}.conv2", f"{name}.norm2", filters, filters),
    )
    if not begins:
        return Block(body, None)
    return Block(
        body,
        specs.unit(f"{name}.shortcut", f"{name}.shortcut_norm", channels, filters, 1, stride, kind="shortcut"),
    )
