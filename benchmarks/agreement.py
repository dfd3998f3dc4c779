"""Before a ratio is told: both sides of it do the same work."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn.functional import cross_entropy
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import lenet, ours
from benchmarks.peer import Peer, Pictures, in_order
from lth_pipeline.lottery.models.model import Mode, Model, Tensors
from lth_pipeline.lottery.training.order import batches

NEAR = 1e-3  # of a loss


class Disagreement(Exception):
    """Two sides of a ratio do not do the same work."""


def same_training(given: lenet.Work, mask: Tensors | None, steps: int, images: int) -> tuple[float, float]:
    """(our loss, the peer's) on the first `images` test images after `steps` steps from the same weights on the same
    batches. Raises Disagreement where they differ."""
    task = lenet.task(given, mask, lenet.first(given.data, images, images))
    found = ours.trained(task, steps, steps).rows[-1]["test_loss"]
    peer = Peer(given.model, task.weights, mask)
    order = batches(len(task.data.train), lenet.BATCH, 0, steps, lambda epoch: ours.seeds("data_order", epoch))
    examples = len(task.data.train)
    pictures = Pictures(given.pixels.train_images[:examples], given.pixels.train_labels[:examples])
    for pixels, labels in in_order(pictures, order):
        peer.step(pixels, labels)
    expected, _ = peer.evaluate(Pictures(given.pixels.test_images[:images], given.pixels.test_labels[:images]))
    if not abs(found - expected) < NEAR:
        raise Disagreement(
            f"after {steps} steps our loss is {found:.5f} and the peer's {expected:.5f}: no ratio is told"
        )
    return found, expected


def same_step(model: Model, weights: Tensors, images: torch.Tensor, floor: Callable[[], object]) -> int:
    """Operations of the products and convolutions of one training step of `model` by autograd, which `floor` must
    have too. Raises Disagreement where it has not."""
    live = {name: tensor.detach().clone() for name, tensor in weights.items()}
    for name, tensor in live.items():
        tensor.requires_grad_(name not in model.buffers)

    def step() -> None:
        logits = model.logits(live, images, Mode(training=True))
        cross_entropy(logits, torch.zeros(len(images), dtype=torch.int64)).backward()

    return _same(step, floor)


def same_evaluation(model: Model, weights: Tensors, images: torch.Tensor, floor: Callable[[], object]) -> int:
    """The same of a forward pass over `images`."""
    return _same(lambda: model.logits(weights, images), floor)


def _same(whole: Callable[[], object], floor: Callable[[], object]) -> int:
    expected, found = operations(whole), operations(floor)
    if expected != found:
        raise Disagreement(f"the floor has {found:,} operations and the network {expected:,}: no ratio is told")
    return found


def operations(work: Callable[[], object]) -> int:
    """Of its matrix products and convolutions."""
    with FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops()
