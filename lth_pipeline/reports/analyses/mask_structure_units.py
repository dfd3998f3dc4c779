"""Charts of units: how many are dead, and how many connections the others have, against a random mask."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lth_pipeline.experiments.arms import ARMS
from lth_pipeline.reports.analyses.mask_structure_tables import INPUT, MOST_LAYERS, Tables, some
from lth_pipeline.reports.analyses.section import About
from lth_pipeline.reports.charts.chart import Axis, Chart, Line, Lines
from lth_pipeline.reports.over_replicates import DENSITY, by_density, line
from lth_pipeline.reports.wording import left

TICKET, CHANCE = ARMS["ticket"].title, "random mask, expected"
LEAST_TOP = 5.0  # of an axis, in %: where hardly any unit is dead it should look so
WAYS = {"in": "incoming", "out": "outgoing"}


def dead_units(tables: Tables, about: About) -> Chart | None:
    """A panel for the image where its pixels are read one by one, and one for each of some hidden layers."""
    units = tables.units.assign(arm="ticket")
    reads_pixels = len(tables.pixels) > 0
    shown = [*([INPUT] if reads_pixels else []), *_most_dead(tables, MOST_LAYERS - reads_pixels)]
    if not shown:
        return None
    panels = []
    for name in shown:
        own = units[units["layer"] == name]
        own = own.assign(**{column: own[column].astype(float) / own["units"] for column in ("dead", "expected_dead")})
        lines = [line(TICKET, by_density(own, "ticket", "dead", 100.0), arm="ticket")]
        if own["expected_dead"].notna().all():
            spread = by_density(own, "ticket", "expected_dead", 100.0)
            lines.append(line(CHANCE, spread, arm="random_mask", style="dashed", marks=False))
        top = max(max(each.high or each.y) for each in lines)
        what = "pixels that no weight reads" if name == INPUT else "dead units"
        title = (
            f"Image: {own['units'].iloc[0]:,} pixels" if name == INPUT else f"{name}: {own['units'].iloc[0]:,} units"
        )
        panels.append(Lines(DENSITY, Axis(f"{what}, %", limits=(0.0, max(1.05 * top, LEAST_TOP))), lines, title=title))
    said = "; ".join(
        f"{panel.title.split(':')[0]} " + ", ".join(f"{each.y[-1]:.1f} % ({each.name})" for each in panel.lines)
        for panel in panels
    )
    return Chart(
        "dead_units",
        f"Dead units: {about.head}",
        f"At {left(tables.density(tables.last))} of the weights: {said}.",
        panels,
        [
            "A unit (a neuron or a filter) is dead where none of its incoming weights survives, or none of those that "
            "read it: without the first it gives a constant, without the second nobody hears it. In a residual network "
            "a unit is also read by the layers that shortcuts carry it to; where a filter has no incoming weight its "
            "channel may still carry the shortcut's. Dashed: what a mask with as many weights in each layer, placed at "
            "random, would leave dead.",
            "More dead units than by chance mean that pruning drops whole units. Frankle & Carbin 2019 (Appendix F) "
            "find incoming connections of LeNet's hidden units thinned evenly, their outgoing ones much less so.",
            "Weights of dead units count in the density and do nothing. Vysogorets & Kempe 2023 (Connectivity "
            "Matters) count only those on a path from the image to a class: of a randomly pruned LeNet-300-100 far "
            "fewer are left then than the density says. The table below has that share for every layer.",
        ],
        columns=min(3, len(panels)),
        notes=about.notes,
    )


def _most_dead(tables: Tables, most: int) -> list[str]:
    """The hidden layers, or those with the largest share of dead units in the last round, expected or found."""
    names = list(dict.fromkeys(tables.hidden["layer"]))
    last = tables.hidden[tables.hidden["round"] == tables.last]
    shares = last[["dead", "expected_dead"]].astype(float).max(axis=1) / last["units"]
    chosen = shares.groupby(last["layer"]).mean().reindex(names).nlargest(most, keep="first").index
    return [name for name in names if name in chosen]


def degrees(tables: Tables, about: About) -> Chart | None:
    """Of the last round: a panel for the connections into and out of each of some layers."""
    table = tables.degrees
    if table.empty:
        return None
    table = table[table["round"] == tables.last]
    pairs = list(dict.fromkeys(zip(table["layer"], table["direction"], strict=True)))
    if not len(tables.pixels):
        pairs = [pair for pair in pairs if pair[0] != INPUT]  # of a convolution: a handful of channels
    panels = [
        _histogram(table[(table["layer"] == layer) & (table["direction"] == way)], layer, way)
        for layer, way in some(pairs)
    ]
    units = tables.at(tables.units, tables.last, panels[0].title.split(":")[0])
    return Chart(
        "degrees",
        f"Connections of units at {left(tables.density(tables.last))} of the weights: {about.head}",
        f"Distributions of the number of surviving connections of a unit. {_spreads(units)}".strip(),
        panels,
        [
            "How many surviving connections units have in the last round: incoming are a unit's own weights, outgoing "
            "those that read it. Dashed: a mask with as many weights in each layer, placed at random. A broader or "
            "lopsided ticket means that some units were kept at the cost of others.",
            "Frankle & Carbin 2019 (Appendix F, LeNet on MNIST) find that hidden units keep incoming connections about "
            "in proportion to how far their layer is pruned, and outgoing ones unevenly: some units many, most few.",
        ],
        columns=3,
        notes=about.notes,
    )


def _histogram(rows: pd.DataFrame, layer: str, way: str) -> Lines:
    """All replicates' bins, which differ, spread over the degrees in them and put into common ones."""
    width = int((rows["greatest"] - rows["least"]).max()) + 1
    low = int(rows["least"].min()) // width * width
    edges = range(low, int(rows["greatest"].max()) + 1, width)
    centres = [edge + (width - 1) / 2 for edge in edges]

    def share(column: str) -> list[float]:
        spread = np.zeros(len(edges) * width)
        for row in rows.itertuples():
            places = slice(row.least - low, row.greatest - low + 1)
            spread[places] += getattr(row, column) / (row.greatest - row.least + 1)
        return (100 * spread.reshape(-1, width).sum(1) / rows["units"].sum()).tolist()

    lines = [Line(TICKET, centres, share("units"), arm="ticket", marks=False)]
    if rows["expected"].notna().all():
        lines.append(Line(CHANCE, centres, share("expected"), arm="random_mask", style="dashed", marks=False))
    who = "pixels" if layer == INPUT else "units"
    within = f" in bins of {width}" if width > 1 else ""
    return Lines(Axis(f"{WAYS[way]} connections{within}"), Axis(f"{who}, %"), lines, title=f"{layer}: {WAYS[way]}")


def _spreads(units: pd.DataFrame) -> str:
    """How far the degrees of one layer are spread."""
    if units.empty or units["random_out_sd"].isna().all():
        return ""
    own, chance = (units[column].astype(float).mean() for column in ("out_sd", "random_out_sd"))
    layer = units["layer"].iloc[0]
    return f"{layer}'s outgoing connections have a standard deviation of {own:.1f}, in a random mask {chance:.1f}."
