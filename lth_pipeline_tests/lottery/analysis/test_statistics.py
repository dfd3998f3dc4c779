"""Intervals, tests and corrections: worked out by hand, held against scipy's own, and tried on made-up chance."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from lth_pipeline.lottery.analysis.statistics import (
    LEAST,
    bootstrap_interval,
    bootstrap_ratio,
    holm,
    in_sequence,
    lower_bound,
    non_inferior,
    paired_p,
    spread,
    verdict,
)

NUMBERS = st.lists(st.floats(-1, 1).map(lambda value: round(value, 4)), min_size=2, max_size=9)
PS = st.lists(st.floats(0, 1) | st.none(), max_size=12)


def draws(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def test_of_two_or_three_values_the_interval_is_the_least_to_the_greatest():
    """Of the n^n equally likely means the least has a share of 1/4, or 1/27: more than 2.5 %."""
    assert bootstrap_interval([0.5], 10_000, 1) is None
    assert bootstrap_interval([0.5, 0.1], 10_000, 1) == pytest.approx((0.1, 0.5))
    assert bootstrap_interval([0.3, 0.1, 0.5], 10_000, 1) == pytest.approx((0.1, 0.5))


def test_four_values_by_hand():
    """0, 0, 0, 4: a mean of k is binomial(4, 1/4) = k. P(0) = 0.316; P(at most 2) = 0.949, at most 3: 0.996."""
    assert bootstrap_interval([0, 4, 0, 0], 10_000, 1) == (0.0, 3.0)


def test_more_values_come_out_as_scipys():
    values = draws(3).normal(size=12)
    theirs = stats.bootstrap((values,), np.mean, n_resamples=20_000, method="percentile", rng=draws(5))
    ours = bootstrap_interval(values, 20_000, 7)
    assert ours == pytest.approx(tuple(theirs.confidence_interval), abs=0.02)


@given(NUMBERS, st.randoms())
def test_an_interval_holds_the_mean_and_no_order_counts(values, shuffling):
    low, high = bootstrap_interval(values, 400, 11)
    assert min(values) - 1e-12 <= low <= np.mean(values) + 1e-12
    assert np.mean(values) - 1e-12 <= high <= max(values) + 1e-12
    other = list(values)
    shuffling.shuffle(other)
    assert bootstrap_interval(other, 400, 11) == (low, high)


def test_the_seed_counts_where_there_are_more_ways_to_draw_than_are_drawn():
    few, many = [0.1, 0.4, 0.2], list(draws(2).normal(size=8))
    assert bootstrap_interval(few, 400, 1) == bootstrap_interval(few, 400, 2)
    assert bootstrap_interval(many, 400, 1) != bootstrap_interval(many, 400, 2)
    assert bootstrap_interval(many, 400, 1) == bootstrap_interval(many, 400, 1)


def test_a_ratio_is_drawn_in_pairs():
    """Twice as much in every pair is twice as much in every draw; drawn apart it would spread."""
    assert bootstrap_ratio([2, 8, 20], [1, 4, 10], 10_000, 1) == (2.0, 2.0)
    assert bootstrap_ratio([2, 12], [1, 3], 10_000, 1) == (2.0, 4.0)
    assert bootstrap_ratio([2, 12], [0, 3], 10_000, 1) == (4.0, math.inf)
    assert bootstrap_ratio([2], [1], 10_000, 1) is None


def test_the_paired_test_by_hand():
    """1, 2, 3: t = 2 √3 with 2 degrees of freedom, where P(|T| > t) = 1 - t / √(t² + 2)."""
    t = 2 * math.sqrt(3)
    assert paired_p([1, 2, 3]) == pytest.approx(1 - t / math.sqrt(t * t + 2), rel=1e-12)
    assert lower_bound([1, 2, 3]) == pytest.approx(2 - 2.919986 / math.sqrt(3), abs=1e-6)
    assert spread([1, 2, 3]) == 1.0 and spread([1]) is None


@given(st.lists(st.integers(-50, 50), min_size=LEAST, max_size=9).filter(lambda values: len(set(values)) > 1))
def test_the_paired_test_is_scipys(values):
    differences = [value / 397 for value in values]  # of 397 test images
    assert paired_p(differences) == pytest.approx(stats.ttest_1samp(differences, 0).pvalue, rel=1e-6)
    theirs = stats.ttest_1samp(differences, 0, alternative="greater").confidence_interval(0.95).low
    assert lower_bound(differences) == pytest.approx(theirs, abs=1e-9)


@pytest.mark.parametrize("few", [[], [0.1], [0.1, 0.2]])
def test_fewer_than_three_pairs_tell_nothing(few):
    assert paired_p(few) is None and lower_bound(few) is None and non_inferior(few, 1.0) is None


def test_differences_that_are_all_the_same_leave_the_sign_test():
    assert paired_p([0.0, 0.0, 0.0]) == 1.0
    third = 0.1 + 0.2 - 0.2  # 0.1 but for rounding: a t-test of these would give p = 0
    assert paired_p([0.1, third, 0.1]) == 0.25
    assert paired_p([-0.1] * 6) == 2**-5
    assert lower_bound([-0.004] * 3) == pytest.approx(-0.004)
    assert non_inferior([-0.004] * 3, 0.005) and not non_inferior([-0.006] * 3, 0.005)


def test_a_ticket_that_is_worse_by_less_than_the_margin_is_not_inferior():
    """The bound is what counts, not the mean: the second has the same mean, and more spread."""
    assert non_inferior([-0.002, -0.003, -0.001, -0.002], 0.005)
    assert not non_inferior([-0.012, 0.008, -0.011, 0.007], 0.005)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.01, None, 0.02]) == [0.02, None, 0.02]
    assert holm([0.9, 0.8]) == [1.0, 1.0] and holm([]) == [] and holm([None]) == [None]


@given(PS, st.randoms())
def test_holm_only_ever_raises_keeps_the_order_and_looks_at_no_place(ps, shuffling):
    corrected = holm(ps)
    assert [one is None for one in corrected] == [one is None for one in ps]
    pairs = sorted((p, q) for p, q in zip(ps, corrected, strict=True) if p is not None)
    assert all(p <= q <= 1 for p, q in pairs)
    assert [q for _, q in pairs] == sorted(q for _, q in pairs)
    places = list(range(len(ps)))
    shuffling.shuffle(places)
    assert holm([ps[place] for place in places]) == [corrected[place] for place in places]


def test_a_sequence_ends_at_its_first_failure():
    assert in_sequence([True, True, False, True, None]) == [True, True, False, False, None]
    assert in_sequence([None, True]) == [None, False]  # what cannot be told is not a pass


@pytest.mark.parametrize(
    ("mean", "p", "said"),
    [
        (0.1, 0.049, "better"),
        (-0.1, 0.049, "worse"),
        (0.1, 0.05, "not told apart"),
        (0.1, None, "too few replicates"),
    ],
)
def test_the_word(mean, p, said):
    assert verdict(mean, p) == said


@pytest.mark.parametrize(("n", "covered"), [(2, 0.50), (3, 0.75), (5, 0.84), (10, 0.90)])
def test_how_often_an_interval_of_few_covers_the_mean_is_what_the_page_says(n, covered):
    """docs/verdict.md: of normal values, and an interval that is called one of 95 %."""
    samples = draws(1).normal(size=(600, n))
    hits = [low <= 0 <= high for low, high in (bootstrap_interval(sample, 3125, 1) for sample in samples)]
    assert np.mean(hits) == pytest.approx(covered, abs=0.05)


def rounds_of_chance(seed: int, mean: float, n: int, rounds: int, trials: int) -> np.ndarray:
    """(trials, rounds, n) differences about `mean`; those of one replicate have something in common."""
    chance = draws(seed)
    return mean + 0.004 * (chance.normal(size=(trials, rounds, n)) + chance.normal(size=(trials, 1, n)))


def test_where_nothing_differs_hardly_any_experiment_finds_a_winner():
    """Of 20 rounds each; uncorrected, nearly half of them would."""
    trials = rounds_of_chance(9, 0.0, n=5, rounds=20, trials=500)
    raw = [[paired_p(one) for one in rounds] for rounds in trials]
    assert np.mean([min(holm(ps)) < 0.05 for ps in raw]) <= 0.06  # 5 %, and what 500 trials leave to chance
    assert np.mean([min(ps) < 0.05 for ps in raw]) > 0.4


def test_where_tickets_are_worse_by_the_margin_few_experiments_find_a_match():
    trials = rounds_of_chance(2, -0.005, n=5, rounds=6, trials=500)
    alone = [[non_inferior(one, 0.005) for one in rounds] for rounds in trials]
    assert np.mean([any(in_sequence(rounds)) for rounds in alone]) <= 0.07  # 5 %, and what 500 trials leave to chance
    assert np.mean([any(rounds) for rounds in alone]) > 0.1
