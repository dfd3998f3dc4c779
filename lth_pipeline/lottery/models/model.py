"""What every network is made of here. No torch at import: the ladder of a card is known without it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from lth_pipeline.lottery.models.share import Share

if TYPE_CHECKING:
    import torch

#: name of a tensor -> tensor; weights, biases and masks of a network all have this form
Tensors = Mapping[str, "torch.Tensor"]


@dataclass(frozen=True)
class Layer:
    """One weight tensor that may be pruned. Biases are never pruned (Frankle & Carbin 2019, §2)."""

    name: str
    kind: str  # "fc", "conv", or "shortcut": the 1×1 convolution of a residual block's shortcut
    shape: tuple[int, ...]  # (out, in) or (out, in, height, width)
    is_output: bool = False
    bias: bool = True

    @property
    def weight(self) -> str:
        return f"{self.name}.weight"

    @property
    def size(self) -> int:
        return prod(self.shape)


@dataclass(frozen=True)
class Norm:
    """Batch normalisation over `channels`: a weight and a bias that are learned, and two running statistics."""

    name: str
    channels: int

    @property
    def buffers(self) -> tuple[str, str]:
        """The statistics: training moves them, the optimiser does not."""
        return f"{self.name}.running_mean", f"{self.name}.running_var"


@dataclass(frozen=True)
class Mode:
    """How a forward pass is made.

    training: batch norm uses the batch's statistics and moves the running ones, in place; dropout is on.
    draws: the CPU generator that this pass's dropout draws from.
    share: of the batch, that the images of this pass are, where several processes learn it; None: the whole.
    """

    training: bool = False
    draws: torch.Generator | None = None
    share: Share | None = None


EVALUATION = Mode()


@dataclass(frozen=True)
class Model:
    """A network.

    layers: the prunable layers, from the input to the output.
    initialise: torch.Generator -> {name: float32 tensor}, biases and batch norm included.
    logits: (weights, images float32 (N, *image shape), mode=EVALUATION) -> float32 (N, classes).
    widest: elements of the largest activation of one image; evaluation takes so many images at once that it fits.
    fully_connected: `logits` are the layers one after the other on the flattened image, ReLU (and dropout) between
        them, and nothing else: such a network can be stepped by hand (`lottery/training/by_hand.py`, `sparse.py`).
    """

    layers: tuple[Layer, ...]
    initialise: Callable[[torch.Generator], dict[str, torch.Tensor]]
    logits: Callable[..., torch.Tensor]
    norms: tuple[Norm, ...] = ()
    widest: int = 0
    dropout: float = 0.0
    fully_connected: bool = False

    @property
    def prunable(self) -> int:
        """Weights that pruning counts; density is a share of these."""
        return sum(layer.size for layer in self.layers)

    @property
    def parameters(self) -> int:
        """All that is learned: prunable weights, biases, batch norm's weights and biases."""
        biases = sum(layer.shape[0] for layer in self.layers if layer.bias)
        return self.prunable + biases + sum(2 * norm.channels for norm in self.norms)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """{name: shape} of all its tensors: weights, biases, and of norms what is learned and what is not."""
        found: dict[str, tuple[int, ...]] = {}
        for layer in self.layers:
            found[layer.weight] = layer.shape
            if layer.bias:
                found[f"{layer.name}.bias"] = (layer.shape[0],)
        for norm in self.norms:
            names = (f"{norm.name}.weight", f"{norm.name}.bias", *norm.buffers)
            found |= dict.fromkeys(names, (norm.channels,))
        return found

    @property
    def buffers(self) -> frozenset[str]:
        """Names of the tensors that training moves and the optimiser does not."""
        return frozenset(name for norm in self.norms for name in norm.buffers)
