"""The learning curve of one training, as a picture and as CSV."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from lth_pipeline.experiments.arms import ARMS
from lth_pipeline.reports.drawing import FAINT, figure, mark

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Rows = Sequence[Mapping[str, float]]


def learning_curve(curves: Sequence[tuple[str, Rows, int]], title: str, notes: Sequence[str] = ()) -> Figure:
    """Validation loss (broken, left axis) and test accuracy (full, right axis) by iteration.

    curves: (arm, rows, early-stop iteration), the least validation loss, which a vertical line marks; an arm may be
    there several times. notes: said in the picture.
    """
    drawn, losses = figure(4.6, 2.4, title, right=0.64)
    mark(drawn, notes)
    accuracies = losses.twinx()
    accuracies.spines[["top", "left"]].set_visible(False)
    accuracies.tick_params(labelsize=8)
    named: set[str] = set()
    for arm, rows, early_stop in curves:
        iterations = [row["iteration"] for row in rows]
        colour = ARMS[arm].colour
        losses.plot(iterations, [row["validation_loss"] for row in rows], "--", color=colour, linewidth=0.9)
        label = None if arm in named else ARMS[arm].title
        named.add(arm)
        accuracies.plot(
            iterations, [100 * row["test_accuracy"] for row in rows], color=colour, linewidth=1.4, label=label
        )
        losses.axvline(early_stop, color=colour, linewidth=0.7, linestyle=":")
    losses.set_yscale("log")
    losses.yaxis.set_major_formatter("{x:g}")  # plain: setting "10⁻¹" as mathematics takes a third of the drawing
    losses.yaxis.set_minor_formatter("")
    losses.set_xlabel("iteration", fontsize=8)
    losses.set_ylabel("validation loss (- -)", fontsize=8, color=FAINT)
    accuracies.set_ylabel("test accuracy, %", fontsize=8)
    best = max(100 * row["test_accuracy"] for _, rows, _ in curves for row in rows)
    accuracies.set_ylim(max(0.0, best - 12), min(100.5, best + 1.5))
    accuracies.legend(fontsize=7, loc="center right", frameon=False)
    return drawn


def curve_csv(rows: Rows) -> str:
    """The rows with a head line; an empty field where there was nothing to measure."""
    names = list(rows[0])
    lines = [",".join("" if row[name] != row[name] else repr(row[name]) for name in names) for row in rows]
    return "\n".join([",".join(names), *lines, ""])
