"""Losses, gradients and evaluation of several networks of one model, from their stacked tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch.nn.functional import cross_entropy

from lth_pipeline.lottery.data.batches import chunks
from lth_pipeline.lottery.data.dataset import Part
from lth_pipeline.lottery.models.model import EVALUATION, Layer, Mode, Model, Tensors
from lth_pipeline.lottery.training.evaluation import ACTIVATIONS
from lth_pipeline.lottery.training.precision import forward_context
from lth_pipeline.lottery.training.schedule import Schedule
from lth_pipeline.lottery.training.stacked import ALIGNED, Layout

IMAGES = 10_000  # an evaluation's forward pass, at most

# Networks with convolutions whose kernels may run at once. One network's fill a large GPU only in part, and each
# stream keeps the memory of one network's activations for itself.
STREAMS = 8

#: (images float32 (R, B, *image shape), labels int64 (R, B)) -> (losses float32 (R,), gradient flat float32)
Gradients = Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]


def gradients(
    model: Model,
    layout: Layout,
    weights: torch.Tensor,
    buffers: Sequence[Tensors],
    schedule: Schedule,
    streams: Sequence[torch.cuda.Stream],
) -> Gradients:
    """The function that takes a training step's gradients, each network's of its own loss.

    weights: flat, read anew in each call. buffers: of each network, moved in place.
    streams: on which networks with convolutions run side by side, in turn; none: one after the other.
    """
    gap = torch.zeros(ALIGNED, device=weights.device)
    device, smoothing = weights.device, schedule.label_smoothing

    if model.fully_connected:
        live = {name: view.detach().requires_grad_() for name, view in layout.views(weights).items()}
        ones = torch.ones(layout.networks, device=device)

        def together(images: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            with forward_context(schedule.precision, device):
                logits = dense(live, model.layers, images.flatten(2).mT).mT
            flat = logits.float().flatten(0, 1)
            losses = cross_entropy(flat, labels.flatten(), reduction="none", label_smoothing=smoothing)
            losses = losses.view(labels.shape).mean(1)
            found = torch.autograd.grad(losses, list(live.values()), ones)
            return losses.detach(), layout.joined([[gradient] for gradient in found], gap)

        return together

    own = [
        {name: view.detach().requires_grad_() for name, view in layout.alone(weights, network).items()}
        for network in range(layout.networks)
    ]

    def apart(images: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        # Each network's backward pass is its own too: on one stream from beginning to end, and the activations of one
        # network at a time where there are no streams. A group convolution of all networks would be slow in cuDNN.
        losses, found = [], []
        _fork(streams)
        for network, live in enumerate(own):
            with _on(streams, network):
                with forward_context(schedule.precision, device):
                    logits = model.logits({**live, **buffers[network]}, images[network], Mode(True))
                loss = cross_entropy(logits.float(), labels[network], label_smoothing=smoothing)
                found.append(torch.autograd.grad(loss, list(live.values())))
                losses.append(loss.detach())
        _join(streams)
        return torch.stack(losses), layout.joined(list(zip(*found, strict=True)), gap)

    return apart


def _fork(streams: Sequence[torch.cuda.Stream]) -> None:
    for stream in streams:
        stream.wait_stream(torch.cuda.current_stream(stream.device))


def _join(streams: Sequence[torch.cuda.Stream]) -> None:
    for stream in streams:
        torch.cuda.current_stream(stream.device).wait_stream(stream)


def _on(streams: Sequence[torch.cuda.Stream], network: int) -> AbstractContextManager:
    return torch.cuda.stream(streams[network % len(streams)]) if streams else nullcontext()


def dense(stacked: Tensors, layers: Sequence[Layer], activations: torch.Tensor) -> torch.Tensor:
    """(R, in, B), or (in, B) of images that all networks see, -> (R, classes, B): `pieces.dense` of R networks.

    Examples stand in the last place and not the first, so that the product of weights and activations needs no
    transposed weights: autograd then gives the weights' gradients in the weights' own order, and none is copied.
    """
    for layer in layers:
        weight, bias = stacked[layer.weight], stacked[f"{layer.name}.bias"]
        if activations.dim() == 2:  # one product for all networks: they are so many more rows of one matrix
            rows = torch.addmm(bias.reshape(-1, 1), weight.flatten(0, 1), activations)
            activations = rows.view(*bias.shape, -1)
        else:
            activations = torch.baddbmm(bias.unsqueeze(2), weight, activations)
        if not layer.is_output:
            activations = activations.relu_()
    return activations


@torch.no_grad()
def evaluate(
    model: Model, layout: Layout, weights: torch.Tensor, buffers: Sequence[Tensors], precision: str, part: Part
) -> torch.Tensor:
    """float64 (2, R), on the device: each network's mean cross-entropy over `part`, and the share classified correctly.

    Nothing waits for the device.
    """
    device, networks = weights.device, layout.networks
    if model.fully_connected:
        live, at_once = layout.views(weights), networks

        def logits_of(images: torch.Tensor) -> torch.Tensor:
            return dense(live, model.layers, images.flatten(1).mT).mT
    else:
        own = [{**layout.alone(weights, network), **buffers[network]} for network in range(networks)]
        at_once = 1

        def logits_of(images: torch.Tensor) -> torch.Tensor:
            return torch.stack([model.logits(live, images, EVALUATION) for live in own])

    found = torch.zeros(2, networks, dtype=torch.float64, device=device)
    for images, labels in chunks(part, max(1, min(IMAGES, ACTIVATIONS // max(1, model.widest * at_once)))):
        with forward_context(precision, device):
            logits = logits_of(images)
        logits, labels = logits.float().flatten(0, 1), labels.repeat(networks)
        found[0] += cross_entropy(logits, labels, reduction="none").view(networks, -1).sum(1, dtype=torch.float64)
        found[1] += (logits.argmax(1) == labels).view(networks, -1).sum(1)
    return found / len(part)
