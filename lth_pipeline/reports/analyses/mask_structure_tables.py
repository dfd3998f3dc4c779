"""The tables of the analysis mask_structure as its charts want them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lth_pipeline.reports.analyses.section import About, Findings
from lth_pipeline.reports.over_replicates import arms_of

ALL, INPUT = "all", "input"  # rows of the whole network, and of the image, in the column layer
OWN = ("dense", "ticket")  # arms of rows on the round's own mask
SHOWN = 3  # rounds side by side
MOST_LAYERS = 6  # lines or panels


@dataclass(frozen=True)
class Tables:
    """layers, units, initial: rows of the rounds' own masks. hidden: those of units that are between image and classes.
    The others as they were found; a table that is not there is empty."""

    layers: pd.DataFrame
    units: pd.DataFrame
    hidden: pd.DataFrame
    initial: pd.DataFrame
    degrees: pd.DataFrame
    pixels: pd.DataFrame
    overlaps: pd.DataFrame
    movement: pd.DataFrame
    signs: pd.DataFrame
    arrays: dict[str, np.ndarray]

    @property
    def rounds(self) -> list[int]:
        """That have been pruned."""
        return sorted(int(number) for number in set(self.layers["round"]) if number)

    @property
    def last(self) -> int:
        """0 where nothing has been pruned."""
        return max(self.rounds, default=0)

    @property
    def layer_names(self) -> list[str]:
        return [layer for layer in dict.fromkeys(self.layers["layer"]) if layer != ALL]

    @property
    def arms(self) -> list[str]:
        """Those that were trained beside the dense network."""
        return arms_of(self.signs)

    def density(self, number: int) -> float:
        """Of the whole network in a round, the mean of the replicates."""
        return float(self.at(self.layers, number, ALL)["density"].mean())

    def at(self, table: pd.DataFrame, number: int, layer: str) -> pd.DataFrame:
        return table[(table["round"] == number) & (table["layer"] == layer)]

    def arrays_of(self, number: int, name: str, arm: str = "ticket") -> list[np.ndarray]:
        """Of all replicates in a round: arrays "replicate0/round03/ticket/<name>"."""
        end = f"/round{number:02d}/{arm}/{name}"
        return [array for key, array in sorted(self.arrays.items()) if key.endswith(end)]

    def rounds_to_show(self, about: About) -> list[int]:
        """At most SHOWN of those that have been pruned: the last of those that the card's `analysis.rounds` asks for,
        else the last and some evenly before it."""
        there, asked = self.rounds, about.experiment.analysis.rounds
        if asked:
            there = [number for number in there if number in asked] or there
            return there[-SHOWN:]
        return sorted({there[-(-len(there) * place // SHOWN) - 1] for place in range(1, SHOWN + 1)})


def tables_of(findings: Findings) -> Tables | None:
    """None where nothing was found."""
    found = {name: findings.tables.get(name, pd.DataFrame()) for name in Tables.__annotations__ if name != "arrays"}
    if found["layers"].empty:
        return None
    for name in ("layers", "units", "initial"):
        found[name] = _own(found[name])
    found["hidden"] = found["units"][~found["units"]["layer"].isin([INPUT, _output(found["layers"])])]
    return Tables(**found, arrays=dict(findings.arrays))


def own_arm(number: int) -> str:
    """What rows and arrays of a round's own mask are called by."""
    return "ticket" if number else "dense"


def some(names: Sequence[str], most: int = MOST_LAYERS) -> list[str]:
    """`names`, or at most `most` of them evenly, the first and the last among them."""
    if len(names) <= most:
        return list(names)
    return [names[round(place * (len(names) - 1) / (most - 1))] for place in range(most)]


def _own(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["arm"].isin(OWN)]


def _output(layers: pd.DataFrame) -> str:
    """The last layer's name."""
    return [layer for layer in dict.fromkeys(layers["layer"]) if layer != ALL][-1]
