"""The greatest memory of a process that trains a LeNet-300-100 on MNIST, against what it may take.

    python -m benchmarks.memory

The bound: the data set as float32; for each network in flight 6 tensors of its size (weights, gradients, two moments,
mask, a copy to keep); and 600 MB for Python, torch and what comes and goes while a set is read.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.machine import ROOT
from benchmarks.results import Figures, figure

NETWORKS, TENSORS, FLOAT32, BESIDE = 1, 6, 4, 600e6
CARD = """\
description: LeNet-300-100 on MNIST, one round
based_on: lenet_mnist
training: {iterations: 300}
pruning: {rounds: 1}
replicates: 1
"""


def figures() -> Figures:
    """In a process of its own, whose peak is of nothing else."""
    program = "from benchmarks.memory import one_round; one_round()"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    parts = json.loads(done.stdout.splitlines()[-1])
    bound = parts["data"] + NETWORKS * TENSORS * parts["parameters"] * FLOAT32 + BESIDE
    print("MB at most: " + ", ".join(f"{name} {parts[name] / 1e6:.0f}" for name in ("imports", "data read", "trained")))
    print(f"MB bound: {bound / 1e6:.0f} (data set {parts['data'] / 1e6:.0f}, {parts['parameters']:,} parameters)")
    return {"peak_memory_over_bound": figure(parts["trained"] / bound, "ratio", 1.0, parts["note"])}


def one_round() -> None:
    """Train round 0 and round 1 as a workshop does; print bytes as JSON."""
    from benchmarks.lenet import note, random_images
    from lth_pipeline.home import find_home
    from lth_pipeline.lottery.data import catalog
    from lth_pipeline.recipes import Step, Store, Workshop, load_cards, training

    found: dict = {"imports": peak(), "note": note()}
    if note():
        catalog.read = lambda name, sets: (random_images(60_000, 10_000), catalog.DATASETS[name].digest)
    load = training.datasets.load

    def watched(*arguments, **options):
        data = load(*arguments, **options)
        parts = (data.train, data.validation, data.test)
        found["data"] = sum(part.images.nbytes + part.labels.nbytes for part in parts)
        found["data read"] = peak()
        return data

    training.datasets.load = watched
    with tempfile.TemporaryDirectory(prefix="lth-bench-") as folder:
        home = Path(folder)
        (home / "cards").mkdir()
        (home / "cards" / "one.yaml").write_text(CARD)
        cards = load_cards([home / "cards"])
        workshop = Workshop(Store(home / "store"), find_home().data, device="cpu")
        chain = workshop.chain(cards, "one", 0)
        workshop.make(chain, Step("trained", 0, "dense"))
        workshop.make(chain, Step("trained", 1, "ticket"))
    print(json.dumps({**found, "trained": peak(), "parameters": chain.model(0).parameters}))


def peak() -> int:
    """Bytes this process has had resident at most. `ru_maxrss` would be that of the process that started it too: Linux
    keeps it over an exec."""
    status = Path("/proc/self/status")
    if status.is_file():
        return 1024 * int(status.read_text().partition("VmHWM:")[2].split()[0])
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    from benchmarks.command import command

    command("memory")
