"""Pruning by count: in a mask, what has the highest scores stays, weight by weight or unit by unit.

By count and not by threshold: with a threshold, ties and rounding take one weight too many or too few.
Among equals the one that stands first stays, in its tensor and then in the ranking's order of tensors, so the mask
is the same everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch

from lth_pipeline.lottery.errors import PruningError
from lth_pipeline.lottery.models.model import Tensors
from lth_pipeline.lottery.pruning import units
from lth_pipeline.lottery.pruning.ranking import highest


def prune(
    mask: Tensors,
    score: Callable[[Tensors], Tensors],
    keep: Mapping[str, int],
    ranked: Sequence[str] = (),
    *,
    structure: str = "weights",
    of_unit: str = "norm",
    steps: int = 1,
    allow_empty: bool = False,
) -> dict[str, torch.Tensor]:
    """A mask inside `mask` that keeps what `score` ranks highest, as many as `keep` says.

    score: mask -> finite scores of each weight's shape; called before every step with what is alive then.
    keep: survivors by weight name, names without an entry are left as they are; or, where `ranked` names weights,
        the survivors of all of these together under the name "".
    structure: what counts are of. "weights", or "units": rows of a weight, which are a layer's output units or
        channels; a unit is alive while a weight of it is, and one that stays keeps the weights that it had.
    of_unit: a unit's score is the "norm" or the "sum" of its surviving weights', see units.py.
    steps: counts fall to `keep` geometrically, in so many steps (Tanaka et al. 2020, Alg. 1).
    allow_empty: layers may lose all their weights; the network may not.

    Raises PruningError where a count cannot be had or a layer would be empty.
    """
    if steps < 1:
        raise ValueError(f"pruning takes 1 step or more, not {steps}")
    groups = {"": list(ranked)} if ranked else {name: [name] for name in keep}
    before = {group: sum(int(_alive(mask[name], structure).sum()) for name in groups[group]) for group in groups}
    for group, survivors in before.items():
        _refuse_impossible(group or "the network", keep[group], survivors, structure, 0 if allow_empty else 1)
    pruned = dict(mask)
    for step in range(1, steps + 1):
        values = score(pruned)
        for group, names in groups.items():
            count = _falling(before[group], keep[group], step, steps)
            pruned |= _keep(pruned, values, names, count, structure, of_unit)
        _refuse_empty(pruned, allow_empty)
    return pruned


def _falling(before: int, keep: int, step: int, steps: int) -> int:
    """Survivors after `step` of `steps`: before · (keep / before)^(step / steps), to the nearest whole number.

    No power reaches 0: down to none it falls as down to one, until the last step.
    """
    if step == steps or not before:
        return keep
    return round(before * (max(keep, 1) / before) ** (step / steps))


def _keep(
    mask: Tensors, values: Tensors, names: Sequence[str], count: int, structure: str, of_unit: str
) -> dict[str, torch.Tensor]:
    """The masks of `names`, taken together: their `count` highest."""
    alive = [_alive(mask[name], structure) for name in names]
    if structure == "units":
        found = [units.scores(values[name], mask[name], of_unit) for name in names]
    else:
        found = [values[name].flatten() for name in names]
    chosen = highest(torch.cat(found), torch.cat(alive), count).split([len(each) for each in alive])
    if structure == "units":
        return {name: units.only(mask[name], each) for name, each in zip(names, chosen, strict=True)}
    return {name: each.view_as(mask[name]) for name, each in zip(names, chosen, strict=True)}


def _alive(mask: torch.Tensor, structure: str) -> torch.Tensor:
    """bool (weights,) or (units,)."""
    match structure:
        case "weights":
            return mask.flatten()
        case "units":
            return units.alive(mask)
    raise ValueError(f"pruning is of weights or units, not of {structure!r}")


def _refuse_impossible(name: str, keep: int, survivors: int, structure: str, least: int) -> None:
    if keep < least:
        raise PruningError(f"no weight would be left in {name}: prune less, or fewer rounds")
    if keep > survivors:
        raise PruningError(f"{name}: cannot keep {keep:,} {structure}, only {survivors:,} survive")


def _refuse_empty(mask: Tensors, allow_empty: bool) -> None:
    empty = [name for name, alive in mask.items() if not bool(alive.any())]
    if allow_empty and len(empty) == len(mask):
        empty = ["the network"]
    elif allow_empty:
        return
    if empty:
        raise PruningError(f"no weight would be left in {', '.join(empty)}: prune less, or fewer rounds")
