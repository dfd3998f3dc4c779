"""The optimisers' steps over one flat tensor: torch's fused kernels, and nothing that waits for the device.

torch.optim's own classes would do, but for the learning rate: they take a float, which a CUDA graph would keep for
good, or a tensor that is the same at every step. Here each step brings its own.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from lth_pipeline.lottery.training.schedule import Schedule

BETAS, EPS = (0.9, 0.999), 1e-8  # torch's, and Kingma & Ba 2015's

#: the optimiser's tensors: "step" is float32 (), the same for all networks; the others are flat like the weights
Memory = dict[str, torch.Tensor]

#: (weights, gradient, rate): one step, in place; weights, gradient flat float32, rate of one element
Step = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], None]


def memory(schedule: Schedule, weights: torch.Tensor) -> Memory:
    """What the optimiser remembers before its first step: zeros."""
    if schedule.optimiser in ("adam", "adamw"):
        step = torch.zeros((), dtype=torch.float32, device=weights.device)
        return {"step": step, "exp_avg": torch.zeros_like(weights), "exp_avg_sq": torch.zeros_like(weights)}
    if schedule.optimiser == "sgd":
        return {"momentum_buffer": torch.zeros_like(weights)} if schedule.momentum else {}
    raise ValueError(f"no optimiser {schedule.optimiser!r}; there are: adam, adamw, sgd")


def stepping(schedule: Schedule, memory: Memory) -> Step:
    """The step of the schedule's optimiser with this `memory`, which it moves in place."""
    decay = schedule.weight_decay or 0.0
    if schedule.optimiser == "sgd":
        buffers = [memory["momentum_buffer"]] if schedule.momentum else []

        def sgd(weights: torch.Tensor, gradient: torch.Tensor, rate: torch.Tensor) -> None:
            # The first step too goes by momentum · 0 + gradient, which is what torch's first step copies.
            torch._fused_sgd_(
                [weights],
                [gradient],
                buffers,
                weight_decay=decay,
                momentum=schedule.momentum,
                lr=rate,
                dampening=0.0,
                nesterov=schedule.nesterov,
                maximize=False,
                is_first_step=False,
            )

        return sgd

    kernel = torch._fused_adam_ if schedule.optimiser == "adam" else torch._fused_adamw_

    def adam(weights: torch.Tensor, gradient: torch.Tensor, rate: torch.Tensor) -> None:
        memory["step"].add_(1)
        kernel(
            [weights],
            [gradient],
            [memory["exp_avg"]],
            [memory["exp_avg_sq"]],
            [],
            [memory["step"]],
            lr=rate,
            beta1=BETAS[0],
            beta2=BETAS[1],
            weight_decay=decay,
            eps=EPS,
            amsgrad=False,
            maximize=False,
        )

    return adam


def rates(learning_rates: list[float], device: torch.device) -> torch.Tensor:
    """(steps,): float32 on a GPU, where the kernels read nothing else; float64 on a CPU, as train()'s floats are."""
    return torch.tensor(learning_rates, dtype=torch.float64 if device.type == "cpu" else torch.float32)
