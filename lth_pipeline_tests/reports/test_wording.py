"""Numbers as people read them."""

import math

import pandas as pd
import pytest

from lth_pipeline.reports.wording import digits, left, ranged, with_error, written


@pytest.mark.parametrize(("density", "said"), [(1.0, "100 %"), (0.0619, "6.2 %"), (0.2, "20.0 %"), (0.00523, "0.52 %")])
def test_a_density(density, said):
    assert left(density) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (14.0, "14.0"),
        (11.4, "11.4"),
        (0.1, "0.100"),
        (1.67e-5, "1.67×10⁻⁵"),
        (-0.000182, "−1.82×10⁻⁴"),
        (12345.6, "12,346"),
        (0.0, "0"),
        (math.nan, "–"),
    ],
)
def test_three_digits_and_no_fewer(value, said):
    assert digits(value) == said


def test_minus_is_a_minus_and_nought_has_none():
    assert written(-0.17, "+.2f") == "−0.17"
    assert (written(-0.04, ".1f"), written(-0.04, "+.1f"), written(1234.5, ",.0f")) == ("0.0", "+0.0", "1,234")


def test_a_value_and_its_error_end_at_the_same_place():
    assert (with_error(0.1, 0.018), with_error(123.4, 12.1)) == ("0.100 ± 0.018", "123 ± 12")
    assert with_error(2.5, 0.0) == with_error(2.5, math.nan) == "2.50"


def test_a_range():
    assert ranged(pd.Series([5.24, 8.32, 7.44])) == "7.00 (5.24 to 8.32)"
    assert ranged(pd.Series([-0.02, 0.01]), ".1f") == "0.0 (0.0 to 0.0)"
    assert (ranged(pd.Series([7.0])), ranged(pd.Series([], dtype=float))) == ("7.00", "–")
