"""How a network is trained, and its learning rate at each step."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, pi

from lth_pipeline.lottery.data.augmentation import Augmentation


@dataclass(frozen=True)
class Schedule:
    """How a network is trained.

    schedule: "constant"; "step" (times `step_factor` after each iteration of `step_at`); "cosine" (to 0 at the end,
        Loshchilov & Hutter 2017, one period).
    warmup: iterations over which the learning rate rises in a line from 0 (Frankle & Carbin 2019, §5).
    start: the rewind point: a ticket rewound to iteration k trains from k to `iterations`, its rate with it.
    patience: stop after so many evaluations without a lower validation loss.
    precision: "float32"; "tf32" (products of float32 rounded to 10 bits of mantissa, on a GPU that can); "bfloat16"
        (the forward pass in bfloat16 where torch's autocast says so; weights and optimiser stay float32).
    """

    optimiser: str  # "adam", "adamw" or "sgd"
    learning_rate: float
    batch_size: int
    iterations: int
    evaluate_every: int
    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float | None = None
    schedule: str = "constant"
    step_at: tuple[int, ...] = ()
    step_factor: float = 0.1
    warmup: int = 0
    label_smoothing: float = 0.0
    clip_norm: float | None = None
    patience: int | None = None
    augmentation: Augmentation | None = None
    start: int = 0
    precision: str = "float32"


def learning_rate(schedule: Schedule, done: int) -> float:
    """The learning rate of the step after `done` iterations.

    While it warms up, the first step has 1/k of the highest rate and step k all of it; only then it falls.
    """
    if done < schedule.warmup:
        return schedule.learning_rate * (done + 1) / schedule.warmup
    if schedule.schedule == "step":
        return schedule.learning_rate * schedule.step_factor ** sum(done >= at for at in schedule.step_at)
    if schedule.schedule == "cosine":
        share = (done - schedule.warmup) / (schedule.iterations - schedule.warmup)
        return schedule.learning_rate * (1 + cos(pi * share)) / 2
    return schedule.learning_rate
