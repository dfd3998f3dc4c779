"""Intervals of shares, against published values and ones worked out by hand."""

import pytest

from lth_pipeline.lottery.analysis.proportions import paired_difference, wilson


@pytest.mark.parametrize(
    "hits, n, interval",
    [
        (
            81,
            263,
            (0.2553, 0.3662),
        ),  # Newcombe 1998 (Two-sided confidence intervals for the single proportion), table I
        (15, 148, (0.0624, 0.1605)),
        (0, 20, (0.0, 0.1611)),
        (1, 29, (0.0061, 0.1718)),
    ],
)
def test_wilson_gives_the_published_intervals(hits, n, interval):
    assert wilson(hits, n) == pytest.approx(interval, abs=5e-5)


def test_wilson_stays_within_zero_and_one():
    assert wilson(0, 5)[0] == 0 and wilson(5, 5)[1] == 1


def test_a_paired_difference_worked_out_by_hand():
    # n = 98: cells 5.5 and 1.5 of 100; (5.5 − 1.5) / 100 ± 1.959964 · sqrt(7 − 16 / 100) / 100
    assert paired_difference(5, 1, 98) == pytest.approx((4 / 98, 0.04 - 0.051260, 0.04 + 0.051260), abs=1e-6)


def test_without_any_difference_the_interval_still_has_a_width():
    difference, low, high = paired_difference(0, 0, 1000)
    assert difference == 0 and low == -high and high == pytest.approx(1.959964 / 1002)


def test_turned_round_it_is_the_other_sign():
    difference, low, high = paired_difference(7, 2, 50)
    assert paired_difference(2, 7, 50) == pytest.approx((-difference, -high, -low))
