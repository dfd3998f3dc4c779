"""What a ticket from elsewhere brings along, and what is fresh."""

from __future__ import annotations

from collections.abc import Iterable

from lth_pipeline.lottery.models import Layer, Model


def carried(source: Iterable[Layer], target: Iterable[Layer]) -> tuple[str, ...]:
    """Names of the layers of `target` that take over mask and weights: those of the same name and shape in `source`.

    The others, such as a head for another number of classes, start whole and fresh.
    """
    shapes = {layer.name: layer.shape for layer in source}
    return tuple(layer.name for layer in target if shapes.get(layer.name) == layer.shape)


def with_norms(model: Model, layers: Iterable[str]) -> set[str]:
    """`layers` and the batch norms after them, which go the same way. Every layer without a bias has one, in order."""
    normed = [layer.name for layer in model.layers if not layer.bias]
    after = {layer: norm.name for layer, norm in zip(normed, model.norms, strict=True)}
    return {name for layer in layers for name in (layer, after.get(layer, layer))}
