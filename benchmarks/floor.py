"""The floor: the matrix products that a step of a fully connected network cannot do without, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from lth_pipeline.lottery.models.model import Model, Tensors


def step(model: Model, weights: Tensors, images: torch.Tensor) -> Callable[[], None]:
    """Forward; of the gradients those of the weights and, but for the first layer, of the inputs. All into buffers."""
    matrices = [weights[layer.weight] for layer in model.layers]
    activations = _activations(matrices, images.flatten(1))
    gradients = [torch.randn_like(rows) for rows in activations[1:]]
    of_weights = [torch.empty_like(matrix) for matrix in matrices]

    def products() -> None:
        _forward(matrices, activations)
        for index in reversed(range(len(matrices))):
            torch.mm(gradients[index].t(), activations[index], out=of_weights[index])
            if index:
                torch.mm(gradients[index], matrices[index], out=gradients[index - 1])

    return products


def evaluation(model: Model, weights: Tensors, images: torch.Tensor, chunk: int = 1000) -> Callable[[], None]:
    """Forward over all `images`, a chunk of 1,000 at a time: its activations stay in the cache."""
    matrices = [weights[layer.weight] for layer in model.layers]
    chunks = [_activations(matrices, part) for part in images.flatten(1).split(chunk)]
    for each in chunks[1:]:  # one set of buffers for all, as any code has
        each[1:] = [full[: len(own)] for full, own in zip(chunks[0][1:], each[1:], strict=True)]

    def products() -> None:
        for activations in chunks:
            _forward(matrices, activations)

    return products


def _activations(matrices: Sequence[torch.Tensor], images: torch.Tensor) -> list[torch.Tensor]:
    return [images, *(torch.empty(len(images), len(matrix)) for matrix in matrices)]


def _forward(matrices: Sequence[torch.Tensor], activations: Sequence[torch.Tensor]) -> None:
    for index, matrix in enumerate(matrices):
        torch.mm(activations[index], matrix.t(), out=activations[index + 1])
