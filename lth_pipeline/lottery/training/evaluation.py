"""Loss and accuracy of a network on a whole part of the data."""

from __future__ import annotations

import torch
from torch.nn.functional import cross_entropy

from lth_pipeline.lottery.data.batches import chunks
from lth_pipeline.lottery.data.dataset import Part
from lth_pipeline.lottery.models.model import Model, Tensors

CHUNK = 10_000  # images a forward pass, at most: LeNet's activations of 10,000 images are 16 MB
ACTIVATIONS = 2**24  # elements of the largest activation, at most (64 MB): 256 images of Conv-2


@torch.no_grad()
def evaluate(model: Model, weights: Tensors, part: Part) -> tuple[float, float]:
    """(mean cross-entropy, share classified correctly) over `part`."""
    loss, correct = 0.0, 0
    for images, labels in chunks(part, max(1, min(CHUNK, ACTIVATIONS // max(1, model.widest)))):
        logits = model.logits(weights, images)
        loss += float(cross_entropy(logits, labels, reduction="sum"))
        correct += int((logits.argmax(1) == labels).sum())
    return loss / len(part), correct / len(part)
