"""Tickets from the model registry: asked for before a run, fetched once, kept in the cache.

    registry/<SHA-256 of the file>.safetensors   published tickets (published.py)
    registry/<hash of the reference>.json        which version NAME@ALIAS was when it was last asked for, and what a
                                                 card's ladder and recipes need to know of it

Only `prepare` asks the registry, and by functions that it is given: who looks up what is known reads the cache. All of
it may be removed at any time; the next run fetches it again.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lth_pipeline.experiments import Experiment
from lth_pipeline.experiments.settings import TransferSettings
from lth_pipeline.files import write_atomically
from lth_pipeline.lottery.data import DataDirs
from lth_pipeline.lottery.models import Layer
from lth_pipeline.recipes.errors import NotPublishedError, PublishedError, RegistryAwayError

if TYPE_CHECKING:
    from lth_pipeline.recipes.published import Published

PARTS = ("mask", "rewound", "trained")


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
    asked for what is in the cache, too, since an alias may have moved."""

    ask: Callable[[TransferSettings, bool], Answer]
    warn: Callable[[str], None]
    anew: bool = True


@dataclass(frozen=True)
class Registered:
    """A published ticket, as it was when it was last asked for.

    file: SHA-256 of its file. versions: data versions of its "mask", "rewound" and "trained" weights. counts: weights
    left, by weight name. cut: whether the weights it was rewound to are zero wherever it was pruned, as those are that
    a ticket was trained to. facts: published_facts.py.
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
    try:
        return _recalled(_entry(origin, dirs)) if dirs else None
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):  # not there, or damaged
        return None


@lru_cache(maxsize=64)
def _recalled(entry: Path) -> Registered:
    """Remembered, so that a chain means the same ticket from its first round to its last. Raises what a file raises
    that is not there, or was not written by `_take`."""
    sealed = json.loads(entry.read_bytes())
    if sealed["sha256"] != _seal(sealed["ticket"]):
        raise ValueError("its checksum does not fit")
    return Registered(**sealed["ticket"])


def published_tickets(experiments: Iterable[Experiment]) -> list[TransferSettings]:
    """The references that `experiments` begin with."""
    return [card.ticket_from for card in experiments if card.ticket_from and card.ticket_from.registry]


def prepare(origin: TransferSettings, dirs: DataDirs, registry: Registry | None) -> None:
    """See what a reference is now, and fetch it where that is not in the cache.

    Where the registry does not answer, or there is none to ask, what was fetched last holds on. Raises PublishedError.
    """
    _recalled.cache_clear()
    before = known(origin, dirs)
    if before and not _is_there(before, dirs):
        before = None
    if registry is None or (before and not registry.anew):
        if before is None:
            registered(origin, dirs)  # raises
        return
    try:
        answer = registry.ask(origin, before is None)
        if before and (before.version, before.run_id) == (answer.version, answer.run_id):
            return
        _take(origin, dirs, answer)
    except RegistryAwayError as error:
        if before is None:
            raise RegistryAwayError(f"{origin.place}: has not been fetched yet, and {error}") from error
        kept = f"{origin.place} is taken to be version {before.version} still, which was fetched earlier"
        registry.warn(f"{error}; {kept}")
    finally:
        _recalled.cache_clear()


def path_of(found: Registered, dirs: DataDirs) -> Path:
    """Where the file of a ticket is kept."""
    return dirs.cache / "registry" / f"{found.file}.safetensors"


def read(origin: TransferSettings, dirs: DataDirs) -> Published:
    """The ticket that a reference is known to be, from the cache. Raises PublishedError."""
    from lth_pipeline.recipes.published import read_ticket

    return read_ticket(path_of(registered(origin, dirs), dirs))


def _take(origin: TransferSettings, dirs: DataDirs, answer: Answer) -> None:
    from lth_pipeline.lottery.digest import digest
    from lth_pipeline.lottery.pruning import masks
    from lth_pipeline.recipes.published import read_ticket

    folder = dirs.cache / "registry"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".") as fresh:
            content = answer.fetch(Path(fresh)).read_bytes()
        try:
            ticket = read_ticket(content)
        except PublishedError as error:
            why = str(error).removeprefix("the bytes given: ")
            raise NotPublishedError(f"version {answer.version}, MLflow run {answer.run_id}: its file {why}") from error
        found = Registered(
            answer.version,
            answer.run_id,
            hashlib.sha256(content).hexdigest(),
            {part: digest(getattr(ticket, part)) for part in PARTS},
            masks.counts(ticket.mask),
            masks.pruned_are_zero(ticket.mask, ticket.rewound),
            ticket.facts,
        )
        write_atomically(path_of(found, dirs), content)
        sealed = {"ticket": asdict(found), "sha256": _seal(asdict(found))}
        write_atomically(_entry(origin, dirs), json.dumps(sealed, indent=1).encode())
    except OSError as error:
        raise PublishedError(
            f"{folder}: a published ticket cannot be kept here ({error.strerror or error}); free space or permissions"
        ) from error


def _is_there(found: Registered, dirs: DataDirs) -> bool:
    """Whether the file of a ticket is in the cache, with the bits that it was fetched with."""
    try:
        return hashlib.sha256(path_of(found, dirs).read_bytes()).hexdigest() == found.file
    except OSError:
        return False


def _seal(ticket: Any) -> str:
    return hashlib.sha256(json.dumps(ticket, sort_keys=True).encode()).hexdigest()


def _entry(origin: TransferSettings, dirs: DataDirs) -> Path:
    return dirs.cache / "registry" / f"{hashlib.sha256(origin.registry.encode()).hexdigest()[:40]}.json"
