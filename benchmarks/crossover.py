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
from lth_pipeline.lottery.training.by_hand import computed
from lth_pipeline.lottery.training.optimisers import optimiser
from lth_pipeline.lottery.training.schedule import Schedule
from lth_pipeline.lottery.training.sparse import is_sparse

NETWORKS = {
    "64-32-10": (64, (32,)),
    "LeNet-300-100": (784, (300, 100)),
    "784-1000-1000-10": (784, (1000, 1000)),
    "3072-512-256-10": (3072, (512, 256)),
}
DENSITIES = (0.5, 0.25, 0.2, 0.1, 0.05, 0.02)
UNITS = (0.5, 0.25, 0.1)  # shares of the hidden units that are left whole, where units are pruned
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


def masks_of(model: Model) -> dict[str, dict[str, torch.Tensor]]:
    """Single weights at random, and whole units."""
    found = {}
    for density in DENSITIES:
        draws = generator(2)
        found[f"density {density}"] = {x.weight: torch.rand(x.shape, generator=draws) < density for x in model.layers}
    for share in UNITS:
        mask = masks.ones(model)
        for layer in model.layers[:-1]:
            mask[layer.weight][int(share * layer.shape[0]) :] = False
        found[f"units {share}"] = mask
    return found


def main() -> None:
    torch.set_num_threads(1)
    rows: dict[str, list[tuple[int, int, float]]] = {"by hand": [], "sparse": []}
    pairs, worse = 0, []
    for name, (inputs, widths) in NETWORKS.items():
        model = build("mlp", (1, 1, inputs), 10, widths=widths, initialisation="glorot_normal")
        for batch_size in BATCHES:
            for kind, mask in masks_of(model).items():
                times = {way: milliseconds(way, model, mask, batch_size) for way in rows}
                chosen = ways.choose(model, mask, Schedule("adam", 1e-3, batch_size, 1, 1), torch.device("cpu"))
                excess = times[chosen] / min(times.values())
                told = "  ".join(f"{way} {spent:6.3f}" for way, spent in times.items())
                said = f"  (slower by {excess - 1:.0%})" if excess > 1 else ""
                print(f"{name:18} batch {batch_size:3}  {kind:13} {told}  {chosen}{said}", flush=True)
                pairs, worse = pairs + 1, worse + ([excess - 1] if excess > 1 else [])
                rows["by hand"].append((batch_size, sum(map(computed, mask.values())), times["by hand"]))
                if all(map(is_sparse, mask.values())):
                    rows["sparse"].append((batch_size, sum(int(m.sum()) for m in mask.values()), times["sparse"]))
    print(f"of {pairs} the slower way is chosen in {len(worse)}, by {max(worse, default=0):.0%} at most")
    for way, measured in rows.items():
        sizes = torch.tensor([[1.0, size, size * batch] for batch, size, _ in measured], dtype=torch.float64)
        times = torch.tensor([spent for *_, spent in measured], dtype=torch.float64)
        fitted = torch.linalg.lstsq(sizes / times[:, None], torch.ones(len(times), 1, dtype=torch.float64)).solution
        print(way, "ms = {:.3f} + {:.2e} · weights + {:.2e} · weights · batch".format(*fitted.flatten().tolist()))


if __name__ == "__main__":
    main()
