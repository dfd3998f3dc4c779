"""Cards: YAML files that hold one experiment each, or with a `matrix:` several; the built-in ones and the user's."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from lth_pipeline.experiments.errors import MISSING, CardError, Fault
from lth_pipeline.experiments.faults import fault_of, unknown_key
from lth_pipeline.experiments.fields import FILLED_IN, MATRIX, did_you_mean
from lth_pipeline.experiments.settings import Experiment
from lth_pipeline.experiments.short import written_out, written_over
from lth_pipeline.experiments.sweeps import Member, expand, located, merge, words
from lth_pipeline.experiments.yaml_lines import MAX_BYTES, parse

BUILTIN = Path(__file__).parent / "builtin"

#: what a card does not inherit
OWN = {"name", "description", "branch_of", "based_on"}

#: what Dagster's jobs are called that are no card's
JOBS = (
    *("analyse_experiments", "analyse_replicates", "compare_experiments", "compare_sweeps"),
    *("every_round", "gather_results", "publish_tickets", "run_sweep"),
)

Check = Callable[[Experiment, Mapping[str, Experiment]], list[Fault]]
Lines = dict[str, int]  # dotted field -> line, from 1


@dataclass(frozen=True)
class Card:
    """A file that has been read. content: with what it inherits; members: its experiments, one where it is no sweep."""

    path: Path
    lines: Lines
    content: dict[str, Any]
    members: tuple[Member, ...]
    experiments: tuple[Experiment, ...]

    @property
    def is_sweep(self) -> bool:
        return MATRIX in self.content


@dataclass(frozen=True)
class Reading:
    """The cards under way. raw: (content, lines) of each file, by its name."""

    files: dict[str, Path]
    raw: dict[str, tuple[dict[str, Any], Lines]]
    cards: dict[str, Card] = field(default_factory=dict)


def load_cards(folders: list[Path], check: Check, without: Collection[str] = ()) -> dict[str, Experiment]:
    """Every experiment by its name: the built-in ones, then those of `folders` (which need not exist).

    Sorted by name; those of a sweep stand together, at its name, in the order of its card. A branch inherits its
    parent's settings, so parents are read first. Raises CardError, also for what `check` finds: the faults of a card
    that only those see who know the networks and the data. without: files that are passed over.
    """
    cards = _read_all(folders, without)
    experiments = {card.name: card for name in sorted(cards) for card in cards[name].experiments}
    for card in cards.values():
        _tell(card.path, card.lines, card.members, [check(experiment, experiments) for experiment in card.experiments])
    return experiments


def card_error(name: str, folders: list[Path], faults: list[Fault]) -> CardError:
    """The CardError of `faults` that were found after experiment `name` was loaded, with its file and lines."""
    path = _files([BUILTIN, *folders]).get(name)
    if path:
        return CardError(str(path), faults, _read(path)[1])
    for card in _read_all(folders).values():
        for member in card.members:
            if member.name == name:
                return CardError(str(card.path), [_said(fault, [member], card.members) for fault in faults], card.lines)
    return CardError(f"card {name}", faults)


def _read_all(folders: list[Path], without: Collection[str] = ()) -> dict[str, Card]:
    """Every card by the name of its file, in the order of the files."""
    files = _files([BUILTIN, *folders], without)
    reading = Reading(files, {name: _read(path) for name, path in files.items()})
    for name in files:
        _resolve(name, reading, ())
    _refuse_taken_names(reading)
    return {name: reading.cards[name] for name in files}


def _files(folders: list[Path], without: Collection[str] = ()) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for folder in folders:
        for path in sorted(folder.glob("[!.]*.y*ml")) if folder.is_dir() else []:
            name = path.stem
            if str(path) in without:
                continue
            if name in files:
                expected = f"an experiment {name!r} is there already, in {files[name]}; rename this file"
                raise CardError(str(path), [Fault("", MISSING, expected)])
            if name in JOBS:
                expected = f"{name!r} is what a job of Dagster's is called here; rename this file"
                raise CardError(str(path), [Fault("", MISSING, expected)])
            files[name] = path
    return files


def _read(path: Path) -> tuple[dict[str, Any], Lines]:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise CardError(str(path), [Fault("", MISSING, f"has more than {MAX_BYTES:,} bytes; this is not a card")])
        return parse(content.decode("utf-8"), str(path))
    except OSError as error:
        raise CardError(str(path), [Fault("", MISSING, f"cannot be read: {error.strerror}")]) from error
    except UnicodeDecodeError as error:
        raise CardError(str(path), [Fault("", MISSING, f"is not UTF-8 text (byte {error.start})")]) from error


def _resolve(name: str, reading: Reading, children: tuple[str, ...]) -> Card:
    """Card `name`, its parents resolved first. children: the cards that wait for it."""
    if name not in reading.cards:
        content, lines = reading.raw[name]
        content = written_out(content)
        inherited = written_over(written_out(_inherited(name, reading, children)), content)
        merged = merge(inherited, content)
        if merged.get(MATRIX, MISSING) is None:
            del merged[MATRIX]  # null takes back what was inherited
        reading.cards[name] = _card(name, reading.files[name], merged, content, lines)
    return reading.cards[name]


def _inherited(name: str, reading: Reading, children: tuple[str, ...]) -> dict[str, Any]:
    """What a card takes over from the one that it names: as written there, so that nothing that was only filled in
    is taken for the parent's word."""
    content, lines = reading.raw[name]
    found = _parent(content)
    if not found:
        return {}
    field, parent = found

    def refuse(expected: str) -> None:
        raise CardError(str(reading.files[name]), [Fault(field, parent, expected)], lines)

    if "branch_of" in content and "based_on" in content:
        fault = Fault("based_on", parent, "a branch inherits its parent's settings already; leave this out")
        raise CardError(str(reading.files[name]), [fault], lines)
    waiting = (*children, name)
    if parent in reading.files:
        if parent in waiting:
            refuse(f"the cards form a circle: {' → '.join([*waiting, parent])}")
        card = _resolve(parent, reading, waiting)
        if card.is_sweep and field != "based_on":
            members = ", ".join(member.name for member in card.members)
            refuse(f"is a sweep; branch off one of its experiments: {members}")
        return {key: value for key, value in card.content.items() if key not in OWN}
    for sweep in reading.files:  # an experiment of a sweep is called after its card
        if parent.startswith(f"{sweep}_"):
            if sweep in waiting:
                if MATRIX in reading.raw[sweep][0]:
                    refuse(f"the cards form a circle: {' → '.join([*waiting, parent])}")
                continue
            for member in _resolve(sweep, reading, waiting).members:
                if member.name == parent:
                    return {key: value for key, value in member.content.items() if key not in OWN}
    known = {*reading.files, *(member.name for card in reading.cards.values() for member in card.members)}
    refuse(f"no such experiment;{did_you_mean(parent, known)}")
    raise AssertionError


