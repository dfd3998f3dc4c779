"""What all charts of a comparison share: whose colour is which, which arms are drawn, and how."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from lth_pipeline.experiments.arms import ARMS
from lth_pipeline.reports.charts.chart import Axis
from lth_pipeline.reports.comparison import Comparison
from lth_pipeline.reports.table import ended, notes

MOST_IN_A_PANEL = 6  # experiments; more are spread over several
FEW = 3  # experiments whose every line may stand in the legend
STYLES = ("solid", "dashed", "dotted")  # of the ticket, its control, another
ACCURACY = Axis("test accuracy, %")
GAP = Axis("ticket − control, percentage points")
#: measure -> what its panel is called, its axis, and by what it is multiplied
MEASURES = {
    "test_accuracy_at_early_stop": ("Test accuracy at early stop", ACCURACY, 100.0),
    "test_accuracy_at_end": ("Test accuracy at the end", ACCURACY, 100.0),
    "early_stop_iteration": ("Early-stop iteration", Axis("early-stop iteration"), 1.0),
    "train_accuracy_at_end": ("Training accuracy at the end", Axis("training accuracy, %"), 100.0),
}


@dataclass(frozen=True)
class Drawn:
    """What all charts of a comparison share. colours: member -> number in the palette. arms: the ticket and the
    controls that are drawn. title: what stands behind the name of each chart."""

    compared: Comparison
    colours: Mapping[str, int]
    arms: Sequence[str]

    @property
    def title(self) -> str:
        subtitle = self.compared.subtitle
        return f"{self.compared.lineup.name} · {subtitle}" if subtitle else self.compared.lineup.name

    @property
    def panels(self) -> list[list[str]]:
        return evenly(list(self.colours), MOST_IN_A_PANEL)

    @property
    def notes(self) -> list[str]:
        compared = self.compared
        missing = [f"{len(compared.missing)} of {len(compared.lineup.members)} not run yet"] if compared.missing else []
        return [*notes(compared.frame, short=True), *missing]

    @property
    def key(self) -> str:
        """What the line styles mean."""
        said = [f"{style}: {ARMS[arm].title}" for arm, style in zip(self.arms, STYLES, strict=False)]
        return ", ".join([*said, "thin and level: dense"])

    def frame(self, member: str) -> pd.DataFrame:
        """The results of one experiment that ended well."""
        return ended(self.compared.of(member))

    def name(self, member: str, arm: str) -> str:
        """What the line of an arm is called."""
        label = self.compared.labels[member]
        return label if arm == "ticket" else f"{label}, {ARMS[arm].title}"

    def named(self, arm: str) -> bool:
        """Whether such lines stand in the legend: of many experiments only the tickets'."""
        return arm == "ticket" or len(self.compared.members) <= FEW


def evenly(members: list[str], most: int) -> list[list[str]]:
    """`members` in groups of at most `most`, as even as they come."""
    count = -(-len(members) // most)
    size = -(-len(members) // count)
    return [members[start : start + size] for start in range(0, len(members), size)]


def look(compared: Comparison) -> Drawn:
    colours = {member: place for place, member in enumerate(compared.members)}
    return Drawn(compared, colours, shown_arms(compared))


def shown_arms(compared: Comparison) -> list[str]:
    """The ticket and the control that most members have; a second one where members are few and several have it."""
    frame = compared.frame
    having = {arm: frame[frame["arm"] == arm]["experiment"].nunique() for arm in compared.arms()}
    controls = sorted((arm for arm in having if arm not in ("dense", "ticket")), key=lambda arm: -having[arm])
    first = [arm for arm in controls[:1] if having[arm]]
    second = [arm for arm in controls[1:2] if having[arm] > 1 and len(compared.members) <= FEW]
    return ["ticket", *first, *second]
