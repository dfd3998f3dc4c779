"""Fully connected networks of any widths; LeNet-300-100 is `widths=(300, 100)`."""

from __future__ import annotations

from itertools import pairwise
from math import prod
from typing import TYPE_CHECKING

from lth_pipeline.lottery.models.model import Layer, Model, Tensors

if TYPE_CHECKING:
    import torch


def mlp(image_shape: tuple[int, ...], classes: int, widths: tuple[int, ...], initialisation: str) -> Model:
    """Layers fc1 … fcN and output, ReLU between them, biases that start at zero."""
    sizes = (prod(image_shape), *widths, classes)
    names = [f"fc{i + 1}" for i in range(len(widths))] + ["output"]
    layers = tuple(
        Layer(name, "fc", (fan_out, fan_in), is_output=name == "output")
        for name, (fan_in, fan_out) in zip(names, pairwise(sizes), strict=True)
    )

    def initialise(generator: torch.Generator) -> dict[str, torch.Tensor]:
        import torch

        from lth_pipeline.lottery.models import initialisation as draws

        draw = getattr(draws, initialisation)
        weights = {}
        for layer in layers:
            weights[layer.weight] = draw(layer.shape, generator)
            weights[f"{layer.name}.bias"] = torch.zeros(layer.shape[0])
        return weights

    def logits(weights: Tensors, images: torch.Tensor) -> torch.Tensor:
        from torch.nn.functional import linear

        activations = images.flatten(1)
        for name in names[:-1]:
            activations = linear(activations, weights[f"{name}.weight"], weights[f"{name}.bias"]).relu_()
        return linear(activations, weights["output.weight"], weights["output.bias"])

    return Model(layers, initialise, logits)
