"""A training step of Conv-2 and of ResNet-20 on CIFAR-10's shape against its convolutions and products alone.

    python -m benchmarks.convolutions

The floor has what one forward pass shows: each convolution and product with its shapes, stride and memory layout.
Batch norm, ReLU, pooling, sums, the loss and the optimiser are not in it. Random images.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple
from unittest.mock import patch

import torch

from benchmarks import agreement, ours
from benchmarks.results import Figures, figure
from benchmarks.timing import interleaved, ratio, seconds, told
from lth_pipeline.lottery.data import Data, Part
from lth_pipeline.lottery.models import build, pieces
from lth_pipeline.lottery.models.model import Mode, Model, Tensors
from lth_pipeline.lottery.randomness import generator
from lth_pipeline.lottery.training.schedule import Schedule

SHAPE, CLASSES = (3, 32, 32), 10


class Case(NamedTuple):
    """steps: in each of the parts of a training that are measured; a step is long enough."""

    network: str
    settings: dict
    schedule: Schedule
    steps: int


CASES = {
    "conv2": Case("conv2", {}, Schedule("adam", 2e-4, batch_size=60, iterations=1, evaluate_every=1), 4),
    "resnet20": Case(
        "resnet_cifar",
        {"depth": 20},
        Schedule("sgd", 0.03, batch_size=128, iterations=1, evaluate_every=1, momentum=0.9),
        2,
    ),
}


def figures(rounds: int = 5, cases: dict[str, Case] = CASES, shape: tuple[int, ...] = SHAPE) -> Figures:
    found = {}
    for name, case in cases.items():
        model = build(case.network, shape, CLASSES, initialisation="glorot_normal", **case.settings)
        weights = model.initialise(generator(0))
        images = torch.randn(2 * case.schedule.batch_size, *shape, generator=generator(1))
        batch = images[: case.schedule.batch_size]
        products = floor(model, weights, batch)
        agreement.same_step(model, weights, batch, products)
        task = ours.Task(model, weights, None, _data(images), case.schedule)
        products()
        times = interleaved(
            rounds,
            {
                "floor": partial(seconds, products, case.steps),
                "ours": partial(ours.seconds_a_step, task, case.steps, 2),
            },
        )
        print(f"a step of {name}: {told(times)}")
        found[f"{name}_step_over_floor"] = figure(ratio(times, "ours", "floor"), "ratio", 1.5)
    return found


def _data(images: torch.Tensor) -> Data:
    """One image each to validate and test on: each part of a training ends with an evaluation."""
    labels = torch.arange(len(images)) % CLASSES
    one = Part(images[:1], labels[:1])
    return Data(Part(images, labels), one, one, mean=(0.0,) * 3, std=(1.0,) * 3)


def floor(model: Model, weights: Tensors, images: torch.Tensor) -> Callable[[], None]:
    """The convolutions and products of a step: forward, and backward for weights and, but for the first, inputs."""
    calls: list[Callable[[], None]] = []
    conv2d, linear = pieces.conv2d, pieces.linear

    def convolving(inputs, weight, bias=None, stride=1, padding=0):
        outputs = conv2d(inputs, weight, bias, stride, padding)
        calls.append(_convolution(inputs, weight, outputs, stride, padding, first=not calls))
        return outputs

    def multiplying(inputs, weight, bias=None):
        outputs = linear(inputs, weight, bias)
        calls.append(_product(inputs, weight, outputs, first=not calls))
        return outputs

    with torch.no_grad(), patch.object(pieces, "conv2d", convolving), patch.object(pieces, "linear", multiplying):
        model.logits(weights, images, Mode(training=True))

    @torch.no_grad()
    def products() -> None:
        for call in calls:
            call()

    return products


def _convolution(inputs, weight, outputs, stride, padding, first: bool) -> Callable[[], None]:
    gradient, kept = torch.randn_like(outputs), inputs.clone()  # in their layouts; later layers work in place
    step, pad = [stride, stride], [padding, padding]
    wanted = [not first, True, False]

    def call() -> None:
        torch.ops.aten.convolution(kept, weight, None, step, pad, [1, 1], False, [0, 0], 1)
        torch.ops.aten.convolution_backward(gradient, kept, weight, None, step, pad, [1, 1], False, [0, 0], 1, wanted)

    return call


def _product(inputs, weight, outputs, first: bool) -> Callable[[], None]:
    kept, gradient, forward = inputs.clone(), torch.randn_like(outputs), torch.empty_like(outputs)
    of_weight, of_inputs = torch.empty_like(weight), torch.empty_like(kept)

    def call() -> None:
        torch.mm(kept, weight.t(), out=forward)
        torch.mm(gradient.t(), kept, out=of_weight)
        if not first:
            torch.mm(gradient, weight, out=of_inputs)

    return call


if __name__ == "__main__":
    from benchmarks.command import command

    command("convolutions")
