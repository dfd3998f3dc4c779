"""How sure a network is of its answers, and whether it is so rightly (Guo et al. 2017)."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch.nn.functional import one_hot

from lth_pipeline.lottery.data.batches import chunks
from lth_pipeline.lottery.data.dataset import Part
from lth_pipeline.lottery.models.model import Model, Tensors
from lth_pipeline.lottery.training.evaluation import at_once
from lth_pipeline.lottery.training.precision import forward_context

BINS = 15  # Guo et al. 2017


class Calibration(NamedTuple):
    """confidence: mean of the probabilities of the answers. ece: expected calibration error, the mean over images of
    |accuracy - confidence| of their bin. nll: mean negative log likelihood, in nats. brier: mean over images of the
    squared distances between probabilities and truth, summed over classes: 0 to 2. bins: {bin: from 1, low, high,
    confidence, accuracy, count} in rising order; those without images have None for both."""

    accuracy: float
    confidence: float
    ece: float
    nll: float
    brier: float
    bins: list[dict[str, Any]]


def calibration(logits: torch.Tensor, labels: torch.Tensor, bins: int = BINS) -> Calibration:
    """Of logits (N, classes) and labels (N,). Bin b of `bins` holds the confidences in ((b - 1) / bins, b / bins]."""
    log_likely = logits.double().log_softmax(1)
    likely = log_likely.exp()
    confidence = likely.max(1).values
    right = (logits.argmax(1) == labels).double()
    bin_of = (confidence * bins).ceil().long().clamp(1, bins)
    found, error = [], 0.0
    for bin in range(1, bins + 1):
        inside = bin_of == bin
        count = int(inside.sum())
        sure, accuracy = (float(of[inside].mean()) if count else None for of in (confidence, right))
        error += count * abs(accuracy - sure) if count else 0.0
        edges = {"bin": bin, "low": (bin - 1) / bins, "high": bin / bins}
        found.append({**edges, "confidence": sure, "accuracy": accuracy, "count": count})
    truth = one_hot(labels, logits.shape[1])
    return Calibration(
        accuracy=int(right.sum()) / len(labels),
        confidence=float(confidence.mean()),
        ece=error / len(labels),
        nll=float(-log_likely.gather(1, labels.unsqueeze(1)).mean()),
        brier=float((likely - truth).square().sum(1).mean()),
        bins=found,
    )


@torch.no_grad()
def answers(
    model: Model, weights: Tensors, part: Part, precision: str = "float32"
) -> tuple[torch.Tensor, torch.Tensor]:
    """(float32 logits (N, classes), labels (N,)) of a whole part, on the CPU; precision: of the forward pass."""
    logits, labels = [], []
    for images, truth in chunks(part, at_once(model, part)):
        with forward_context(precision, truth.device):
            found = model.logits(weights, images)
        logits.append(found.float().cpu())
        labels.append(truth.cpu())
    return torch.cat(logits), torch.cat(labels)
