"""The parameters of a network as one vector: all that training moves, the pruned left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from lth_pipeline.lottery.models.model import Model, Tensors


@dataclass(frozen=True)
class Places:
    """Where each parameter stands in the vector.

    shapes: {name: shape} of the tensors that training moves, sorted by name, which is their order in the vector.
    alive: {name: int64, places in the flat tensor of what survives}; of a tensor that is not pruned there is none.
    """

    shapes: Mapping[str, torch.Size]
    alive: Mapping[str, torch.Tensor]

    def number(self, name: str) -> int:
        """How many elements of the vector are this tensor's."""
        return len(self.alive[name]) if name in self.alive else self.shapes[name].numel()

    @property
    def size(self) -> int:
        return sum(map(self.number, self.shapes))


def places(model: Model, weights: Tensors, mask: Tensors | None) -> Places:
    """Of the network's weights, biases and what batch norm learns; batch norm's running statistics are none."""
    names = sorted(name for name in weights if name not in model.buffers)
    alive = {name: mask[name].flatten().nonzero().squeeze(1) for name in names if mask and name in mask}
    device = weights[names[0]].device
    return Places({n: weights[n].shape for n in names}, {n: where.to(device) for n, where in alive.items()})


def gathered(where: Places, tensors: Tensors) -> torch.Tensor:
    """The vector (size,) of what survives in `tensors`."""
    flat = {name: tensors[name].detach().reshape(-1) for name in where.shapes}
    return torch.cat([flat[n].index_select(0, where.alive[n]) if n in where.alive else flat[n] for n in flat])


def spread(where: Places, vector: torch.Tensor) -> dict[str, torch.Tensor]:
    """The tensors that a vector (size,) stands for; zero where a weight is pruned."""
    pieces = vector.split([where.number(name) for name in where.shapes])
    found = {}
    for (name, shape), piece in zip(where.shapes.items(), pieces, strict=True):
        if name in where.alive:
            piece = vector.new_zeros(shape.numel()).index_copy_(0, where.alive[name], piece)
        found[name] = piece.view(shape)
    return found
