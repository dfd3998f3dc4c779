"""Pruning whole units: how a unit is scored, which stay, and that they keep what they had."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lth_pipeline.lottery.errors import PruningError
from lth_pipeline.lottery.pruning import masks, units
from lth_pipeline.lottery.pruning.criteria import CRITERIA
from lth_pipeline.lottery.pruning.prune import prune
from lth_pipeline.lottery.pruning.scores import scores
from lth_pipeline.lottery.randomness import generator
from lth_pipeline_tests.lottery import small


@st.composite
def layers(draw):
    """(scores, mask) of one to three weights (units, …), each with a survivor; few values, so there are ties."""
    values, mask = {}, {}
    for index in range(draw(st.integers(1, 3))):
        shape = tuple(draw(st.lists(st.integers(1, 4), min_size=2, max_size=4)))
        size = torch.Size(shape).numel()
        numbers = draw(st.lists(st.sampled_from([-2.0, -1.0, 0.0, 0.5, 1.0]), min_size=size, max_size=size))
        alive = draw(st.lists(st.booleans(), min_size=size, max_size=size).filter(any))
        values[f"w{index}"] = torch.tensor(numbers).view(shape)
        mask[f"w{index}"] = torch.tensor(alive).view(shape)
    return values, mask


def in_plain_python(values, mask, how):
    """[(score, unit)] of the living units, root mean square or mean over the whole fan-in."""
    found = []
    for unit in range(len(values)):
        row, alive = values[unit].flatten().tolist(), mask[unit].flatten().tolist()
        those = [value for value, lives in zip(row, alive, strict=True) if lives]
        if those:
            total = sum(value**2 for value in those) if how == "norm" else sum(those)
            found.append(((total / len(row)) ** 0.5 if how == "norm" else total / len(row), unit))
    return found


def best(values, mask, names, keep, how):
    ranking = [
        (-score, order, unit, name)
        for order, name in enumerate(names)
        for score, unit in in_plain_python(values[name], mask[name], how)
    ]
    return {(name, unit) for _, _, unit, name in sorted(ranking)[:keep]}


def living(mask):
    return {(name, int(unit)) for name in mask for unit in units.alive(mask[name]).nonzero()}


def assert_kept_units_are_whole(pruned, mask):
    for name, alive in pruned.items():
        for unit in range(len(alive)):
            assert torch.equal(alive[unit], mask[name][unit]) or not alive[unit].any()


@given(layers(), st.sampled_from(["norm", "sum"]), st.data())
def test_layerwise_keeps_the_best_units_whole(case, how, data):
    values, mask = case
    keep = {name: data.draw(st.integers(1, int(units.alive(alive).sum()))) for name, alive in mask.items()}
    pruned = prune(mask, lambda alive: values, keep, structure="units", of_unit=how)
    expected = set().union(*(best(values, mask, [name], keep[name], how) for name in mask))
    assert living(pruned) == expected
    assert {name: int(units.alive(alive).sum()) for name, alive in pruned.items()} == keep
    assert masks.is_subset(pruned, mask)
    assert_kept_units_are_whole(pruned, mask)


@given(layers(), st.sampled_from(["norm", "sum"]), st.integers(1, 3), st.data())
def test_global_keeps_exactly_the_count_of_units(case, how, steps, data):
    values, mask = case
    names = data.draw(st.permutations(list(mask)))
    keep = data.draw(st.integers(1, len(living(mask))))
    arguments = {"structure": "units", "of_unit": how, "allow_empty": True}
    pruned = prune(mask, lambda alive: values, {"": keep}, names, **arguments, steps=steps)
    assert living(pruned) == best(values, mask, names, keep, how)
    assert_kept_units_are_whole(pruned, mask)


def test_a_norm_and_a_sum_by_hand():
    values = torch.tensor([[3.0, 4.0, 9.0], [-1.0, -2.0, 5.0]])
    mask = torch.tensor([[True, True, False], [True, True, True]])
    assert units.scores(values, mask, "norm").tolist() == pytest.approx([(25 / 3) ** 0.5, 10**0.5])
    assert units.scores(values, mask, "sum").tolist() == pytest.approx([7 / 3, 2 / 3])
    assert units.scores(values, mask, "sum").dtype == torch.float64


def test_norm_and_sum_choose_differently():
    values, mask = {"w": torch.tensor([[3.0, -3.0], [1.0, 1.0]])}, {"w": torch.ones(2, 2, dtype=torch.bool)}
    assert living(prune(mask, lambda alive: values, {"w": 1}, structure="units", of_unit="norm")) == {("w", 0)}
    assert living(prune(mask, lambda alive: values, {"w": 1}, structure="units", of_unit="sum")) == {("w", 1)}


@pytest.mark.parametrize("how", ["norm", "sum"])
def test_units_of_different_fan_in_compare(how):
    """Thirty weak weights outweigh two strong ones in number only: undivided, `wide` would win."""
    values = {"wide": torch.full((2, 30), 0.5), "narrow": torch.full((2, 2), 0.9)}
    mask = {name: torch.ones(each.shape, dtype=torch.bool) for name, each in values.items()}
    pruned = prune(mask, lambda alive: values, {"": 3}, list(values), structure="units", of_unit=how)
    assert living(pruned) == {("narrow", 0), ("narrow", 1), ("wide", 0)}


def test_the_fan_in_is_all_of_it_not_what_survives():
    """A unit with one survivor of four is a quarter of a unit, not a whole one."""
    values = {"a": torch.full((1, 4), 1.0), "b": torch.full((1, 4), 0.5)}
    mask = {"a": torch.tensor([[True, False, False, False]]), "b": torch.ones(1, 4, dtype=torch.bool)}
    for how, kept in (("sum", "b"), ("norm", "a")):  # means 1/4 and 1/2; root mean squares √(1/4) and √(1/4): a tie
        pruned = prune(mask, lambda alive: values, {"": 1}, "ab", structure="units", of_unit=how, allow_empty=True)
        assert living(pruned) == {(kept, 0)}


def test_ties_of_units_keep_the_first():
    values, mask = {"w": torch.ones(5, 2, 1, 1)}, {"w": torch.ones(5, 2, 1, 1, dtype=torch.bool)}
    mask["w"][1] = False
    pruned = prune(mask, lambda alive: values, {"w": 3}, structure="units")
    assert units.alive(pruned["w"]).tolist() == [True, False, True, True, False]


def test_units_pruned_before_do_not_come_back():
    """Their scores would be the highest: the others' are negative."""
    mask = {"w": torch.tensor([[False, False], [True, True], [True, False]])}
    pruned = prune(mask, lambda alive: {"w": torch.full((3, 2), -1.0)}, {"w": 2}, structure="units", of_unit="sum")
    assert torch.equal(pruned["w"], mask["w"])


