"""A comparison of more experiments than lines can tell apart: a row of cells for each, a column for each round."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pandas as pd

from lth_pipeline.experiments.arms import ARMS
from lth_pipeline.reports.charts.chart import Axis, Chart, Heat
from lth_pipeline.reports.comparison_look import GAP, MEASURES, Drawn, evenly
from lth_pipeline.reports.table import by_round, differences
from lth_pipeline.reports.wording import left

MOST_ROWS = 40  # experiments in one field


def fields(drawn: Drawn) -> Iterator[Chart]:
    """Of more members than lines can tell apart: a row for each, a column for each round."""
    measure = "test_accuracy_at_early_stop"
    title, axis, scale = MEASURES[measure]
    tickets = {
        member: by_round(drawn.compared.of(member))[lambda rows: rows["arm"].isin(["dense", "ticket"])]
        for member in drawn.colours
    }
    yield _field(drawn, "accuracy_by_density", f"{title} of tickets", axis.label, tickets, measure, scale)
    for control in drawn.arms[1:2]:
        paired = {member: differences(drawn.compared.of(member), control, measure) for member in drawn.colours}
        what = f"Ticket minus {ARMS[control].title}, {title.lower()}"
        yield _field(drawn, "gap_by_density", what, GAP.label, paired, "mean", 100.0, centre=0.0)


def _field(
    drawn: Drawn, name: str, what: str, scale_label: str, tables: Mapping[str, pd.DataFrame], column: str, scale: float,
    centre: float | None = None,
) -> Chart:  # fmt: skip
    columns = sorted({int(round) for table in tables.values() for round in table["round"]})
    of_round = {
        round: {left(d) for table in tables.values() for d in table[table["round"] == round]["density"]}
        for round in columns
    }
    heads = [found.pop() if len(found) == 1 else f"round {round}" for round, found in of_round.items()]
    values = {
        member: [
            scale * at[r] if r in (at := dict(zip(table["round"], table[column], strict=True))) else None
            for r in columns
        ]
        for member, table in tables.items()
    }
    labels, members = drawn.compared.labels, list(tables)
    there = [value for row in values.values() for value in row if value is not None]
    limits = (min(there), max(there)) if there else None
    panels = [
        Heat(
            [values[member] for member in rows], Axis("weights remaining"), Axis(""), scale_label, heads,
            [labels[member] for member in rows], limits=limits, centre=centre, numbers="{:.1f}", rows_down=True,
        )
        for rows in evenly(members, MOST_ROWS)
    ]  # fmt: skip
    last = {
        member: next((value for value in reversed(row) if value is not None), None) for member, row in values.items()
    }
    said = sorted((value, member) for member, value in last.items() if value is not None)
    alt = (
        f"A row for each of {len(members)} experiments, a column for each round. In its last round the best is "
        f"{labels[said[-1][1]]} ({said[-1][0]:.1f}), the worst {labels[said[0][1]]} ({said[0][0]:.1f})."
        if said
        else "Nothing has been trained yet."
    )
    about = ["Means over replicates. More experiments than colours: a cell for each instead of a line."]
    return Chart(name, f"{what}: {drawn.title}", alt, panels, about, columns=1, notes=drawn.notes)
