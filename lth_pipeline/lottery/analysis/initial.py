"""What the survivors of a mask were before training, against all weights of their layer."""

from __future__ import annotations

from typing import Any

import torch

from lth_pipeline.lottery.analysis.histogram import Bins, histogram
from lth_pipeline.lottery.models.model import Model, Tensors

DECILES = 10
VALUES = Bins(-4.0, 4.0, 80)  # of initial values, in standard deviations of the layer's


def initial_rows(model: Model, initial: Tensors, mask: Tensors) -> list[dict[str, Any]]:
    """A row per layer: layer, kind, left, sd (of all its initial weights), mean_all, mean_left, mean_pruned (of the
    magnitudes), ratio (mean_left to mean_all), positive (share of the survivors that were above zero), and decile_1 to
    decile_10: the share of the weights in each tenth of its magnitudes, from the least on, that survive."""
    rows = []
    for layer in model.layers:
        values, alive = initial[layer.weight].flatten().double(), mask[layer.weight].flatten()
        left, size = values[alive].abs(), values.abs()
        mean_all, mean_left = _mean(size), _mean(left)
        rows.append(
            {
                "layer": layer.name,
                "kind": layer.kind,
                "left": int(alive.sum()),
                "sd": float(values.std(correction=0)),
                "mean_all": mean_all,
                "mean_left": mean_left,
                "mean_pruned": _mean(size[~alive]),
                "ratio": mean_left / mean_all if mean_left is not None and mean_all else None,
                "positive": _mean((values[alive] > 0).double()),
                **{f"decile_{place + 1}": share for place, share in enumerate(by_decile(size, alive))},
            }
        )
    return rows


def by_decile(size: torch.Tensor, alive: torch.Tensor) -> list[float | None]:
    """The share of each tenth of `size` (N,), from the least on, that is `alive` (bool (N,)); None of an empty tenth.
    Among equals the one that stands first is the lesser."""
    ranked = alive[size.argsort(stable=True)]
    tenth = torch.arange(len(size)) * DECILES // len(size)
    counts = torch.bincount(tenth, minlength=DECILES)
    living = torch.bincount(tenth[ranked], minlength=DECILES)
    return [int(a) / int(n) if n else None for a, n in zip(living, counts, strict=True)]


def initial_histograms(model: Model, initial: Tensors, mask: Tensors) -> torch.Tensor:
    """int64 (layers, 2, VALUES.count): of the initial values of all weights of a layer, and of its survivors, in
    standard deviations of all. Zeros where all are equal."""
    found = torch.zeros(len(model.layers), 2, VALUES.count, dtype=torch.int64)
    for place, layer in enumerate(model.layers):
        values = initial[layer.weight].double()
        sd = values.std(correction=0)
        if sd > 0:
            found[place, 0] = histogram(values / sd, VALUES)
            found[place, 1] = histogram(values[mask[layer.weight]] / sd, VALUES)
    return found


def _mean(values: torch.Tensor) -> float | None:
    return float(values.mean()) if len(values) else None
