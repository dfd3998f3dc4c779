"""Several networks that answer together: the mean of their probabilities, and how much they disagree."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import comb

import torch

from lth_pipeline.lottery.data.batches import chunks
from lth_pipeline.lottery.data.dataset import Part
from lth_pipeline.lottery.models.model import Model, Tensors
from lth_pipeline.lottery.training.evaluation import at_once
from lth_pipeline.lottery.training.precision import computing, forward_context

LEAST = torch.finfo(torch.float32).tiny  # a probability of 0 would make the loss infinite


@torch.no_grad()
def probabilities(model: Model, weights: Tensors, part: Part, precision: str = "float32") -> torch.Tensor:
    """float32 (N, classes) on the CPU: what the network gives each class of each image of `part`; rows sum to 1."""
    device = part.labels.device
    weights = {name: tensor.to(device) for name, tensor in weights.items()}
    found = []
    with computing(precision, device):
        for images, _ in chunks(part, at_once(model, part)):
            with forward_context(precision, device):
                logits = model.logits(weights, images)
            found.append(logits.float().softmax(1).cpu())
    return torch.cat(found)


def together(members: Sequence[torch.Tensor]) -> torch.Tensor:
    """The mean of the members' probabilities, each (N, classes); of one member, itself. (Lakshminarayanan et al. 2017.)
    Summed in float64, so that the order of the members does not matter and equal members give themselves."""
    if len(members) == 1:
        return members[0]
    total = torch.zeros_like(members[0], dtype=torch.float64)
    for member in members:
        total += member
    return (total / len(members)).float()


def judged(answers: torch.Tensor, labels: torch.Tensor) -> tuple[float, float]:
    """(accuracy, mean −log of the probability of the right class) of probabilities (N, classes), labels (N,)."""
    right = answers.gather(1, labels.unsqueeze(1)).double().clamp_min(LEAST)
    return float((answers.argmax(1) == labels).double().mean()), float(-right.log().mean())


def disagreement(one: torch.Tensor, other: torch.Tensor) -> float:
    """The share of images to which two networks give another class first."""
    return float((one.argmax(1) != other.argmax(1)).double().mean())


def by_error(share: float, accuracies: Sequence[float]) -> float | None:
    """A disagreement over the mean error of the two: networks that are often wrong differ often (Fort et al. 2019);
    None where neither ever errs."""
    error = 1 - sum(accuracies) / len(accuracies)
    return share / error if error > 0 else None


def subsets(count: int, size: int, most: int, draws: torch.Generator) -> list[tuple[int, ...]]:
    """All subsets of `size` of the numbers 0 … count − 1, in order; where there are more than `most`, so many of them,
    drawn, no two the same."""
    if comb(count, size) <= most:
        return list(combinations(range(count), size))
    found: set[tuple[int, ...]] = set()
    while len(found) < most:
        found.add(tuple(sorted(torch.randperm(count, generator=draws)[:size].tolist())))
    return sorted(found)
