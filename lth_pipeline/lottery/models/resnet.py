"""ResNet-18 and ResNet-50 as torchvision has them, tensor by tensor, so that state dicts can be exchanged."""

from __future__ import annotations

from lth_pipeline.lottery.models import specs
from lth_pipeline.lottery.models.model import Layer, Model
from lth_pipeline.lottery.models.residual import Block, residual

#: depth -> blocks of each stage (He et al. 2016, Table 1)
BLOCKS = {18: (2, 2, 2, 2), 50: (3, 4, 6, 3)}


def resnet(depth: int, image_shape: tuple[int, ...], classes: int, initialisation: str) -> Model:
    """conv1 7×7 at stride 2, 3×3 max pooling at stride 2, four stages of 64 … 512 filters, average pooling, fc.

    Names and shapes are torchvision's but for `num_batches_tracked`, which nothing here reads. In ResNet-50 the
    3×3 convolution of a block has the stride, as in torchvision; in He et al. it is the first 1×1.
    """
    block_of = _basic if depth == 18 else _bottleneck
    stem = specs.unit("conv1", "bn1", image_shape[0], 64, kernel=7, stride=2)
    blocks, channels = [], 64
    for stage, number in enumerate(BLOCKS[depth]):
        for index in range(number):
            stride = 2 if stage and not index else 1
            blocks.append(block_of(f"layer{stage + 1}.{index}", channels, 64 * 2**stage, stride))
            channels = blocks[-1].body[-1].filters
    output = Layer("fc", "fc", (classes, channels), is_output=True)
    return residual(image_shape, initialisation, stem, blocks, output, pooled=True)


def _basic(name: str, channels: int, filters: int, stride: int) -> Block:
    """Two 3×3 convolutions."""
    body = (
        specs.unit(f"{name}.conv1", f"{name}.bn1", channels, filters, stride=stride),
        specs.unit(f"{name}.conv2", f"{name}.bn2", filters, filters),
    )
    return Block(body, _projection(name, channels, filters, stride))


def _bottleneck(name: str, channels: int, filters: int, stride: int) -> Block:
    """1×1 down to `filters`, 3×3, 1×1 up to four times as many."""
    body = (
        specs.unit(f"{name}.conv1", f"{name}.bn1", channels, filters, kernel=1),
        specs.unit(f"{name}.conv2", f"{name}.bn2", filters, filters, stride=stride),
        specs.unit(f"{name}.conv3", f"{name}.bn3", filters, 4 * filters, kernel=1),
    )
    return Block(body, _projection(name, channels, 4 * filters, stride))


def _projection(name: str, channels: int, filters: int, stride: int) -> specs.Unit | None:
    """The shortcut where the shape changes; the stride changes only with the number of filters."""
    if channels == filters:
        return None
    return specs.unit(f"{name}.downsample.0", f"{name}.downsample.1", channels, filters, 1, stride, kind="shortcut")
