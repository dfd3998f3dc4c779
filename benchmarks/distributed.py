"""A training step that two processes make together against the same step by one.

    python -m benchmarks.distributed

One thread a process, gloo over the loopback interface. ResNet-20 and Conv-6 on CIFAR-10's shape, batch 128, and
LeNet-300-100, batch 60, which shows where it does not pay: one process takes the way that it would take for itself.
Random images. The figure is the least time of one over the least of two: two need both cores at the same moment, so
that a median is of what else runs. It comes near 2 where gradients are few for the products.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from benchmarks.agreement import NEAR, Disagreement
from benchmarks.asked import asked
from benchmarks.results import Figures, figure
from benchmarks.timing import interleaved, ratio, told

TARGET = 1.6


class Case(NamedTuple):
    """rate: so low that rounding stays rounding (at 0.03 one of 1e-7 is 4e-3 of ResNet-20's loss after eight steps).
    steps: in each of the parts of a training that are measured."""

    network: str
    settings: dict
    shape: tuple[int, int, int]
    batch: int
    rate: float
    steps: int
    target: float | None


class Measured(NamedTuple):
    """seconds: of a step. busy: of them, those of this process's processors. loss: of the last part."""

    seconds: float
    busy: float
    loss: float


CASES = {
    "resnet20": Case("resnet_cifar", {"depth": 20}, (3, 32, 32), 128, 0.001, 2, TARGET),
    "conv6": Case("conv6", {}, (3, 32, 32), 128, 0.001, 1, None),
    "lenet": Case("mlp", {"widths": (300, 100)}, (1, 28, 28), 60, 0.05, 100, None),
}


def figures(rounds: int = 9, cases: dict[str, Case] = CASES) -> Figures:
    names = {name: f"{name}_step_one_process_over_two" for name in cases}
    if (os.cpu_count() or 1) < 2:
        note = "not measured: this machine has one core"
        return {names[name]: figure(None, "×", case.target, note) for name, case in cases.items()}
    found: Figures = {}
    with workers() as (one, two):
        for name, case in cases.items():

            def alone(case: Case = case) -> Measured:
                one.send((case, False))
                return one.recv()

            def together(case: Case = case) -> Measured:
                for worker in (one, two):
                    worker.send((case, True))
                first, second = one.recv(), two.recv()
                return max(first, second)

            same_training(name, alone().loss, together().loss)
            rows = interleaved(rounds, {"one": alone, "two": together})
            times = {who: [row.seconds for row in each] for who, each in rows.items()}
            busy = {who: [row.busy for row in each] for who, each in rows.items()}
            shown = " ".join(f"{a / b:.2f}" for a, b in zip(times["one"], times["two"], strict=True))
            print(f"a step of {name}: {told(times)}; one over two, round by round: {shown}")
            print(f"  a processor is busy: {told(busy)}; one over two: {ratio(busy, 'one', 'two'):.2f}", flush=True)
            found[names[name]] = figure(min(times["one"]) / min(times["two"]), "×", case.target)
    return found


def same_training(name: str, one: float, two: float) -> None:
    """Raises Disagreement where the losses of the two differ after their steps."""
    if not abs(one - two) < NEAR:
        raise Disagreement(f"{name}: the loss of one process is {one:.5f} and of two {two:.5f}: no ratio is told")


@contextmanager
def workers() -> Iterator[list[Any]]:
    """A connection to each of two processes: send (case, whether both make it), receive a Measured."""
    context = multiprocessing.get_context("spawn")
    with (
        tempfile.TemporaryDirectory(prefix="lth-bench-") as folder,
        asked(context, work, [(rank, folder) for rank in range(2)]) as connections,
    ):
        yield connections


def work(connection: Any, rank: int, folder: str) -> None:
    """Train whenever it is asked for, until the connection is closed."""
    import torch.distributed as dist

    from benchmarks.timing import one_thread

    one_thread()
    if sys.platform == "linux":
        os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    dist.init_process_group("gloo", init_method=f"file://{Path(folder) / 'meeting'}", rank=rank, world_size=2)
    while True:
        try:
            case, both = connection.recv()
        except EOFError:
            return
        connection.send(measured(case, "distributed" if both else None))


def measured(case: Case, way: str | None, parts: int = 3) -> Measured:
    """Of a training of `parts` parts after one that warms up."""
    from time import perf_counter, process_time

    import torch

    from benchmarks.ours import seeds
    from lth_pipeline.lottery.data import Data, Part
    from lth_pipeline.lottery.models import build
    from lth_pipeline.lottery.randomness import generator
    from lth_pipeline.lottery.training.schedule import Schedule
    from lth_pipeline.lottery.training.train import train

    model = build(case.network, case.shape, 10, initialisation="glorot_normal", **case.settings)
    images = torch.randn(2 * case.batch, *case.shape, generator=generator(1))
    labels = torch.arange(len(images)) % 10
    some = Part(images[:2], labels[:2])  # each part ends with an evaluation
    data = Data(Part(images, labels), some, some, mean=(0.0,), std=(1.0,))
    steps = case.steps * (parts + 1)
    schedule = Schedule("sgd", case.rate, case.batch, steps, case.steps, momentum=0.9)
    at: list[tuple[float, float]] = []
    weights = model.initialise(generator(0))
    made = train(
        *(model, weights, None, data, schedule, seeds),
        way=way,
        on_evaluation=lambda row, state: at.append((perf_counter(), process_time())),
    )
    took = [(end[0] - begin[0], end[1] - begin[1]) for begin, end in pairwise(at)][1:]
    seconds, busy = (median(one) / case.steps for one in zip(*took, strict=True))
    return Measured(seconds, busy, made.rows[-1]["train_loss"])


if __name__ == "__main__":
    from benchmarks.command import command

    command("distributed")
