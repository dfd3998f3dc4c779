"""What a ticket from elsewhere brings along, and what is fresh."""

from __future__ import annotations

from collections.abc import Iterable

from lth_pipeline.lottery.models import Layer, Model


def carried(source: Iterable[Layer], target: Iterable[Layer], weights: str) -> tuple[str, ...]:
    """Names of the layers of `target` that take over mask and weights: those of the same name and shape in `source`.

    weights: `ticket_from.weights`. Where they come along, a bias or the batch norm in its place must be there on both
    sides, too; the mask alone ("own") fits without. The others, such as a head for another number of classes, start
    whole and fresh.
    """

    def fits(layer: Layer) -> tuple:
        return (layer.shape, None if weights == "own" else layer.bias)

    found = {layer.name: fits(layer) for layer in source}
    return tuple(layer.name for layer in target if found.get(layer.name) == fits(layer))


def with_norms(model: Model, layers: Iterable[str]) -> set[str]:
    """`layers` and the batch norms after them, which go the same way. Every layer without a bias has one, in order."""
    normed = [layer.name for layer in model.layers if not layer.bias]
    after = {layer: norm.name for layer, norm in zip(normed, model.norms, strict=True)}
    return {name for layer in layers for name in (layer, after.get(layer, layer))}
