"""Knowledge distillation: a network learns from the answers of one already trained (Hinton, Vinyals & Dean 2015)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch.nn.functional import kl_div, log_softmax

from lth_pipeline.lottery.models.model import EVALUATION, Model, Tensors


@dataclass(frozen=True)
class Teacher:
    """The network that is learnt from.

    weights: float32, all tensors of `model`, on the CPU.
    temperature: T, above 0; the higher, the more the answers beside the first one count.
    weight: of the teacher's part in the loss, above 0 and at most 1; the labels have the rest.
    """

    model: Model
    weights: Tensors
    temperature: float
    weight: float

    def __post_init__(self) -> None:
        if not self.temperature > 0:
            raise ValueError(f"a teacher's temperature is above 0, not {self.temperature}")
        if not 0 < self.weight <= 1:
            raise ValueError(f"a teacher's weight is above 0 and at most 1, not {self.weight}")


def moved(teacher: Teacher, device: torch.device) -> Teacher:
    """The same teacher with its weights on `device`, detached."""
    return replace(teacher, weights={name: tensor.detach().to(device) for name, tensor in teacher.weights.items()})


@torch.no_grad()
def answers(teacher: Teacher, images: torch.Tensor) -> torch.Tensor:
    """The teacher's logits, float32 (N, classes), for images (N, C, H, W): in evaluation mode, without gradients."""
    return teacher.model.logits(teacher.weights, images, EVALUATION)


def distilled(loss: torch.Tensor, logits: torch.Tensor, taught: torch.Tensor, teacher: Teacher) -> torch.Tensor:
    """(1 − w) · loss + w · T² · KL(softmax(taught / T) ‖ softmax(logits / T)), the mean over the batch; a scalar.

    Hinton, Vinyals & Dean 2015, §2: the gradients of soft answers shrink with 1 / T², so T² keeps the two parts in
    proportion when the temperature changes. The divergence stands for the paper's cross-entropy with soft targets:
    it is less by the entropy of the targets, which no weight of the student moves, and 0 where the two agree.

    loss: that of the labels, a scalar. logits, taught: float32 (N, classes), the student's and the teacher's.
    """
    temperature, weight = teacher.temperature, teacher.weight
    soft, targets = log_softmax(logits / temperature, 1), log_softmax(taught / temperature, 1)
    divergence = kl_div(soft, targets, reduction="batchmean", log_target=True)
    return (1 - weight) * loss + weight * temperature**2 * divergence
