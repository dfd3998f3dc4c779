"""The results of several experiments side by side: one table, and its summary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from lth_pipeline.experiments import Experiment
from lth_pipeline.experiments.arms import ARMS
from lth_pipeline.experiments.lineups import Lineup
from lth_pipeline.reports.table import COLUMNS, by_round, differences, notes, read_results

MEASURE = "test_accuracy_at_early_stop"  # what members are compared by


@dataclass(frozen=True)
class Comparison:
    """What tables, figures and the page of a comparison are made of.

    frame: every row of every experiment, see `comparison_table`. facts: member -> {"data set": …, "iterations": …,
    "n": …, "seed": …}, in words, of those that have results. missing: the names of those that have none yet.
    """

    lineup: Lineup
    frame: pd.DataFrame
    facts: dict[str, dict[str, str]]
    missing: tuple[str, ...]

    @property
    def labels(self) -> dict[str, str]:
        """What figures and tables call a member."""
        return self.lineup.labels

    @property
    def members(self) -> list[str]:
        return list(self.facts)

    @property
    def shared(self) -> dict[str, str]:
        """The facts that are the same for all."""
        first, *others = self.facts.values()
        return {name: said for name, said in first.items() if all(other[name] == said for other in others)}

    @property
    def differing(self) -> list[str]:
        """The names of the facts that are not."""
        return [name for name in next(iter(self.facts.values())) if name not in self.shared]

    @property
    def subtitle(self) -> str:
        worded = {"data set": "{}", "iterations": "{} iterations", "n": "n = {}", "seed": "seed {}"}
        return " · ".join(worded[name].format(said) for name, said in self.shared.items())

    @property
    def notes(self) -> list[str]:
        """What must be said beside it."""
        said: dict[str, list[str]] = {}
        for member in self.members:
            for note in notes(self.of(member)):
                said.setdefault(note, []).append(self.labels[member])
        missing = [f"not run yet: {', '.join(self.missing)}"] if self.missing else []
        # what holds for all is said once
        return missing + [
            note if len(whose) == len(self.members) else f"{'; '.join(whose)}: {note}" for note, whose in said.items()
        ]

    def of(self, member: str) -> pd.DataFrame:
        """The rows of one experiment, with the columns of its own results."""
        own = self.frame[self.frame["experiment"] == member]
        return own.drop(columns=[self.lineup.kind, *self.lineup.varied]).reset_index(drop=True)

    def arms(self) -> list[str]:
        """The arms that any member has, in the order of tables."""
        return [arm for arm in ARMS if (self.frame["arm"] == arm).any()]


def compare(
    lineup: Lineup, cards: Mapping[str, Experiment], frames: Mapping[str, pd.DataFrame], titles: Mapping[str, str]
) -> Comparison:
    """frames: member -> its results; titles: member -> what its data set is called."""
    there = {name: frames[name] for name in lineup.members if len(frames[name])}
    facts = {
        name: {
            "data set": titles[name],
            "iterations": f"{cards[name].training.iterations:,}",
            "n": str(frame["replicate"].nunique()),
            "seed": str(cards[name].seed),
        }
        for name, frame in there.items()
    }
    missing = tuple(name for name in lineup.members if name not in there)
    return Comparison(lineup, comparison_table(lineup, frames), facts, missing)


def read_comparison(
    path: Path, lineup: Lineup, cards: Mapping[str, Experiment], titles: Mapping[str, str]
) -> Comparison:
    """What was written to `path`, the CSV of `comparison_table`."""
    frame = read_results(path)[list(COLUMNS)]
    frames = {name: frame[frame["experiment"] == name].reset_index(drop=True) for name in lineup.members}
    return compare(lineup, cards, frames, titles)


def comparison_table(lineup: Lineup, frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Every row of the members' results in their order, led by what they are compared in (`sweep` or `comparison`) and
    a column for each thing that tells them apart."""
    parts = []
    for name, at in lineup.at.items():
        part = frames[name].copy()
        for place, (column, value) in enumerate({lineup.kind: lineup.name, **at}.items()):
            part.insert(place, column, pd.Series(value, index=part.index, dtype="str"))
        parts.append(part)
    return pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)


def summary(compared: Comparison) -> pd.DataFrame:
    """Test accuracy at early stop, a line per member, round and arm: experiment, round, density, arm, n, mean, sd."""
    parts = []
    for member in compared.members:
        lines = by_round(compared.of(member))
        chosen = lines[["round", "density", "arm", "n"]].copy()
        chosen.insert(0, "experiment", member)
        chosen["mean"], chosen["sd"] = lines[MEASURE], lines[f"{MEASURE}_sd"]
        parts.append(chosen)
    return pd.concat(parts, ignore_index=True)


def gaps(compared: Comparison) -> pd.DataFrame:
    """Ticket minus control in the sparsest round that has both: experiment, control, round, density, n, mean, sd."""
    parts = []
    for member in compared.members:
        for control in (arm for arm in compared.arms() if arm not in ("dense", "ticket")):
            paired = differences(compared.of(member), control, MEASURE)
            if len(paired):
                parts.append({"experiment": member, "control": control, **paired.iloc[-1].to_dict()})
    return pd.DataFrame(parts, columns=["experiment", "control", "round", "density", "n", "mean", "sd"])
