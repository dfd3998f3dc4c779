"""The learning curve of one training, as a picture and as CSV."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from lth_pipeline.experiments.arms import ARMS
from lth_pipeline.reports.drawing import FAINT, figure, mark

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CROWDED = 4  # from so many arms on, the legend stands beside the curves
BESIDE = 1.5  # inches for it
LEAST_SPAN = 12  # points of test accuracy that are always in the picture
FURTHER = {"linewidth": 0.7, "alpha": 0.55}  # of the second draw of an arm, and those after it

Rows = Sequence[Mapping[str, float]]


def learning_curve(curves: Sequence[tuple[str, Rows, int]], title: str, notes: Sequence[str] = ()) -> Figure:
    """Validation loss (broken, left axis) and test accuracy (full, right axis) by iteration.

    curves: (arm, rows, early-stop iteration), the least validation loss, which a vertical line marks; an arm may be
    there several times, once for each draw. notes: said in the picture.
    """
    beside = len({arm for arm, _, _ in curves}) >= CROWDED
    drawn, losses = figure(5.4 + BESIDE, 3.0, title, right=0.64 + BESIDE) if beside else figure(4.6, 2.4, title, 0.64)
    mark(drawn, notes)
    accuracies = losses.twinx()
    accuracies.spines[["top", "left"]].set_visible(False)
    accuracies.tick_params(labelsize=8)
    named: set[str] = set()
    for arm, rows, early_stop in curves:
        iterations = [row["iteration"] for row in rows]
        colour = ARMS[arm].colour
        first = arm not in named
        named.add(arm)
        broken, full = (
            ({"linewidth": 0.9}, {"linewidth": 1.4, "label": ARMS[arm].title}) if first else (FURTHER, FURTHER)
        )
        losses.plot(iterations, [row["validation_loss"] for row in rows], "--", color=colour, **broken)
        accuracies.plot(iterations, [100 * row["test_accuracy"] for row in rows], color=colour, **full)
        losses.axvline(early_stop, color=colour, linewidth=0.7, linestyle=":", alpha=1.0 if first else 0.55)
    losses.set_yscale("log")
    losses.yaxis.set_major_formatter("{x:g}")  # plain: setting "10⁻¹" as mathematics takes a third of the drawing
    losses.yaxis.set_minor_formatter("")
    losses.set_xlabel("iteration", fontsize=8)
    losses.set_ylabel("validation loss (- -)", fontsize=8, color=FAINT)
    accuracies.set_ylabel("test accuracy, %", fontsize=8)
    accuracies.set_ylim(*_limits([[100 * row["test_accuracy"] for row in rows] for _, rows, _ in curves]))
    if beside:
        inches = losses.get_position().width * drawn.get_figwidth()
        accuracies.legend(
            fontsize=7, loc="upper left", bbox_to_anchor=(1 + 0.6 / inches, 1.0), borderaxespad=0, frameon=False
        )
    else:
        accuracies.legend(fontsize=7, loc="center right", framealpha=0.7, edgecolor="none")
    return drawn


def _limits(accuracies: Sequence[Sequence[float]]) -> tuple[float, float]:
    """Of the axis: every curve's end is inside; its first iterations, far below, may not be."""
    best = max(max(values) for values in accuracies)
    lowest = min(values[-1] for values in accuracies)
    low = min(best - LEAST_SPAN, lowest - 0.1 * (best - lowest) - 1)
    return max(0.0, low), min(100.5, best + 1.5)


def curve_csv(rows: Rows) -> str:
    """The rows with a head line; an empty field where there was nothing to measure."""
    names = list(rows[0])
    lines = [",".join("" if row[name] != row[name] else repr(row[name]) for name in names) for row in rows]
    return "\n".join([",".join(names), *lines, ""])
