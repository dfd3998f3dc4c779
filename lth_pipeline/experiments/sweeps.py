"""Sweeps: a card with a `matrix:` is one experiment for each combination of its entries."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations, product
from math import prod
from typing import Any

from lth_pipeline.experiments.errors import MISSING, Fault
from lth_pipeline.experiments.fields import MATRIX, every_field, guess, is_field
from lth_pipeline.experiments.flat import flatten
from lth_pipeline.experiments.labels import label_of, written
from lth_pipeline.experiments.settings import Experiment

MOST = 200  # experiments in a sweep
LONGEST = 63  # characters of an experiment's name
VARIANTS = "variants"  # the entry whose values are partial cards
FIXED = {MATRIX, "based_on", "branch_of", "description", "name", "sweep"}  # of the card, not of one experiment
LAYERS = "pruning.layer_rates"  # its keys are names and patterns of layers, which make no names of experiments
LABEL = re.compile(r"[a-z0-9_]+")


@dataclass(frozen=True)
class Choice:
    """One value of one entry. label: in names; said: in tables; place: dotted, in the card; content: a partial card."""

    entry: str
    label: str
    said: str
    place: str
    content: Mapping[str, Any]


@dataclass(frozen=True)
class Member:
    """One experiment of a sweep. content: of its card, as if it had been written out."""

    name: str
    content: dict[str, Any]
    choices: tuple[Choice, ...]

    @property
    def at(self) -> dict[str, str]:
        return {choice.entry: choice.said for choice in self.choices}


@dataclass(frozen=True)
class Sweep:
    """members: names of its experiments in the order of the card; varied: entry -> what it is set to, in that order."""

    name: str
    about: str
    members: tuple[str, ...]
    varied: dict[str, tuple[str, ...]]


def sweeps(cards: Mapping[str, Experiment]) -> dict[str, Sweep]:
    """The sweeps that the experiments of `cards` came from, by name."""
    members: dict[str, list[Experiment]] = {}
    for card in cards.values():
        if card.sweep:
            members.setdefault(card.sweep.sweep, []).append(card)
    found = {}
    for name, experiments in members.items():
        points = [experiment.sweep.at for experiment in experiments]
        varied = {entry: tuple(dict.fromkeys(at[entry] for at in points)) for entry in points[0]}
        about = experiments[0].sweep.about
        found[name] = Sweep(name, about, tuple(experiment.name for experiment in experiments), varied)
    return found


def called(cards: Mapping[str, Experiment], name: str) -> Experiment | Sweep:
    """The sweep or the experiment of that name. Raises KeyError."""
    return sweeps(cards).get(name) or cards[name]


def listed(cards: Mapping[str, Experiment]) -> list[str]:
    """Names of experiments and sweeps, sorted; those inside of a sweep may be many, and are left out."""
    return sorted([*(card.name for card in cards.values() if card.sweep is None), *sweeps(cards)])


def members_of(chosen: Experiment | Sweep) -> tuple[str, ...]:
    """The experiments of a sweep, or the one that it is."""
    return chosen.members if isinstance(chosen, Sweep) else (chosen.name,)


def expand(name: str, content: Mapping[str, Any], own: Mapping[str, Any]) -> tuple[list[Member], list[Fault]]:
    """The experiments of card `name`, or what is wrong with its matrix.

    content: the card's, with what it inherits; own: what stands in the card itself.
    """
    matrix = content[MATRIX]
    if not isinstance(matrix, dict):
        return [], [Fault(MATRIX, matrix, "must be a mapping: setting -> the values that it takes")]
    # as everywhere, null takes back what was inherited
    entries = {key: values for key, values in matrix.items() if values is not None}
    if not entries:
        return [], [Fault(MATRIX, MISSING, "varies nothing; give it a setting and its values, or leave it out")]
    faults = [fault for key, values in entries.items() for fault in _entry_faults(key, values)]
    if faults:
        return [], faults
    count = prod(len(values) for values in entries.values())
    if count > MOST:
        factors = " × ".join(str(len(values)) for values in entries.values())
        return [], [Fault(MATRIX, MISSING, f"makes {factors} = {count:,} experiments; at most {MOST} in a sweep")]
    choices = {key: _choices(key, values) for key, values in entries.items()}
    faults = [*_label_faults(choices), *_overlaps(choices), *_without_effect(choices, own)]
    if faults:
        return [], faults
    base = {key: value for key, value in content.items() if key != MATRIX}
    members = [_member(name, base, combination) for combination in product(*choices.values())]
    return members, _name_faults(members)


def words(at: Mapping[str, str]) -> str:
    """Where a member of a sweep stands, for descriptions and legends: "learning_rate 0.1, rewind weights"."""
    return ", ".join(said if entry == VARIANTS else f"{entry.rpartition('.')[2]} {said}" for entry, said in at.items())


def located(fault: Fault, member: Member) -> Fault:
    """`fault` of a member's setting with the place in the matrix that set it, where one did."""
    for choice in reversed(member.choices):
        if choice.entry != VARIANTS and _within(choice.entry, fault.field):
            return Fault(choice.place, fault.value, fault.expected)
        for path, _ in flatten(choice.content):
            if _within(fault.field, path):
                inside = fault.field if choice.entry == VARIANTS else fault.field[len(choice.entry) + 1 :]
                return Fault(f"{choice.place}.{inside}" if inside else choice.place, fault.value, fault.expected)
    return fault


def merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `changes`: mappings are merged, anything else is replaced."""
    merged = dict(base)
    for key, value in changes.items():
        both = isinstance(value, dict) and isinstance(base.get(key), dict)
        merged[key] = merge(base[key], value) if both else value
    return merged


def _member(name: str, base: Mapping[str, Any], choices: tuple[Choice, ...]) -> Member:
    content = dict(base)
    for choice in choices:
        content = merge(content, choice.content)
    return Member("_".join([name, *(choice.label for choice in choices)]), content, choices)


def _choices(key: str, values: list | dict) -> list[Choice]:
    place = f"{MATRIX}.{key}"
    if key == VARIANTS:
        return [Choice(key, label, label, f"{place}.{label}", card) for label, card in values.items()]
    if isinstance(values, dict):
        return [Choice(key, label, label, f"{place}.{label}", _nested(key, value)) for label, value in values.items()]
    return [Choice(key, label_of(key, value), written(value), place, _nested(key, value)) for value in values]


def _nested(key: str, value: Any) -> dict[str, Any]:
    for part in reversed(key.split(".")):
        value = {part: value}
    return value


def _entry_faults(key: Any, values: Any) -> list[Fault]:
    """What is wrong with one entry, taken by itself."""
    place = f"{MATRIX}.{key}"
    if str(key).split(".")[0] in FIXED:
        return [Fault(place, MISSING, "belongs to the card and cannot be varied; write a card of its own for it")]
    if str(key).startswith(f"{LAYERS}."):
        example = f"{LAYERS}: {{low: {{fc1: 0.1}}, high: {{fc1: 0.3}}}}"
        return [Fault(place, MISSING, f"cannot be varied by itself; vary {LAYERS} as a whole, by labels: {example}")]
    if key != VARIANTS and not is_field(str(key)):
        hint = guess(str(key), [*every_field(), VARIANTS])
        return [Fault(place, MISSING, f"no such setting;{hint} `lth show` lists every one, as group.setting")]
    if not isinstance(values, (list, dict)) or (key == VARIANTS and not isinstance(values, dict)):
        what = (
            "a mapping: label -> partial card" if key == VARIANTS else "a list of values, or a mapping: label -> value"
        )
        return [Fault(place, values, f"must be {what}")]
    if len(values) < 2:
        remedy = "give two or more" if not values else "give two or more, or write the one as a setting"
        return [Fault(place, values, f"varies nothing; {remedy}")]
    return _labelled_faults(key, values) if isinstance(values, dict) else _listed_faults(key, values)


def _listed_faults(key: str, values: list) -> list[Fault]:
    return [
        Fault(f"{MATRIX}.{key}", value, "cannot be named by its value; give labels: a mapping label -> value")
        for value in values
        if label_of(key, value) is None
    ]


def _labelled_faults(key: str, values: Mapping[Any, Any]) -> list[Fault]:
    faults = []
    for label, value in values.items():
        place = f"{MATRIX}.{key}.{label}"
        if not isinstance(label, str) or not LABEL.fullmatch(label):
            expected = "a label is of lower-case letters, digits and _, and becomes part of a name"
            faults.append(Fault(place, MISSING, expected))
        elif key == VARIANTS and not isinstance(value, dict):
            faults.append(Fault(place, value, "must be a partial card: a mapping of settings"))
        elif key == VARIANTS:
            faults += [
                Fault(f"{place}.{field}", value[field], "belongs to the card and cannot be varied")
                for field in value
                if field in FIXED
            ]
        elif key == LAYERS and value is not None and not isinstance(value, dict):
            faults.append(Fault(place, value, "must be a mapping: layer -> rate, such as {fc1: 0.1}"))
        elif value is not None and not isinstance(value, dict) and is_field(f"{key}.{label}"):
            expected = f"must be a mapping of settings; to vary this one setting write {key}.{label}: […]"
            faults.append(Fault(place, value, expected))
    return faults


def _label_faults(choices: Mapping[str, list[Choice]]) -> list[Fault]:
    faults = []
    for key, of_entry in choices.items():
        labels = [choice.label for choice in of_entry]
        twice = next((label for label in labels if labels.count(label) > 1), None)
        if twice:
            expected = f"two values are called {twice}; keep one, or give labels: a mapping label -> value"
            faults.append(Fault(f"{MATRIX}.{key}", MISSING, expected))
    return faults


def _overlaps(choices: Mapping[str, list[Choice]]) -> list[Fault]:
    """Two entries that set the same: the second would undo the first."""
    faults = []
    for one, two in combinations(choices, 2):
        both = [path for path in _set_by(choices[two]) if _touches(path, _set_by(choices[one]))]
        if both:
            faults.append(Fault(f"{MATRIX}.{two}", MISSING, f"sets {both[0]}, which {one} sets too; keep it in one"))
    return faults


def _without_effect(choices: Mapping[str, list[Choice]], own: Mapping[str, Any]) -> list[Fault]:
    """Settings of the card itself that every value of an entry replaces."""
    faults = []
    for path, value in flatten({key: value for key, value in own.items() if key not in FIXED}):
        for key, of_entry in choices.items():
            if all(_touches(path, _set_by([choice])) for choice in of_entry):
                faults.append(Fault(path, value, f"has no effect: {MATRIX}.{key} sets it each time; leave it out here"))
    return faults


def _name_faults(members: list[Member]) -> list[Fault]:
    names = [member.name for member in members]
    long = max(names, key=len)
    if len(long) > LONGEST:
        expected = (
            f"makes the name {long} of {len(long)} characters, at most {LONGEST}; give shorter labels: label -> value"
        )
        return [Fault(MATRIX, MISSING, expected)]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        return [Fault(MATRIX, MISSING, f"two experiments would be called {twice}; give other labels")]
    return []


def _set_by(choices: Iterable[Choice]) -> list[str]:
    return [path for choice in choices for path, _ in flatten(choice.content)]


def _touches(path: str, others: Iterable[str]) -> bool:
    return any(_within(path, other) or _within(other, path) for other in others)


def _within(path: str, outer: str) -> bool:
    """Is `path` the setting `outer`, or one inside it?"""
    return path == outer or path.startswith(f"{outer}.")
