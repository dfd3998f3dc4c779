"""How far weights went in training, and which way: away from zero or towards it, through it or not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch

from lth_pipeline.lottery.analysis.histogram import Bins, histogram
from lth_pipeline.lottery.models.model import Tensors

ALL = "all"  # what stands for the whole network where layers are named
GROWTH = Bins(-4.0, 26.0, 300)  # of |end| - |start|, in standard deviations of the layer's initial weights
Rows = list[dict[str, Any]]


def units_of(initial: Tensors, names: Iterable[str]) -> dict[str, float]:
    """{weight name: the standard deviation of the layer's initial weights}, which movement is measured in."""
    return {name: float(initial[name].double().std(correction=0)) for name in names}


def movement_rows(start: Tensors, end: Tensors, groups: Mapping[str, Tensors], sd: Mapping[str, float]) -> Rows:
    """A row per layer and group, and one per group for all layers: layer, group, weights (in the group), start and end
    (mean magnitudes), moved (mean |end - start|), growth (mean |end| - |start|), growth_sd, away (the share that ends
    further from zero than it began), correlation (of start and end).

    groups: {name: {weight name: bool}}; the layers are those of `sd`. Lengths are in `sd` of each layer; of layers
    whose initial weights are all equal, and of an empty group, they are None.
    """
    rows = []
    for group, chosen in groups.items():
        begun, ended = [], []
        for name, unit in sd.items():
            one, other = (tensor[name][chosen[name]].double() / (unit or torch.nan) for tensor in (start, end))
            rows.append({"layer": name.removesuffix(".weight"), "group": group, **_moved(one, other)})
            if unit:
                begun.append(one)
                ended.append(other)
        rows.append({"layer": ALL, "group": group, **_moved(_joined(begun), _joined(ended))})
    return rows


def growth_histograms(
    start: Tensors, end: Tensors, groups: Mapping[str, Tensors], sd: Mapping[str, float]
) -> torch.Tensor:
    """int64 (groups, GROWTH.count): of |end| - |start| of all layers' weights, in `sd` of each layer."""
    found = torch.zeros(len(groups), GROWTH.count, dtype=torch.int64)
    for place, chosen in enumerate(groups.values()):
        for name, unit in sd.items():
            if unit:
                grown = end[name][chosen[name]].double().abs() - start[name][chosen[name]].double().abs()
                found[place] += histogram(grown / unit, GROWTH)
    return found


def sign_rows(start: Tensors, end: Tensors, mask: Tensors) -> Rows:
    """A row per layer of `mask`, and one for all: layer, weights (that survive), changed (the share of them whose sign
    at the end is the opposite of that at the start; what is exactly zero has none)."""
    counted = {name: (int(alive.sum()), turned(start[name][alive], end[name][alive])) for name, alive in mask.items()}
    counted[ALL] = tuple(map(sum, zip(*counted.values(), strict=True)))
    return [
        {"layer": name.removesuffix(".weight"), "weights": left, "changed": changed / left if left else None}
        for name, (left, changed) in counted.items()
    ]


def turned(start: torch.Tensor, end: torch.Tensor) -> int:
    """How many have the opposite sign at the end."""
    return int((start.sign() * end.sign() < 0).sum())


def _moved(start: torch.Tensor, end: torch.Tensor) -> dict[str, Any]:
    """start, end: float64 (N,), in units of the layer's initial deviation."""
    if not len(start):
        return {"weights": 0} | dict.fromkeys(("start", "end", "moved", "growth", "growth_sd", "away", "correlation"))
    growth = end.abs() - start.abs()
    return {
        "weights": len(start),
        "start": float(start.abs().mean()),
        "end": float(end.abs().mean()),
        "moved": float((end - start).abs().mean()),
        "growth": float(growth.mean()),
        "growth_sd": float(growth.std(correction=0)),
        "away": float((growth > 0).double().mean()) if bool(growth.isfinite().all()) else None,
        "correlation": correlation(start, end),
    }


def correlation(one: torch.Tensor, other: torch.Tensor) -> float | None:
    """Pearson's, of two float64 (N,); None where one of them does not vary."""
    one, other = one - one.mean(), other - other.mean()
    length = one.norm() * other.norm()
    return float((one * other).sum() / length) if length > 0 else None  # BLAS's dot hangs on where memory begins


def _joined(pieces: list[torch.Tensor]) -> torch.Tensor:
    return torch.cat(pieces) if pieces else torch.empty(0, dtype=torch.float64)
