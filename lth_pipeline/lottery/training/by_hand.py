"""A training step of a fully connected network with its products written out, and nothing else.

On a CPU a step of LeNet-300-100 (batch 60) is 0.67 ms of matrix products; autograd takes 1.10 ms for it, this 0.90.
Without a mask, or where all of a layer is computed, the products are autograd's own, and so are all bits.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from lth_pipeline.lottery.data.batches import chunks
from lth_pipeline.lottery.data.dataset import Part
from lth_pipeline.lottery.models.model import Mode, Model, Tensors
from lth_pipeline.lottery.training.clearing import clear, survivors
from lth_pipeline.lottery.training.distillation import Teacher
from lth_pipeline.lottery.training.evaluation import at_once, measured
from lth_pipeline.lottery.training.loss import loss_and_gradient
from lth_pipeline.lottery.training.schedule import Schedule

# A layer is cut down to its living rows and columns where these hold at most this share of it: to gather inputs and
# scatter outputs takes 25 µs, the products of a whole first layer of LeNet take 560.
CUT = 0.9


@dataclass(frozen=True)
class Cut:
    """The rows (units) and columns (inputs) of a layer that hold a survivor; int64 (rows,), (columns,)."""

    rows: torch.Tensor
    columns: torch.Tensor

    def of(self, weight: torch.Tensor) -> torch.Tensor:
        """(out, in) -> (rows, columns)."""
        return weight.index_select(0, self.rows).index_select(1, self.columns)

    def into(self, whole: torch.Tensor, part: torch.Tensor) -> None:
        """The inverse, in place."""
        whole[self.rows.unsqueeze(1), self.columns] = part


class ByHand:
    """The weights of one network, and its step. Everything lies batch first: activations are (N, units)."""

    share = None

    def __init__(
        self, model: Model, weights: Tensors, mask: Tensors | None, schedule: Schedule, teacher: Teacher | None
    ):
        self._model, self._smoothing, self._teacher = model, schedule.label_smoothing, teacher
        self._whole = dict(weights)
        self._cuts = {layer.weight: _cut(mask[layer.weight]) if mask else None for layer in model.layers}
        self.names = sorted(weights)
        self._own = {
            name: cut.of(weights[name]) if (cut := self._cuts.get(name)) else weights[name] for name in weights
        }
        self.learned = [self._own[name] for name in self.names]
        for tensor in self.learned:  # kept from step to step: 1 MB that is new each time is 0.1 ms of page faults
            tensor.grad = torch.empty_like(tensor)
        self._keep = survivors(
            {name: cut.of(alive) if (cut := self._cuts[name]) else alive for name, alive in mask.items()}
            if mask
            else {}
        )

    def gradients(self, images: torch.Tensor, labels: torch.Tensor, mode: Mode) -> torch.Tensor:
        """The loss of a batch, a scalar; the gradients stand in `learned`, those of the pruned zero."""
        inputs, logits = self._forward(images)
        loss, flowing = loss_and_gradient(logits, images, labels, self._smoothing, self._teacher)
        for place in reversed(range(len(self._model.layers))):
            flowing = self._backward(place, inputs[place], flowing)
        self.clear()
        return loss

    def clear(self) -> None:
        for name, bits in self._keep.items():
            clear(self._own[name].grad, bits)

    def weights(self) -> Tensors:
        for name, cut in self._cuts.items():
            if cut:
                cut.into(self._whole[name], self._own[name])
        return self._whole

    def evaluate(self, part: Part) -> tuple[float, float]:
        size = at_once(self._model, part)
        return measured(((self._forward(images)[1], labels) for images, labels in chunks(part, size)), len(part))

    def _forward(self, images: torch.Tensor) -> tuple[list[torch.Tensor], torch.Tensor]:
        """(what goes into each layer, logits)."""
        inputs, flowing = [], images.flatten(1)
        for layer in self._model.layers:
            weight, bias, cut = self._own[layer.weight], self._own[f"{layer.name}.bias"], self._cuts[layer.weight]
            if cut:
                flowing = flowing.index_select(1, cut.columns)
                inputs.append(flowing)
                flowing = bias.expand(len(flowing), -1).contiguous().index_add_(1, cut.rows, flowing @ weight.t())
            else:
                inputs.append(flowing)
                flowing = torch.addmm(bias, flowing, weight.t())
            if not layer.is_output:
                flowing.relu_()
        return inputs, flowing

    def _backward(self, place: int, given: torch.Tensor, flowing: torch.Tensor) -> torch.Tensor | None:
        """Keep the gradients of layer `place`; gives that of what came out of the layer before, (N, units)."""
        layer = self._model.layers[place]
        weight, cut = self._own[layer.weight], self._cuts[layer.weight]
        torch.sum(flowing, 0, out=self._own[f"{layer.name}.bias"].grad)
        if cut:
            flowing = flowing.index_select(1, cut.rows)
        torch.mm(flowing.t(), given, out=weight.grad)
        if place == 0:
            return None
        back = torch.ops.aten.threshold_backward(flowing @ weight, given, 0)
        return back.new_zeros(len(back), layer.shape[1]).index_copy_(1, cut.columns, back) if cut else back


def computed(alive: torch.Tensor) -> int:
    """How many weights of a layer the step computes with."""
    cut = _cut(alive)
    return len(cut.rows) * len(cut.columns) if cut else alive.numel()


def _cut(alive: torch.Tensor) -> Cut | None:
    """None where too much of the layer is alive."""
    rows, columns = alive.any(1).nonzero().flatten(), alive.any(0).nonzero().flatten()
    return Cut(rows, columns) if len(rows) * len(columns) <= CUT * alive.numel() else None
