"""What the charts of robustness by density have in common."""

from __future__ import annotations

import pandas as pd

from lth_pipeline.experiments.arms import ARMS
from lth_pipeline.reports.charts.chart import Line, Rule
from lth_pipeline.reports.over_replicates import arms_of, by_density, line

MOST_LINES = 6  # a panel


def lines_by_density(table: pd.DataFrame, column: str) -> list[Line]:
    """`column`, a share, in % against density, a line for each arm; where there are none, the dense network's point."""
    arms = arms_of(table)[:MOST_LINES] or ["dense"]
    spreads = {arm: by_density(table, arm, column, 100.0) for arm in arms}
    return [line(ARMS[arm].title, spread, arm=arm) for arm, spread in spreads.items() if spread]


def dense_rule(table: pd.DataFrame, column: str) -> list[Rule]:
    """The dense network's mean, a level line; none where it is not in `table`."""
    dense = table.loc[table["round"] == 0, column]
    return [Rule(float(100 * dense.mean()), "y", "dense", arm="dense")] if len(dense) else []


def from_to(lines: list[Line], form: str) -> str:
    """Where each line begins and ends, for who does not see them."""
    return ", ".join(f"{each.name} from {each.y[0]:{form}} to {each.y[-1]:{form}} %" for each in lines)
