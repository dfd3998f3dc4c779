"""Words inside panels: those of level rules cover no curve, the numbers of contours run into nothing."""

import itertools

import numpy as np
import pytest

from lth_pipeline.reports.charts.chart import Axis, Chart, Line, Lines, Rule
from lth_pipeline.reports.charts.contour_words import contour_words
from lth_pipeline.reports.charts.interactive import specs
from lth_pipeline.reports.charts.picture import drawn
from lth_pipeline.reports.charts.rule_words import spots

DENSITY = Axis("weights remaining, % (log)", log=True, falling=True)
AT = [100 * 0.8**round for round in range(21)]


def falling(end: float) -> Lines:
    """A curve that meets the rule at its sparsest points only."""
    y = [3 - (3 - end) * (round / 20) ** 2 for round in range(21)]
    return Lines(DENSITY, Axis("difference, pp"), [Line("l", AT, y, arm="ticket")], [Rule(0.0, "y", "margin")])


def size(say: str) -> tuple[float, float]:
    return 0.2, 0.08


def test_the_words_stand_where_no_point_is():
    (spot,) = spots(falling(0.0), size).values()
    assert spot.left < 0.1 and spot.free
    rising = Lines(Axis("x"), Axis("y"), [Line("l", [0, 1, 2], [1.0, 1.0, 4.0])], [Rule(1.0, "y", "dense")])
    (spot,) = spots(rising, size).values()
    assert spot.left > 0.55 or not spot.above


def test_two_rules_near_each_other_have_words_in_two_places():
    panel = Lines(Axis("x"), Axis("y"), [Line("l", [0, 1], [0, 10])], [Rule(8.0, "y", "one"), Rule(8.1, "y", "two")])
    one, two = spots(panel, size).values()
    assert abs(one.left - two.left) > 0.15 or one.above != two.above


def test_both_renderers_put_them_at_the_left_of_a_curve_that_ends_at_the_rule():
    chart = Chart("c", "t", "a", [falling(0.0)])
    (said,) = [one for one in specs(chart)[0]["layout"]["annotations"] if one["text"] == "margin"]
    assert said["xanchor"] == "left" and said["x"] < 0.1
    axes = drawn(chart).axes[0]
    (text,) = [text for text in axes.texts if text.get_text() == "margin"]
    assert text.get_horizontalalignment() == "left" and text.xy[0] < 0.1


@pytest.mark.parametrize("path", [None, ([-0.8, 0.0], [0.7, 0.0])])
def test_numbers_of_contours_are_inside_and_apart(path):
    angle = np.linspace(0, 2 * np.pi, 90)
    rings = {level: [level * np.stack([np.cos(angle), np.sin(angle)], 1)] for level in (0.2, 0.23, 0.5, 0.8, 0.99)}
    found = contour_words(rings, (-1, 1), (-1, 1), path)
    assert 2 <= len(found) <= 5
    assert all(max(abs(x), abs(y)) < 0.9 for x, y in found.values())
    assert all(np.hypot(a[0] - b[0], a[1] - b[1]) > 0.3 for a, b in itertools.combinations(found.values(), 2))


def test_a_contour_without_room_has_no_number():
    assert contour_words({1.0: [np.array([[0.99, 0.0], [0.99, 0.5]])], 2.0: []}, (-1, 1), (-1, 1)) == {}
