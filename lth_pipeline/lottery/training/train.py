"""One training run: a network under a mask, from given weights, to the bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter

import torch

from lth_pipeline.lottery.data.augmentation import augmented
from lth_pipeline.lottery.data.batches import fetched, ready
from lth_pipeline.lottery.data.dataset import Data
from lth_pipeline.lottery.models.model import Mode, Model, Tensors
from lth_pipeline.lottery.pruning import masks
from lth_pipeline.lottery.randomness import generator
from lth_pipeline.lottery.training import curve, ways
from lth_pipeline.lottery.training.allocator import keep_freed_memory
from lth_pipeline.lottery.training.distillation import Teacher, moved
from lth_pipeline.lottery.training.early_bird import EarlyBird
from lth_pipeline.lottery.training.optimisers import (
    load_state_tensors,
    optimiser,
    set_learning_rate,
    state_tensors,
)
from lth_pipeline.lottery.training.order import batches
from lth_pipeline.lottery.training.precision import computing
from lth_pipeline.lottery.training.schedule import Schedule, learning_rate


@dataclass(frozen=True)
class State:
    """All that a training run needs to go on, after any of its steps."""

    iteration: int
    weights: dict[str, torch.Tensor]
    optimiser: dict[str, torch.Tensor]
    rows: list[curve.Row]
    seconds: float  # spent so far
    loss_sum: float = 0.0  # of the steps since the last evaluation, summed as float64
    follower: dict[str, torch.Tensor] = field(default_factory=dict)  # what it has seen; empty without one


@dataclass(frozen=True)
class Trained:
    weights: dict[str, torch.Tensor]  # float32, on the CPU; the pruned are exactly zero
    rows: list[curve.Row]
    train_accuracy: float  # of the final weights on the whole training part, as it is without augmentation
    seconds: float  # evaluation included, what is called not; of a resumed training, with those before
    iterations: int  # in all
    diverged_at: int | None = None  # the evaluation at which a loss was not finite; training stopped there


#: (purpose, number) -> seed: of "data_order" by epoch, of "dropout" and "augmentation" by iteration
Seeds = Callable[[str, int], int]


def train(
    model: Model,
    weights: Tensors,
    mask: Tensors | None,
    data: Data,
    schedule: Schedule,
    seeds: Seeds,
    *,
    stop: int | None = None,
    resume: State | None = None,
    on_evaluation: Callable[[curve.Row, Callable[[], State]], None] | None = None,
    on_step: Callable[[int, Callable[[], Tensors], Callable[[], State]], None] | None = None,
    teacher: Teacher | None = None,
    follower: EarlyBird | None = None,
    way: str | None = None,
) -> Trained:
    """Train `weights` under `mask` (None: dense) on `data`, on the device where `data` lies.

    Loss and accuracy are recorded at the start, every `evaluate_every` iterations and at the end. Gradients of
    pruned weights are set to zero before each step: the optimiser's moments stay zero with them, so a pruned
    weight that starts at zero is exactly zero after every step, and a mask of ones changes no bit.

    Training ends before its last iteration where an evaluation finds a loss that is not finite, or no lower
    validation loss for `patience` evaluations.

    stop: end after this iteration instead of the schedule's last (the weights of a rewind point), whatever `patience`.
    seeds: of the order of an epoch, and of what is drawn in an iteration: each has a stream of its own, so a
        resumed training needs no state of a generator.
    on_evaluation: called with each new row and a function that gives the state to resume from, to be called there
        and then.
    on_step: called after every step, and its evaluation where there is one, with the number of iterations done and
        functions that give the weights as they are and the state to resume from, to be called there and then.
    teacher: of a distillation: it answers the very batch that the network learns, and the loss is `distilled`'s;
        what is recorded as train_loss is what is minimised, the other losses are those of the labels alone.
    follower: sees the weights at each evaluation. It changes no bit of the training, which goes on to its end even
        where the mask has settled.
    way: how a step is made, a key of `ways`; left out: the one that `ways.choose` takes.
    """
    started = perf_counter() - (resume.seconds if resume else 0.0)
    device = data.train.labels.device
    if device.type == "cpu":
        keep_freed_memory()
    source = resume.weights if resume else weights
    taken = {name: source[name].detach().to(device, copy=True) for name in weights}
    if mask is not None:  # of every layer, and the weights under it, whatever was given
        mask = {name: alive.to(device) for name, alive in (masks.ones(model) | dict(mask)).items()}
        taken = masks.apply(mask, taken)
    teacher = moved(teacher, device) if teacher else None
    network = ways.begin(way or ways.choose(model, mask, schedule, device), model, taken, mask, schedule, teacher)
    stepping = optimiser(network.learned, schedule)
    if resume:
        load_state_tensors(stepping, network.names, resume.optimiser)
    if resume and follower:
        follower.restore(resume.follower)
    rows = list(resume.rows) if resume else []
    loss_sum, losses = torch.zeros((), dtype=torch.float64, device=device), 0
    if resume:
        loss_sum += resume.loss_sum
        losses = resume.iteration - int(rows[-1]["iteration"])

    def elapsed() -> float:
        return perf_counter() - started

    def record(iteration: int) -> None:
        nonlocal losses, started
        validation_loss, validation_accuracy = network.evaluate(data.validation)
        test_loss, test_accuracy = network.evaluate(data.test)
        train_loss = float(loss_sum) / losses if losses else float("nan")
        values = (iteration, train_loss, validation_loss, validation_accuracy, test_loss, test_accuracy)
        rows.append(dict(zip(curve.COLUMNS, values, strict=True)))
        loss_sum.zero_()
        losses = 0
        if follower:
            follower.see(iteration, network.weights())
        if on_evaluation:
            told = perf_counter()
            on_evaluation(rows[-1], partial(state, iteration))
            started += perf_counter() - told  # what the caller does there is not training

    def state(iteration: int) -> State:
        seen = follower.state() if follower else {}
        return State(
            iteration,
            _copy(network.weights()),
            state_tensors(stepping, network.names),
            list(rows),
            elapsed(),
            float(loss_sum),
            seen,
        )

    first = resume.iteration if resume else schedule.start
    last = schedule.iterations if stop is None else stop
    patience = schedule.patience if stop is None else None
    with computing(schedule.precision, device):
        if not resume:
            record(first)
        if curve.ended(rows, patience):
            last = first
        constant = schedule.schedule == "constant" and not schedule.warmup
        order = batches(len(data.train), schedule.batch_size, first, last, lambda epoch: seeds("data_order", epoch))
        if network.share:
            order = (batch[network.share.own] for batch in order)
        for iteration, (pixels, labels) in enumerate(fetched(data.train, order), start=first + 1):
            if schedule.augmentation:
                draws = generator(seeds("augmentation", iteration))
                pixels = augmented(pixels, schedule.augmentation, draws, network.share)
            dropout = generator(seeds("dropout", iteration)) if model.dropout else None
            mode = Mode(True, dropout, network.share)
            loss = network.gradients(ready(data.train, pixels), labels, mode)
            if schedule.clip_norm is not None:
                torch.nn.utils.clip_grad_norm_(network.learned, schedule.clip_norm)
                network.clear()  # divided by a norm that is not finite, a zero becomes NaN
            if not constant:
                set_learning_rate(stepping, learning_rate(schedule, iteration - 1))
            stepping.step()
            loss_sum += loss
            losses += 1
            evaluated = iteration % schedule.evaluate_every == 0 or iteration == last
            if evaluated:
                record(iteration)
            if on_step:
                told = perf_counter()
                on_step(iteration, network.weights, partial(state, iteration))
                started += perf_counter() - told
            if evaluated and curve.ended(rows, patience):
                break

        _, train_accuracy = network.evaluate(data.train)
        iterations = int(rows[-1]["iteration"]) - schedule.start
        return Trained(_copy(network.weights()), rows, train_accuracy, elapsed(), iterations, curve.diverged_at(rows))


def _copy(live: Tensors) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().cpu().clone() for name, tensor in live.items()}
