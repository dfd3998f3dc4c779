"""Where axes have their marks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lth_pipeline.reports.charts.chart import Axis
from lth_pipeline.reports.charts.ticks import log_ticks, plain, ticks

DENSITY = Axis("weights remaining, % (log)", log=True, falling=True)


@given(st.lists(st.floats(0.001, 100), min_size=2, max_size=60, unique=True))
def test_densities_have_at_most_eight_labels_the_outermost_among_them(values):
    marks = ticks(DENSITY, values)
    at = [place for place, _ in marks]
    assert len(marks) <= 8 and {min(values), max(values)} <= set(at) <= set(values)


@given(st.floats(1e-9, 1e6), st.floats(1.0, 1e9))
def test_log_ticks_lie_on_the_axis(low, ratio):
    marks = log_ticks(low, low * ratio)
    assert 1 <= len(marks) <= 9
    assert all(low / 1.03 <= at <= low * ratio * 1.03 for at, _ in marks)


@pytest.mark.parametrize(
    ("low", "high", "shown"),
    [
        (6.008, 19.07, ["7", "10", "15"]),
        (11.2, 14.9, ["12", "14"]),
        (99.02, 99.04, ["99"]),
        (3.1234, 3.1567, ["3.12", "3.16"]),
    ],
)
def test_where_no_power_of_ten_is_marks_are_round_all_the_same(low, high, shown):
    assert [say for _, say in log_ticks(low, high)][: len(shown)] == shown


def test_marks_that_were_given_are_kept_where_the_axis_is():
    axis = Axis("step", limits=(0, 10), ticks=[(0, "begin"), (5, "half"), (10, "end"), (20, "beyond")])
    assert [say for _, say in ticks(axis, [])] == ["begin", "half", "end"]
    assert ticks(Axis("accuracy, %"), [1, 2, 3]) is None


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0, "0"),
        (0.02, "0.02"),
        (5000, "5,000"),
        (1e-5, "10⁻⁵"),
        (2.5e6, "2.5×10⁶"),
        (1234.5, "1,234"),
        (99.95, "99.95"),
    ],
)
def test_numbers_are_said_shortly(value, said):
    assert plain(value) == said


@pytest.mark.parametrize(
    ("rounds", "most", "shown"),
    [
        (8, 9, [0, 1, 2, 3, 4, 5, 6, 7, 8]),
        (8, 8, [0, 2, 4, 6, 8]),
        (20, 8, [0, 4, 8, 12, 16, 20]),
        (11, 8, [0, 2, 4, 6, 8, 11]),
    ],
)
def test_rounds_of_one_rate_are_marked_in_even_steps(rounds, most, shown):
    densities = [100 * 0.8**round for round in range(rounds + 1)]
    assert [at for at, _ in ticks(DENSITY, densities, most)] == [densities[round] for round in shown]
