"""Our own training, measured only through `train()`, by the moments at which it reports an evaluation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from statistics import median
from time import monotonic, perf_counter
from typing import NamedTuple

from lth_pipeline.lottery.data import Data
from lth_pipeline.lottery.models.model import Model, Tensors
from lth_pipeline.lottery.randomness import stream_seed
from lth_pipeline.lottery.training.schedule import Schedule
from lth_pipeline.lottery.training.train import Trained, train


class Task(NamedTuple):
    """What `train()` is asked for. weights: under the mask already."""

    model: Model
    weights: Tensors
    mask: Tensors | None
    data: Data
    schedule: Schedule


def seeds(purpose: str, number: int) -> int:
    return stream_seed(0, purpose, number=number)


def trained(task: Task, iterations: int, every: int, on_evaluation: Callable | None = None) -> Trained:
    schedule = replace(task.schedule, iterations=iterations, evaluate_every=every)
    given = (task.model, task.weights, task.mask, task.data, schedule, seeds)
    # every training of a card has an on_step, which looks at the clock
    return train(*given, on_evaluation=on_evaluation, on_step=lambda iteration, weights, state: monotonic())


def moments(task: Task, iterations: int, every: int) -> list[float]:
    """When each evaluation had ended: of the start, then every `every` steps. What train() does before the first and
    after the last (the accuracy on the whole training part) is outside."""
    found: list[float] = []
    trained(task, iterations, every, lambda row, state: found.append(perf_counter()))
    return found


def seconds_a_step(task: Task, steps: int, parts: int) -> float:
    """Median over `parts` parts of a training, `steps` steps each, after as many that warm up.

    Each part ends with one evaluation: the validation and the test part are to be small.
    """
    return median(_intervals(task, steps * (parts + 1), steps)[1:]) / steps


def seconds_an_evaluation(task: Task, steps: int) -> float:
    """By difference: a is what one step and an evaluation take, b what `steps` steps and an evaluation take, both
    medians, so an evaluation takes (steps · a − b) / (steps − 1).

    The weights have moved before each evaluation: what is made of them for it, sparse products say, is made anew.
    """
    a, b = median(_intervals(task, steps, 1)), median(_intervals(task, 3 * steps, steps))
    return (steps * a - b) / (steps - 1)


def _intervals(task: Task, iterations: int, every: int) -> list[float]:
    return [end - begin for begin, end in pairwise(moments(task, iterations, every))]
