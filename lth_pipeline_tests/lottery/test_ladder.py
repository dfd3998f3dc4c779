"""The ladder against the paper's formula, and what holds for any sizes and rates."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lth_pipeline.lottery.models import build
from lth_pipeline.lottery.pruning.ladder import kept

LENET = build("mlp", (1, 28, 28), 10, widths=(300, 100), initialisation="glorot_normal")

decimal_rates = st.integers(0, 9999).map(lambda digits: float(f"0.{digits:04d}"))


def lenet_rate(layer):
    """Frankle & Carbin 2019, Fig. 2: 20 % a round, the output layer half of that."""
    return 0.1 if layer.is_output else 0.2


def lenet_density(rounds: int) -> float:
    return sum(kept(layer.size, [lenet_rate(layer)] * rounds) for layer in LENET.layers) / LENET.prunable


@pytest.mark.parametrize("rounds", range(21))
def test_lenet_follows_the_formula_of_the_paper_in_every_round(rounds):
    for layer in LENET.layers:
        share = Fraction(9, 10) if layer.is_output else Fraction(4, 5)
        off = kept(layer.size, [lenet_rate(layer)] * rounds) - layer.size * share**rounds
        assert abs(off) <= Fraction(1, 2), layer.name
    formula = (265_200 * 0.8**rounds + 1000 * 0.9**rounds) / 266_200
    assert lenet_density(rounds) == pytest.approx(formula, rel=0, abs=3 * 0.5 / 266_200)


@pytest.mark.parametrize(("rounds", "percent"), [(3, 51.3), (7, 21.1), (9, 13.5), (15, 3.6), (18, 1.9)])
def test_lenet_has_the_percentages_that_the_paper_prints(rounds, percent):
    assert round(100 * lenet_density(rounds), 1) == percent


@given(st.integers(0, 10**12), st.lists(decimal_rates, max_size=12))
def test_each_round_keeps_at_most_what_the_one_before_kept(size, rates):
    ladder = [kept(size, rates[:rounds]) for rounds in range(len(rates) + 1)]
    assert ladder[0] == size
    assert ladder == sorted(ladder, reverse=True)
    assert ladder[-1] >= 0


@given(st.integers(0, 10**12), st.lists(st.integers(0, 99), max_size=12))
def test_decimal_rates_are_exact(size, percents):
    """0.07 means 7/100, not the double next to it; so nothing drifts however many rounds there are."""
    exact = Fraction(size)
    for percent in percents:
        exact *= Fraction(100 - percent, 100)
    assert abs(kept(size, [percent / 100 for percent in percents]) - exact) <= Fraction(1, 2)


def test_exact_where_doubles_are_not():
    """9^18 has more digits than a double holds."""
    assert kept(10**18, [0.1] * 18) == 9**18


def test_the_order_of_the_rates_does_not_matter():
    assert kept(12_345, [0.1, 0.2, 0.35]) == kept(12_345, [0.35, 0.1, 0.2])
