"""The two figures of the paper that every experiment gets (Frankle & Carbin 2019, Fig. 3 and 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from lth_pipeline.experiments.arms import ARMS
from lth_pipeline.reports.drawing import figure, mark
from lth_pipeline.reports.table import averaged, notes

if TYPE_CHECKING:
    from matplotlib.figure import Figure


CROWDED = 5  # from so many arms on, the legend stands beside the curves
BESIDE = 1.85  # inches for it


def accuracy_by_density(frame: pd.DataFrame, title: str, at: str = "early_stop") -> Figure:
    """Test accuracy (%) against density. at: "early_stop" or "end"."""
    label = "test accuracy at early stop, %" if at == "early_stop" else "test accuracy at the end, %"
    return _by_density(frame, f"test_accuracy_at_{at}", 100.0, label, title)


def early_stop_by_density(frame: pd.DataFrame, title: str) -> Figure:
    """Early-stop iteration (least validation loss) against density."""
    return _by_density(frame, "early_stop_iteration", 1.0, "early-stop iteration", title)


def _by_density(frame: pd.DataFrame, column: str, scale: float, label: str, title: str) -> Figure:
    beside = frame["arm"].nunique() >= CROWDED
    drawn, axes = figure(6.15 + BESIDE, 3.9, title, right=BESIDE) if beside else figure(6.4, 3.9, title)
    mark(drawn, notes(frame, short=True))
    frame = averaged(frame)
    if frame.empty:
        axes.text(0.5, 0.5, "every training diverged", ha="center", transform=axes.transAxes, fontsize=9)
        return drawn
    replicates = frame["replicate"].nunique()
    dense = frame[frame["arm"] == "dense"]
    if len(dense):
        axes.axhline(
            scale * dense[column].mean(),
            color=ARMS["dense"].colour,
            linewidth=0.9,
            linestyle="--",
            label=ARMS["dense"].title,
        )
    for arm in (arm for arm in ARMS if arm != "dense" and (frame["arm"] == arm).any()):
        # every arm sets out from the dense network, as in the paper
        points = pd.concat([dense, frame[frame["arm"] == arm]])
        grouped = points.groupby("round")
        mean, low, high = (scale * values for values in (grouped[column].agg(how) for how in ("mean", "min", "max")))
        x = 100 * grouped["density"].mean()
        axes.plot(
            x,
            mean,
            marker=ARMS[arm].marker,
            color=ARMS[arm].colour,
            markersize=4.5,
            linewidth=1.5,
            label=ARMS[arm].title,
        )
        axes.fill_between(x, low, high, color=ARMS[arm].colour, alpha=0.15, linewidth=0)
    rounds = frame[frame["arm"].isin(["dense", "ticket"])] if (frame["arm"] == "ticket").any() else frame
    _density_axis(axes, sorted(rounds.groupby("round")["density"].mean(), reverse=True))
    axes.set_ylabel(label, fontsize=9)
    spread = "band: least to greatest" if replicates > 1 else "one replicate, no spread"
    gap = "\n" if beside else " "
    place = {"loc": "upper left", "bbox_to_anchor": (1.01, 1.0), "borderaxespad": 0, "alignment": "left"}
    axes.legend(
        fontsize=8,
        frameon=False,
        title=f"mean of n = {replicates};{gap}{spread}" if replicates > 1 else spread,
        title_fontsize=7,
        **(place if beside else {}),
    )
    return drawn


def _density_axis(axes, densities: list[float]) -> None:
    percents = [100 * density for density in densities]
    axes.set_xscale("log")
    axes.set_xlim(percents[0] * 1.08, percents[-1] / 1.08)
    # at most eight labels, the first and the last round among them
    step = max(1, -(-len(percents) // 8))
    shown = [
        p
        for place, p in enumerate(percents)
        if (place % step == 0 and len(percents) - 1 - place >= step) or place == len(percents) - 1
    ]
    axes.set_xticks(shown, [f"{p:.0f}" if p >= 99.95 else f"{p:.1f}" for p in shown])
    axes.set_xticks([], minor=True)
    axes.set_xlabel("weights remaining, % (log)", fontsize=9)
