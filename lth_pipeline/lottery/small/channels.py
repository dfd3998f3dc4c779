"""Which channels and units of a program are always the same, and which are of use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import torch

from lth_pipeline.lottery.small.network import Op, Program

#: {value: float64 (channels or units,): what it always is, everywhere; not a number where it depends on the image}
Constants = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Kept:
    """Which channels stay, of each value that anything needs.

    places: {value: int64, ascending}. fixed: {value: {channel: what it always is}}, of those that stay although they
    are constant: an operation may need one.
    """

    places: dict[str, torch.Tensor]
    fixed: dict[str, dict[int, float]]


def connected(weight: torch.Tensor) -> torch.Tensor:
    """bool (out, in): whether any weight joins the two. weight: (out, in) or (out, in, height, width)."""
    return (weight != 0).flatten(2).any(2) if weight.dim() > 2 else weight != 0


def summed(weight: torch.Tensor) -> torch.Tensor:
    """(out, in): what a channel of ones adds to each output, away from the edge."""
    return weight.flatten(2).sum(2) if weight.dim() > 2 else weight


def padded(op: Op) -> bool:
    """Whether there are zeros around what `op` reads: a constant channel is not constant for it."""
    return bool(op.numbers.get("padding", 0))


def constants(
    program: Program, tensors: Mapping[str, torch.Tensor], shapes: Mapping[str, tuple[int, ...]]
) -> Constants:
    """shapes: of `trace`. A channel is constant where nothing reaches it but constants, and so are its ReLU, its
    pooling, its mean."""
    found: Constants = {"image": torch.full((program.image_shape[0],), torch.nan, dtype=torch.float64)}
    for op in program.ops:
        given = [found[name] for name in op.reads]
        match op.kind:
            case "conv" | "linear":
                found[op.gives] = _after_weights(op, given[0], tensors)
            case "relu":
                found[op.gives] = given[0].clamp_min(0)  # not a number stays
            case "flatten":
                found[op.gives] = given[0].repeat_interleave(prod(shapes[op.reads[0]][1:]))
            case "add":
                found[op.gives] = given[0] + given[1]
            case "normalise" | "pool" | "mean":
                found[op.gives] = given[0]
    return found


def _after_weights(op: Op, given: torch.Tensor, tensors: Mapping[str, torch.Tensor]) -> torch.Tensor:
    weight = tensors[op.tensors["weight"]]
    moving = given.isnan() | (given != 0 if padded(op) else torch.zeros_like(given, dtype=torch.bool))
    joined = connected(weight)
    level = torch.where(moving, 0.0, given)
    value = summed(weight) @ level
    if "bias" in op.tensors:
        value = value + tensors[op.tensors["bias"]]
    return torch.where((joined & moving).any(1), torch.nan, value)


def kept(
    program: Program,
    tensors: Mapping[str, torch.Tensor],
    shapes: Mapping[str, tuple[int, ...]],
    constant: Constants,
) -> Kept:
    """What the logits need, found from the last operation to the first.

    A constant is folded into the next bias and not kept, but for one channel where a padded convolution reads some: at
    the edge they are missing, which no bias can say, and the greatest stands in for all. A value that something is
    computed from keeps at least one channel, or there would be nothing to compute.
    """
    last = program.ops[-1].gives
    moves = {name: value.isnan() for name, value in constant.items()}
    wanted = {name: torch.zeros_like(mask) for name, mask in moves.items()}
    at_edges = {name: torch.zeros_like(mask) for name, mask in moves.items()}
    found, needed = Kept({}, {name: {} for name in moves}), {last}
    wanted[last] = moves[last].clone()
    found.fixed[last] = {int(c): float(constant[last][c]) for c in (~moves[last]).nonzero().squeeze(1)}
    for op in reversed(program.ops):
        name = op.gives
        if name not in needed:
            continue
        _settle(found, name, wanted[name], at_edges[name], constant[name])
        needed.update(_ask(op, found, tensors, shapes, constant, wanted, at_edges))
    _settle(found, "image", wanted["image"], at_edges["image"], constant["image"])
    return found


def _settle(found: Kept, name: str, wanted: torch.Tensor, at_edges: torch.Tensor, constant: torch.Tensor) -> None:
    """Decide on a value whose readers have all said what they want."""
    fixed = {channel: value for channel, value in found.fixed[name].items() if not wanted[channel]}
    if at_edges.any():
        stand_in = int(torch.where(at_edges, constant.abs(), -1.0).argmax())
        fixed[stand_in] = float(constant[stand_in])
    if not fixed and not wanted.any():
        fixed[0] = 0.0  # whatever it was: nothing reads it
    keep = wanted.clone()
    keep[list(fixed)] = True
    found.places[name], found.fixed[name] = keep.nonzero().squeeze(1), fixed


def _ask(op: Op, found: Kept, tensors, shapes, constant: Constants, wanted, at_edges) -> tuple[str, ...]:
    """Note what `op` wants of what it reads, to give what is kept of it. Gives the values that it needs at all."""
    alive = wanted[op.gives]
    if op.kind == "add":
        for name in op.reads:
            wanted[name] |= alive & constant[name].isnan()
        parts = tuple(name for name in op.reads if (alive & constant[name].isnan()).any())
        return parts or op.reads[:1]  # where all of the sum is constant, something still has to say how large it is
    name = op.reads[0]
    moves = constant[name].isnan()
    if op.kind in ("conv", "linear"):
        reached = connected(tensors[op.tensors["weight"]])[alive].any(0)
        wanted[name] |= reached & moves
        if padded(op):
            at_edges[name] |= reached & ~moves & (constant[name] != 0)
    elif op.kind == "flatten":
        wanted[name] |= alive.view(len(moves), -1).any(1) & moves
    else:
        wanted[name] |= alive
        for channel in found.fixed[op.gives]:
            before = float(constant[name][channel])
            found.fixed[name][channel] = 0.0 if before != before else before
    return (name,)
