"""A training step that several processes make together, each a share of the batch: torch's DistributedDataParallel.

The process group is there before (`torch.distributed`: gloo, or NCCL between GPUs). Every process holds the whole
network, and after each step the same bits of it.
"""

from __future__ import annotations

import warnings
from dataclasses import replace

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from lth_pipeline.lottery.data.dataset import Part
from lth_pipeline.lottery.models.model import Mode, Model, Tensors
from lth_pipeline.lottery.models.share import Share, share_of
from lth_pipeline.lottery.training.autograd import Autograd
from lth_pipeline.lottery.training.distillation import Teacher
from lth_pipeline.lottery.training.evaluation import evaluate
from lth_pipeline.lottery.training.loss import loss_of
from lth_pipeline.lottery.training.precision import forward_context
from lth_pipeline.lottery.training.schedule import Schedule


class Distributed(Autograd):
    """The weights of one network, and this process's part of its step. What is recorded is the whole batch's, and the
    same in every process."""

    def __init__(
        self, model: Model, weights: Tensors, mask: Tensors | None, schedule: Schedule, teacher: Teacher | None
    ):
        learned = {
            name: tensor if name in model.buffers else torch.nn.Parameter(tensor) for name, tensor in weights.items()
        }
        super().__init__(model, learned, mask, schedule, teacher)
        share = Share(dist.get_rank(), dist.get_world_size(), schedule.batch_size)
        own = share.counts[share.rank]
        self.share = share
        self._weight = own / share.batch  # of the mean over its own examples in the mean over all
        self._network = DistributedDataParallel(_Network(model, self._live, self.learned), gradient_as_bucket_view=True)
        self._ordered = False

    def gradients(self, images: torch.Tensor, labels: torch.Tensor, mode: Mode) -> torch.Tensor:
        """The loss of the whole batch, of which `images` and `labels` are this process's share; the gradients, those
        of the whole batch too, stand in `learned`."""
        if not self._ordered:
            self._order_buckets(images, labels, mode)
        return self._step(images, labels, mode)

    def _step(self, images: torch.Tensor, labels: torch.Tensor, mode: Mode) -> torch.Tensor:
        for tensor in self.learned:
            tensor.grad = None
        with forward_context(self._schedule.precision, images.device):
            logits = self._network(images, mode)
        loss = loss_of(logits.float(), images, labels, self._schedule.label_smoothing, self._teacher) * self._weight
        (loss * self.share.processes).backward()  # the gradients' mean over the processes is taken
        self.clear()
        whole = loss.detach()
        dist.all_reduce(whole)
        return whole

    def _order_buckets(self, images: torch.Tensor, labels: torch.Tensor, mode: Mode) -> None:
        """A step that leaves no trace but this: after the first one torch puts the gradients into other buckets, in the
        order in which they came, and of more than two processes the order of the sums changes with them. Without it a
        resumed training would begin with other sums than one that was never stopped."""
        buffers = {name: self._live[name].clone() for name in self._model.buffers}
        drawn = mode.draws.get_state() if mode.draws else None
        with warnings.catch_warnings():  # of 1×1 convolutions, whose gradients come in another layout: they are copied
            warnings.filterwarnings("ignore", "Grad strides do not match bucket view strides")
            self._step(images, labels, mode)
        for name, before in buffers.items():
            self._live[name].copy_(before)
        if mode.draws:
            mode.draws.set_state(drawn)
        self._ordered = True

    def evaluate(self, part: Part) -> tuple[float, float]:
        """(mean cross-entropy, share classified correctly) over `part`, which the processes divide among them."""
        own = share_of(self.share.rank, self.share.processes, len(part))
        count = own.stop - own.start
        sums = torch.zeros(2, dtype=torch.float64)
        if count:
            loss, correct = evaluate(self._model, self._live, _taken(part, own), self._schedule.precision)
            sums = torch.tensor((loss * count, round(correct * count)), dtype=torch.float64)
        sums = sums.to(part.labels.device)
        dist.all_reduce(sums)
        loss, correct = sums.tolist()
        return loss / len(part), correct / len(part)


class _Network(torch.nn.Module):
    """A network whose parameters are `learned`, the tensors among `live` that the optimiser moves."""

    def __init__(self, model: Model, live: Tensors, learned: list[torch.Tensor]):
        super().__init__()
        self.learned = torch.nn.ParameterList(learned)
        self._model, self._live = model, live

    def forward(self, images: torch.Tensor, mode: Mode) -> torch.Tensor:
        return self._model.logits(self._live, images, mode)


def _taken(part: Part, own: slice) -> Part:
    """The rows `own` of `part`; nothing is copied."""
    if part.rows is not None:
        return replace(part, labels=part.labels[own], rows=part.rows[own])
    return replace(part, images=part.images[own], labels=part.labels[own])
