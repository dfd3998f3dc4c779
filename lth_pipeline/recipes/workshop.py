"""Where steps are made: ask the store, compute what is missing, keep it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

from lth_pipeline.experiments import Experiment
from lth_pipeline.lottery.data import DataDirs
from lth_pipeline.recipes.chain import Chain
from lth_pipeline.recipes.errors import DamagedError, Elsewhere, ProcessesError
from lth_pipeline.recipes.inventory import saving
from lth_pipeline.recipes.recipe import Recipe
from lth_pipeline.recipes.registry import pinned
from lth_pipeline.recipes.step import Step
from lth_pipeline.recipes.store import Record, Store

if TYPE_CHECKING:
    import torch

    from lth_pipeline.lottery.training.curve import Row
    from lth_pipeline.recipes.made import Made
    from lth_pipeline.recipes.room import Narrowed
    from lth_pipeline.recipes.team import Team


T = TypeVar("T")
MOST_DAMAGED = 100  # files that are put aside in one go; a disk with more of them should be looked at first


@dataclass(frozen=True)
class Product:
    """What a step made.

    computed: False where it was found in the store.
    same_bits: of a recompute (`fresh`): whether it gave what the store had; None where there was nothing.
    rerouted: of a recompute that gave other bits: whether it took another route, and came out near (`artifacts.near`).
    """

    recipe: Recipe
    record: Record
    computed: bool
    same_bits: bool | None = None
    rerouted: bool = False

    @property
    def version(self) -> str:
        return self.record["version"]

    @property
    def facts(self) -> dict[str, Any]:
        return self.record["facts"]


#: called at every evaluation of a training: the step, the row, iterations in all
OnRow = Callable[[Step, "Row", int], None]


#: what look-ups of one chain have found; by the name of another experiment, what they found there
Seen = dict[Any, Any]


@dataclass
class Workshop:
    """Makes steps on one device.

    data_dir: the data folder, or a `DataDirs`; what is worked out of own images is kept beside the store.
    device: "auto", "cpu" or "cuda:N". threads: of torch on the CPU; 1 unless a process has cores to itself
        (two spinning OpenMP threads on shared cores cost up to 12 times).
    checkpoint_seconds: how often a training leaves a state to resume from; 0: after every step.
    together: how many networks train side by side, at most; None: on a GPU as many as it takes, on a CPU each alone.
    replicates: those whose networks may train beside the one asked for; None: all of its card.
    processes: how many make each training together (docs/distributed.md); each network alone then.
    team: of those, where this process is one of them, and leads.
    versions: {NAME@ALIAS: number} of published tickets, of which its chains take these versions (registry.py).
    made_by: written into the record of what is computed (experiment, Dagster run, …).
    take_devices: gives the names of the devices that are held for this workshop alone (devices.py), one for each of its
        processes, taken by its first call. None: trainings run on `device`, whoever else is on it.
    """

    store: Store
    data_dir: Path | str | DataDirs
    device: str = "auto"
    threads: int = 1
    checkpoint_seconds: float = 30.0
    together: int | None = None
    replicates: tuple[int, ...] | None = None
    processes: int = 1
    team: Team | None = None
    versions: dict[str, str] = field(default_factory=dict)
    made_by: dict[str, Any] = field(default_factory=dict)
    on_row: OnRow | None = None
    on_wait: Callable[[str], None] | None = None  # another process is about this; it is waited for
    on_trouble: Callable[[str], None] | None = None  # something went wrong that ends nothing
    take_devices: Callable[[], list[str]] | None = None

    def __post_init__(self) -> None:
        if self.processes > 1 and (self.together or 1) > 1:
            raise ProcessesError(
                f"processes: {self.processes}, together: {self.together}: several processes train one network, or one "
                f"process several; set one of them to 1 (together: LTH_TOGETHER, processes: LTH_PROCESSES)"
            )
        given = self.data_dir
        self.dirs = given if isinstance(given, DataDirs) else DataDirs(Path(given), self.store.folder.parent / "cache")
        self.narrowed: dict[Any, Narrowed] = {}  # what a device had no memory for, by the networks' size (room.py)
        if self.store.remote:
            self.store.remote.tell = self.warn
        self._mending = False
        self._known: dict[str, Record] = {}
        self._made: WeakKeyDictionary[Chain, dict[Step, Product]] = WeakKeyDictionary()

    def training_device(self) -> torch.device:
        """What trainings run on; taken now where it has to be, which may wait for another process. So it is asked for
        before a claim is: who has a device may wait for a claim, and never the other way round."""
        from lth_pipeline.recipes.route import choose_device

        return choose_device(self.take_devices()[0] if self.take_devices else self.device)

    def chain(self, cards: Mapping[str, Experiment], name: str, replicate: int) -> Chain:
        """A chain that knows this workshop's data, and the versions of its tickets."""
        return Chain(pinned(cards, self.versions), name, replicate, self.dirs)

    def look_up(self, chain: Chain, step: Step, seen: Seen | None = None) -> Product | None:
        """What `step` made, where it and all before it have been made; computes nothing.

        seen: what earlier look-ups of the same chain found. A step reads two others, which read the same ones in
        turn: without it a look-up in round r would take 3^r of them.
        """
        seen = {} if seen is None else seen
        if step.of:
            return self.look_up(chain.other(step.of), replace(step, of=""), seen.setdefault(step.of, {}))
        if step not in seen:
            recipe = chain.recipe(step, lambda source: _version(self.look_up(chain, source, seen)))
            record = self._find(recipe) if recipe else None
            seen[step] = Product(recipe, record, computed=False) if record else None
        return seen[step]

    def recipe(self, chain: Chain, step: Step) -> Recipe:
        """The recipe of `step`; what comes before it is made where it is missing."""
        chain.ensure_known()  # raises where own images have not been read,
        chain.rung(step.round)  # and where a round cannot be counted
        return chain.recipe(step, lambda source: self.make(chain, source).version)

    def make(self, chain: Chain, step: Step, *, fresh: bool = False) -> Product:
        """What `step` makes: from the store, or computed, with all before it that is missing or damaged.

        fresh: compute this one step whatever the store has (those before it are looked up).
        """
        return self.mending(lambda: self._make(chain, step, fresh))

    def mending(self, act: Callable[[], T]) -> T:
        """What `act` gives; again where it meets something damaged, which is put aside and made anew on the way."""
        if self._mending:  # the outermost begins again: what was read before may come out with other bits
            return act()
        self._mending = True
        try:
            for _ in range(MOST_DAMAGED):
                try:
                    return act()
                except DamagedError as error:
                    self.warn(str(error))
                    self._known.clear()
                    self._made.clear()
            return act()
        finally:
            self._mending = False

    def _make(self, chain: Chain, step: Step, fresh: bool) -> Product:
        while True:
            try:
                return self._made_now(chain, step, fresh)
            except Elsewhere as elsewhere:
                with self.claimed(elsewhere.claim, str(step)):
                    pass  # done by now, or left again

    def _made_now(self, chain: Chain, step: Step, fresh: bool) -> Product:
        if step.of:
            with self._telling_of(step.of):
                return self.make(chain.other(step.of), replace(step, of=""), fresh=fresh)
        made = self._made.setdefault(chain, {})
        if step in made and not fresh:
            return made[step]
        recipe = self.recipe(chain, step)
        before = self._find(recipe)
        if before and not fresh:
            if step.trains:
                self.store.drop_finished(recipe.id)
            made[step] = Product(recipe, before, computed=False)
            return made[step]
        if step.trains:
            self.training_device()
        with self.claimed(recipe.id, str(step)) if step.trains else nullcontext():
            if fresh:
                self.store.drop_checkpoint(recipe.id)
            elif found := self._find(recipe):
                made[step] = Product(recipe, found, computed=False)
                return made[step]
            record = self._compute(chain, step, recipe, again=fresh or self._was_lost(recipe))
        same_bits = before["version"] == record["version"] if before else None
        if same_bits is False:
            made.clear()  # what lies below reads other bits now
        made[step] = Product(recipe, record, computed=False)
        return Product(recipe, record, True, same_bits, same_bits is False and self._is_rerouted(before, record, step))

    @contextmanager
    def claimed(self, name: str, about: str) -> Iterator[None]:
        """One process at a time: of two that want the same the second waits, and then finds what the first made."""
        with self.store.claimed(name, wait=False) as mine:
            if mine:
                yield
                return
        if self.on_wait:
            self.on_wait(about)
        with self.store.claimed(name, wait=True):
            yield

    def _was_lost(self, recipe: Recipe) -> bool:
        """Whether it was trained with others, and its artifact alone is gone: it is trained with the same again then,
        or it would come out with other bits."""
        from lth_pipeline.recipes.room import was_stacked

        record = self.store.recorded(recipe.id)
        return record is not None and was_stacked(record["route"])

    def _compute(self, chain: Chain, step: Step, recipe: Recipe, again: bool) -> Record:
        from lth_pipeline.recipes.steps import compute

        return self.keep(recipe, compute(self, chain, step, recipe, again), step)

    def _is_rerouted(self, before: Record, record: Record, step: Step) -> bool:
        """Whether a training that gave other bits may: it took another route, and came out near."""
        from lth_pipeline.recipes.artifacts import near

        if not step.trains or before["route"] == record["route"]:
            return False
        return near(self.store.load(before["version"]), self.store.load(record["version"]))

    @contextmanager
    def _telling_of(self, other: str) -> Iterator[None]:
        """`on_row` is told whose training it is, where another experiment's are missing."""
        watching = self.on_row
        if watching:
            self.on_row = lambda step, row, total: watching(replace(step, of=other), row, total)
        try:
            yield
        finally:
            self.on_row = watching

    def keep(self, recipe: Recipe, made: Made, step: Step) -> Record:
        """Write what was computed into the store."""
        from lth_pipeline.recipes.route import choose_device, route

        note = {"note": made.note} if made.note else {}
        with saving(self.store):
            self._known[recipe.id] = self.store.save(
                recipe,
                made.tensors,
                facts=made.facts,
                # everything but training is computed on the CPU, whatever the device
                route=route(self.training_device() if step.trains else choose_device("cpu"), **made.route),
                made_by={**self.made_by, **note, "step": str(step)},
                made_at=datetime.now(UTC).isoformat(timespec="seconds"),
            )
        if step.trains:
            self.store.drop_checkpoint(recipe.id)
        made.once_kept()
        return self._known[recipe.id]

    def warn(self, message: str) -> None:
        if self.on_trouble:
            self.on_trouble(message)
        else:
            warnings.warn(message, stacklevel=2)

    def _find(self, recipe: Recipe) -> Record | None:
        if recipe.id not in self._known:
            record = self.store.find(recipe.id)
            if record is None:
                return None
            self._known[recipe.id] = record
        return self._known[recipe.id]


def _version(product: Product | None) -> str | None:
    return product.version if product else None
