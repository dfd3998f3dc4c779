"""Several networks of one model on their device: their step, their evaluation, their state."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from lth_pipeline.lottery.data.augmentation import changed
from lth_pipeline.lottery.data.batches import ready
from lth_pipeline.lottery.data.dataset import Data, Part
from lth_pipeline.lottery.models.model import Model, Tensors
from lth_pipeline.lottery.training import draws, stacked_forward, stacked_optimiser
from lth_pipeline.lottery.training.clearing import clear
from lth_pipeline.lottery.training.graph import captured
from lth_pipeline.lottery.training.schedule import Schedule
from lth_pipeline.lottery.training.stacked import layout, stacked, survivors


class Stack:
    """R networks that train together; everything a step needs lies on the device, and `step` waits for nothing.

    graph: a step is recorded as a CUDA graph when the first is made.
    """

    LOSSES = "losses since the last evaluation"  # in a `copy`

    def __init__(
        self,
        model: Model,
        weights: Sequence[Tensors],
        masks: Sequence[Tensors | None],
        data: Data,
        schedule: Schedule,
        graph: bool,
    ) -> None:
        device = data.train.labels.device
        self._model, self._data, self._schedule, self._graph = model, data, schedule, graph
        self._order = list(weights[0])  # of the tensors, as they were given
        self._layout = layout(weights, sorted(name for name in weights[0] if name not in model.buffers))
        self._norms = layout(weights, sorted(model.buffers))
        self._weights = stacked(self._layout, weights, device)
        self._buffers = stacked(self._norms, weights, device)
        self._keep = survivors(self._layout, masks, device)
        self._memory = stacked_optimiser.memory(schedule, self._weights)
        self._optimise = stacked_optimiser.stepping(schedule, self._memory)
        side_by_side = graph and not model.fully_connected
        streams = min(len(weights), stacked_forward.STREAMS) if side_by_side else 0
        self._gradients = stacked_forward.gradients(
            model,
            self._layout,
            self._weights,
            [self._norms.alone(self._buffers, network) for network in range(len(weights))],
            schedule,
            [torch.cuda.Stream(device) for _ in range(streams)],
        )
        # The block of draws that is under way, and the place in it of the next step. Zeros are draws too: a step may be
        # tried before there are any.
        kinds = 4 if schedule.augmentation else 1
        shape = (draws.STEPS, len(weights), kinds, schedule.batch_size)
        self._draws = torch.zeros(shape, dtype=torch.int64, device=device)
        self._rates = stacked_optimiser.rates([0.0] * draws.STEPS, device).to(device)
        self._next = torch.zeros(1, dtype=torch.int64, device=device)
        self._losses = torch.zeros(len(weights), dtype=torch.float64, device=device)  # sums since the last evaluation
        self._replay: Callable[[], None] | None = None

    def load(self, block: tuple[torch.Tensor, torch.Tensor]) -> None:
        """Take the draws and rates of the next steps, of `draws.Draws.block`; those before them have been made."""
        for there, here in zip((self._draws, self._rates), block, strict=True):
            there[: len(here)].copy_(here, non_blocking=True)
        self._next.zero_()

    def step(self) -> None:
        """One step of all networks, with the draws that are next."""
        if not self._graph:
            self._step()
            return
        if self._replay is None:
            self._replay = captured(self._step, self._moved())
        self._replay()

    def _step(self) -> None:
        part, how = self._data.train, self._schedule.augmentation
        numbers = self._draws.index_select(0, self._next)[0]
        rate = self._rates.index_select(0, self._next)[0]
        chosen = numbers[:, 0].flatten()
        pixels, labels = part.images.index_select(0, chosen), part.labels.index_select(0, chosen)
        if how:
            pixels = changed(pixels, how, numbers[:, 1:].transpose(0, 1).flatten(1))
        images = ready(part, pixels).unflatten(0, numbers[:, 0].shape)
        losses, gradient = self._gradients(images, labels.view(numbers[:, 0].shape))
        self._clear(gradient)
        if self._schedule.clip_norm is not None:
            self._clip(gradient, self._schedule.clip_norm)
            self._clear(gradient)  # divided by a norm that is not finite, a zero becomes NaN
        self._optimise(self._weights, gradient, rate)
        self._losses += losses
        self._next += 1

    def _clear(self, gradient: torch.Tensor) -> None:
        """The pruned weights' to zero, even where they are NaN."""
        if self._keep is not None:
            clear(gradient, self._keep)

    def _clip(self, gradient: torch.Tensor, most: float) -> None:
        """Each network's gradient to a norm of at most `most`, as torch.nn.utils.clip_grad_norm_ does."""
        views = self._layout.views(gradient).values()
        norms = torch.stack([torch.linalg.vector_norm(view.flatten(1), dim=1) for view in views])
        factors = (most / (torch.linalg.vector_norm(norms, dim=0) + 1e-6)).clamp(max=1.0)
        for view in views:
            view.mul_(factors.view(-1, *[1] * (view.dim() - 1)))

    def _moved(self) -> list[torch.Tensor]:
        return [self._weights, self._buffers, *self._memory.values(), self._next, self._losses]

    def evaluate(self) -> list[list[float]]:
        """Of each network [sum of training losses since the last time, validation loss, share classified correctly,
        test loss, share classified correctly]; the device is waited for once."""
        parts = [self.over(self._data.validation), self.over(self._data.test)]
        found = torch.cat([self._losses.unsqueeze(0), *parts]).T.tolist()
        self._losses.zero_()
        return found

    def over(self, part: Part) -> torch.Tensor:
        """float64 (2, R), on the device: mean cross-entropy over `part`, share classified correctly."""
        buffers = [self._norms.alone(self._buffers, network) for network in range(len(self._losses))]
        return stacked_forward.evaluate(
            self._model, self._layout, self._weights, buffers, self._schedule.precision, part
        )

    def copy(self) -> dict[str, torch.Tensor]:
        """All that `alone` reads, as it is now, on the CPU."""
        flat = {"weights": self._weights, "buffers": self._buffers, self.LOSSES: self._losses, **self._memory}
        return {name: tensor.to("cpu", copy=True) for name, tensor in flat.items()}

    def alone(
        self, copy: dict[str, torch.Tensor], network: int
    ) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
        """(weights, optimiser's state as `optimisers.state_tensors` names it) of one network in a `copy`; new
        tensors."""
        weights = self._layout.alone(copy["weights"], network) | self._norms.alone(copy["buffers"], network)
        state = {}
        for key in self._memory:
            of_all = copy[key]
            each = self._layout.alone(of_all, network) if of_all.dim() else dict.fromkeys(self._layout.shapes, of_all)
            state |= {f"{name}/{key}": tensor.clone() for name, tensor in each.items()}
        return {name: weights[name].clone() for name in self._order}, state

    def take(self, network: int) -> dict[str, torch.Tensor]:
        """One network's weights and statistics as they are now; new tensors on the device."""
        return {name: tensor.clone() for name, tensor in self._live(network).items()}

    def put(self, network: int, taken: Tensors) -> None:
        """Give a network the weights and statistics that were its own; its optimiser keeps what it has."""
        for name, tensor in self._live(network).items():
            tensor.copy_(taken[name])

    def _live(self, network: int) -> dict[str, torch.Tensor]:
        return self._layout.alone(self._weights, network) | self._norms.alone(self._buffers, network)

    def restore(self, states: Sequence[Tensors], losses: Sequence[float]) -> None:
        """Give each network's optimiser the state that it had, and its sum of losses; an empty state: as before its
        first step.

        Raises ValueError where they have not all made as many steps.
        """
        self._losses.copy_(torch.tensor(losses, dtype=torch.float64))
        for key, tensor in self._memory.items():
            suffix = f"/{key}"
            own = [
                {name.removesuffix(suffix): value for name, value in state.items() if name.endswith(suffix)}
                for state in states
            ]
            if tensor.dim():
                for name, value in (item for each in own for item in each.items()):
                    if value.shape != self._layout.shapes[name]:
                        raise ValueError(
                            f"{name}/{key} is {tuple(value.shape)} in a state to resume from, which is of a training "
                            f"that kept it only in part: of {self._layout.shapes[name]}"
                        )
                tensor.copy_(stacked(self._layout, own, tensor.device))
                continue
            steps = {float(value) for each in own for value in each.values()} | {0.0 for each in own if not each}
            if len(steps) > 1:
                raise ValueError(f"networks go on together after as many steps each, not after {sorted(steps)}")
            tensor.fill_(steps.pop())
