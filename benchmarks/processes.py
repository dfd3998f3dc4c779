"""Two processes that train at once against one: whether replicates side by side are worth it.

    python -m benchmarks.processes

Each trains LeNet-300-100 (batch 60) for as many steps; two start together, at a barrier.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.asked import asked
from benchmarks.results import Figures, figure
from benchmarks.timing import interleaved, ratio

Span = tuple[float, float]  # on the clock that all processes share
NAME = "two_processes_over_one"
TARGET = 1.8


def figures(rounds: int = 7, steps: int = 600, tiny: bool = False) -> Figures:
    if (os.cpu_count() or 1) < 2:
        return {NAME: figure(None, "×", TARGET, "not measured: this machine has one core")}
    from benchmarks.lenet import note

    with workers(2, steps, tiny) as (one, two):

        def alone() -> float:
            one.send(False)
            return throughput([one.recv()], steps)

        def together() -> float:
            for worker in (one, two):
                worker.send(True)
            return throughput([one.recv(), two.recv()], steps)

        found = interleaved(rounds, {"one": alone, "two": together})
    print(f"steps a second: one process {found['one']}, two {found['two']}")
    return {NAME: figure(ratio(found, "two", "one"), "×", TARGET, note())}


def throughput(spans: list[Span], steps: int) -> float:
    """Steps a second of all, from the first start to the last end."""
    begins, ends = zip(*spans, strict=True)
    return round(len(spans) * steps / (max(ends) - min(begins)), 1)


@contextmanager
def workers(count: int, steps: int, tiny: bool) -> Iterator[list[Any]]:
    """A connection to each of `count` processes: send whether it waits for the others, receive a Span."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(count)
    with asked(context, work, [(barrier, steps, tiny)] * count) as connections:
        yield connections


def work(connection: Any, barrier: Any, steps: int, tiny: bool) -> None:
    """Train whenever it is asked for, until the connection is closed."""
    from benchmarks import lenet, ours
    from benchmarks.timing import one_thread

    one_thread()
    given = lenet.work(lenet.random_images(700, 60), train=600, widths=(16,)) if tiny else lenet.full()
    task = lenet.task(given, None, lenet.first(given.data, lenet.BATCH, lenet.BATCH))
    ours.moments(task, 20, 20)
    while True:
        try:
            if connection.recv():
                barrier.wait(timeout=300)
        except EOFError:
            return
        at = ours.moments(task, steps, steps)
        connection.send((at[0], at[-1]))


if __name__ == "__main__":
    from benchmarks.command import command

    command("processes")
