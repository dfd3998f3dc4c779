"""How many networks train side by side: what is asked for, what a device takes, and what it did not take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from lth_pipeline.lottery.training.schedule import Schedule
from lth_pipeline.recipes.recipe import Recipe

if TYPE_CHECKING:
    from lth_pipeline.lottery.models import Model
    from lth_pipeline.recipes.workshop import Workshop


class Narrowed(NamedTuple):
    """What a device was found to have no memory for. most: how many such networks train side by side since; note: what
    the records of those say that are fewer for it."""

    most: int
    note: str


SHARE = 0.4  # of a GPU's memory, that networks trained together may take by the estimate of `room`


def most_together(workshop: Workshop, device: torch.device, model: Model, schedule: Schedule) -> int:
    """How many such networks train side by side, at most."""
    asked = room(device, model, schedule.batch_size) if workshop.together is None else workshop.together
    narrowed = workshop.narrowed.get(size(device, model, schedule))
    return min(asked, narrowed.most) if narrowed else asked


def size(device: torch.device, model: Model, schedule: Schedule) -> tuple[object, ...]:
    """What the memory of a network and its batch follows from."""
    return (str(device), model.layers, model.widest, schedule.batch_size, schedule.precision)


def route_before(workshop: Workshop, recipe: Recipe, device: torch.device) -> dict[str, Any] | None:
    """The route by which it was trained on such a device; None where it was not."""
    record = workshop.store.recorded(recipe.id)
    return record["route"] if record and record["route"].get("device") == device.type else None


def was_stacked(route: Mapping[str, Any]) -> bool:
    """Whether it was trained as one of a stack, be it of itself alone: a network with convolutions is, when one that
    had trained beside others is recomputed."""
    return route.get("way") == "together" or route.get("networks_together", 1) > 1


def room(device: torch.device, model: Model, batch_size: int) -> int:
    """How many networks a device takes: on a CPU one, where stacking costs (ten LeNets take 1.19 ms each and step, one
    alone 0.92: the products bound the step, and the weights of many fall out of the cache).

    A network holds weights, gradients and two moments, and a batch's activations forth and back. Of the whole memory,
    not what is free of it just now: as many train together in a recompute, or after a crash, as before.
    """
    if device.type != "cuda":
        return 1
    whole = torch.cuda.get_device_properties(device).total_memory
    each = 4 * 4 * model.parameters + 2 * 4 * batch_size * model.widest * len(model.layers)
    return max(1, int(SHARE * whole / each))
