"""Label noise: dense, ticket and control on labels some of which are wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from lth_pipeline.experiments.arms import ARMS
from lth_pipeline.reports.analyses.along import along
from lth_pipeline.reports.analyses.parent import of_parent
from lth_pipeline.reports.analyses.section import About, Findings, Section, Shown
from lth_pipeline.reports.charts.chart import Axis, Bar, Bars, Chart, Lines
from lth_pipeline.reports.over_replicates import arms_of, line, over_iterations, roomy
from lth_pipeline.reports.wording import left, of_replicates, ranged

ACCURACY = Axis("test accuracy (clean labels), %")
MEMORISED = Axis("wrong labels that were learned, %")
FALLEN = 1.0  # percentage points below its highest: less is seen of no training on right labels either
MOMENTS = {"test_accuracy_at_early_stop": "at early stop", "test_accuracy_at_end": "at the end"}
COLUMNS = (
    *("wrong labels", "network", "weights remaining", "test accuracy at early stop, %", "at the end, %"),
    *("wrong labels learned, %", "true label answered instead, %"),
)


def section(findings: Findings, about: About) -> Section:
    every = findings.tables.get("label_noise", pd.DataFrame())
    if every.empty:
        return Section("No network has been trained on wrong labels yet.")
    rows = every.dropna(subset=["test_accuracy_at_end"])
    if rows.empty or rows["noise"].max() == 0:
        return Section("No training on wrong labels came to its end.")
    curves = findings.tables.get("curves", pd.DataFrame())
    charts = [_accuracy(rows, about), _memorised(rows, about)]
    if len(curves):
        charts.append(_curves(curves, about))
    text = [*_text(every, rows), *_before(curves), *of_parent(about, (rows["round"] == 0).any())]
    return Section(_headline(rows), charts, text, [_table(rows)])


def _accuracy(rows: pd.DataFrame, about: About) -> Chart:
    """A row of panels for each round: at early stop, and at the end."""
    panels = [
        Lines(
            Axis("training labels that are wrong, %"),
            ACCURACY,
            [
                line(ARMS[arm].title, spread, arm=arm)
                for arm, own in _networks(rows, round)
                if (spread := along(own, "noise", column, 100.0, 100.0))
            ],
            title=f"{title}, {moment}",
        )
        for round, title in _rounds(rows)
        for column, moment in MOMENTS.items()
    ]
    return Chart(
        "label_noise_accuracy",
        f"Test accuracy after training on wrong labels: {about.head}",
        f"From the fewest to the most wrong labels. {_seen(panels)}",
        panels,
        [
            "A share of the training labels is replaced by another class each, drawn uniformly and the same for every "
            "network of a replicate; the test labels are right. At early stop: at the iteration of least validation "
            "loss; at the end: after the last iteration. Point: mean of the replicates; band: least to greatest.",
            "Jin et al. 2022 (Pruning's Effect on Generalization) found that at some sparsities pruning regularises: "
            "wrong labels cost the pruned network less accuracy than the dense one.",
        ],
        notes=about.notes,
        same_y=True,
    )


def _memorised(rows: pd.DataFrame, about: About) -> Chart:
    noisy = rows[rows["noise"] > 0]
    shares = sorted(noisy["noise"].unique())
    panels = []
    for round, title in _rounds(rows):
        bars = []
        for arm, own in _networks(noisy, round):
            grouped = 100 * own.groupby("noise")["memorised"].agg(["mean", "min", "max"]).reindex(shares)
            mean, low, high = ([None if pd.isna(v) else float(v) for v in grouped[how]] for how in grouped)
            whiskers = own.groupby("noise").size().max() > 1
            bars.append(Bar(ARMS[arm].title, mean, low if whiskers else None, high if whiskers else None, arm))
        panels.append(
            Bars(
                [f"{100 * share:.3g} %" for share in shares],
                bars,
                MEMORISED,
                "training labels that are wrong",
                title=title,
            )
        )
    seen = ". ".join(
        f"{panel.title}: " + ", ".join(f"{bar.name} {_to(bar.values)} %" for bar in panel.bars) for panel in panels
    )
    return Chart(
        "label_noise_memorised",
        f"How many of the wrong labels a network has learned by the end: {about.head}",
        f"From the fewest to the most wrong labels. {seen}.",
        panels,
        [
            "Of the training images with a wrong label, the share to which the trained network answers that label. "
            "Whiskers: least to greatest replicate.",
            "Zhang et al. 2017 showed that the usual networks fit labels drawn entirely at random, to a training error "
            "of about 0. Arpit et al. 2017 found that they learn what images have in common first and the noise later, "
            "which is why to stop early helps.",
        ],
        notes=about.notes,
        same_y=True,
    )


def _curves(curves: pd.DataFrame, about: About) -> Chart:
    """The course of training with the most wrong labels."""
    most = curves["noise"].max()
    noisy = curves[curves["noise"] == most]
    panels = [
        Lines(
            Axis("training iteration"),
            ACCURACY,
            [
                line(ARMS[arm].title, spread, arm=arm, marks=False)
                for arm, own in _networks(noisy, round)
                if (spread := over_iterations(own, "test_accuracy", 100.0))
            ],
            title=title,
        )
        for round, title in _rounds(noisy)
    ]
    every = [each for panel in panels for each in panel.lines]
    limits = roomy((max(each.y) for each in every), (each.y[-1] for each in every))
    panels = [replace(panel, y=replace(ACCURACY, limits=limits)) for panel in panels]
    fallen = [
        f"{each.name} {max(each.y) - each.y[-1]:.1f} at {panel.title}"
        for panel in panels
        for each in panel.lines
        if max(each.y) - each.y[-1] > FALLEN
    ]
    falls = (
        f"By the end lines have fallen from their highest by, in percentage points: {'; '.join(fallen)}. What the "
        "images have in common is learned first, and wrong labels after it."
        if fallen
        else f"No line falls by more than {FALLEN:g} percentage point from its highest."
    )
    seen = ". ".join(
        f"{panel.title}: "
        + ", ".join(f"{each.name} comes to {max(each.y):.1f} % and ends at {each.y[-1]:.1f}" for each in panel.lines)
        for panel in panels
    )
    return Chart(
        "label_noise_training",
        f"Test accuracy as training proceeds with {100 * most:.3g} % of the labels wrong: {about.head}",
        f"{seen}.",
        panels,
        [
            f"{falls} Line: mean of the replicates; band: least to greatest. The climb from chance may lie below the "
            "frame."
        ],
        notes=about.notes,
        same_y=True,
    )


def _networks(rows: pd.DataFrame, round: int) -> list[tuple[str, pd.DataFrame]]:
    """(arm, its rows) of the dense network and the arms of `round`."""
    own = rows[rows["round"].isin([0, round])]
    return [(arm, own[own["arm"] == arm]) for arm in ("dense", *arms_of(own)) if (own["arm"] == arm).any()]


def _rounds(rows: pd.DataFrame) -> list[tuple[int, str]]:
    """(round, its weights in words) of those that are pruned; the dense network alone where none is."""
    pruned = rows[rows["round"] > 0]
    if pruned.empty:
        return [(0, "100 % of the weights")]
    return [
        (round, f"{left(density)} of the weights")
        for round, density in pruned.groupby("round")["density"].mean().items()
    ]


def _headline(rows: pd.DataFrame) -> str:
    most = rows["noise"].max()
    noisy = rows[rows["noise"] == most]
    round, title = _rounds(noisy)[-1]
    networks = _networks(noisy, round)
    ends = ", ".join(f"{ARMS[arm].title} {ranged(100 * own['test_accuracy_at_end'], '.1f')}" for arm, own in networks)
    shares = {arm: 100 * own["memorised"].mean() for arm, own in networks}
    decimals = 1 if min(shares.values()) < 10 else 0
    learned = ", ".join(f"{ARMS[arm].title} {share:.{decimals}f} %" for arm, share in shares.items())
    return (
        f"With {100 * most:.3g} % of the training labels wrong, the test accuracy at the end is, in %: {ends} "
        f"(arms at {title}; {of_replicates(noisy['replicate'].nunique())}). Of the wrong labels they have learned: "
        f"{learned}."
    )


def _text(every: pd.DataFrame, rows: pd.DataFrame) -> Sequence[str]:
    said = [
        "The validation labels are wrong as often as the training labels: whoever has such labels validates on them, "
        "and stops early by them. Those of the test part are right, and nothing is chosen by them.",
        "Masks are those that were found on right labels, so a ticket may know through its mask what the wrong labels "
        "hide; the control has the same mask. What a ticket that is found on wrong labels does is another question.",
    ]
    if lost := len(every) - len(rows):
        said.append(f"{lost} of {len(every)} trainings are left out: they diverged.")
    return said


def _before(curves: pd.DataFrame) -> Sequence[str]:
    """What the mask alone knows of the right labels."""
    tickets = curves[(curves["arm"] == "ticket") & (curves["noise"] > 0)] if len(curves) else curves
    if tickets.empty:
        return []
    first = tickets.sort_values("iteration").groupby(["replicate", "round", "noise"]).first().reset_index()
    said = ", ".join(
        f"{ranged(100 * own.groupby('replicate')['test_accuracy'].mean(), '.1f')} % at {left(own['density'].mean())} "
        f"of the weights"
        for _, own in first.groupby("round")
    )
    return [
        f"How much that may be shows before the first step, when no label has been seen: the ticket's test accuracy "
        f"is {said} then. Where this is far above chance, the mask has carried it over, and so have "
        "its weights where these are rewound to a later iteration, or not at all."
    ]


def _table(rows: pd.DataFrame) -> Shown:
    cells = []
    order = ["dense", *arms_of(rows)]
    for noise in sorted(rows["noise"].unique()):
        for round in sorted(rows["round"].unique()):
            for arm in order:
                own = rows[(rows["noise"] == noise) & (rows["round"] == round) & (rows["arm"] == arm)]
                if len(own):
                    cells.append(
                        (
                            f"{100 * noise:.3g} %",
                            ARMS[arm].title,
                            left(own["density"].mean()),
                            *(ranged(100 * own[column], ".2f") for column in MOMENTS),
                            *(ranged(100 * own[column].astype(float), ".1f") for column in ("memorised", "recovered")),
                        )
                    )
    return Shown("Means over replicates, and from the least to the greatest.", COLUMNS, cells)


def _seen(panels: Sequence[Lines]) -> str:
    return " ".join(
        f"{panel.title}: " + ", ".join(f"{each.name} {_to(each.y)} %" for each in panel.lines) + "." for panel in panels
    )


def _to(values: Sequence[float | None]) -> str:
    there = [value for value in values if value is not None]
    return f"{there[0]:.1f} to {there[-1]:.1f}" if there else "nothing"
