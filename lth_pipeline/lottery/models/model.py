"""What every network is made of here. No torch at import: the ladder of a card is known without it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

#: name of a tensor -> tensor; weights, biases and masks of a network all have this form
Tensors = Mapping[str, "torch.Tensor"]


@dataclass(frozen=True)
class Layer:
    """One weight tensor that may be pruned. Biases are never pruned (Frankle & Carbin 2019, §2)."""

    name: str
    kind: str  # "fc"
    shape: tuple[int, ...]
    is_output: bool = False

    @property
    def weight(self) -> str:
        return f"{self.name}.weight"

    @property
    def size(self) -> int:
        return prod(self.shape)


@dataclass(frozen=True)
class Model:
    """A network.

    layers: the prunable layers, from the input to the output.
    initialise: torch.Generator -> {name: float32 tensor}, biases included.
    logits: (weights, images float32 (N, *image shape)) -> float32 (N, classes).
    """

    layers: tuple[Layer, ...]
    initialise: Callable[[torch.Generator], dict[str, torch.Tensor]]
    logits: Callable[[Tensors, torch.Tensor], torch.Tensor]

    @property
    def prunable(self) -> int:
        """Weights that pruning counts; density is a share of these."""
        return sum(layer.size for layer in self.layers)
