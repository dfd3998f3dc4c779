"""What an analysis is made of: parts, each with a recipe, kept in the store like all that is computed."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from lth_pipeline.experiments import Experiment
from lth_pipeline.recipes.analyses.catalog import ANALYSES
from lth_pipeline.recipes.chain import Chain
from lth_pipeline.recipes.inventory import saving
from lth_pipeline.recipes.recipe import Recipe
from lth_pipeline.recipes.results import gather
from lth_pipeline.recipes.store import Record

if TYPE_CHECKING:
    import torch

    from lth_pipeline.recipes.workshop import Workshop

Rows = list[dict[str, Any]]
TABLES = "tables"  # the tensor that holds them: uint8, UTF-8 of JSON


@dataclass(frozen=True)
class Subject:
    """What is analysed: replicates of one experiment, as far as they are in the store.

    beyond: (replicate, round) that were run for it although its card does not ask for them (see `results.gather`).
    """

    workshop: Workshop
    chains: Sequence[Chain]
    beyond: Container[tuple[int, int]] = ()

    @property
    def experiment(self) -> Experiment:
        chain = self.chains[0]
        return chain.cards[chain.name]

    def rows(self) -> Rows:
        """Its results: a row per replicate, round, arm and draw, as in `results.csv`."""
        return gather(self.workshop, self.chains, self.beyond)


@dataclass(frozen=True)
class Found:
    """What was found.

    tables: {name: rows}, each row {column: text, number, truth or None}; a number that is not finite becomes None.
        Rows say what they are of: columns replicate, round, arm, … as far as they apply, of `results.csv`'s names.
    arrays: {"replicate0/round03/surface": tensor}: what charts need and a table would not hold well. The name begins
        with what it is of, so that those of several parts can lie side by side.
    """

    tables: dict[str, Rows] = field(default_factory=dict)
    arrays: dict[str, torch.Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Part:
    """What is computed and kept at once: what one replicate and round has, say.

    analysis: a key of ANALYSES, and of `recipe.CODE`. about: what it is of, for people: "replicate 0, round 3".
    settings: all that `compute` depends on beside its inputs, as JSON has them. inputs: {name: data version} of the
    artifacts it reads, and under "data" the digest of the data set where it looks at images. compute: gives what is
    found; same recipe, same bits.
    """

    analysis: str
    about: str
    settings: Mapping[str, Any]
    inputs: Mapping[str, str]
    compute: Callable[[], Found]

    @property
    def recipe(self) -> Recipe:
        return Recipe(self.analysis, self.settings, self.inputs)


class Check(NamedTuple):
    """What an asset check of an analysis says. name: a key of `Analysis.checks`."""

    name: str
    passed: bool
    why: str


class Done(NamedTuple):
    found: Found
    record: Record
    computed: bool  # False: it was in the store


def look_up(workshop: Workshop, part: Part) -> Done | None:
    """What a part found, where it is in the store; computes nothing."""
    record = workshop.store.find(part.recipe.id)
    return Done(found_of(workshop.store.load(record["version"])), record, False) if record else None


def make(workshop: Workshop, part: Part, *, fresh: bool = False) -> Done:
    """What a part finds: from the store, or computed; of two processes that want the same the second waits.

    fresh: compute it whatever the store has.
    """
    recipe = part.recipe
    if not fresh and (known := look_up(workshop, part)):
        return known
    if ANALYSES[part.analysis].trains:
        workshop.training_device()  # before the claim: who waits for a device may hold none that another waits for
    with workshop.claimed(recipe.id, f"{part.analysis} of {part.about}"):
        if not fresh and (known := look_up(workshop, part)):
            return known
        found = _plain(part.compute())
        with saving(workshop.store):
            record = workshop.store.save(
                recipe,
                tensors_of(found),
                route=_route(workshop, part),
                made_by={**workshop.made_by, "analysis": part.analysis, "about": part.about},
                made_at=datetime.now(UTC).isoformat(timespec="seconds"),
            )
        return Done(found, record, True)


def _route(workshop: Workshop, part: Part) -> dict[str, Any]:
    """What it was computed on: the same bits come out on the same."""
    from lth_pipeline.recipes.route import choose_device, route

    return route(workshop.training_device() if ANALYSES[part.analysis].trains else choose_device("cpu"))


def joined(several: Iterable[Found]) -> Found:
    """The tables one below the other, the arrays side by side."""
    tables: dict[str, Rows] = {}
    arrays: dict[str, Any] = {}
    for found in several:
        for name, rows in found.tables.items():
            tables.setdefault(name, []).extend(rows)
        arrays |= found.arrays
    return Found(tables, arrays)


def tensors_of(found: Found) -> dict[str, torch.Tensor]:
    """The artifact of what was found."""
    import numpy as np
    import torch

    text = json.dumps(found.tables, allow_nan=False, separators=(",", ":")).encode()
    return {TABLES: torch.from_numpy(np.frombuffer(text, dtype=np.uint8).copy()), **found.arrays}


def found_of(tensors: Mapping[str, torch.Tensor]) -> Found:
    """The inverse of `tensors_of`."""
    arrays = {name: tensor for name, tensor in tensors.items() if name != TABLES}
    return Found(json.loads(tensors[TABLES].numpy().tobytes()), arrays)


def _plain(found: Found) -> Found:
    """With what JSON has no word for as None, so that what was computed and what is read are the same."""
    tables = {
        name: [{column: _value(value) for column, value in row.items()} for row in rows]
        for name, rows in found.tables.items()
    }
    return Found(tables, {name: tensor.detach().cpu().contiguous() for name, tensor in found.arrays.items()})


def _value(value: Any) -> Any:
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value
