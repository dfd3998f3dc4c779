"""A training step of any network by torch's autograd: what every faster way must agree with."""

from __future__ import annotations

import torch

from lth_pipeline.lottery.data.dataset import Part
from lth_pipeline.lottery.models.model import Mode, Model, Tensors
from lth_pipeline.lottery.models.share import Share
from lth_pipeline.lottery.training.clearing import clear, survivors
from lth_pipeline.lottery.training.distillation import Teacher
from lth_pipeline.lottery.training.evaluation import evaluate
from lth_pipeline.lottery.training.loss import loss_of
from lth_pipeline.lottery.training.precision import forward_context
from lth_pipeline.lottery.training.schedule import Schedule


class Autograd:
    """The weights of one network, and its step.

    names, learned: what the optimiser moves, in one order always: the norm that clipping takes is a sum over tensors.
    """

    share: Share | None = None

    def __init__(
        self, model: Model, weights: Tensors, mask: Tensors | None, schedule: Schedule, teacher: Teacher | None
    ):
        self._model, self._schedule, self._teacher = model, schedule, teacher
        self._live = dict(weights)
        self.names = sorted(name for name in weights if name not in model.buffers)
        self.learned = [self._live[name].requires_grad_() for name in self.names]
        self._keep = survivors(mask or {})

    def gradients(self, images: torch.Tensor, labels: torch.Tensor, mode: Mode) -> torch.Tensor:
        """The loss of a batch, a scalar; the gradients stand in `learned`, those of the pruned zero."""
        for tensor in self.learned:
            tensor.grad = None
        with forward_context(self._schedule.precision, images.device):
            logits = self._model.logits(self._live, images, mode)
        loss = loss_of(logits.float(), images, labels, self._schedule.label_smoothing, self._teacher)
        loss.backward()
        self.clear()
        return loss.detach()

    def clear(self) -> None:
        for name, bits in self._keep.items():
            clear(self._live[name].grad, bits)

    def weights(self) -> Tensors:
        return self._live

    def evaluate(self, part: Part) -> tuple[float, float]:
        return evaluate(self._model, self._live, part, self._schedule.precision)
