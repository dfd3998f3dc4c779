"""Loss and accuracy of a network on a whole part of the data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch.nn.functional import cross_entropy

from lth_pipeline.lottery.data.batches import chunks
from lth_pipeline.lottery.data.dataset import Part
from lth_pipeline.lottery.models.model import Model, Tensors
from lth_pipeline.lottery.training.precision import forward_context

# Images a forward pass, at most. On a CPU the activations of 1,000 stay in its cache: LeNet takes 84 ms for 15,000
# images, at 10,000 a pass 89; the products alone take 82.
CHUNK = 1_000
CHUNK_ON_DEVICE = 10_000
ACTIVATIONS = 2**24  # elements of the largest activation, at most (64 MB): 256 images of Conv-2


def evaluate(model: Model, weights: Tensors, part: Part, precision: str = "float32") -> tuple[float, float]:
    """(mean cross-entropy, share classified correctly) over `part`; precision: of the forward pass, see `Schedule`."""
    device, size = part.labels.device, at_once(model, part)

    def answers() -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        for images, labels in chunks(part, size):
            with forward_context(precision, device):
                logits = model.logits(weights, images)
            yield logits.float(), labels

    return measured(answers(), len(part))


def at_once(model: Model, part: Part, most: int | None = None) -> int:
    """Images a forward pass; most: in the place of CHUNK."""
    if most is None:
        most = CHUNK if part.labels.device.type == "cpu" else CHUNK_ON_DEVICE
    return max(1, min(most, ACTIVATIONS // max(1, model.widest)))


@torch.no_grad()
def measured(answers: Iterable[tuple[torch.Tensor, torch.Tensor]], examples: int) -> tuple[float, float]:
    """The same of (logits (N, classes), labels (N,)), chunk after chunk, of so many `examples` in all."""
    loss, correct = 0.0, 0
    for logits, labels in answers:
        loss += float(cross_entropy(logits, labels, reduction="sum"))
        correct += int((logits.argmax(1) == labels).sum())
    return loss / examples, correct / examples
