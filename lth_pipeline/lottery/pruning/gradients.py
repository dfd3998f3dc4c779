"""Scores that need a gradient: what the loss, its gradient or the flow through the network owes to each weight.

Everywhere weights are mask ⊙ weights, copied first: nothing given is changed, batch norm's running statistics included.
Sums over several tensors go by sorted name, so the order in which weights are given changes no bit.
"""

from __future__ import annotations

import torch
from torch.nn.functional import cross_entropy

from lth_pipeline.lottery.errors import PruningError
from lth_pipeline.lottery.models.model import Mode, Model, Tensors
from lth_pipeline.lottery.pruning import masks

#: (images, float, ready for Model.logits, (N, *image shape); labels int64 (N,)), on the device to compute on
Examples = tuple[torch.Tensor, torch.Tensor]

#: GraSP divides the logits by it. It is the authors' code's, not the paper's: without it a fresh network's softmax may
#: be so sure of itself that no gradient is left to preserve.
TEMPERATURE = 200.0


def sensitivity(model: Model, mask: Tensors, weights: Tensors, examples: Examples) -> dict[str, torch.Tensor]:
    """|w · g|, g the gradient of the mean cross-entropy (Lee et al. 2019, eq. 3 to 5): what the loss does without w.

    The paper divides by the sum over all weights, which changes no order.
    """
    live, leaves = _live(mask, weights, examples[0].device)
    with torch.enable_grad():
        gradients = torch.autograd.grad(_loss(model, live, examples), leaves.values())
    return {name: (leaf * g).detach().abs() for (name, leaf), g in zip(leaves.items(), gradients, strict=True)}


def gradient_flow(model: Model, mask: Tensors, weights: Tensors, examples: Examples) -> dict[str, torch.Tensor]:
    """w · Hg, g and H gradient and Hessian of the mean cross-entropy of logits / TEMPERATURE (Wang et al. 2020).

    Both are over the survivors of prunable layers only. Scaling w by 1 − ε changes ½‖g‖² by −ε · w · Hg, so the
    paper's S = −w · Hg is what removing w does to the gradient flow. Algorithm 1 removes the highest S, those
    without which the flow is greatest; hence the highest −S stay.
    """
    live, leaves = _live(mask, weights, examples[0].device)
    with torch.enable_grad():
        loss = _loss(model, live, examples, TEMPERATURE)
        gradients = torch.autograd.grad(loss, leaves.values(), create_graph=True)
        # the gradient of g · (g held fixed) is Hg
        product = sum(
            (g * g.detach() * mask[name].to(g.device)).sum() for name, g in zip(leaves, gradients, strict=True)
        )
        curved = torch.autograd.grad(product, leaves.values(), materialize_grads=True)
    return {name: (leaf * hg).detach() for (name, leaf), hg in zip(leaves.items(), curved, strict=True)}


def synaptic_flow(
    model: Model, mask: Tensors, weights: Tensors, image_shape: tuple[int, ...]
) -> dict[str, torch.Tensor]:
    """|w| · ∂R/∂|w|, R the sum of the logits of an image of ones, all that is learned made positive (Tanaka 2020).

    In float64: R is a product over layers, and in float32 a deep network's leaves the range. Batch norm is in
    evaluation mode: its running statistics as they are, its weights and biases positive as all others.

    That no layer is emptied holds of layers in sequence. A residual network may lose a whole body or projection, as
    the flow goes on beside it: at one weight in a hundred ResNet-18 loses a shortcut.
    """
    positive = {
        name: tensor.double() if name in model.buffers else tensor.double().abs() for name, tensor in weights.items()
    }
    live, leaves = _live(mask, positive, torch.device("cpu"))
    with torch.enable_grad():
        flow = model.logits(live, torch.ones(1, *image_shape, dtype=torch.float64)).sum()
        gradients = torch.autograd.grad(flow, leaves.values())
    return {name: (leaf * g).detach() for (name, leaf), g in zip(leaves.items(), gradients, strict=True)}


def _live(
    mask: Tensors, weights: Tensors, device: torch.device
) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """(copies of all tensors of mask ⊙ weights on `device`, those of them that are scored, by sorted name)."""
    live = {name: tensor.detach().to(device) for name, tensor in masks.apply(mask, weights).items()}
    return live, {name: live[name].requires_grad_() for name in sorted(mask)}


def _loss(model: Model, live: Tensors, examples: Examples, temperature: float = 1.0) -> torch.Tensor:
    """Mean cross-entropy, batch norm with the batch's statistics as in the authors' code of SNIP and GraSP.

    A network with dropout is taken in evaluation mode, where nothing is dropped: a score is no matter of luck.
    That leaves batch norm to its running statistics; no network of the catalog has both.
    """
    images, labels = examples
    if model.norms and len(labels) < 2:
        raise PruningError(f"batch norm needs statistics of at least 2 examples to score weights on, got {len(labels)}")
    logits = model.logits(live, images, Mode(training=not model.dropout))
    return cross_entropy(logits / temperature, labels)
