"""Learning curves of several experiments laid over each other, at the densities that they share best."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pandas as pd

from lth_pipeline.reports.charts.chart import Axis, Chart, Line, Lines
from lth_pipeline.reports.comparison import Comparison
from lth_pipeline.reports.comparison_look import ACCURACY, STYLES, Drawn
from lth_pipeline.reports.over_replicates import line, over_iterations, roomy
from lth_pipeline.reports.table import ended
from lth_pipeline.reports.wording import left

MOST_DENSITIES = 4  # whose learning curves are laid over each other


def rounds_of_curves(compared: Comparison) -> dict[str, list[int]]:
    """{member: rounds whose learning curves are laid over each other}: the dense network, the sparsest density that
    all have reached, and some evenly between; of each member the rounds nearest to these, one for each density."""
    found = {}
    tickets = ended(compared.frame)[lambda rows: rows["arm"].isin(["dense", "ticket"])]
    for member, rows in tickets.groupby("experiment", sort=False):
        found[member] = rows.groupby("round")["density"].mean()
    if not found or any(0 not in densities.index for densities in found.values()):
        return {}
    sparsest = max(densities.min() for densities in found.values())
    steps = min(MOST_DENSITIES, min(len(densities) for densities in found.values())) - 1
    targets = [math.log(sparsest) * place / steps for place in range(steps + 1)] if steps else [0.0]
    return {
        member: [int((densities.map(math.log) - at).abs().idxmin()) for at in targets]
        for member, densities in found.items()
    }


def learning_curves(drawn: Drawn, curves: pd.DataFrame) -> Chart:
    """A panel for each density."""
    chosen = rounds_of_curves(drawn.compared)
    panels = []
    for rounds in zip(*chosen.values(), strict=True):
        lines, densities = [], []
        for member, round in zip(chosen, rounds, strict=True):
            own = curves[(curves["experiment"] == member) & (curves["round"] == round)]
            densities += list(own[own["arm"].isin(["dense", "ticket"])]["density"])
            lines += _curve_lines(drawn, member, own)
        panels.append(Lines(Axis("training iteration"), ACCURACY, lines, title=_densities(densities)))
    every = [each for panel in panels for each in panel.lines]
    tickets = [each for each in every if each.style == "solid"]
    limits = roomy((max(each.y) for each in every), (each.y[-1] for each in tickets))
    panels = [replace(panel, y=replace(ACCURACY, limits=limits)) for panel in panels]
    last = "; ".join(f"{each.name} ends at {each.y[-1]:.1f} %" for each in panels[-1].lines)
    return Chart(
        "learning_curves",
        f"Test accuracy as training proceeds: {drawn.title}",
        f"A panel for each density; at the fewest weights that all have reached: {last}.",
        panels,
        [
            f"At the densities nearest to each other; {drawn.key.rpartition(', thin')[0]}. Band of "
            "the tickets: from the least to the greatest replicate. The climb from chance lies below the frame."
        ],
        notes=drawn.notes,
        same_y=True,
    )


def _curve_lines(drawn: Drawn, member: str, curves: pd.DataFrame) -> Iterator[Line]:
    for arm, style in zip(drawn.arms, STYLES, strict=False):
        alike = ("dense", "ticket") if arm == "ticket" else (arm,)  # the dense network is the ticket of round 0
        spread = over_iterations(curves[curves["arm"].isin(alike)], "test_accuracy", 100.0)
        if spread is None:
            continue
        if arm != "ticket":  # curves cross each other as it is
            spread = spread._replace(low=None, high=None)
        look = {"colour": drawn.colours[member], "style": style, "marks": False, "legend": drawn.named(arm)}
        yield line(drawn.name(member, arm), spread, **look)


def _densities(found: Sequence[float]) -> str:
    """ "21.1 % of weights"; from the least to the greatest where they differ."""
    if not found:
        return ""
    low, high = left(min(found)), left(max(found))
    return f"{low} of weights" if low == high else f"{low.removesuffix(' %')} to {high} of weights"
