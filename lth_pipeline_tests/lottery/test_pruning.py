"""Pruning by count: inside the mask before, the highest stay, ties by position, in one step or many."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lth_pipeline.lottery.errors import PruningError
from lth_pipeline.lottery.pruning import masks
from lth_pipeline.lottery.pruning.prune import prune
from lth_pipeline.lottery.pruning.ranking import highest
from lth_pipeline.lottery.pruning.scores import scores

#: few values, so that most examples have ties; both signs, both zeros and a denormal
VALUES = [-2.0, -1.0, -0.5, -1e-42, -0.0, 0.0, 1e-42, 0.5, 1.0, 2.0]


@st.composite
def networks(draw):
    """(scores, mask) of one to three tensors, each with a survivor."""
    values, mask = {}, {}
    for index in range(draw(st.integers(1, 3))):
        shape = draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
        size = torch.Size(shape).numel()
        numbers = draw(st.lists(st.sampled_from(VALUES), min_size=size, max_size=size))
        alive = draw(st.lists(st.booleans(), min_size=size, max_size=size).filter(any))
        values[f"w{index}"] = torch.tensor(numbers).view(shape)
        mask[f"w{index}"] = torch.tensor(alive).view(shape)
    return values, mask


@st.composite
def layerwise_cases(draw):
    values, mask = draw(networks())
    return values, mask, {name: draw(st.integers(1, int(alive.sum()))) for name, alive in mask.items()}


def always(values):
    """The scores `values`, whatever is alive."""
    return lambda mask: values


def by_magnitude(weights):
    return lambda mask: scores("magnitude", mask, trained=weights)


def best(values, mask, names, keep):
    """The (name, flat position) of the `keep` highest survivors, by sorting them all; ties by position."""
    survivors = [
        (-float(values[name].flatten()[position]), order, position, name)
        for order, name in enumerate(names)
        for position in range(mask[name].numel())
        if mask[name].flatten()[position]
    ]
    return {(name, position) for _, _, position, name in sorted(survivors)[:keep]}


def positions(mask):
    return {(name, int(position)) for name in mask for position in mask[name].flatten().nonzero()}


def ones(*shape) -> torch.Tensor:
    return torch.ones(shape, dtype=torch.bool)


@given(layerwise_cases(), st.integers(1, 4))
def test_layerwise_keeps_exactly_the_count_inside_the_mask_before(case, steps):
    values, mask, keep = case
    pruned = prune(mask, always(values), keep, steps=steps)
    assert masks.counts(pruned) == keep
    assert masks.is_subset(pruned, mask)


@given(layerwise_cases())
def test_layerwise_equals_sorting_each_layer(case):
    values, mask, keep = case
    expected = set().union(*(best(values, mask, [name], keep[name]) for name in mask))
    assert positions(prune(mask, always(values), keep)) == expected


@given(layerwise_cases())
def test_by_magnitude_nothing_stays_that_is_smaller_than_what_goes(case):
    weights, mask, keep = case
    for name, alive in prune(mask, by_magnitude(weights), keep).items():
        gone = mask[name] & ~alive
        if gone.any():
            assert weights[name][alive].abs().min() >= weights[name][gone].abs().max()


@given(networks(), st.data())
def test_global_equals_sorting_the_whole_network(network, data):
    values, mask = network
    names = data.draw(st.permutations(list(mask)))
    keep = data.draw(st.integers(1, sum(masks.counts(mask).values())))
    expected = best(values, mask, names, keep)
    empty = [name for name in mask if name not in {kept_name for kept_name, _ in expected}]
    loose = prune(mask, always(values), {"": keep}, names, allow_empty=True)
    assert positions(loose) == expected
    assert {name: alive.shape for name, alive in loose.items()} == {n: mask[n].shape for n in mask}
    if empty:
        with pytest.raises(PruningError, match=f"no weight would be left in {', '.join(empty)}: prune less"):
            prune(mask, always(values), {"": keep}, names)
    else:
        assert positions(prune(mask, always(values), {"": keep}, names)) == expected


@given(layerwise_cases(), st.sampled_from(["weights", "units"]), st.integers(1, 3))
def test_the_order_of_dicts_changes_nothing(case, structure, steps):
    values, mask, keep = case
    names = sorted(mask)
    turned = [dict(reversed(each.items())) for each in (values, mask, keep)]
    how = {"structure": structure, "steps": steps, "allow_empty": True}
    if structure == "units":
        keep, turned[2] = dict.fromkeys(keep, 1), dict.fromkeys(turned[2], 1)
    for first, second in (
        (prune(mask, always(values), keep, **how), prune(turned[1], always(turned[0]), turned[2], **how)),
        (
            prune(mask, always(values), {"": 1}, names, **how),
            prune(turned[1], always(turned[0]), {"": 1}, names, **how),
        ),
    ):
        assert positions(first) == positions(second)


@given(st.lists(st.tuples(st.sampled_from(VALUES), st.booleans()), min_size=1), st.data())
def test_the_highest_are_those_of_a_stable_sort(pairs, data):
    values, alive = torch.tensor([value for value, _ in pairs]), torch.tensor([lives for _, lives in pairs])
    count = data.draw(st.integers(0, int(alive.sum())))
    survivors = alive.nonzero().squeeze(1)
    kept = survivors[values[survivors].sort(stable=True, descending=True).indices[:count]]
    assert highest(values, alive, count).nonzero().squeeze(1).tolist() == sorted(kept.tolist())


@pytest.mark.parametrize("value", [0.0, -0.0, 1.0, -3.0])
def test_ties_keep_the_first_positions(value):
    mask = {"w": torch.tensor([[True, False, True], [True, True, True]])}
    pruned = prune(mask, always({"w": torch.full((2, 3), value)}), {"w": 3})
    assert pruned["w"].tolist() == [[True, False, True], [True, False, False]]


def test_ties_keep_the_first_of_the_ranking():
    values = {name: torch.ones(2) for name in "abc"}
    mask = {name: ones(2) for name in values}
    pruned = prune(mask, always(values), {"": 3}, ["c", "a"], allow_empty=True)
    assert {name: alive.tolist() for name, alive in pruned.items()} == {
        "a": [True, False],
        "b": [True, True],
        "c": [True, True],
    }


def test_both_zeros_are_equal():
    pruned = prune({"w": ones(4)}, always({"w": torch.tensor([-0.0, 0.0, -0.0, 0.0])}), {"w": 2})
    assert pruned["w"].tolist() == [True, True, False, False]


def test_ties_of_magnitudes_do_not_look_at_the_sign():
    pruned = prune({"w": ones(4)}, by_magnitude({"w": torch.tensor([-1.0, 1.0, 0.5, -1.0])}), {"w": 2})
    assert pruned["w"].tolist() == [True, True, False, False]


def test_ties_stay_in_place_in_large_tensors():
    """Algorithms change with the size, and not all of them keep equals in their order."""
    pruned = prune({"w": ones(100_000)}, always({"w": torch.ones(100_000)}), {"w": 40_000})
    assert pruned["w"][:40_000].all() and not pruned["w"][40_000:].any()


@pytest.mark.parametrize("structure", ["weights", "units"])
def test_all_can_be_kept_and_one_weight_is_a_layer(structure):
    mask = {"one": ones(1, 1), "two": torch.tensor([[True, False], [True, True]])}
    values = {name: torch.zeros(alive.shape) for name, alive in mask.items()}
    every = masks.counts(mask) if structure == "weights" else {"one": 1, "two": 2}
    assert positions(prune(mask, always(values), every, structure=structure)) == positions(mask)
    everything = {"": sum(every.values())}
    assert positions(prune(mask, always(values), everything, ["one", "two"], structure=structure)) == positions(mask)


def test_what_has_no_count_or_is_not_ranked_is_left_alone():
    values = {"a": torch.tensor([1.0, 2.0]), "b": torch.tensor([0.1, 0.2])}
    mask = {"a": ones(2), "b": torch.tensor([False, True])}
    assert prune(mask, always(values), {"a": 1})["b"].tolist() == [False, True]
    assert prune(mask, always(values), {"": 1}, ["a"])["b"].tolist() == [False, True]


@pytest.mark.parametrize("structure", ["weights", "units"])
def test_pruning_makes_a_new_mask(structure):
    mask = {"w": ones(3, 1)}
    for keep, ranked in (({"w": 1}, ()), ({"": 1}, ("w",))):
        prune(mask, always({"w": torch.arange(3.0).view(3, 1)}), keep, ranked, structure=structure, steps=2)
    assert mask["w"].all()


def test_a_layer_pruned_empty_is_refused_by_name():
    values = {"fc1.weight": torch.tensor([3.0, 2.0]), "fc2.weight": torch.tensor([0.2, 0.1])}
    mask = {name: ones(2) for name in values}
    with pytest.raises(PruningError, match=r"^no weight would be left in fc2\.weight: prune less, or fewer rounds$"):
        prune(mask, always(values), {"fc1.weight": 1, "fc2.weight": 0})
    with pytest.raises(PruningError, match=r"^no weight would be left in fc2\.weight: prune less, or fewer rounds$"):
        prune(mask, always(values), {"": 2}, list(values))
    with pytest.raises(PruningError, match=r"^no weight would be left in the network"):
        prune(mask, always(values), {"": 0}, list(values))


def test_a_layer_may_be_empty_where_that_is_allowed_the_network_may_not():
    values = {"a": torch.tensor([3.0, 2.0]), "b": torch.tensor([0.2, 0.1])}
    mask = {name: ones(2) for name in values}
    assert masks.counts(prune(mask, always(values), {"": 2}, "ab", allow_empty=True)) == {"a": 2, "b": 0}
    assert masks.counts(prune(mask, always(values), {"a": 1, "b": 0}, allow_empty=True)) == {"a": 1, "b": 0}
    without_b = prune(mask, always(values), {"b": 0}, allow_empty=True, steps=3)
    assert masks.counts(prune(without_b, always(values), {"": 1}, "ab", allow_empty=True)) == {"a": 1, "b": 0}
    with pytest.raises(PruningError, match="no weight would be left in b:"):  # it was empty before
        prune(without_b, always(values), {"a": 1})
    for keep, ranked in (({"a": 0, "b": 0}, ""), ({"": 0}, "ab")):
        with pytest.raises(PruningError, match="no weight would be left in the network:"):
            prune(mask, always(values), keep, ranked, allow_empty=True)
    with pytest.raises(PruningError, match="no weight would be left in a:"):
        prune(mask, always(values), {"a": -1}, allow_empty=True)


def test_more_than_survive_cannot_be_kept():
    mask = {"w": torch.tensor([[True], [False]])}
    values = always({"w": torch.tensor([[1.0], [2.0]])})
    with pytest.raises(PruningError, match=r"^w: cannot keep 2 weights, only 1 survive$"):
        prune(mask, values, {"w": 2})
    with pytest.raises(PruningError, match=r"^the network: cannot keep 2 units, only 1 survive$"):
        prune(mask, values, {"": 2}, ["w"], structure="units")


def test_nothing_is_scored_for_a_count_that_cannot_be():
    with pytest.raises(PruningError):
        prune({"w": ones(2)}, lambda mask: pytest.fail("scored"), {"w": 3})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_weights_that_are_not_finite_are_refused(value):
    score = by_magnitude({"w": torch.tensor([1.0, value, 2.0])})
    for keep, ranked in (({"w": 2}, ()), ({"": 2}, ["w"])):
        with pytest.raises(PruningError, match=r"^w: the trained weights are not finite; training diverged"):
            prune({"w": ones(3)}, score, keep, ranked)


def counts_of_steps(mask, keep, steps, ranked=(), **options):
    """Survivors that `score` saw at each step, and at the end."""
    seen = []

    def score(alive):
        seen.append(masks.counts(alive))
        return {name: torch.zeros(each.shape) for name, each in alive.items()}

    pruned = prune(mask, score, keep, ranked, steps=steps, **options)
    return [*seen, masks.counts(pruned)]


def test_one_step_scores_once():
    assert counts_of_steps({"w": ones(10)}, {"w": 3}, 1) == [{"w": 10}, {"w": 3}]


def test_in_steps_counts_fall_geometrically():
    """1000 · (1/1000)^(k/3); of a second layer 64 · (27/64)^(k/3)."""
    mask = {"a": ones(1000), "b": ones(64), "c": ones(5)}
    seen = counts_of_steps(mask, {"a": 1, "b": 27}, 3)
    assert [list(each.values()) for each in seen] == [[1000, 64, 5], [100, 48, 5], [10, 36, 5], [1, 27, 5]]


def test_in_steps_the_nearest_count_is_taken_and_the_last_is_exact():
    """7 · (2/7)^(k/4): 5.12, 3.74, 2.74, 2; a global ranking counts all its layers."""
    seen = counts_of_steps({"a": ones(3), "b": ones(4)}, {"": 2}, 4, "ab", allow_empty=True)
    assert [sum(each.values()) for each in seen] == [7, 5, 4, 3, 2]


def test_in_steps_a_layer_that_goes_goes_last():
    seen = counts_of_steps({"a": ones(16), "b": ones(1)}, {"a": 0}, 2, allow_empty=True)
    assert [each["a"] for each in seen] == [16, 4, 0]


def test_in_steps_units_are_counted():
    seen = counts_of_steps({"a": ones(8, 3)}, {"a": 2}, 2, structure="units")
    assert [each["a"] for each in seen] == [24, 12, 6]


def test_in_steps_scores_are_those_of_what_is_alive():
    """A weight that looks worst at first is the best once the other two of its layer have gone."""

    def score(mask):
        alone = not mask["w"][1] and not mask["w"][2]
        return {"w": torch.tensor([9.0 if alone else 2.0, 1.0, 0.0, 3.0])}

    assert prune({"w": ones(4)}, score, {"w": 1})["w"].tolist() == [False, False, False, True]
    assert prune({"w": ones(4)}, score, {"w": 1}, steps=2)["w"].tolist() == [True, False, False, False]


def test_what_it_does_not_know_is_refused():
    mask, values = {"w": ones(2, 2)}, always({"w": torch.zeros(2, 2)})
    with pytest.raises(ValueError, match="1 step or more, not 0"):
        prune(mask, values, {"w": 1}, steps=0)
    with pytest.raises(ValueError, match="of weights or units, not of 'rows'"):
        prune(mask, values, {"w": 1}, structure="rows")
    with pytest.raises(ValueError, match="a norm, a sum or a draw, not 'mean'"):
        prune(mask, values, {"w": 1}, structure="units", of_unit="mean")
