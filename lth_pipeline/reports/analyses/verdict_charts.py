"""The pictures of the verdict."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import pandas as pd

from lth_pipeline.experiments.arms import ARMS
from lth_pipeline.reports.analyses.section import About
from lth_pipeline.reports.charts.chart import Axis, Chart, Line, Lines, Rule
from lth_pipeline.reports.over_replicates import DENSITY
from lth_pipeline.reports.wording import left, written

#: what is judged -> when it is measured, in words
ACCURACIES = {
    "test_accuracy_at_early_stop": "at early stop",
    "test_accuracy_at_end": "at the end of training",
}
ROOM = 1.1  # above the greatest finite ratio: how far an interval without an upper end is drawn
MOST_BANDS, BANDED = 3, ("ticket", "dense", "reinit")


def accuracy(arms: pd.DataFrame, about: About) -> Chart:
    panels = []
    rule = ", and a straight line for the dense network" if (arms["arm"] == "dense").any() else ""
    for measure, when in ACCURACIES.items():
        own = arms[arms["measure"] == measure]
        dense = own[own["arm"] == "dense"]
        rules = [Rule(100 * value, "y", "dense", "dense") for value in dense["mean"]]
        lines = [
            _line(ARMS[arm].title, own[own["arm"] == arm], lambda value: 100 * value, arm)
            for arm in ARMS
            if arm != "dense" and (own["arm"] == arm).any()
        ]
        panels.append(Lines(DENSITY, Axis(f"test accuracy {when}, %"), _thinned(lines), rules, f"test accuracy {when}"))
    return Chart(
        "verdict_accuracy",
        f"Test accuracy of every arm by weights remaining{_n(arms, about)}: {about.head}",
        f"Test accuracy against the share of weights remaining, a line for each arm with its interval{rule}. "
        f"{_highest(arms)}",
        panels,
        about=[
            "Each point is the mean over replicates, the band its 95 % bootstrap interval (with 2 or 3 replicates the "
            "least to the greatest); of more than three lines only the most important have one. A straight line is "
            "the dense network's mean. What the paper found stands with its own figures (paper_figures).",
        ],
        notes=about.notes,
        same_y=True,
    )


def differences_of_pairs(differences: pd.DataFrame, margin: float, about: About) -> Chart:
    panels, held = [], (differences["against"] == "dense").any()
    at_margin = ", and one at the margin, how far below dense a ticket still matches" if held else ""
    for measure, when in ACCURACIES.items():
        own = differences[differences["measure"] == measure]
        rules = [Rule(0, "y"), *([Rule(-100 * margin, "y", "margin", "dense")] if held else [])]
        lines = [
            _line(f"ticket − {ARMS[arm].title}", own[own["against"] == arm], lambda value: 100 * value, arm)
            for arm in ARMS
            if (own["against"] == arm).any()
        ]
        label = Axis("difference, percentage points")
        panels.append(Lines(DENSITY, label, _thinned(lines), rules, f"ticket minus other, {when}"))
    return Chart(
        "verdict_differences",
        f"The ticket minus each other arm, paired by replicate{_n(differences, about)}: {about.head}",
        "Difference of test accuracy between the ticket and each other arm against the share of weights remaining, "
        f"with intervals, and a line at zero, where they are equal{at_margin}. {_furthest(differences)}",
        panels,
        about=[
            "Above zero the ticket is better than what it is held against. Both come from the same replicate, so what "
            "a seed does to both cancels out. Bands: 95 % bootstrap intervals of the mean difference.",
            "A ticket matches dense only where the whole of its one-sided interval lies above the margin; whether the "
            "difference from a control could be chance is in the table, by a paired test.",
        ],
        notes=about.notes,
    )


def speed(ratios: pd.DataFrame, bounds: str, about: About) -> Chart:
    """bounds: where ratios are bounds, in words; may be empty. An interval that is open above, where some draws have a
    ticket at its best before the first step, is drawn to above all that is finite."""
    drawn = ratios[["ratio", "low", "high"]].astype(float).replace(math.inf, math.nan)
    open_above = drawn["low"].notna() & drawn["high"].isna()
    top = ROOM * drawn.max().max()
    ratios = ratios.assign(high=drawn["high"].mask(open_above, top), low=drawn["low"], ratio=drawn["ratio"])
    endless = f" Intervals that reach {top:.2f} are open above." if open_above.any() else ""
    lines = [
        _line(ARMS[arm].title, ratios[ratios["against"] == arm], lambda value: value, arm, "ratio")
        for arm in ("dense", "reinit")
        if (ratios["against"] == arm).any()
    ]
    axis = Axis("early-stop iterations, other / ticket")
    return Chart(
        "verdict_speed",
        f"How much sooner the ticket comes to its early stop{_n(ratios, about)}: {about.head}",
        "Early-stop iterations of the dense network, and of the same mask on fresh weights, as multiples of the "
        f"ticket's, against the share of weights remaining; a line at 1, where both take as long. {_fastest(ratios)}"
        f"{endless}",
        [Lines(DENSITY, axis, lines, [Rule(1, "y", "as fast")], "early-stop speed-up of the ticket")],
        about=[
            "The early-stop iteration is that of least validation loss; the ratio is that of the means over "
            f"replicates, the band its 95 % bootstrap interval. Above 1 the ticket is faster.{endless}",
            *([bounds] if bounds else []),
        ],
        columns=1,
        notes=about.notes,
    )


def _line(name: str, rows: pd.DataFrame, scaled: Callable, arm: str, column: str = "mean") -> Line:
    """By density; points without an interval have a band of no width."""
    rows = rows.sort_values("density", ascending=False)
    ends = {
        end: [None if pd.isna(value) else scaled(value) for value in rows[end].fillna(rows[column])]
        for end in ("low", "high")
    }
    banded = rows["low"].notna().any()
    return Line(
        name,
        [100 * density for density in rows["density"]],
        [None if pd.isna(value) else scaled(value) for value in rows[column]],
        ends["low"] if banded else None,
        ends["high"] if banded else None,
        arm=arm,
    )


def _thinned(lines: Sequence[Line]) -> list[Line]:
    """Of more than MOST_BANDS lines, those of BANDED alone keep their bands, or nothing could be told apart."""
    if len(lines) <= MOST_BANDS:
        return list(lines)
    return [line if line.arm in BANDED else replace(line, low=None, high=None) for line in lines]


def _highest(arms: pd.DataFrame) -> str:
    """Where the ticket is best at early stop, for the alternative text."""
    own = arms[(arms["arm"] == "ticket") & (arms["measure"] == next(iter(ACCURACIES)))]
    if own.empty:
        return "No ticket has been trained."
    best, last = own.loc[own["mean"].idxmax()], own.loc[own["density"].idxmin()]
    return (
        f"At early stop the ticket is highest with {left(best['density'])} of the weights, at "
        f"{100 * best['mean']:.2f} %; with the fewest, {left(last['density'])}, it has {100 * last['mean']:.2f} %."
    )


def _furthest(differences: pd.DataFrame) -> str:
    """How far the ticket is from each other arm in the sparsest round, at early stop."""
    own = differences[differences["measure"] == next(iter(ACCURACIES))]
    last = own[own["round"] == own["round"].max()]
    of_each = ", ".join(
        f"{written(100 * row.mean, '+.2f')} from {ARMS[row.against].title}" for row in last.itertuples()
    )
    return f"With the fewest weights, {left(last['density'].iloc[0])}, the ticket's difference is {of_each}."


def _fastest(ratios: pd.DataFrame) -> str:
    """Where the ticket is fastest against each."""
    said = []
    for arm in ("dense", "reinit"):
        own = ratios[(ratios["against"] == arm) & ratios["ratio"].notna()]
        if not own.empty:
            best = own.loc[own["ratio"].idxmax()]
            said.append(f"{best['ratio']:.2f} for {ARMS[arm].title} at {left(best['density'])}")
    return f"The greatest ratios: {'; '.join(said)}." if said else ""


def _n(rows: pd.DataFrame, about: About) -> str:
    """ ", n = 3 to 5" where not all replicates are in every round; the head of the title says how many there are."""
    least, most = int(rows["n"].min()), int(rows["n"].max())
    if least == most == len(about.replicates):
        return ""
    return f", n = {most}" if least == most else f", n = {least} to {most}"
