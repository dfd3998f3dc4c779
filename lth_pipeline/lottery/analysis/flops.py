"""How much a network computes: floating-point operations, of its layers and of training.

What is counted: multiplications and additions of fully connected layers and convolutions, 2 for each weight and
place that it is used at (torch.utils.flop_counter's convention). What is not: biases, batch norm, ReLU, pooling,
softmax, the optimiser, evaluations.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lth_pipeline.lottery.models.model import Model

PASSES = 3  # of a training step, in forward passes: one forward, and two as much backward (Kaplan et al. 2020, §2.1)


def places(model: Model, image_shape: tuple[int, ...]) -> dict[str, int]:
    """{weight name: how often each of its weights is used for one image}: 1 of a fully connected layer, height ×
    width of what comes out of a convolution (its padding counted as if it were image).

    The network is run once on one image: milliseconds for those of 32×32 pixels, a tenth of a second for ResNet-50.
    """
    import torch
    from torch.overrides import TorchFunctionMode

    weights = _zeros(model)
    names = {id(weights[layer.weight]): layer.weight for layer in model.layers}
    found: dict[str, int] = {}

    class Watching(TorchFunctionMode):
        def __torch_function__(self, function, types, arguments=(), options=None):
            out = function(*arguments, **(options or {}))
            if function in (torch.nn.functional.conv2d, torch.nn.functional.linear):
                name = names[id(arguments[1])]
                found[name] = found.get(name, 0) + out.shape[2:].numel()
            return out

    with torch.no_grad(), Watching():
        model.logits(weights, torch.zeros((1, *image_shape)))
    return found


def forward(used: Mapping[str, int], counts: Mapping[str, int]) -> int:
    """Operations of one image's forward pass. used: of `places`. counts: {weight name: weights}: all of a dense
    network, or the survivors of a mask (what hardware and software that skip every zero would compute)."""
    return sum(2 * used[name] * count for name, count in counts.items())


def training(of_image: float, batch_size: int, iterations: int) -> float:
    """Operations of a training whose forward pass of one image takes `of_image`: PASSES × images."""
    return PASSES * of_image * batch_size * iterations


def dense_counts(model: Model) -> dict[str, int]:
    """{weight name: weights} of the whole network."""
    return {layer.weight: layer.size for layer in model.layers}


def _zeros(model: Model) -> dict:
    """All tensors of a network, each a single zero in memory. (Tensors on torch's device "meta" would do, but the first
    operation on one imports what takes longer than all the rest.)"""
    import torch

    zero = torch.zeros(())
    return {name: zero.expand(shape) for name, shape in model.shapes.items()}
