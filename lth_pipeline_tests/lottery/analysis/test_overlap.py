"""What two masks have in common, and what chance gives."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lth_pipeline.lottery.analysis.overlap import ALL, overlaps
from lth_pipeline.lottery.randomness import generator


def drawn(shape, left: int, draws: torch.Generator) -> torch.Tensor:
    mask = torch.zeros(shape, dtype=torch.bool)
    mask.view(-1)[torch.randperm(mask.numel(), generator=draws)[:left]] = True
    return mask


@given(st.integers(2, 9), st.integers(1, 9), st.integers(0, 2**31), st.data())
def test_a_mask_with_itself_and_with_its_complement(units, inputs, seed, data):
    left = data.draw(st.integers(1, units * inputs - 1))
    mask = {"fc.weight": drawn((units, inputs), left, generator(seed))}
    for row in overlaps(mask, mask):
        assert row["jaccard"] == row["share"] == 1 and row["common"] == row["left"] == left
    for row in overlaps(mask, {"fc.weight": ~mask["fc.weight"]}):
        assert row["jaccard"] == row["share"] == row["common"] == 0


@given(st.integers(0, 2**31))
def test_it_is_the_same_both_ways_and_all_is_the_sum(seed):
    draws = generator(seed)
    one, other = ({"a.weight": drawn((4, 5), 7, draws), "b.weight": drawn((3, 2, 3, 3), 11, draws)} for _ in range(2))
    rows, back = overlaps(one, other), overlaps(other, one)
    for row, turned in zip(rows, back, strict=True):
        assert all(row[c] == turned[c] for c in ("jaccard", "share", "common", "expected", "z", "z_by_input"))
    assert [row["layer"] for row in rows] == ["a", "b", ALL]
    for column in ("size", "left", "common", "expected", "expected_by_input"):
        assert rows[2][column] == pytest.approx(rows[0][column] + rows[1][column])
    assert rows[2]["sd"] ** 2 == pytest.approx(rows[0]["sd"] ** 2 + rows[1]["sd"] ** 2)


def test_chance_is_what_random_masks_have_in_common():
    """Mean and deviation of 800 pairs, within 5 standard errors."""
    draws, shape = generator(1), (6, 2, 3, 3)
    pairs = [overlaps({"a": drawn(shape, 40, draws)}, {"a": drawn(shape, 25, draws)})[0] for _ in range(800)]
    common = np.array([row["common"] for row in pairs])
    expected, sd = pairs[0]["expected"], pairs[0]["sd"]
    assert abs(common.mean() - expected) < 5 * sd / np.sqrt(800)
    assert common.std() == pytest.approx(sd, rel=5 / np.sqrt(2 * 800))
    scores = [row["z"] for row in pairs]
    assert abs(np.mean(scores)) < 5 / np.sqrt(800) and np.std(scores) == pytest.approx(1, rel=0.125)


def test_given_the_inputs_chance_shuffles_each_input_s_weights():
    """The same of 800 pairs whose columns are shuffled; inputs that both read make more common than plain chance."""
    draws, units = generator(2), 12
    per_input = torch.tensor([10, 9, 8, 1, 0, 2])

    def shuffled() -> torch.Tensor:
        return torch.stack([drawn(units, int(left), draws) for left in per_input], 1)

    pairs = [overlaps({"a": shuffled()}, {"a": shuffled()})[0] for _ in range(800)]
    common, first = np.array([row["common"] for row in pairs]), pairs[0]
    sd = np.std(common)
    assert abs(common.mean() - first["expected_by_input"]) < 5 * sd / np.sqrt(800)
    assert first["expected_by_input"] == pytest.approx(float((per_input.double() ** 2 / units).sum()))
    assert np.std([row["z_by_input"] for row in pairs]) == pytest.approx(1, rel=0.125)
    assert np.mean([row["z"] for row in pairs]) > 3


def test_where_chance_has_one_outcome_there_is_no_score():
    whole = {"a.weight": torch.ones(3, 4, dtype=torch.bool)}
    none = {"a.weight": torch.zeros(3, 4, dtype=torch.bool)}
    assert overlaps(whole, whole)[0] | {"z": None} == overlaps(whole, whole)[0]
    for row in overlaps(none, none):
        assert row["jaccard"] is None and row["share"] is None and row["z"] is None


def test_masks_of_two_networks_are_compared_where_they_have_the_same_layers():
    one = {"a.weight": torch.ones(3, 4, dtype=torch.bool), "b.weight": torch.ones(2, 2, dtype=torch.bool)}
    other = {"a.weight": torch.ones(3, 5, dtype=torch.bool), "b.weight": torch.eye(2).bool()}
    rows = overlaps(one, other)
    assert [(row["layer"], row["common"], row["size"]) for row in rows] == [("b", 2, 4), (ALL, 2, 4)]
    assert overlaps(one, {}) == []
