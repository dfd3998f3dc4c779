"""Experiments side by side: those of a sweep, or any that a person names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lth_pipeline.experiments.flat import described
from lth_pipeline.experiments.settings import Experiment
from lth_pipeline.experiments.sweeps import Sweep, called, members_of, words

AND = "+"  # between the names of what is compared; no name of a card has it
LONGEST = 200  # characters of a comparison's name: it is a folder's too
#: of the card, but not of what is trained
BESIDE = ("based_on", "scheduled", "resources", "analysis.")


@dataclass(frozen=True)
class Lineup:
    """What is compared.

    kind: "sweep" or "comparison". at: member -> {what tells them apart: to what it is set}, the same for all members;
    labels: member -> what figures and tables call it.
    """

    name: str
    about: str
    kind: str
    at: dict[str, dict[str, str]]
    labels: dict[str, str]

    @property
    def members(self) -> tuple[str, ...]:
        return tuple(self.at)

    @property
    def varied(self) -> list[str]:
        return list(next(iter(self.at.values())))


def lineup_of_sweep(cards: Mapping[str, Experiment], sweep: Sweep) -> Lineup:
    at = {name: cards[name].sweep.at for name in sweep.members}
    return Lineup(sweep.name, sweep.about, "sweep", at, {name: words(point) for name, point in at.items()})


def lineup_of(cards: Mapping[str, Experiment], names: Sequence[str]) -> Lineup:
    """Of experiments, and of the members of sweeps, in this order; what tells them apart are the settings in which
    their cards differ. Raises KeyError for a name that is not there, ValueError for what cannot be compared."""
    members: dict[str, str] = {}  # and by which of `names`
    for name in names:
        for member in members_of(called(cards, name)):
            if member in members:
                by = "" if name == member == members[member] else f" (by {members[member]} and {name})"
                raise ValueError(f"{member} is named twice{by}; name it once")
            members[member] = name
    if len(members) < 2:
        raise ValueError(f"{' '.join(names) or 'nothing'}: a comparison is of two experiments or more, or of a sweep")
    joined = AND.join(names)
    if len(joined) > LONGEST:
        raise ValueError(f"{joined}: {len(joined)} characters, at most {LONGEST}; compare fewer, or write a sweep")
    about = f"comparison of {', '.join(names)}"
    return Lineup(joined, about, "comparison", differing(cards, list(members)), {name: name for name in members})


def differing(cards: Mapping[str, Experiment], names: Sequence[str]) -> dict[str, dict[str, str]]:
    """{experiment: {setting in which they are not all the same: its value}}, "–" where it has none."""
    flat, values = _settings(cards, names)
    apart = [field for field, found in values.items() if len(found) > 1]
    return {name: {field: settings.get(field, "–") for field in apart} for name, settings in flat.items()}


def shared(cards: Mapping[str, Experiment], names: Sequence[str]) -> list[tuple[str, str]]:
    """(setting, value) of those that are set, and the same, in all their cards."""
    same = [(field, found.pop()) for field, found in _settings(cards, names)[1].items() if len(found) == 1]
    return [(field, value) for field, value in same if value not in ("–", "")]


def _settings(
    cards: Mapping[str, Experiment], names: Sequence[str]
) -> tuple[dict[str, dict[str, str]], dict[str, set]]:
    """({experiment: {setting: value}}, {setting: all its values})."""
    flat = {
        name: {field: value for field, value, _ in described(cards[name]) if not field.startswith(BESIDE)}
        for name in names
    }
    fields = dict.fromkeys(field for settings in flat.values() for field in settings)
    return flat, {field: {settings.get(field, "–") for settings in flat.values()} for field in fields}
