"""Half-done trainings: when each leaves a state to resume from, and the one state of those that train together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import monotonic
from typing import TYPE_CHECKING

from lth_pipeline.lottery.training.train import State
from lth_pipeline.recipes.artifacts import Tensors, state_of, state_tensors, under
from lth_pipeline.recipes.errors import StoreError
from lth_pipeline.recipes.store import Record, Store, name_together

if TYPE_CHECKING:
    from lth_pipeline.recipes.workshop import Workshop

PART = 20  # a state is written for at most a twentieth of a training's time, however large it is


def keeper(workshop: Workshop, about: str, save: Callable[[State], None]) -> Callable[[Callable[[], State]], None]:
    """To be called after every step, with what gives the state there: now and then it is saved.

    One that cannot be written (a full disk) does not end the training: it is said, and tried again in due time.
    """
    saved, pause = monotonic(), workshop.checkpoint_seconds

    def keep(state: Callable[[], State]) -> None:
        nonlocal saved, pause
        began = monotonic()
        if began - saved < pause:
            return
        try:
            save(state())
        except StoreError as error:
            workshop.warn(f"{about} goes on, but leaves no state to resume from: {error}")
        saved = monotonic()
        pause = workshop.checkpoint_seconds and max(workshop.checkpoint_seconds, PART * (saved - began))

    return keep


def save_together(store: Store, recipe_ids: Sequence[str], states: Sequence[State], route: Record) -> None:
    joint = {
        f"{recipe_id}/{name}": tensor
        for recipe_id, state in zip(recipe_ids, states, strict=True)
        for name, tensor in state_tensors(state).items()
    }
    store.save_checkpoint(name_together(recipe_ids), joint, route, recipe_ids)


def load_together(store: Store, recipe_ids: Sequence[str], route: Record) -> list[State] | None:
    """The inverse, in the same order; None where there is none of that route."""
    joint: Tensors | None = store.load_checkpoint(name_together(recipe_ids), route)
    return [state_of(under(f"{recipe_id}/", joint)) for recipe_id in recipe_ids] if joint else None