def _parent(content: dict[str, Any]) -> tuple[str, str] | None:
    """(field, name) of the experiment whose settings a card inherits."""
    branch = content.get("branch_of")
    if isinstance(branch, dict) and isinstance(branch.get("experiment"), str):
        return "branch_of.experiment", branch["experiment"]
    if isinstance(content.get("based_on"), str):
        return "based_on", content["based_on"]
    return None


def _card(name: str, path: Path, content: dict[str, Any], own: dict[str, Any], lines: Lines) -> Card:
    for key in FILLED_IN & content.keys():
        fault = unknown_key([key], content[key])
        if key == "name":
            fault = Fault("name", content["name"], "the name of an experiment is that of its file; leave this out")
        raise CardError(str(path), [fault], lines)
    if MATRIX in content:
        members, faults = expand(name, content, own)
        if faults:
            raise CardError(str(path), faults, lines)
    else:
        members = [Member(name, content, ())]
    tried = [_validate(member, name, content, path) for member in members]
    _tell(path, lines, tuple(members), [faults for _, faults in tried])
    experiments = tuple(experiment for experiment, _ in tried if experiment)
    _refuse_twins(experiments, path, lines)
    return Card(path, lines, content, tuple(members), experiments)


def _validate(member: Member, card: str, content: dict[str, Any], path: Path) -> tuple[Experiment | None, list[Fault]]:
    values = {**member.content, "name": member.name}
    about = content.get("description", "")
    if member.choices and isinstance(about, str):
        values["sweep"] = {"sweep": card, "about": about, "at": member.at}
        values["description"] = " · ".join(filter(None, (about, words(member.at))))
    try:
        return Experiment.model_validate(values), []
    except ValidationError as error:
        return None, [fault_of(entry, path.name) for entry in error.errors()]


def _tell(path: Path, lines: Lines, members: tuple[Member, ...], found: list[list[Fault]]) -> None:
    """Raise what was found of `members`, each fault once, with those that have it. found: of each member."""
    having: dict[tuple, tuple[Fault, list[Member]]] = {}
    for member, faults in zip(members, found, strict=True):
        for fault in (located(fault, member) for fault in faults):
            key = (fault.field, repr_of(fault.value), fault.expected)
            having.setdefault(key, (fault, []))[1].append(member)
    if having:
        raise CardError(str(path), [_said(fault, whose, members) for fault, whose in having.values()], lines)


def _said(fault: Fault, whose: list[Member], members: tuple[Member, ...]) -> Fault:
    """`fault` with the experiments that have it, where the card has more."""
    if len(whose) == len(members):
        return fault
    place = located(fault, whose[0])
    others = f" and {len(whose) - 1} more" if len(whose) > 1 else ""
    return Fault(place.field, place.value, f"{place.expected} (in {whose[0].name}{others})")


def repr_of(value: object) -> str:
    try:
        return "" if value is MISSING else repr(value)
    except ValueError:  # a whole number of thousands of digits
        return "huge"


def _refuse_twins(experiments: tuple[Experiment, ...], path: Path, lines: Lines) -> None:
    """Two experiments of a sweep that are the same but for their names train the same twice."""
    seen: list[Experiment] = []
    for experiment in experiments:
        same = {"name": "", "description": "", "sweep": None, "replicates": 1, "quick": False}
        same |= {"scheduled": False, "resources": None}
        plain = experiment.model_copy(update=same)
        if plain in seen:
            twin = experiments[seen.index(plain)].name
            expected = f"{twin} and {experiment.name} are the same experiment; leave one of them out"
            raise CardError(str(path), [Fault(MATRIX, MISSING, expected)], lines)
        seen.append(plain)


def _refuse_taken_names(reading: Reading) -> None:
    taken = {name: path for name, path in reading.files.items()}
    for card in reading.cards.values():
        for member in card.members if card.is_sweep else ():
            if member.name in taken:
                where = taken[member.name]
                expected = f"makes an experiment {member.name!r}, which is there already, in {where}; give other labels"
                raise CardError(str(card.path), [Fault(MATRIX, MISSING, expected)], card.lines)
            taken[member.name] = card.path
