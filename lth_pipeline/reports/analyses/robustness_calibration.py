"""Charts of calibration: whether networks are right as often as they are sure."""

from __future__ import annotations

import pandas as pd

from lth_pipeline.experiments.arms import ARMS
from lth_pipeline.reports.analyses.robustness_lines import dense_rule, from_to, lines_by_density
from lth_pipeline.reports.analyses.section import About
from lth_pipeline.reports.charts.chart import Axis, Chart, Line, Lines
from lth_pipeline.reports.over_replicates import DENSITY, arms_of
from lth_pipeline.reports.wording import left

FEWEST = 10  # images of all replicates in a bin that is shown
MOST_LINES = 4  # in the reliability diagram, dense among them
FEWEST_BINS = 4  # that some line must have points in: fewer say nothing of a course


def calibration_charts(calibration: pd.DataFrame, reliability: pd.DataFrame, about: About) -> list[Chart]:
    return [
        *([_by_density(calibration, about)] if calibration["round"].max() else []),
        *([_reliability(reliability, about)] if len(reliability) else []),
    ]


def _by_density(calibration: pd.DataFrame, about: About) -> Chart:
    table = calibration.assign(surplus=calibration["confidence"] - calibration["accuracy"])
    panels = []
    for title, column, label in (
        ("Expected calibration error", "ece", "expected calibration error, %"),
        ("Too sure (above 0) or not sure enough", "surplus", "mean confidence less accuracy, percentage points"),
    ):
        lines = lines_by_density(table, column)
        panels.append(Lines(DENSITY, Axis(label), lines, dense_rule(table, column), title))
    return Chart(
        "calibration_error",
        f"Calibration by weights remaining: {about.head}",
        "Expected calibration error from the dense network on the left to the sparsest: "
        f"{from_to(panels[0].lines, '.2f')}.",
        panels,
        [
            "The expected calibration error is the mean distance between how sure a network is of its answer and how "
            "often it is right, over 15 bins of confidence, on the whole test part. Point: mean of the replicates; "
            "band: least to greatest.",
            "Guo et al. 2017 (On Calibration of Modern Neural Networks) found that modern deep networks are more sure "
            "of themselves than they are right, while a small one of the nineties, LeNet-5, was well calibrated.",
        ],
        notes=about.notes,
    )


def _reliability(reliability: pd.DataFrame, about: About) -> Chart:
    last = reliability["round"].max()
    at_last = reliability[reliability["round"] == last]
    shown = {"dense": reliability[reliability["round"] == 0]}
    shown |= {arm: at_last[at_last["arm"] == arm] for arm in arms_of(at_last)}
    pooled = {arm: _pooled(rows) for arm, rows in shown.items() if len(rows)}
    pooled = dict(list(pooled.items())[:MOST_LINES])
    right = [
        Line(ARMS[arm].title, list(100 * of["confidence"]), list(100 * of["accuracy"]), arm=arm)
        for arm, of in ((arm, bins[bins["count"] >= FEWEST]) for arm, bins in pooled.items())
        if len(of)
    ]
    ends = (0.0, 100.0)
    diagonal = Line("right as often as sure", ends, ends, colour=6, style="dashed", marks=False)
    share = [
        Line(ARMS[arm].title, list(50 * (bins["low"] + bins["high"])), list(100 * bins["share"]), arm=arm)
        for arm, bins in ((arm, bins[bins["count"] > 0]) for arm, bins in pooled.items())
    ]
    fewest = min(min(each.y) for each in share)
    where = f"the dense network and {left(at_last['density'].mean())} of the weights" if last else "the dense network"
    seen = "; ".join(f"{ARMS[arm].title} {100 * bins['share'].iloc[-1]:.1f} %" for arm, bins in pooled.items())
    most = max((len(each.x) for each in right), default=0)
    told = most >= FEWEST_BINS
    reliable = Lines(
        Axis("confidence, %", limits=(0, 102)),
        Axis("accuracy, %", limits=(-2, 102)),
        [*right, diagonal],
        title="How often answers are right",
    )
    alt = "Accuracy against confidence; points below the diagonal are of answers that were wrong more often than the "
    return Chart(
        "reliability",
        f"{'Reliability' if told else 'How sure answers are'}, {where}: {about.head}",
        f"{alt + 'network thought. Beside it, how' if told else 'How'} many answers there are by confidence; in the "
        f"surest bin: {seen}.",
        [
            *([reliable] if told else []),
            Lines(
                Axis("confidence, %", limits=(0, 102)),
                Axis("answers, % of the test part (log)", log=True, limits=(0.7 * fewest, 140)),
                share,
                title="How sure they are",
            ),
        ],
        [
            "Answers in 15 bins by their confidence, those of all replicates together. Most answers are in the last "
            "bin, and the others say little where they are few. "
            + (
                f"Bins of fewer than {FEWEST} answers are left out of the accuracies."
                if told
                else f"How often answers of each confidence are right is not drawn: of {FEWEST} answers or more there "
                f"{'is one bin' if most == 1 else f'are {most} bins'}, and it takes {FEWEST_BINS} to see a course."
            ),
        ],
        columns=2 if told else 1,
        notes=about.notes,
    )


def _pooled(rows: pd.DataFrame) -> pd.DataFrame:
    """Bins of all replicates together: low, high, count, share of all, confidence, accuracy (None where empty)."""
    weighed = rows.assign(sure=rows["confidence"] * rows["count"], right=rows["accuracy"] * rows["count"])
    found = weighed.groupby("bin").agg(
        low=("low", "first"),
        high=("high", "first"),
        count=("count", "sum"),
        sure=("sure", "sum"),
        right=("right", "sum"),
    )
    counted = found["count"].where(found["count"] > 0)
    return found.assign(
        confidence=found["sure"] / counted,
        accuracy=found["right"] / counted,
        share=found["count"] / found["count"].sum(),
    )
