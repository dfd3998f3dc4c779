"""The heat map of mask distances: the right numbers in the right places, whatever there is to show."""

import numpy as np
import pytest

from lth_pipeline.reports.drawing import QUICK, png, svg
from lth_pipeline.reports.mask_distance import mask_distances

ITERATIONS = list(range(200, 2001, 200))
DISTANCES = [[abs(row - column) / 20 for column in range(10)] for row in range(10)]


def texts(drawn) -> list[str]:
    return [text.get_text() for text in drawn.texts]


def test_it_shows_each_distance_at_its_iterations():
    drawn = mask_distances(ITERATIONS, DISTANCES, 800, "mine/0")
    axes, bar = drawn.axes
    [image] = axes.images
    assert np.array_equal(np.asarray(image.get_array()), DISTANCES)
    assert image.get_extent() == [100, 2100, 100, 2100]  # a cell's middle is its checkpoint
    assert image.origin == "lower" and axes.get_ylim() == (100, 2100)  # iterations go on upwards
    assert image.get_clim() == (0.0, 0.45)
    assert axes.get_title(loc="left") == "mine/0" and axes.get_xlabel() == axes.get_ylabel() == "iteration"
    assert bar.get_ylabel() == "share of weights in which two masks differ"


def test_the_iteration_at_which_it_settled_is_marked_on_both_axes():
    drawn = mask_distances(ITERATIONS, DISTANCES, 800, "mine/0", [QUICK])
    upright, flat = drawn.axes[0].lines
    assert list(upright.get_xdata()) == list(flat.get_ydata()) == [800, 800]
    assert texts(drawn) == [QUICK, "··· settled at 800"]


def test_a_mask_that_never_settles_is_said():
    drawn = mask_distances(ITERATIONS, DISTANCES, None, "mine/0")
    assert not drawn.axes[0].lines and texts(drawn) == ["not settled"]


@pytest.mark.parametrize(
    ("iterations", "distances"),
    [([], []), ([112_000], [[0.0]]), ([10, 20], [[0.0, 0.0], [0.0, 0.0]]), (np.array([10, 20]), np.eye(2))],
    ids=["none", "one", "all the same", "arrays"],
)
def test_whatever_there_is_can_be_drawn(iterations, distances):
    drawn = mask_distances(iterations, distances, None, "mine/0")
    assert png(drawn)[:4] == b"\x89PNG" and png(drawn) == png(mask_distances(iterations, distances, None, "mine/0"))
    if len(iterations):
        low, high = drawn.axes[0].images[0].get_clim()
        assert low == 0 < high


def test_nothing_reaches_over_the_edge():
    """Margins are fixed; the widest labels are those of long trainings."""
    iterations = [112_000 // 50 * k for k in range(1, 51)]
    drawn = mask_distances(iterations, np.random.default_rng(0).random((50, 50)), 22_400, "mine/0", [QUICK])
    drawn.canvas.draw()
    width, height = drawn.canvas.get_width_height()
    for axes in drawn.axes:
        box = axes.get_tightbbox()
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height
    said, settled = (text.get_window_extent() for text in drawn.texts)
    assert not said.overlaps(settled) and not settled.overlaps(drawn.axes[0].xaxis.label.get_window_extent())


def test_the_same_text_each_time():
    assert svg(mask_distances(ITERATIONS, DISTANCES, 800, "mine/0")) == svg(
        mask_distances(ITERATIONS, DISTANCES, 800, "mine/0")
    )
