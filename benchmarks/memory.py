"""The greatest memory of a run's process that trains a LeNet-300-100 on MNIST, against what it may take.

    python -m benchmarks.memory

The process is a worker of `lth run`: Dagster, MLflow and figures are in it. The bound: the data set as float32; for
each network in flight 6 tensors of its size (weights, gradients, two moments, mask, a copy to keep); and 600 MB for
Python, what it imports, and what comes and goes while a set is read.
"""

from __future__ import annotations

import os
import tempfile
from math import prod
from pathlib import Path
from unittest.mock import patch

from benchmarks import worker
from benchmarks.lenet import note
from benchmarks.machine import environment
from benchmarks.results import Figures, figure

NAME = "peak_memory_over_bound"
NETWORKS, TENSORS, FLOAT32, LABEL, BESIDE = 1, 6, 4, 8, 600e6
CARD = """\
description: LeNet-300-100, one round
based_on: {card}
training: {{iterations: 300}}
pruning: {{rounds: 1}}
replicates: 1
"""


def figures() -> Figures:
    """Without MNIST on the digits, and that is said."""
    if not Path("/proc/self/status").is_file():
        return {NAME: figure(None, "ratio", 1.0, "not measured: it needs Linux's /proc")}
    said = "on the digits: MNIST is not here" if note() else ""
    with (
        tempfile.TemporaryDirectory(prefix="lth-bench-") as folder,
        patch.dict(os.environ, environment(folder), clear=True),
    ):
        cards = Path(folder) / "experiments"
        cards.mkdir()
        (cards / "one.yaml").write_text(CARD.format(card="digits" if said else "lenet_mnist"))
        most, data, parameters = one_run()
    bound = data + NETWORKS * TENSORS * parameters * FLOAT32 + BESIDE
    print(f"MB at most: {most / 1e6:.0f}")
    print(f"MB bound: {bound / 1e6:.0f} (data set {data / 1e6:.0f}, {parameters:,} parameters)")
    return {NAME: figure(most / bound, "ratio", 1.0, said)}


def one_run() -> tuple[int, int, int]:
    """Run the card `one` as `lth run` does: (bytes its process had at most, bytes of the data set, parameters)."""
    from lth_pipeline.home import find_home
    from lth_pipeline.recipes import Chain, load_cards

    most = max(peak(process) for _, _, processes in worker.events("one", 1) for process in processes)
    chain = Chain(load_cards([find_home().experiments]), "one", 0)
    facts = chain.facts(0)
    data = (facts.train + facts.test) * (prod(facts.image_shape) * FLOAT32 + LABEL)
    return most, data, chain.model(0).parameters


def peak(process: int) -> int:
    """Bytes that a process has had resident at most; 0 where it has just ended."""
    try:
        return worker.memory(process, "VmHWM")
    except (OSError, IndexError):
        return 0


if __name__ == "__main__":
    from benchmarks.command import command

    command("memory")
