"""Tickets from the model registry: asked for where a run is planned, fetched once, kept in the cache.

A run means one version: what an alias is, is asked once, where work is planned (`make_ready` gives the cards with the
answer in them, `pinned`), and handed on from there by its number. The cache keeps versions by name and number, and of
an alias a pointer alone, for whoever was handed none (registry_cache.py).

Only `prepare` asks the registry, and by functions that it is given: who looks up what is known reads the cache.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lth_pipeline.experiments import Experiment
from lth_pipeline.experiments.settings import TransferSettings
from lth_pipeline.files import write_atomically
from lth_pipeline.lottery.data import DataDirs
from lth_pipeline.lottery.models import Layer
from lth_pipeline.recipes import registry_cache as cache
from lth_pipeline.recipes.errors import NotPublishedError, PublishedError, RegistryAwayError

if TYPE_CHECKING:
    from lth_pipeline.recipes.published import Published

PARTS = ("mask", "rewound", "trained")
CHANCE = 0.001  # share of a layer's pruned weights that may be exactly zero without having been pruned before


@dataclass(frozen=True)
class Answer:
    """What the registry says a reference is. version: its number. run_id: of the run that has the file. fetch: brings
    that into a folder, and gives its path."""

    version: str
    run_id: str
    fetch: Callable[[Path], Path]


@dataclass(frozen=True)
class Registry:
    """How the registry is asked. ask: (reference, whether to wait for a server that is away) -> Answer; raises
    NotPublishedError, and RegistryAwayError where nobody answers. warn: is told what ends nothing. anew: whether it is
    asked for an alias that is in the cache, too, since that may have moved."""

    ask: Callable[[TransferSettings, bool], Answer]
    warn: Callable[[str], None]
    anew: bool = True


@dataclass(frozen=True)
class Registered:
    """A version of a published ticket.

    file: SHA-256 of its file. versions: data versions of its "mask", "rewound" and "trained" weights. counts: weights
    left, by weight name. cut: whether some of the weights it was rewound to are zero where it was pruned, as those are
    that another ticket was trained to. facts: published_facts.py.
    """

    version: str
    run_id: str
    file: str
    versions: Mapping[str, str]
    counts: Mapping[str, int]
    cut: bool
    facts: Mapping[str, Any]

    @property
    def layers(self) -> tuple[Layer, ...]:
        return tuple(Layer(name, kind, tuple(shape), bias=bias) for name, kind, shape, bias in self.facts["layers"])

    @property
    def whose(self) -> str:
        """In words."""
        return "{experiment}, replicate {replicate}, round {round}".format_map(self.facts)


def registered(origin: TransferSettings, dirs: DataDirs | None) -> Registered:
    """What is known of a reference. Raises PublishedError where it was never fetched."""
    found = known(origin, dirs)
    if found is None:
        raise PublishedError(f"{origin.place}: has not been fetched yet; `lth show CARD` fetches it, or a run")
    return found


def known(origin: TransferSettings, dirs: DataDirs | None) -> Registered | None:
    """The same, or None where it was never fetched. Asks nobody."""
    if dirs is None:
        return None
    entry = _entry(origin, dirs)
    found = cache.recall(entry) if entry else None
    try:
        return Registered(**found) if found else None
    except TypeError:  # of another release
        return None


def pinned(cards: Mapping[str, Experiment], versions: Mapping[str, str]) -> Mapping[str, Experiment]:
    """`cards`, in which each reference of `versions` ({NAME@ALIAS: number}) means that version from now on."""
    changed = {
        name: card.model_copy(update={"ticket_from": origin.at(versions[origin.registry])})
        for name, card in cards.items()
        if (origin := card.ticket_from) and origin.registry in versions and not origin.model[2]
    }
    return {**cards, **changed} if changed else cards


def versions_in(experiments: Iterable[Experiment]) -> dict[str, str]:
    """{NAME@ALIAS: number} of what `pinned` has said of `experiments`."""
    return {origin.registry: origin.model[2] for origin in published_tickets(experiments) if origin.is_settled}


def versions_known(experiments: Iterable[Experiment], dirs: DataDirs | None) -> dict[str, str]:
    """{reference: number of the version that it means now}, as far as the cache knows."""
    found = {origin.registry: known(origin, dirs) for origin in published_tickets(experiments)}
    return {reference: ticket.version for reference, ticket in found.items() if ticket}


def published_tickets(experiments: Iterable[Experiment]) -> list[TransferSettings]:
    """The references that `experiments` begin with."""
    return [card.ticket_from for card in experiments if card.ticket_from and card.ticket_from.registry]


def prepare(origin: TransferSettings, dirs: DataDirs, registry: Registry | None) -> None:
    """See what a reference is now, and fetch it where that is not in the cache. A version that is named by its number
    is asked for only where it is not.

    Where the registry does not answer, or has it no more, or there is none to ask, what was fetched last holds on.
    Raises PublishedError.
    """
    before = known(origin, dirs)
    if before and not cache.has_bits(path_of(before, dirs), before.file):
        before = None
    if registry is None or (before and (origin.model[2] or not registry.anew)):
        if before is None:
            registered(origin, dirs)  # raises
        else:
            cache.mark_used(_entry(origin, dirs))
        return
    try:
        answer = registry.ask(origin, before is None)
    except (RegistryAwayError, NotPublishedError) as error:
        _hold_on(origin, before, error, registry)
        return
    try:
        _take(origin, dirs, answer)
    except RegistryAwayError as error:
        _hold_on(origin, before, error, registry)


def _hold_on(origin: TransferSettings, before: Registered | None, error: PublishedError, registry: Registry) -> None:
    """Raises `error` where there is nothing to hold on to."""
    if before is None and isinstance(error, RegistryAwayError):
        raise RegistryAwayError(f"{origin.place}: has not been fetched yet, and {error}") from error
    if before is None:
        raise error
    kept = f"{origin.place} is taken to be version {before.version} still, which was fetched earlier"
    registry.warn(f"{error}; {kept}")


def path_of(found: Registered, dirs: DataDirs) -> Path:
    """Where the file of a ticket is kept."""
    return cache.file_of(found.file, dirs)


def read(origin: TransferSettings, dirs: DataDirs) -> Published:
    """The ticket that a reference is known to be, from the cache. Raises PublishedError."""
    from lth_pipeline.recipes.published import read_ticket

    return read_ticket(path_of(registered(origin, dirs), dirs))


def _entry(origin: TransferSettings, dirs: DataDirs) -> Path | None:
    """Of the version that a reference means: by its number, or as its alias was last found."""
    name, _, version = origin.model
    if not version:
        pointer = cache.recall(cache.pointer_of(origin.registry, dirs))
        version = pointer["version"] if pointer else ""
    return cache.entry_of(name, version, dirs) if version else None


def _take(origin: TransferSettings, dirs: DataDirs, answer: Answer) -> None:
    """Bring the version that the registry has answered into the cache, where it is not there yet, and point to it."""
    name, folder = origin.model[0], cache.folder_of(dirs)
    there = known(origin.at(answer.version), dirs)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not there or there.run_id != answer.run_id or not cache.has_bits(path_of(there, dirs), there.file):
            with tempfile.TemporaryDirectory(dir=folder, prefix=".") as fresh:
                content = answer.fetch(Path(fresh)).read_bytes()
            found = _described(content, answer)
            write_atomically(path_of(found, dirs), content)
            cache.keep(cache.entry_of(name, answer.version, dirs), asdict(found))
            cache.tidy(dirs)
        if not origin.is_settled:  # what an alias was to another run says nothing about what it is
            cache.keep(cache.pointer_of(origin.registry, dirs), {"name": name, "version": answer.version})
        cache.mark_used(cache.entry_of(name, answer.version, dirs))
    except OSError as error:
        raise PublishedError(
            f"{folder}: a published ticket cannot be kept here ({error.strerror or error}); free space or permissions"
        ) from error


def _described(content: bytes, answer: Answer) -> Registered:
    """What a file that was fetched is. Raises NotPublishedError where it is no ticket."""
    from lth_pipeline.lottery.digest import digest
    from lth_pipeline.lottery.pruning import masks
    from lth_pipeline.recipes.published import read_ticket

    try:
        ticket = read_ticket(content)
    except PublishedError as error:
        why = str(error).removeprefix("the bytes given: ")
        raise NotPublishedError(f"version {answer.version}, MLflow run {answer.run_id}: its file {why}") from error
    return Registered(
        answer.version,
        answer.run_id,
        hashlib.sha256(content).hexdigest(),
        {part: digest(getattr(ticket, part)) for part in PARTS},
        masks.counts(ticket.mask),
        _is_cut(ticket),
        ticket.facts,
    )


def _is_cut(ticket: Published) -> bool:
    """Whether weights that it was rewound to are zero where it was pruned, in some layer more than chance makes: fresh
    weights that are exactly zero are one in millions."""
    zeros = {name: ticket.rewound[name][~alive] == 0 for name, alive in ticket.mask.items()}
    return any(int(zero.sum()) > zero.numel() * CHANCE for zero in zeros.values())
