"""Which layers read which: found by following one image through the network, so it is true of every network."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from lth_pipeline.lottery.models.model import Model

INPUT = "input"  # what stands for the image where layers are named

#: {name of a layer, or INPUT: names of the layers that read its units, in the network's order}
Readers = dict[str, tuple[str, ...]]


def readers(model: Model, image_shape: tuple[int, ...]) -> Readers:
    """Who reads whose units. Norms, poolings and ReLUs pass units on; in a residual network a layer's units are also
    read by all that the shortcuts carry them to. Computes nothing: the tensors have shapes and no content."""
    weights = {name: torch.empty(shape, device="meta") for name, shape in model.shapes.items()}
    image = torch.empty(1, *image_shape, device="meta")
    following = _Following({id(weights[layer.weight]): layer.name for layer in model.layers}, image)
    with following:
        model.logits(weights, image)
    order = {layer.name: place for place, layer in enumerate(model.layers)}
    found = {name: [] for name in (INPUT, *order)}
    for reader, sources in following.reads.items():
        for source in sources:
            found[source].append(reader)
    return {name: tuple(sorted(names, key=order.__getitem__)) for name, names in found.items()}


def sources(who: Readers) -> Readers:
    """The inverse: {layer: those whose units it reads}."""
    return {name: tuple(source for source, names in who.items() if name in names) for name in who}


class _Following(TorchFunctionMode):
    """Notes for every tensor whose units it holds. ours: {id of a weight: name of its layer}."""

    def __init__(self, ours: dict[int, str], image: torch.Tensor):
        super().__init__()
        self.ours = ours
        self.holds: dict[int, set[str]] = {id(image): {INPUT}}
        self.kept: list[torch.Tensor] = [image]  # alive, so that no id is given twice
        self.reads: dict[str, set[str]] = {}

    def __torch_function__(self, func, types, args=(), kwargs=None) -> Any:
        result = func(*args, **(kwargs or {}))
        given = list(_tensors((args, kwargs or {})))
        held = set().union(*(self.holds.get(id(tensor), set()) for tensor in given))
        for layer in {self.ours[id(tensor)] for tensor in given if id(tensor) in self.ours}:
            self.reads.setdefault(layer, set()).update(held)
            held = {layer}
        for tensor in _tensors(result):
            self.holds[id(tensor)] = held
            self.kept.append(tensor)
        return result


def _tensors(given: Any) -> Iterator[torch.Tensor]:
    if isinstance(given, torch.Tensor):
        yield given
    elif isinstance(given, tuple | list):
        for each in given:
            yield from _tensors(each)
    elif isinstance(given, dict):
        yield from _tensors(tuple(given.values()))
