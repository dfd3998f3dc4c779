"""Magnitude pruning: by count, inside the mask before, ties by position."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lth_pipeline.lottery.pruning.magnitude import PruningError, prune_global, prune_layerwise
from lth_pipeline.lottery.pruning.masks import is_subset

#: few values, so that most examples have ties; both signs, both zeros and a denormal
VALUES = [-2.0, -1.0, -0.5, -1e-42, -0.0, 0.0, 1e-42, 0.5, 1.0, 2.0]


@st.composite
def networks(draw):
    """(weights, mask) of one to three tensors, each with a survivor."""
    weights, mask = {}, {}
    for index in range(draw(st.integers(1, 3))):
        shape = draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
        size = torch.Size(shape).numel()
        values = draw(st.lists(st.sampled_from(VALUES), min_size=size, max_size=size))
        alive = draw(st.lists(st.booleans(), min_size=size, max_size=size).filter(any))
        weights[f"w{index}"] = torch.tensor(values).view(shape)
        mask[f"w{index}"] = torch.tensor(alive).view(shape)
    return weights, mask


@st.composite
def layerwise_cases(draw):
    weights, mask = draw(networks())
    return weights, mask, {name: draw(st.integers(1, int(alive.sum()))) for name, alive in mask.items()}


def largest(weights, mask, names, keep):
    """The (name, flat position) of the `keep` largest survivors, by sorting them all; ties by position."""
    survivors = [
        (-abs(float(weights[name].flatten()[position])), order, position, name)
        for order, name in enumerate(names)
        for position in range(mask[name].numel())
        if mask[name].flatten()[position]
    ]
    return {(name, position) for _, _, position, name in sorted(survivors)[:keep]}


def positions(mask):
    return {(name, int(position)) for name in mask for position in mask[name].flatten().nonzero()}


@given(layerwise_cases())
def test_layerwise_keeps_exactly_the_count_inside_the_mask_before(case):
    weights, mask, keep = case
    pruned = prune_layerwise(weights, mask, keep)
    assert {name: int(alive.sum()) for name, alive in pruned.items()} == keep
    assert is_subset(pruned, mask)


@given(layerwise_cases())
def test_layerwise_keeps_nothing_smaller_than_what_it_prunes(case):
    weights, mask, keep = case
    for name, alive in prune_layerwise(weights, mask, keep).items():
        gone = mask[name] & ~alive
        if gone.any():
            assert weights[name][alive].abs().min() >= weights[name][gone].abs().max()


@given(layerwise_cases())
def test_layerwise_equals_sorting_each_layer(case):
    weights, mask, keep = case
    expected = set().union(*(largest(weights, mask, [name], keep[name]) for name in mask))
    assert positions(prune_layerwise(weights, mask, keep)) == expected


@given(networks(), st.data())
def test_global_equals_sorting_the_whole_network(network, data):
    weights, mask = network
    names = list(mask)
    keep = data.draw(st.integers(1, sum(int(alive.sum()) for alive in mask.values())))
    expected = largest(weights, mask, names, keep)
    empty = [name for name in names if name not in {kept_name for kept_name, _ in expected}]
    if not empty:
        pruned = prune_global(weights, mask, names, keep)
        assert positions(pruned) == expected
        assert {name: alive.shape for name, alive in pruned.items()} == {n: mask[n].shape for n in names}
    else:
        with pytest.raises(PruningError, match=", ".join(empty)):
            prune_global(weights, mask, names, keep)


@pytest.mark.parametrize("value", [0.0, -0.0, 1.0, -3.0])
def test_ties_keep_the_first_positions(value):
    weights = {"w": torch.full((2, 3), value)}
    mask = {"w": torch.tensor([[True, False, True], [True, True, True]])}
    pruned = prune_layerwise(weights, mask, {"w": 3})
    assert pruned["w"].tolist() == [[True, False, True], [True, False, False]]


def test_ties_do_not_look_at_the_sign():
    weights = {"w": torch.tensor([-1.0, 1.0, 0.5, -1.0])}
    pruned = prune_layerwise(weights, {"w": torch.ones(4, dtype=torch.bool)}, {"w": 2})
    assert pruned["w"].tolist() == [True, True, False, False]


def test_ties_stay_in_place_in_large_tensors():
    """Sorting algorithms change with the size; the stable one must be asked for at every size."""
    weights = {"w": torch.ones(100_000)}
    pruned = prune_layerwise(weights, {"w": torch.ones(100_000, dtype=torch.bool)}, {"w": 40_000})
    assert pruned["w"][:40_000].all() and not pruned["w"][40_000:].any()


def test_what_has_no_count_or_is_not_ranked_is_left_alone():
    weights = {"a": torch.tensor([1.0, 2.0]), "b": torch.tensor([0.1, 0.2])}
    mask = {"a": torch.tensor([True, True]), "b": torch.tensor([False, True])}
    assert prune_layerwise(weights, mask, {"a": 1})["b"].tolist() == [False, True]
    assert prune_global(weights, mask, ["a"], 1)["b"].tolist() == [False, True]


def test_pruning_makes_a_new_mask():
    mask = {"w": torch.ones(3, dtype=torch.bool)}
    prune_layerwise({"w": torch.arange(3.0)}, mask, {"w": 1})
    prune_global({"w": torch.arange(3.0)}, mask, ["w"], 1)
    assert mask["w"].all()


def test_a_layer_pruned_empty_is_refused_by_name():
    weights = {"fc1.weight": torch.tensor([3.0, 2.0]), "fc2.weight": torch.tensor([0.2, 0.1])}
    mask = {name: torch.ones(2, dtype=torch.bool) for name in weights}
    with pytest.raises(PruningError, match=r"fc2\.weight"):
        prune_layerwise(weights, mask, {"fc1.weight": 1, "fc2.weight": 0})
    with pytest.raises(PruningError, match=r"left in fc2\.weight:"):
        prune_global(weights, mask, list(weights), 2)


def test_more_than_survive_cannot_be_kept():
    mask = {"w": torch.tensor([True, False])}
    with pytest.raises(PruningError, match="w: cannot keep 2 weights, only 1 survive"):
        prune_layerwise({"w": torch.tensor([1.0, 2.0])}, mask, {"w": 2})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_weights_that_are_not_finite_are_refused(value):
    weights = {"w": torch.tensor([1.0, value, 2.0])}
    mask = {"w": torch.ones(3, dtype=torch.bool)}
    with pytest.raises(PruningError, match="w: the trained weights are not finite"):
        prune_layerwise(weights, mask, {"w": 2})
    with pytest.raises(PruningError, match="not finite"):
        prune_global(weights, mask, ["w"], 2)
