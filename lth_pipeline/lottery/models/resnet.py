"""ResNet-18 and ResNet-50 as torchvision has them, tensor by tensor, so that state dicts can be exchanged."""

from __future__ import annotations

from fractions import Fraction

from lth_pipeline.lottery.models import specs
from lth_pipeline.lottery.models.model import Layer, Model
from lth_pipeline.lottery.models.residual import Block, residual
from lth_pipeline.lottery.models.specs import Unit

#: depth -> blocks of each stage (He et al. 2016, Table 1)
BLOCKS = {18: (2, 2, 2, 2), 50: (3, 4, 6, 3)}


def resnet(
    depth: int, image_shape: tuple[int, ...], classes: int, initialisation: str, scale: Fraction = specs.FULL
) -> Model:
    """conv1 7×7 at stride 2, 3×3 max pooling at stride 2, four stages of 64 … 512 filters, average pooling, fc.

    Names and shapes are torchvision's but for `num_batches_tracked`, which nothing here reads. In ResNet-50 the
    3×3 convolution of a block has the stride, as in torchvision; in He et al. it is the first 1×1.

    scale: of all filters (`narrow.py`), of each width of a block by itself.
    """
    block_of, growth = (_basic, 1) if depth == 18 else (_bottleneck, 4)
    channels = specs.scaled(64, scale)
    stem = specs.unit("conv1", "bn1", image_shape[0], channels, kernel=7, stride=2)
    blocks = []
    for stage, number in enumerate(BLOCKS[depth]):
        inner, outer = (specs.scaled(64 * 2**stage * times, scale) for times in (1, growth))
        for index in range(number):
            name, stride = f"layer{stage + 1}.{index}", 2 if stage and not index else 1
            body = block_of(name, channels, inner, outer, stride)
            # where a stage changes the filters of its paper, whatever a scale has left of them
            changes = not index and (stage > 0 or growth > 1)
            blocks.append(Block(body, _projection(name, channels, outer, stride) if changes else None))
            channels = outer
    output = Layer("fc", "fc", (classes, channels), is_output=True)
    return residual(image_shape, initialisation, stem, blocks, output, pooled=True)


def _basic(name: str, channels: int, inner: int, outer: int, stride: int) -> tuple[Unit, ...]:
    """Two 3×3 convolutions."""
    return (
        specs.unit(f"{name}.conv1", f"{name}.bn1", channels, inner, stride=stride),
        specs.unit(f"{name}.conv2", f"{name}.bn2", inner, outer),
    )


def _bottleneck(name: str, channels: int, inner: int, outer: int, stride: int) -> tuple[Unit, ...]:
    """1×1 down to `inner`, 3×3, 1×1 up to `outer`."""
    return (
        specs.unit(f"{name}.conv1", f"{name}.bn1", channels, inner, kernel=1),
        specs.unit(f"{name}.conv2", f"{name}.bn2", inner, inner, stride=stride),
        specs.unit(f"{name}.conv3", f"{name}.bn3", inner, outer, kernel=1),
    )


def _projection(name: str, channels: int, filters: int, stride: int) -> Unit:
    """The shortcut where the shape changes; the stride changes only with the number of filters."""
    return specs.unit(f"{name}.downsample.0", f"{name}.downsample.1", channels, filters, 1, stride, kind="shortcut")
