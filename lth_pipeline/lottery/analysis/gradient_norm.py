"""The gradient of the mean loss with respect to what survives."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch.nn.functional import cross_entropy

from lth_pipeline.lottery.analysis.survivors import Places, gathered
from lth_pipeline.lottery.data.batches import chunks
from lth_pipeline.lottery.data.dataset import Part
from lth_pipeline.lottery.models.model import Model, Tensors
from lth_pipeline.lottery.training.evaluation import at_once

GRAPH = 2**22  # elements of the largest activation of a graph, at most: a deep network keeps a hundred such


def losses(model: Model, live: Tensors, part: Part) -> Iterator[torch.Tensor]:
    """Scalars whose sum is the mean cross-entropy over `part`, chunk after chunk, each with a graph where `live`
    require gradients; batch norm with its running statistics, nothing dropped."""
    for images, labels in chunks(part, images_of_a_graph(model, part)):
        yield cross_entropy(model.logits(live, images), labels, reduction="sum") / len(part)


def images_of_a_graph(model: Model, part: Part) -> int:
    """How many images go through the network at once where its activations are kept."""
    return max(1, min(at_once(model, part), GRAPH // max(1, model.widest)))


def leaves(weights: Tensors, where: Places) -> dict[str, torch.Tensor]:
    """`weights` with those that training moves requiring gradients; nothing that was given is changed."""
    return {
        name: tensor.detach().clone().requires_grad_() if name in where.shapes else tensor.detach()
        for name, tensor in weights.items()
    }


@torch.enable_grad()
def gradients(model: Model, weights: Tensors, part: Part, where: Places) -> tuple[float, dict[str, torch.Tensor]]:
    """(mean loss, {name: its gradient}), not masked; of the names in `where`."""
    live = leaves(weights, where)
    total = 0.0
    found = {name: torch.zeros_like(tensor) for name, tensor in weights.items() if name in where.shapes}
    for loss in losses(model, live, part):
        each = torch.autograd.grad(loss, [live[name] for name in where.shapes], materialize_grads=True)
        for name, gradient in zip(where.shapes, each, strict=True):
            found[name] += gradient
        total += float(loss.detach())
    return total, found


def norms(where: Places, slopes: Tensors) -> dict[str, float]:
    """{name: the Euclidean norm of its gradient over what survives}."""
    pieces = gathered(where, slopes).double().split([where.number(name) for name in where.shapes])
    return {name: float(piece.norm()) for name, piece in zip(where.shapes, pieces, strict=True)}