def test_scores_too_large_for_float32_squares_compare():
    values = {"w": torch.tensor([[1e30, 1e30], [2e30, 2e30]])}
    pruned = prune({"w": torch.ones(2, 2, dtype=torch.bool)}, lambda alive: values, {"w": 1}, structure="units")
    assert living(pruned) == {("w", 1)}


def test_counts_of_units_that_cannot_be():
    values = {"a": torch.ones(2, 2), "b": torch.zeros(2, 2)}
    mask = {name: torch.ones(2, 2, dtype=torch.bool) for name in values}
    for keep, ranked, match in (
        ({"a": 0}, "", "no weight would be left in a:"),
        ({"a": 3}, "", "a: cannot keep 3 units, only 2 survive"),
        ({"": 2}, "ab", "no weight would be left in b:"),
        ({"": 5}, "ab", "the network: cannot keep 5 units, only 4 survive"),
    ):
        with pytest.raises(PruningError, match=match):
            prune(mask, lambda alive: values, keep, ranked, structure="units")


@pytest.mark.parametrize("criterion", CRITERIA)
def test_every_criterion_prunes_units(criterion):
    draws = generator(3)

    def score(mask):
        examples = (small.DATA.train.images[:9], small.DATA.train.labels[:9])
        trained = small.MODEL.initialise(generator(31))
        return scores(
            criterion,
            mask,
            trained=trained,
            initial=small.WEIGHTS,
            model=small.MODEL,
            examples=examples,
            draws=draws,
            image_shape=(1, 2, 3),
        )

    how = {"structure": "units", "of_unit": CRITERIA[criterion].of_unit}
    pruned = prune(small.half_mask(), score, {"fc1.weight": 4, "fc2.weight": 2}, steps=2, **how)
    assert [int(units.alive(alive).sum()) for alive in pruned.values()] == [4, 2, 3]
    assert_kept_units_are_whole(pruned, small.half_mask())


def test_by_lot_every_unit_has_the_same_chance():
    """Were a unit's score the mean of its weights' draws, units of narrow layers would win."""
    mask = {"narrow": torch.ones(200, 4, dtype=torch.bool), "wide": torch.ones(200, 400, dtype=torch.bool)}
    how = {"structure": "units", "of_unit": CRITERIA["random"].of_unit}
    for keep in (40, 200, 360):
        pruned = prune(mask, lambda alive: scores("random", alive, draws=generator(3)), {"": keep}, list(mask), **how)
        narrow = int(pruned["narrow"].any(1).sum())
        assert abs(narrow - keep / 2) < 4 * (keep / 4 * (1 - keep / 400)) ** 0.5  # four standard deviations
