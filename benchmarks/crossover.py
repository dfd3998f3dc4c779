"""Where a step of survivors alone is faster than a step by hand: what `lottery/training/ways.py` chooses by.

    python -m benchmarks.crossover

Prints ms a step of both ways for several networks, batch sizes and densities, and the constants of `ways.py` fitted to
them (least squares of the relative error).
"""

from __future__ import annotations

import time
from statistics import median

import torch

from lth_pipeline.lottery.models import Model, build
from lth_pipeline.lottery.models.model import Mode
from lth_pipeline.lottery.pruning import masks
from lth_pipeline.lottery.randomness import generator
from lth_pipeline.lottery.training import ways
from lth_pipeline.lottery.training.optimisers import optimiser
from lth_pipeline.lottery.training.schedule import Schedule

NETWORKS = {
    "64-32-10": (64, (32,)),
    "LeNet-300-100": (784, (300, 100)),
    "784-1000-1000-10": (784, (1000, 1000)),
    "3072-512-256-10": (3072, (512, 256)),
}
DENSITIES = (0.5, 0.3, 0.2, 0.1, 0.05, 0.02)
BATCHES = (16, 60, 128)
ROUNDS, SECONDS = 5, 0.05


def milliseconds(way: str, model: Model, mask: dict[str, torch.Tensor], batch_size: int) -> float:
    """Of a step: gradients and optimiser."""
    draws = generator(0)
    images = torch.randn(batch_size, 1, 1, model.layers[0].shape[1], generator=draws)
    labels = torch.randint(10, (batch_size,), generator=draws)
    schedule = Schedule("adam", 1.2e-3, batch_size, 1, 1)
    network = ways.begin(way, model, masks.apply(mask, model.initialise(generator(1))), mask, schedule, None)
    stepping = optimiser(network.learned, schedule)
    found = []
    for _ in range(ROUNDS + 1):
        steps, started = 0, time.perf_counter()
        while time.perf_counter() - started < SECONDS:
            network.gradients(images, labels, Mode(True))
            stepping.step()
            steps += 1
        found.append(1e3 * (time.perf_counter() - started) / steps)
    return median(found[1:])


def main() -> None:
    torch.set_num_threads(1)
    rows = []
    for name, (inputs, widths) in NETWORKS.items():
        model = build("mlp", (1, 1, inputs), 10, widths=widths, initialisation="glorot_normal")
        for batch_size in BATCHES:
            for density in DENSITIES:
                mask = {x.weight: torch.rand(x.shape, generator=generator(2)) < density for x in model.layers}
                dense, sparse = (milliseconds(way, model, mask, batch_size) for way in ("by hand", "sparse"))
                chosen = ways.choose(model, mask, Schedule("adam", 1e-3, batch_size, 1, 1), torch.device("cpu"))
                right = chosen == ("sparse" if sparse < dense else "by hand")
                print(
                    f"{name:18} batch {batch_size:3}  density {density:4}  by hand {dense:6.3f}  sparse {sparse:6.3f}  "
                    f"{dense / sparse:5.2f}  {chosen}{'' if right else '  (slower)'}",
                    flush=True,
                )
                rows.append((batch_size, model.prunable, density * model.prunable, dense, sparse))
    for label, size, time_of in (("by hand", 1, 3), ("sparse", 2, 4)):
        sizes = torch.tensor([[1.0, row[size], row[size] * row[0]] for row in rows], dtype=torch.float64)
        times = torch.tensor([row[time_of] for row in rows], dtype=torch.float64)
        fitted = torch.linalg.lstsq(sizes / times[:, None], torch.ones(len(rows), 1, dtype=torch.float64)).solution
        print(label, "ms = {:.3f} + {:.2e} · weights + {:.2e} · weights · batch".format(*fitted.flatten().tolist()))


if __name__ == "__main__":
    main()
