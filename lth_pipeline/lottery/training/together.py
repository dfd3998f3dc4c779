"""Networks of one round that train together: replicates and arms, side by side in one step.

On a GPU a step of a small network costs its kernels' launches and hardly their work, so R networks in the same kernels
cost little more than one; and a step that is one CUDA graph costs one launch. See `stacked.py` for how their tensors
lie, `stacked_forward.py` for the arithmetic, `stack.py` for the step, `draws.py` for what is drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache, partial
from time import perf_counter

import torch

from lth_pipeline.lottery.data.dataset import Data
from lth_pipeline.lottery.models.model import Model, Tensors
from lth_pipeline.lottery.pruning import masks
from lth_pipeline.lottery.training import curve, draws
from lth_pipeline.lottery.training.precision import computing
from lth_pipeline.lottery.training.schedule import Schedule
from lth_pipeline.lottery.training.stack import Stack
from lth_pipeline.lottery.training.train import Seeds, State, Trained


@dataclass(frozen=True)
class Network:
    """What is one network's own; all of it as `train` takes it."""

    weights: Tensors
    mask: Tensors | None
    seeds: Seeds
    resume: State | None = None
    on_evaluation: Callable[[curve.Row, Callable[[], State]], None] | None = None


def can_train_together(model: Model, schedule: Schedule) -> bool:
    """False for a network with dropout: what is dropped is drawn on the CPU, anew for every layer in every step, too
    much to lie ready on the device. All else that a schedule may say can be had, each network with its own.

    A teacher, a follower and `on_step` are train()'s alone.
    """
    return not model.dropout


def fits(data: Data) -> bool:
    """False where a part is streamed: its pixels lie in a file, and the steps read them on the device."""
    return not any(part.streamed for part in (data.train, data.validation, data.test))


def train_together(
    model: Model,
    networks: Sequence[Network],
    data: Data,
    schedule: Schedule,
    *,
    stop: int | None = None,
    graph: bool | None = None,
    on_steps: Callable[[Callable[[], list[State]]], None] | None = None,
) -> list[Trained]:
    """Train `networks` side by side, each as `train` would: the same batches, the same rows up to rounding.

    One that has ended (patience, a loss that is not finite) stays as it was then, while the others go on. All resume,
    from the same iteration, or none does.

    graph: each step is one CUDA graph. None: where `data` lies on a GPU.
    on_steps: called after every few steps (`draws.STEPS` at most), and their evaluation where there is one, with a
        function that gives the states of all networks to resume from, to be called there and then. One that has ended
        is in it as it was then.

    `Trained.seconds` and `State.seconds` are shares: time is divided among the networks that have not ended.

    Raises ValueError where the networks cannot train together.
    """
    device = data.train.labels.device
    _refuse(model, networks, data, schedule)
    if graph and device.type != "cuda":
        raise ValueError(f"a CUDA graph needs data on a CUDA device, not on {device}")
    if not networks:
        return []
    here = torch.cuda.device(device) if device.type == "cuda" else nullcontext()
    with computing(schedule.precision, device), here:
        graph = device.type == "cuda" if graph is None else graph
        return _train(model, networks, data, schedule, stop, graph, on_steps)


