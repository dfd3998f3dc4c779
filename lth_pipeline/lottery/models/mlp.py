"""Fully connected networks of any widths; LeNet-300-100 is `widths=(300, 100)`."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import prod
from typing import TYPE_CHECKING

from lth_pipeline.lottery.models import specs
from lth_pipeline.lottery.models.model import EVALUATION, Mode, Model, Tensors

if TYPE_CHECKING:
    import torch


def mlp(
    image_shape: tuple[int, ...],
    classes: int,
    widths: tuple[int, ...],
    initialisation: str,
    dropout: float = 0.0,
    scale: Fraction = specs.FULL,
) -> Model:
    """Layers fc1 … fcN and output, ReLU (and dropout) between them, biases that start at zero.

    scale: of the widths (`narrow.py`).
    """
    sizes = (prod(image_shape), *(specs.scaled(width, scale) for width in widths), classes)
    layers = specs.dense(sizes)

    def logits(weights: Tensors, images: torch.Tensor, mode: Mode = EVALUATION) -> torch.Tensor:
        from lth_pipeline.lottery.models import pieces

        return pieces.dense(weights, layers, images.flatten(1), dropout, mode)

    network = specs.network(layers, initialisation, logits, max(sizes), dropout)
    return replace(network, fully_connected=True)
