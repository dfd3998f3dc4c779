"""Labels some of which are wrong, and what a network that learned from them says of the images they stand at."""

from __future__ import annotations

from typing import NamedTuple

import torch

from lth_pipeline.lottery.data.batches import chunks
from lth_pipeline.lottery.data.dataset import Part
from lth_pipeline.lottery.models.model import Model, Tensors
from lth_pipeline.lottery.training.evaluation import at_once
from lth_pipeline.lottery.training.precision import computing, forward_context


class Fitted(NamedTuple):
    """What a network answers to the images it learned. Shares; those of flipped images None where there are none.

    noisy: of all images, answered by the label it was taught. clean: by the true one. memorised: of the flipped images,
    answered by the wrong label it was taught. recovered: of those, answered by the true one all the same.
    """

    noisy: float
    clean: float
    memorised: float | None
    recovered: float | None


def with_noise(
    labels: torch.Tensor, classes: int, share: float, draws: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """(labels int64 (N,) of which the nearest whole number to `share` of them is wrong, bool (N,): which).

    Which, and what stands there instead, is drawn uniformly: any of the other `classes` − 1. One generator gives with a
    greater share the same wrong labels and more. On the device of `labels`.
    """
    if classes < 2:
        raise ValueError(f"{classes} class: there is no other that a label could be replaced by")
    order = torch.randperm(len(labels), generator=draws)
    shift = torch.randint(1, classes, (len(labels),), generator=draws)
    flipped = torch.zeros(len(labels), dtype=torch.bool)
    flipped[order[: round(share * len(labels))]] = True
    flipped, shift = flipped.to(labels.device), shift.to(labels.device)
    return torch.where(flipped, (labels + shift) % classes, labels), flipped


@torch.no_grad()
def fitted(
    model: Model, weights: Tensors, part: Part, taught: torch.Tensor, flipped: torch.Tensor, precision: str = "float32"
) -> Fitted:
    """What the network answers to the images of `part`, which holds the true labels. taught: int64 (N,), those it
    learned; flipped: bool (N,), where they are wrong."""
    device = part.labels.device
    weights = {name: tensor.to(device) for name, tensor in weights.items()}
    answers = []
    with computing(precision, device):
        for images, _ in chunks(part, at_once(model, part)):
            with forward_context(precision, device):
                answers.append(model.logits(weights, images).float().argmax(1))
    answered = torch.cat(answers)
    by_taught, by_true = answered == taught, answered == part.labels
    return Fitted(_share(by_taught), _share(by_true), _share(by_taught[flipped]), _share(by_true[flipped]))


def _share(true: torch.Tensor) -> float | None:
    return float(true.double().mean()) if len(true) else None
