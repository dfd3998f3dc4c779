"""The charts of a comparison: a colour for each experiment, a line style for each arm."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pandas as pd

from lth_pipeline.experiments.arms import ARMS
from lth_pipeline.reports.charts.chart import Axis, Chart, Line, Lines, Rule
from lth_pipeline.reports.charts.palette import PALETTE
from lth_pipeline.reports.comparison import Comparison
from lth_pipeline.reports.comparison_curves import learning_curves
from lth_pipeline.reports.comparison_fields import fields
from lth_pipeline.reports.comparison_look import ACCURACY, GAP, MEASURES, STYLES, Drawn, look
from lth_pipeline.reports.over_replicates import DENSITY, Spread, by_density, line, training_limits, training_said
from lth_pipeline.reports.table import averaged
from lth_pipeline.reports.wording import left, written

MOST_LINES = len(PALETTE)  # experiments that have a colour each; more are cells, not lines
MOST_BANDS = 2  # experiments whose controls have bands too
PAPERS = (
    "Frankle & Carbin 2019 compare so: iterative against one-shot pruning (Figure 4: iterative pruning finds smaller "
    "tickets), and tickets against the same masks on fresh weights (Figures 3 and 4)."
)


def comparison_charts(compared: Comparison, curves: pd.DataFrame | None = None) -> list[Chart]:
    """curves: of what `rounds_of_curves` chose: columns experiment, replicate, round, arm, draw, density, iteration,
    test_accuracy; without them no learning curves."""
    drawn = look(compared)
    if len(compared.members) > MOST_LINES:
        return list(fields(drawn))
    accuracy = ("test_accuracy_at_early_stop", "test_accuracy_at_end")
    charts = [
        _by_density(drawn, "accuracy_by_density", "Test accuracy", accuracy),
        _by_density(drawn, "early_stop_by_density", "Early stop", ("early_stop_iteration", "train_accuracy_at_end")),
    ]
    if len(drawn.arms) > 1 and (gap := _gap(drawn)):
        charts.append(gap)
    if curves is not None and len(curves):
        charts.append(learning_curves(drawn, curves))
    return charts


def _by_density(drawn: Drawn, name: str, what: str, measures: Sequence[str]) -> Chart:
    several = len(drawn.panels) > 1
    panels, said, alike = [], [], []
    for members in drawn.panels:
        for measure in measures:
            title, axis, scale = MEASURES[measure]
            lines = [each for member in members for each in _member_lines(drawn, member, measure, scale)]
            if measure == "train_accuracy_at_end" and (all_the_same := training_said(lines)):
                alike = [all_the_same]
                continue
            title = f"{title} (experiments {_numbers(drawn, members)})" if several else title
            panels.append(Lines(DENSITY, _fitting(axis, measure, lines), lines, title=title))
            said += _sparsest(drawn, members, measure, scale) if measure == measures[0] else []
    about = [f"One colour for each experiment; {drawn.key}. Band: from the least to the greatest replicate."]
    about += [*alike, *([PAPERS] if name == "accuracy_by_density" else [])]
    alt = f"{MEASURES[measures[0]][0]} of the tickets at their fewest weights: {'; '.join(said) or 'none yet'}."
    comparable = several and len({MEASURES[measure][1] for measure in measures}) == 1
    return Chart(name, f"{what}: {drawn.title}", alt, panels, about, notes=drawn.notes, same_y=comparable)


def _numbers(drawn: Drawn, members: Sequence[str]) -> str:
    order = list(drawn.colours)
    return f"{order.index(members[0]) + 1} to {order.index(members[-1]) + 1}"


def _sparsest(drawn: Drawn, members: Sequence[str], measure: str, scale: float) -> list[str]:
    found = {member: by_density(drawn.frame(member), "ticket", measure, scale) for member in members}
    labels = drawn.compared.labels
    return [
        f"{labels[member]} {each.mean[-1]:{'.1f' if scale == 100 else ',.0f'}} at {left(each.x[-1] / 100)}"
        for member, each in found.items()
        if each
    ]


def _member_lines(drawn: Drawn, member: str, measure: str, scale: float) -> Iterator[Line]:
    frame = drawn.frame(member)
    spreads = {arm: by_density(frame, arm, measure, scale) for arm in drawn.arms}
    dense = frame[frame["arm"] == "dense"]
    if len(dense):
        height = scale * dense[measure].mean()
        reach = [x for spread in spreads.values() if spread for x in spread.x] or [100.0]
        alone = spreads["ticket"] is None  # nothing else says whose colour it is
        name = drawn.name(member, "ticket" if alone else "dense")
        ends = (max(reach), min(reach))
        yield Line(name, ends, (height, height), colour=drawn.colours[member], faint=True, marks=False, legend=alone)
    for (arm, spread), style in zip(spreads.items(), STYLES, strict=False):
        if spread is None:
            continue
        if arm != "ticket" and len(drawn.compared.members) > MOST_BANDS:
            spread = spread._replace(low=None, high=None)  # so many bands hide the lines
        yield line(drawn.name(member, arm), spread, colour=drawn.colours[member], style=style, legend=drawn.named(arm))


def _fitting(axis: Axis, measure: str, lines: Sequence[Line]) -> Axis:
    """Where controls fall so far that tickets would be pressed together, the axis ends below them and says so."""
    if measure == "train_accuracy_at_end":
        return replace(axis, limits=training_limits(lines))
    tickets = [
        value for each in lines if each.style == "solid" for value in (*each.y, *(each.low or ()), *(each.high or ()))
    ]
    if axis is not ACCURACY or not tickets:
        return axis
    span = max(max(tickets) - min(tickets), 0.5)
    lowest = min(tickets) - 1.5 * span
    if min(value for each in lines for value in each.y) >= lowest:
        return axis
    return replace(axis, label=f"{axis.label} (controls go on below)", limits=(lowest, max(tickets) + 0.1 * span))


def _gap(drawn: Drawn) -> Chart | None:
    """Ticket minus the first control, replicate by replicate."""
    control = drawn.arms[1]
    panels = []
    for measure in ("test_accuracy_at_early_stop", "test_accuracy_at_end"):
        lines = []
        for member, colour in drawn.colours.items():
            if spread := _paired(drawn.compared.of(member), control, measure):
                lines.append(line(drawn.compared.labels[member], spread, colour=colour))
        panels.append(Lines(DENSITY, GAP, lines, [Rule(0.0, "y")], MEASURES[measure][0]))
    if not any(panel.lines for panel in panels):
        return None
    said = "; ".join(
        f"{each.name} {written(each.y[-1], '+.2f')} at {left(each.x[-1] / 100)}" for each in panels[0].lines
    )
    return Chart(
        "gap_by_density",
        f"Ticket minus {ARMS[control].title}: {drawn.title}",
        f"The gap at early stop and the fewest weights, in percentage points: {said}. Above zero the ticket is better.",
        panels,
        [
            "The difference is taken replicate by replicate: its mean, and a band from the least to the greatest. "
            "Above zero the original initialisation is worth something beyond the mask."
        ],
        notes=drawn.notes,
        same_y=True,
    )


def _paired(frame: pd.DataFrame, control: str, measure: str) -> Spread | None:
    rows = averaged(frame)
    wide = rows[rows["arm"].isin(["ticket", control])].pivot_table(
        index=["round", "replicate"], columns="arm", values=measure
    )
    if not {"ticket", control} <= set(wide.columns):
        return None
    grouped = (100 * (wide["ticket"] - wide[control])).dropna().groupby(level="round")
    if not len(grouped):
        return None
    density = rows[rows["arm"] == "ticket"].groupby("round")["density"].mean()
    means = grouped.mean()
    x = tuple(100 * density.reindex(means.index))
    several = grouped.size().max() > 1
    return Spread(x, tuple(means), tuple(grouped.min()) if several else None, tuple(grouped.max()) if several else None)
