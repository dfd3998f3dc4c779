"""How far apart the masks of a training's checkpoints are, as a picture (You et al. 2020)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lth_pipeline.reports.charts.chart import Axis, Chart, Heat
from lth_pipeline.reports.drawing import INK, figure, mark

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MARK = "#B45309"
TICKS = 5  # spaces between the ticks of an axis, at most
LEAST_SCALE = 0.01  # where all masks are nearly the same, the darkest blue


def mask_distances(
    iterations: Sequence[int],
    distances: Sequence[Sequence[float]],
    settled: int | None,
    title: str,
    notes: Sequence[str] = (),
) -> Figure:
    """A heat map of the distances between the masks of all pairs of checkpoints.

    iterations: of the C checkpoints, evenly spaced. distances: C × C, shares of weights (0 to 1) in which two masks
    differ. settled: the iteration at which the mask settled, marked on both axes, or None. notes: said in the picture.
    """
    from matplotlib.ticker import FixedLocator, MaxNLocator

    drawn, axes = figure(4.6, 4.05, title, right=0.95)
    mark(drawn, notes)
    axes.grid(False)
    if not len(iterations):
        axes.set_axis_off()
        axes.text(0.5, 0.5, "no checkpoints", ha="center", transform=axes.transAxes, fontsize=9)
        return drawn
    first, last = iterations[0], iterations[-1]
    half = (last - first) / (len(iterations) - 1) / 2 if last > first else first / 2  # of a cell
    sides = (first - half, last + half)
    greatest = max(max(row) for row in distances)
    image = axes.imshow(
        distances,
        cmap="Blues",
        vmin=0.0,
        vmax=max(greatest, LEAST_SCALE),
        origin="lower",
        extent=(*sides, *sides),
        aspect="auto",
        interpolation="nearest",
    )
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(TICKS, integer=True) if last > first else FixedLocator([first]))
        axis.set_major_formatter("{x:,.0f}")
        axis.set_label_text("iteration", fontsize=8, color=INK)
    for label in axes.get_yticklabels():
        label.set(rotation=90, va="center")  # upright, 112,000 leaves the axis's name no room in the margin
    if settled is not None:
        axes.axvline(settled, color=MARK, linewidth=0.9, linestyle=":")
        axes.axhline(settled, color=MARK, linewidth=0.9, linestyle=":")
    left, bottom, width, height = axes.get_position().bounds
    inch = 1 / drawn.get_figwidth()
    said = "not settled" if settled is None else f"··· settled at {settled:,}"
    drawn.text(left, 0.14 / drawn.get_figheight(), said, ha="left", va="bottom", fontsize=7.5, color=MARK)
    bar = drawn.colorbar(image, cax=drawn.add_axes((left + width + 0.12 * inch, bottom, 0.14 * inch, height)))
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=7, colors=INK)
    bar.set_label("share of weights in which two masks differ", fontsize=8, color=INK)
    return drawn


def chart(iterations: Sequence[int], distances: Sequence[Sequence[float]], settled: int | None, whose: str) -> Chart:
    """The same for a page."""
    at = "it never settled" if settled is None else f"it settled at iteration {settled:,}"
    axis, scale = Axis("training iteration"), "share of weights in which two masks differ"
    return Chart(
        "mask_distance",
        f"Distances between the masks on the way of the dense training, {whose}",
        f"A square field: masks of neighbouring iterations differ least, and ever less as training goes on; {at}.",
        [Heat(distances, axis, axis, scale, iterations, iterations, square=True)],
        [
            "You et al. 2020 (Drawing Early-Bird Tickets): the mask that pruning would give settles long before "
            "training ends; from there on the dense network need not be trained."
        ],
    )
