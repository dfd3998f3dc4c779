"""Loss and accuracy of a network on a whole part of the data."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch.nn.functional import cross_entropy

from lth_pipeline.lottery.data.batches import chunks
from lth_pipeline.lottery.data.dataset import Part
from lth_pipeline.lottery.models.model import Model, Tensors

# Images a forward pass, at most. On a CPU the activations of 1,000 stay in its cache: LeNet takes 84 ms for 15,000
# images, at 10,000 a pass 89; the products alone take 82.
CHUNK = 1_000
CHUNK_ON_DEVICE = 10_000
ACTIVATIONS = 2**24  # elements of the largest activation, at most (64 MB): 256 images of Conv-2


def evaluate(model: Model, weights: Tensors, part: Part) -> tuple[float, float]:
    """(mean cross-entropy, share classified correctly) over `part`."""
    most = CHUNK if part.labels.device.type == "cpu" else CHUNK_ON_DEVICE
    size = max(1, min(most, ACTIVATIONS // max(1, model.widest)))
    return measured(((model.logits(weights, images), labels) for images, labels in chunks(part, size)), len(part))


@torch.no_grad()
def measured(answers: Iterable[tuple[torch.Tensor, torch.Tensor]], examples: int) -> tuple[float, float]:
    """The same of (logits (N, classes), labels (N,)), chunk after chunk, of so many `examples` in all."""
    loss, correct = 0.0, 0
    for logits, labels in answers:
        loss += float(cross_entropy(logits, labels, reduction="sum"))
        correct += int((logits.argmax(1) == labels).sum())
    return loss / examples, correct / examples
