"""A training step of a fully connected network that computes with its surviving weights alone.

What the optimiser moves is a vector of survivors a layer; products are those of torch's CSR tensors (MKL's on a CPU)
and `sampled_addmm`, which gives the gradients of the survivors and no others. On a CPU a step of LeNet-300-100 (batch
60) takes 0.70 ms at density 0.2, 0.35 at 0.05 and 0.25 at 0.01, where the dense step takes 0.90 at any.
The sums are the same as a masked network's without the pruned terms, so results agree up to rounding.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable

import torch

from lth_pipeline.lottery.data.batches import chunks
from lth_pipeline.lottery.data.dataset import Part
from lth_pipeline.lottery.models.model import Layer, Mode, Model, Tensors
from lth_pipeline.lottery.training.clearing import clear, survivors
from lth_pipeline.lottery.training.distillation import Teacher
from lth_pipeline.lottery.training.evaluation import at_once, measured
from lth_pipeline.lottery.training.loss import loss_and_gradient
from lth_pipeline.lottery.training.schedule import Schedule

# A layer is computed whole where more of it is alive: the CSR products of LeNet's first layer take 0.18 + 0.20 ms at
# density 0.2, the dense 0.28 + 0.26, and either grows with the survivors.
DENSE_ABOVE = 0.25

# Images a forward pass in an evaluation: CSR products of LeNet's first layer at density 0.05 take 23 ms for 15,000
# images at 250 a pass, 33 at 1,000.
CHUNK = 250
# A part of at most so many bytes (MNIST's test part has 31 million) is turned once a training, not once an evaluation:
# 10 ms of 25 for LeNet at density 0.05.
KEPT = 64e6


class Survivors:
    """The surviving weights of a layer (out, in), as a vector in row order."""

    def __init__(self, layer: Layer, weight: torch.Tensor, alive: torch.Tensor):
        self.name, self._alive = layer.weight, alive
        self.values = weight[alive]
        self.values.grad = torch.empty_like(self.values)
        self._matrix = _csr(alive, self.values)
        self._zeros = _csr(alive, torch.zeros_like(self.values))
        # of the transpose: the same values in another order
        place = torch.zeros(alive.shape, dtype=torch.int64)
        place[alive] = torch.arange(len(self.values))
        self._order = place.t()[alive.t()]
        self._turned = _csr(alive.t(), self.values[self._order])

    def forward(self, given: torch.Tensor) -> torch.Tensor:
        """(in, N) -> (out, N)."""
        return torch.sparse.mm(self._matrix, given)

    def backward(self, given: torch.Tensor, flowing: torch.Tensor) -> None:
        """Keep the gradient of what survives: of all products of flowing (out, N) and given (in, N), those."""
        sampled = torch.sparse.sampled_addmm(self._zeros, flowing, given.t(), beta=0.0)
        self.values.grad.copy_(sampled.values())

    def back(self, flowing: torch.Tensor) -> torch.Tensor:
        """(out, N) -> (in, N)."""
        torch.index_select(self.values, 0, self._order, out=self._turned.values())
        return torch.sparse.mm(self._turned, flowing)

    def clear(self) -> None:
        """Nothing that is pruned is here."""

    def into(self, whole: torch.Tensor) -> None:
        whole[self._alive] = self.values


class Whole:
    """All weights of a layer (out, in), the pruned held at zero."""

    def __init__(self, layer: Layer, weight: torch.Tensor, alive: torch.Tensor):
        self.name, self.values = layer.weight, weight.clone()
        self.values.grad = torch.empty_like(weight)
        self._keep = survivors({self.name: alive})[self.name]

    def forward(self, given: torch.Tensor) -> torch.Tensor:
        return self.values @ given

    def backward(self, given: torch.Tensor, flowing: torch.Tensor) -> None:
        torch.mm(flowing, given.t(), out=self.values.grad)
        self.clear()

    def back(self, flowing: torch.Tensor) -> torch.Tensor:
        return self.values.t() @ flowing

    def clear(self) -> None:
        clear(self.values.grad, self._keep)

    def into(self, whole: torch.Tensor) -> None:
        whole.copy_(self.values)


class Sparse:
    """The weights of one network, and its step. Everything lies units first: activations are (units, N)."""

    share = None

    def __init__(self, model: Model, weights: Tensors, mask: Tensors, schedule: Schedule, teacher: Teacher | None):
        self._model, self._smoothing, self._teacher = model, schedule.label_smoothing, teacher
        self._whole = dict(weights)
        self._kept: dict[int, tuple[Part, list[tuple[torch.Tensor, torch.Tensor]]]] = {}
        self._layers = [
            (Survivors if is_sparse(mask[layer.weight]) else Whole)(layer, weights[layer.weight], mask[layer.weight])
            for layer in model.layers
        ]
        self._biases = [weights[f"{layer.name}.bias"] for layer in model.layers]
        for bias in self._biases:
            bias.grad = torch.empty_like(bias)
        own = {piece.name: piece.values for piece in self._layers}
        own |= {f"{layer.name}.bias": bias for layer, bias in zip(model.layers, self._biases, strict=True)}
        self.names = sorted(own)
        self.learned = [own[name] for name in self.names]

    def gradients(self, images: torch.Tensor, labels: torch.Tensor, mode: Mode) -> torch.Tensor:
        """The loss of a batch, a scalar; the gradients of the survivors stand in `learned`."""
        inputs, logits = self._forward(_columns(images))
        loss, flowing = loss_and_gradient(logits, images, labels, self._smoothing, self._teacher)
        flowing = flowing.t().contiguous()
        for place in reversed(range(len(self._layers))):
            piece, given = self._layers[place], inputs[place]
            piece.backward(given, flowing)
            torch.sum(flowing, 1, out=self._biases[place].grad)
            if place:
                flowing = torch.ops.aten.threshold_backward(piece.back(flowing), given, 0)
        return loss

    def clear(self) -> None:
        for piece in self._layers:
            piece.clear()

    def weights(self) -> Tensors:
        for piece in self._layers:
            piece.into(self._whole[piece.name])
        return self._whole

    def evaluate(self, part: Part) -> tuple[float, float]:
        return measured(((self._forward(columns)[1], labels) for columns, labels in self._chunks(part)), len(part))

    def _chunks(self, part: Part) -> Iterable[tuple[torch.Tensor, torch.Tensor]]:
        """(columns (inputs, N), labels) of the whole part."""
        if id(part) in self._kept:
            return self._kept[id(part)][1]
        size = at_once(self._model, part, CHUNK)
        turned = ((_columns(images), labels) for images, labels in chunks(part, size))
        if part.streamed or part.scaling or part.images.nbytes > KEPT:
            return turned
        self._kept[id(part)] = part, list(turned)  # the part too, so that no other gets its id
        return self._kept[id(part)][1]

    def _forward(self, columns: torch.Tensor) -> tuple[list[torch.Tensor], torch.Tensor]:
        """(what goes into each layer, (in, N); logits (N, classes))."""
        inputs, flowing = [], columns
        for place, piece in enumerate(self._layers):
            inputs.append(flowing)
            flowing = piece.forward(flowing).add_(self._biases[place].unsqueeze(1))
            if place < len(self._layers) - 1:
                flowing.relu_()
        return inputs, flowing.t().contiguous()


def is_sparse(alive: torch.Tensor) -> bool:
    """Whether a layer is computed with its survivors alone."""
    return int(alive.sum()) <= DENSE_ABOVE * alive.numel()


def _columns(images: torch.Tensor) -> torch.Tensor:
    """(N, C, H, W) -> (C · H · W, N)."""
    return images.flatten(1).t().contiguous()


def _csr(alive: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """A CSR tensor over the places where `alive` is true, that shares the memory of `values`.

    Its indices are int32, as MKL has them; others are turned into these at every product, a tenth of its time.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # "CSR is in beta": what is used of it here is tested
        rows = torch.zeros(len(alive) + 1, dtype=torch.int32)
        torch.cumsum(alive.sum(1), 0, out=rows[1:])
        columns = alive.nonzero()[:, 1].to(torch.int32)
        return torch.sparse_csr_tensor(rows, columns, values, alive.shape, check_invariants=False)
