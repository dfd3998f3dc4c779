"""What a mask leaves of a network: weights of each layer, connections of each unit, units that are dead.

A unit is a row of a layer: a neuron, or a filter. Its in-degree is how many of its own weights survive, its out-degree
how many of those that read it: in the layers after it, and in a residual network in all that shortcuts carry it to. A
unit with no incoming weight gives a constant (its bias, or its norm's), whatever the image; one with no outgoing weight
nobody hears. Of a filter in a residual block that has no incoming weight the channel may still carry the shortcut's.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import torch

from lth_pipeline.lottery.analysis.chance import expected_counts, in_one_group, none_left, of_sum, spread_of
from lth_pipeline.lottery.analysis.topology import INPUT, Readers, sources
from lth_pipeline.lottery.models.model import Layer, Model, Tensors

ALL = "all"  # what stands for the whole network where layers are named
BINS = 20  # of a histogram of degrees, at most (and one more, as bins begin at multiples of their width)
Rows = list[dict[str, Any]]


def layer_rows(model: Model, mask: Tensors, who: Readers) -> Rows:
    """A row per layer, and one for all: layer, kind, size, left, effective (the survivors that lie on a path of
    survivors from the image to a class; Vysogorets & Kempe 2023: effective sparsity), layer_density (left to size)."""
    on_path = on_a_path(model, mask, who)
    rows = [
        {
            "layer": layer.name,
            "kind": layer.kind,
            "size": layer.size,
            "left": int(mask[layer.weight].sum()),
            "effective": int(on_path[layer.weight].sum()),
        }
        for layer in model.layers
    ]
    rows.append({"layer": ALL, "kind": ALL} | {c: sum(r[c] for r in rows) for c in ("size", "left", "effective")})
    return [{**row, "layer_density": row["left"] / row["size"]} for row in rows]


def on_a_path(model: Model, mask: Tensors, who: Readers) -> dict[str, torch.Tensor]:
    """`mask` without the weights that no path of survivors from the image to a class goes through."""
    layers, read = {layer.name: layer for layer in model.layers}, sources(who)
    reached = {INPUT: torch.ones(_inputs(layers, who), dtype=torch.bool)}
    columns: dict[str, torch.Tensor] = {}
    for layer in model.layers:
        fed = torch.zeros(layer.shape[1], dtype=torch.bool)
        for source in read[layer.name]:
            fed |= reached[source].repeat_interleave(layer.shape[1] // len(reached[source]))
        columns[layer.name] = fed.view(1, -1, *[1] * (len(layer.shape) - 2))
        reached[layer.name] = (mask[layer.weight] & columns[layer.name]).flatten(1).any(1)
    heard: dict[str, torch.Tensor] = {}
    for layer in reversed(model.layers):
        units = layer.shape[0]
        heard[layer.name] = torch.full((units,), not who[layer.name])
        for reader in who[layer.name]:
            weights = mask[f"{reader}.weight"] & _rows_of(heard[reader], layers[reader])
            heard[layer.name] |= weights.reshape(len(weights), units, -1).any(2).any(0)
    return {
        layer.weight: mask[layer.weight] & columns[layer.name] & _rows_of(heard[layer.name], layer)
        for layer in model.layers
    }


def in_degrees(mask: torch.Tensor) -> torch.Tensor:
    """int64 (units,): surviving weights of each row of `mask` (units, inputs, …)."""
    return mask.flatten(1).sum(1)


def out_degrees(units: int, mask: Tensors, names: tuple[str, ...]) -> torch.Tensor:
    """int64 (units,): surviving weights that read each unit, in the layers `names`. One of them that is fully connected
    may read several values of a unit (a channel's pixels), which lie side by side."""
    found = torch.zeros(units, dtype=torch.int64)
    for name in names:
        weights = mask[f"{name}.weight"]
        found += weights.reshape(len(weights), units, -1).sum((0, 2))
    return found


def degrees_of(model: Model, mask: Tensors, who: Readers) -> dict[str, dict[str, torch.Tensor]]:
    """{layer, or INPUT: {"in": degrees, "out": degrees}}; the image has no "in", and what nobody reads no "out". The
    image's units are its values where the first layer is fully connected, else its channels."""
    layers = {layer.name: layer for layer in model.layers}
    found = {INPUT: {"out": out_degrees(_inputs(layers, who), mask, who[INPUT])}}
    for layer in model.layers:
        found[layer.name] = {"in": in_degrees(mask[layer.weight])}
        if who[layer.name]:
            found[layer.name]["out"] = out_degrees(layer.shape[0], mask, who[layer.name])
    return found


def unit_rows(model: Model, mask: Tensors, who: Readers, chance: bool = True) -> Rows:
    """A row per layer, and one for the image: layer, kind, units, dead_in (units without incoming weight), dead_out
    (without outgoing), dead (either); mean, sd and max of in- and out-degrees. Of what does not apply None.

    chance: with what a mask with as many survivors in each layer, placed at random, would give: expected_dead_in and so
    on, in units, and random_in_sd, random_out_sd. Without it (whole units were pruned) None.
    """
    kinds = {INPUT: "image", **{layer.name: layer.kind for layer in model.layers}}
    rows = []
    for name, degrees in degrees_of(model, mask, who).items():
        into, out = degrees.get("in"), degrees.get("out")
        units = len(out if into is None else into)
        no_in, no_out = (torch.zeros(units, dtype=torch.bool) if d is None else d == 0 for d in (into, out))
        row = {
            "layer": name,
            "kind": kinds[name],
            "units": units,
            "dead_in": None if into is None else int(no_in.sum()),
            "dead_out": None if out is None else int(no_out.sum()),
            "dead": int((no_in | no_out).sum()),
        }
        drawn = {way: _draws(model, mask, who, name, way) for way in degrees} if chance else {}
        rows.append({**row, **_expected_dead(units, drawn), **_moments("in", into), **_moments("out", out)})
        for way in ("in", "out"):
            rows[-1][f"random_{way}_sd"] = spread_of(drawn[way]) if way in drawn else None
    return rows


def degree_rows(model: Model, mask: Tensors, who: Readers, chance: bool = True) -> Rows:
    """Histograms of the degrees: layer, direction ("in" or "out"), least and greatest degree of the bin, units in it,
    and expected, how many a random mask would have there (see `unit_rows`). Bins that have neither are left out."""
    rows = []
    for name, degrees in degrees_of(model, mask, who).items():
        for way, values in degrees.items():
            first, likely = of_sum(_draws(model, mask, who, name, way)) if chance else (int(values.min()), [0.0])
            low, high = min(first, int(values.min())), max(first + len(likely) - 1, int(values.max()))
            width = -(-(high - low + 1) // BINS)
            low -= low % width  # so that bins of one width lie on each other
            counts = torch.bincount((values - low) // width, minlength=BINS + 1).tolist()
            expected = expected_counts(len(values), first - low, likely, width, len(counts))
            rows += [
                {
                    "layer": name,
                    "direction": way,
                    "least": low + place * width,
                    "greatest": low + (place + 1) * width - 1,
                    "units": count,
                    "expected": expected[place] if chance else None,
                }
                for place, count in enumerate(counts)
                if count or expected[place] >= 0.005
            ]
    return rows


def _draws(model: Model, mask: Tensors, who: Readers, name: str, way: str) -> list[tuple[int, int, int]]:
    """(weights, survivors among them, weights that are this unit's) of every layer that a degree counts in."""
    layers = {layer.name: layer for layer in model.layers}
    if way == "in":
        return [in_one_group(mask[layers[name].weight], layers[name].shape[0])]
    units = _inputs(layers, who) if name == INPUT else layers[name].shape[0]
    return [in_one_group(mask[layers[reader].weight], units) for reader in who[name]]


def _expected_dead(units: int, drawn: Mapping[str, list[tuple[int, int, int]]]) -> dict[str, float | None]:
    no_in, no_out = (prod(none_left(*draw) for draw in drawn[way]) if way in drawn else None for way in ("in", "out"))
    first, second = no_in or 0.0, no_out or 0.0
    either = first + second - first * second  # of layers that are drawn each by itself
    return {
        "expected_dead_in": None if no_in is None else units * no_in,
        "expected_dead_out": None if no_out is None else units * no_out,
        "expected_dead": units * either if drawn else None,
    }


def _moments(way: str, degrees: torch.Tensor | None) -> dict[str, float | int | None]:
    if degrees is None:
        return {f"mean_{way}": None, f"{way}_sd": None, f"max_{way}": None}
    values = degrees.double()
    return {
        f"mean_{way}": float(values.mean()),
        f"{way}_sd": float(values.std(correction=0)),
        f"max_{way}": int(degrees.max()),
    }


def _inputs(layers: Mapping[str, Layer], who: Readers) -> int:
    return layers[who[INPUT][0]].shape[1]


def _rows_of(units: torch.Tensor, layer: Layer) -> torch.Tensor:
    return units.view(-1, *[1] * (len(layer.shape) - 1))
