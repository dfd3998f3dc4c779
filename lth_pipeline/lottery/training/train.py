"""One training run: a network under a mask, from given weights, to the bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

import torch
from torch.nn.functional import cross_entropy

from lth_pipeline.lottery.data.dataset import Data
from lth_pipeline.lottery.models.model import Model, Tensors
from lth_pipeline.lottery.training import curve
from lth_pipeline.lottery.training.evaluation import evaluate
from lth_pipeline.lottery.training.optimisers import load_state_tensors, optimiser, state_tensors
from lth_pipeline.lottery.training.order import batches


@dataclass(frozen=True)
class Schedule:
    """How a network is trained."""

    optimiser: str  # "adam" or "sgd"
    learning_rate: float
    batch_size: int
    iterations: int
    evaluate_every: int
    momentum: float = 0.0
    start: int = 0  # the rewind point: a ticket rewound to iteration k trains from k to `iterations`


@dataclass(frozen=True)
class State:
    """All that a training run needs to go on: taken right after an evaluation, so no sum is half-way."""

    iteration: int
    weights: dict[str, torch.Tensor]
    optimiser: dict[str, torch.Tensor]
    rows: list[curve.Row]
    seconds: float  # spent so far


@dataclass(frozen=True)
class Trained:
    weights: dict[str, torch.Tensor]  # float32, on the CPU; the pruned are exactly zero
    rows: list[curve.Row]
    train_accuracy: float  # of the final weights on the whole training part
    seconds: float  # evaluation included; of a resumed training, with those before
    iterations: int  # in all


def train(
    model: Model,
    weights: Tensors,
    mask: Tensors | None,
    data: Data,
    schedule: Schedule,
    epoch_seed: Callable[[int], int],
    *,
    stop: int | None = None,
    resume: State | None = None,
    on_evaluation: Callable[[curve.Row, Callable[[], State]], None] | None = None,
    on_step: Callable[[int, Tensors], None] | None = None,
) -> Trained:
    """Train `weights` under `mask` (None: dense) on `data`, on the device where `data` lies.

    Loss and accuracy are recorded at the start, every `evaluate_every` iterations and at the end. Gradients of
    pruned weights are set to zero before each step: the optimiser's moments stay zero with them, so a pruned
    weight that starts at zero is exactly zero after every step, and a mask of ones changes no bit.

    stop: end after this iteration instead of the schedule's last (the weights of a rewind point).
    epoch_seed: seed of the order of an epoch (`order.batches`).
    on_evaluation: called with each new row and a function that gives the state to resume from, to be called there
        and then.
    on_step: called with the number of iterations done and the live weights, after every step.
    """
    started = perf_counter() - (resume.seconds if resume else 0.0)
    device = data.train.images.device
    names = list(weights)
    source = resume.weights if resume else weights
    live = {name: source[name].detach().to(device, copy=True).requires_grad_() for name in names}
    masked = [name for name in names if mask is not None and name in mask]
    # All bits of a float32 where a weight survives, none where it is pruned. An "and" clears a pruned gradient even
    # where it is NaN, in 23 µs for LeNet on a CPU: as fast as multiplying (23), twenty times a masked_fill (464).
    keep = [mask[name].to(device, torch.int32).neg_() for name in masked]
    stepping = optimiser(schedule.optimiser, list(live.values()), schedule.learning_rate, schedule.momentum)
    if resume:
        load_state_tensors(stepping, names, resume.optimiser)
    rows = list(resume.rows) if resume else []
    loss_sum, losses = torch.zeros((), dtype=torch.float64, device=device), 0

    def elapsed() -> float:
        return perf_counter() - started

    def record(iteration: int) -> None:
        nonlocal losses
        validation_loss, validation_accuracy = evaluate(model, live, data.validation)
        test_loss, test_accuracy = evaluate(model, live, data.test)
        train_loss = float(loss_sum) / losses if losses else float("nan")
        values = (iteration, train_loss, validation_loss, validation_accuracy, test_loss, test_accuracy)
        rows.append(dict(zip(curve.COLUMNS, values, strict=True)))
        loss_sum.zero_()
        losses = 0
        if on_evaluation:
            on_evaluation(
                rows[-1], lambda: State(iteration, _copy(live), state_tensors(stepping, names), list(rows), elapsed())
            )

    first = resume.iteration if resume else schedule.start
    last = schedule.iterations if stop is None else stop
    if not resume:
        record(first)
    order = batches(len(data.train), schedule.batch_size, first, last, epoch_seed)
    for iteration, batch in enumerate(order, start=first + 1):
        batch = batch.to(device, non_blocking=True)
        loss = cross_entropy(model.logits(live, data.train.images[batch]), data.train.labels[batch])
        loss.backward()
        for name, bits in zip(masked, keep, strict=True):
            live[name].grad.view(torch.int32).bitwise_and_(bits)
        stepping.step()
        stepping.zero_grad()
        loss_sum += loss.detach()
        losses += 1
        if on_step:
            on_step(iteration, live)
        if iteration % schedule.evaluate_every == 0 or iteration == last:
            record(iteration)

    _, train_accuracy = evaluate(model, live, data.train)
    return Trained(_copy(live), rows, train_accuracy, elapsed(), last - schedule.start)


def _copy(live: Tensors) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().cpu().clone() for name, tensor in live.items()}
