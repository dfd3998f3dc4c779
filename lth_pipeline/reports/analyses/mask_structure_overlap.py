"""The chart of what masks of different replicates have in common."""

from __future__ import annotations

import pandas as pd

from lth_pipeline.reports.analyses.mask_structure_tables import ALL, Tables, some
from lth_pipeline.reports.analyses.section import About
from lth_pipeline.reports.charts.chart import Axis, Chart, Line, Lines, Rule
from lth_pipeline.reports.over_replicates import DENSITY, by_density, line
from lth_pipeline.reports.wording import left

ENOUGH = 10  # shared survivors that chance gives: of fewer a ratio says nothing
TITLES = {"ratio": "Against chance in each layer", "ratio_by_input": "Against chance given the inputs"}


def overlap(tables: Tables, about: About) -> Chart | None:
    """None of one replicate."""
    pairs = _rows(tables, "replicates")
    if pairs.empty:
        return None
    whole = pairs[pairs["layer"] == ALL]
    lines = [
        line("two replicates' tickets", by_density(whole, "ticket", "share", 100.0), arm="ticket"),
        line("chance", by_density(whole, "ticket", "expected_share", 100.0), colour=6, style="dashed", marks=False),
        *_drawn(tables),
    ]
    shared = Axis("shared survivors, % (log)", log=True)
    panels = [Lines(DENSITY, shared, lines, title="The whole network"), *_by_layer(tables, pairs)]
    last = whole[whole["round"] == tables.last]
    share, expected, by_input = (
        100 * (last[column] / last[["left", "other_left"]].min(axis=1)).mean()
        for column in ("common", "expected", "expected_by_input")
    )
    return Chart(
        "overlap",
        f"What the masks of two replicates have in common: {about.head}",
        f"At {left(tables.density(tables.last))} of the weights two replicates' tickets share {share:.2f} % of their "
        f"survivors; by chance it would be {expected:.2f} %, and {by_input:.2f} % if every input kept its number of "
        "weights.",
        panels,
        [
            "The share of the survivors of one mask that survive in the other, the mean over all pairs of "
            "replicates, the band from the least to the greatest. Chance: as many survivors in each layer, placed "
            "at random (hypergeometric). Against chance in each layer: divided by it, for layers where chance gives "
            f"{ENOUGH} or more. Given the inputs: the number of weights that read each input is kept, and only "
            "shuffled among the units: what is left above 1 there is not owed to pixels that all replicates drop.",
            "Replicates begin with other weights, and hidden units have no fixed place: two networks that found the "
            "same features hold them in other units. Little overlap says that tickets lie in other places, not that "
            "they compute something else.",
            "Grosse & Backes 2021 (Do winning tickets exist before DNN training?) find that even tickets of one and "
            "the same initialisation, trained under other noise, lie apart as the hypergeometric distribution says, "
            "and nearer the less noise there is.",
        ],
        columns=3,
        notes=about.notes,
    )


def _rows(tables: Tables, between: str) -> pd.DataFrame:
    """Rows of overlaps with a density (of the whole mask), and with ratios to both kinds of chance."""
    table = tables.overlaps
    if table.empty:
        return table
    table = table[table["between"] == between]
    density = {number: tables.density(number) for number in tables.rounds}
    return table.assign(
        density=table["round"].map(density),
        ratio=table["common"] / table["expected"],
        ratio_by_input=table["common"] / table["expected_by_input"],
    )


def _drawn(tables: Tables) -> list[Line]:
    """The ticket's mask against those drawn at random."""
    rows = _rows(tables, "arms")
    if rows.empty:
        return []
    rows = rows[rows["layer"] == ALL].assign(arm=lambda each: each["other_arm"])
    names = {"random_mask": "ticket and random mask", "shuffled_mask": "ticket and shuffled mask"}
    spreads = {arm: by_density(rows, arm, "share", 100.0) for arm in names}
    return [line(names[arm], spread, arm=arm) for arm, spread in spreads.items() if spread]


def _by_layer(tables: Tables, pairs: pd.DataFrame) -> list[Lines]:
    panels = []
    for column, title in TITLES.items():
        lines = []
        for place, name in enumerate(some(tables.layer_names)):
            own = pairs[(pairs["layer"] == name) & (pairs["expected"] >= ENOUGH)]
            if spread := by_density(own, "ticket", column):
                lines.append(line(name, spread, colour=place))
        axis = Axis("shared survivors, chance = 1")
        panels.append(Lines(DENSITY, axis, lines, [Rule(1.0, "y")], title=title))
    return panels
