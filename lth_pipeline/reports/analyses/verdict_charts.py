"""The pictures of the verdict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pandas as pd

from lth_pipeline.experiments.arms import ARMS
from lth_pipeline.reports.analyses.section import About
from lth_pipeline.reports.charts.chart import Axis, Chart, Line, Lines, Rule

#: what is judged -> when it is measured, in words
ACCURACIES = {
    "test_accuracy_at_early_stop": "at early stop",
    "test_accuracy_at_end": "at the end of training",
}
MOST_BANDS, BANDED = 3, ("ticket", "dense", "reinit")
DENSITY = Axis("weights remaining, % (log)", log=True, falling=True)


def accuracy(arms: pd.DataFrame, about: About) -> Chart:
    panels = []
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
        f"Test accuracy of every arm by density, mean of n = {_n(arms)}",
        "Test accuracy against the share of weights remaining, a line for each arm with its interval, and a straight "
        f"line for the dense network. {_highest(arms)}",
        panels,
        about=[
            "Each point is the mean over replicates, the band its 95 % bootstrap interval (with 2 or 3 replicates the "
            "least to the greatest); of more than three lines only the most important have one. The straight line is "
            "the dense network's mean.",
            "Frankle & Carbin 2019 (§2, Fig. 4) found that LeNet's tickets keep or raise the dense network's accuracy "
            "over most of the range, while the same masks on fresh weights lose accuracy as they get sparser.",
        ],
        notes=about.notes,
        same_y=True,
    )


def differences_of_pairs(differences: pd.DataFrame, margin: float, about: About) -> Chart:
    panels = []
    for measure, when in ACCURACIES.items():
        own = differences[differences["measure"] == measure]
        rules = [Rule(0, "y"), Rule(-100 * margin, "y", "margin", "dense")]
        lines = [
            _line(f"ticket − {ARMS[arm].title}", own[own["against"] == arm], lambda value: 100 * value, arm)
            for arm in ARMS
            if (own["against"] == arm).any()
        ]
        label = Axis("difference, percentage points")
        panels.append(Lines(DENSITY, label, _thinned(lines), rules, f"ticket minus other, {when}"))
    return Chart(
        "verdict_differences",
        f"The ticket minus each other arm, paired by replicate, n = {_n(differences)}",
        "Difference of test accuracy between the ticket and each other arm against the share of weights remaining, "
        "with intervals, a line at zero, where they are equal, and one at the margin, how far below dense a ticket "
        f"still matches. {_furthest(differences)}",
        panels,
        about=[
            "Above zero the ticket is better than what it is held against. Both come from the same replicate, so what "
            "a seed does to both cancels out. Bands: 95 % bootstrap intervals of the mean difference.",
            "A ticket matches dense only where the whole of its one-sided interval lies above the margin; whether the "
            "difference from a control could be chance is in the table, by a paired test.",
        ],
        notes=about.notes,
    )


def speed(ratios: pd.DataFrame, about: About) -> Chart:
    lines = [
        _line(ARMS[arm].title, ratios[ratios["against"] == arm], lambda value: value, arm, "ratio")
        for arm in ("dense", "reinit")
        if (ratios["against"] == arm).any()
    ]
    axis = Axis("early-stop iterations, other / ticket")
    return Chart(
        "verdict_speed",
        f"How much sooner the ticket comes to its early stop, n = {_n(ratios)}",
        "Early-stop iterations of the dense network, and of the same mask on fresh weights, as multiples of the "
        f"ticket's, against the share of weights remaining; a line at 1, where both take as long. {_fastest(ratios)}",
        [Lines(DENSITY, axis, lines, [Rule(1, "y", "as fast")], "early-stop speed-up of the ticket")],
        about=[
            "The early-stop iteration is that of least validation loss; the ratio is that of the means over "
            "replicates, the band its 95 % bootstrap interval. Above 1 the ticket is faster.",
            "Frankle & Carbin 2019 (§2, Fig. 4) found that LeNet's tickets reach their early stop sooner than the "
            "dense network, and the same masks on fresh weights later.",
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
        f"At early stop the ticket is highest with {percent(best['density'])} of the weights, at "
        f"{percent(best['mean'])}; with the fewest, {percent(last['density'])}, it has {percent(last['mean'])}."
    )


def _furthest(differences: pd.DataFrame) -> str:
    """How far the ticket is from each other arm in the sparsest round, at early stop."""
    own = differences[differences["measure"] == next(iter(ACCURACIES))]
    last = own[own["round"] == own["round"].max()]
    of_each = ", ".join(f"{100 * row.mean:+z.2f} from {ARMS[row.against].title}" for row in last.itertuples())
    return f"With the fewest weights, {percent(last['density'].iloc[0])}, the ticket's difference is {of_each}."


def _fastest(ratios: pd.DataFrame) -> str:
    """Where the ticket is fastest against each."""
    said = []
    for arm in ("dense", "reinit"):
        own = ratios[(ratios["against"] == arm) & ratios["ratio"].notna()]
        if not own.empty:
            best = own.loc[own["ratio"].idxmax()]
            said.append(f"{best['ratio']:.2f} for {ARMS[arm].title} at {percent(best['density'])}")
    return f"The greatest ratios: {'; '.join(said)}." if said else ""


def percent(density: float) -> str:
    return f"{100 * density:.1f} %"


def _n(rows: pd.DataFrame) -> str:
    least, most = int(rows["n"].min()), int(rows["n"].max())
    return str(most) if least == most else f"{least} to {most}"