def _train(
    model: Model,
    networks: Sequence[Network],
    data: Data,
    schedule: Schedule,
    stop: int | None,
    graph: bool,
    on_steps: Callable[[Callable[[], list[State]]], None] | None,
) -> list[Trained]:
    device, count, every = data.train.labels.device, len(networks), schedule.evaluate_every
    mark = perf_counter()
    states = [each.resume for each in networks if each.resume]
    stack = Stack(
        model,
        [_begins(each) for each in networks],
        [each.mask for each in networks],
        data,
        schedule,
        graph,
    )
    if states:
        stack.restore([state.optimiser for state in states], [state.loss_sum for state in states])
    rows = [list(each.resume.rows) if each.resume else [] for each in networks]
    seconds = [each.resume.seconds if each.resume else 0.0 for each in networks]
    going, frozen = list(range(count)), {}

    def share_out() -> None:
        nonlocal mark
        now = perf_counter()
        for network in going:
            seconds[network] += (now - mark) / len(going)
        mark = now

    def state(iteration: int, copied: Callable[[], dict[str, torch.Tensor]], network: int) -> State:
        copy = copied()
        weights, optimiser = stack.alone(copy, network)
        if network in frozen:
            weights = {name: frozen[network][name].to("cpu", copy=True) for name in weights}
        made = optimiser if iteration > schedule.start else {}  # before a step torch's optimisers have none
        return State(
            iteration, weights, made, list(rows[network]), seconds[network], float(copy[stack.LOSSES][network])
        )

    def states_at(iteration: int) -> list[State]:
        share_out()
        copied = cache(stack.copy)
        return [state(iteration, copied, network) for network in range(count)]

    def record(iteration: int, losses: int) -> None:
        nonlocal mark
        found = stack.evaluate()
        copied = cache(stack.copy)  # one for all networks, and only where a state is asked for
        share_out()
        for network in going:
            loss_sum, *evaluated = found[network]
            values = (iteration, loss_sum / losses if losses else float("nan"), *evaluated)
            rows[network].append(dict(zip(curve.COLUMNS, values, strict=True)))
            if networks[network].on_evaluation:
                networks[network].on_evaluation(rows[network][-1], partial(state, iteration, copied, network))
        mark = perf_counter()  # what the caller does there is not training

    def freeze() -> None:
        """Keep those that have ended as they are now."""
        over = [network for network in going if curve.ended(rows[network], patience)]
        if over:
            share_out()
            frozen.update((network, stack.take(network)) for network in over)
            going[:] = [network for network in going if network not in over]

    first = states[0].iteration if states else schedule.start
    last = schedule.iterations if stop is None else stop
    patience = schedule.patience if stop is None else None
    if not states:
        record(first, 0)
    freeze()
    source = draws.Draws(schedule, [each.seeds for each in networks], len(data.train))
    done = loaded = first
    recorded = max(int(of_one[-1]["iteration"]) for of_one in rows)
    ahead = None
    while done < last and going:
        if done == loaded:
            block = ahead or source.block(done, min(draws.STEPS, last - done), device)
            stack.load(block)
            loaded, ahead = done + len(block[1]), None
        due = min(loaded, last, (done // every + 1) * every)
        for _ in range(done, due):
            stack.step()
        done = due
        if ahead is None and loaded < last:  # drawn while the device is at work
            ahead = source.block(loaded, min(draws.STEPS, last - loaded), device)
        if done % every == 0 or done == last:
            record(done, done - recorded)
            recorded = done
            freeze()
        if on_steps:
            on_steps(partial(states_at, done))
            mark = perf_counter()

    for network, taken in frozen.items():
        stack.put(network, taken)
    shares = stack.over(data.train)[1].tolist()
    copied = stack.copy()
    going[:] = going or range(count)
    share_out()
    return [
        Trained(
            stack.alone(copied, network)[0],
            rows[network],
            shares[network],
            seconds[network],
            int(rows[network][-1]["iteration"]) - schedule.start,
            curve.diverged_at(rows[network]),
        )
        for network in range(count)
    ]


def _begins(network: Network) -> Tensors:
    """The weights that it goes on from, under its mask whatever was given."""
    weights = network.resume.weights if network.resume else network.weights
    return masks.apply(network.mask, weights) if network.mask else weights


def _refuse(model: Model, networks: Sequence[Network], data: Data, schedule: Schedule) -> None:
    if not can_train_together(model, schedule):
        raise ValueError(
            "networks with dropout do not train together: what is dropped is drawn on the CPU in each step"
        )
    if not fits(data):
        raise ValueError("networks train together on data that lies on the device, not on streamed data")
    iterations = {each.resume.iteration if each.resume else None for each in networks}
    if len(iterations) > 1:
        found = ", ".join("the start" if each is None else str(each) for each in iterations)
        raise ValueError(f"networks that train together all begin, or all go on from one iteration; not from {found}")
    shapes = [{name: tensor.shape for name, tensor in each.weights.items()} for each in networks]
    if any(each != shapes[0] for each in shapes):
        raise ValueError("networks that train together have tensors of the same names and shapes")
