"""What a network is assembled from before it has any tensor. No torch at import."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

from lth_pipeline.lottery.errors import ModelError
from lth_pipeline.lottery.models.model import Layer, Model, Norm

if TYPE_CHECKING:
    import torch


FULL = Fraction(1)  # the scale of a network as its paper has it


def scaled(width: int, scale: Fraction) -> int:
    """`width` units or filters times `scale`, to the nearest whole (a half: upwards), and at least 1.

    In whole numbers, so that FULL gives `width` itself and a greater scale never a smaller width.
    """
    return max(1, (2 * width * scale.numerator + scale.denominator) // (2 * scale.denominator))


@dataclass(frozen=True)
class Unit:
    """A convolution without bias, padded by half its kernel, and the batch norm after it.

    The norm's own bias stands in for the convolution's, which the norm would subtract again.
    """

    layer: Layer
    norm: Norm
    stride: int = 1

    @property
    def filters(self) -> int:
        return self.norm.channels


def unit(
    name: str, norm: str, channels: int, filters: int, kernel: int = 3, stride: int = 1, kind: str = "conv"
) -> Unit:
    """The Unit of the layers `name` and `norm`, from `channels` to `filters`."""
    layer = Layer(name, kind, (filters, channels, kernel, kernel), bias=False)
    return Unit(layer, Norm(norm, filters), stride)


def of(units: Iterable[Unit]) -> list[Layer | Norm]:
    """Layers and norms of `units`, in their order."""
    return [spec for unit in units for spec in (unit.layer, unit.norm)]


def dense(sizes: tuple[int, ...]) -> list[Layer]:
    """Fully connected layers fc1 … fcN and output; `sizes`: inputs, units of each hidden layer, classes."""
    names = [f"fc{i + 1}" for i in range(len(sizes) - 2)] + ["output"]
    return [
        Layer(name, "fc", (fan_out, fan_in), is_output=name == "output")
        for name, (fan_in, fan_out) in zip(names, pairwise(sizes), strict=True)
    ]


def network(
    specs: Iterable[Layer | Norm],
    initialisation: str,
    logits: Callable[..., torch.Tensor],
    widest: int,
    dropout: float = 0.0,
) -> Model:
    """The Model of `specs`, which stand in the network's order: weights are drawn in it.

    initialisation: name of a function in `initialisation.py`.
    """
    specs = tuple(specs)

    def initialise(generator: torch.Generator) -> dict[str, torch.Tensor]:
        from lth_pipeline.lottery.models.initialisation import fresh

        return fresh(specs, initialisation, generator)

    layers = tuple(spec for spec in specs if isinstance(spec, Layer))
    norms = tuple(spec for spec in specs if isinstance(spec, Norm))
    return Model(layers, initialise, logits, norms, widest, dropout)


def refuse_small(name: str, image_shape: tuple[int, ...], least: int) -> None:
    """Raise ModelError where an image is lower or narrower than `least` pixels."""
    _, height, width = image_shape
    if min(height, width) < least:
        raise ModelError(
            f"{name} cannot take images of {height}×{width} pixels (image shape {tuple(image_shape)}): its poolings "
            f"leave nothing of images smaller than {least}×{least}"
        )
