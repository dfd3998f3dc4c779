"""What a mask does to weights, and what is asked of masks."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from lth_pipeline.lottery.models import build
from lth_pipeline.lottery.pruning import masks

floats = st.floats(width=32, allow_nan=False)  # denormals, both zeros and infinities among them


@given(st.lists(st.tuples(floats, st.booleans()), min_size=1, max_size=20))
def test_survivors_keep_their_bits_and_the_pruned_become_plus_zero(pairs):
    weights = torch.tensor([value for value, _ in pairs])
    alive = torch.tensor([kept for _, kept in pairs])
    applied = masks.apply({"w": alive}, {"w": weights})["w"]
    assert torch.equal(applied.view(torch.int32)[alive], weights.view(torch.int32)[alive])
    assert (applied.view(torch.int32)[~alive] == 0).all()  # the bits of +0.0; -0.0 has a sign bit


def test_pruning_a_negative_weight_leaves_no_negative_zero():
    """A product with the mask would: -3 · 0 = -0.0, and the signs of what is gone would change the digest."""
    denormal = -(2.0**-149)
    applied = masks.apply({"w": torch.tensor([False, True])}, {"w": torch.tensor([-3.0, denormal])})["w"]
    assert applied.tolist() == [0.0, denormal]
    assert torch.signbit(applied).tolist() == [False, True]


def test_biases_pass_through_and_nothing_is_shared():
    weights = {"w": torch.tensor([1.0, -2.0]), "b": torch.tensor([-0.0])}
    applied = masks.apply({"w": torch.tensor([True, True])}, weights)
    assert torch.signbit(applied["b"]).all()
    for tensor in applied.values():
        tensor.fill_(9)
    assert weights["w"].tolist() == [1.0, -2.0] and weights["b"].tolist() == [0.0]


def test_counts_and_density():
    mask = {"a": torch.tensor([[True, False], [False, False]]), "b": torch.tensor([True])}
    assert masks.counts(mask) == {"a": 1, "b": 1}
    assert masks.density(mask) == 2 / 5


def test_the_dense_mask_has_the_prunable_weights_and_no_biases():
    model = build("mlp", (1, 2, 2), 3, widths=(5,), initialisation="glorot_normal")
    mask = masks.ones(model)
    assert masks.counts(mask) == {"fc1.weight": 20, "output.weight": 15}
    assert masks.density(mask) == 1.0


def test_subset():
    outer, inner = {"w": torch.tensor([True, True, False])}, {"w": torch.tensor([True, False, False])}
    assert masks.is_subset(inner, outer) and masks.is_subset(inner, inner)
    assert not masks.is_subset(outer, inner)
    assert not masks.is_subset(inner, {"other": outer["w"]})


def test_pruned_are_zero_sees_one_wrong_weight():
    mask = {"w": torch.tensor([True, False])}
    assert masks.pruned_are_zero(mask, {"w": torch.tensor([1.0, 0.0])})
    assert not masks.pruned_are_zero(mask, {"w": torch.tensor([1.0, 1e-45])})
    assert not masks.pruned_are_zero(mask, {"w": torch.tensor([1.0, float("nan")])})


def test_survivors_equal_compares_bits_under_the_mask_and_biases_whole():
    mask = {"w": torch.tensor([True, False])}
    weights = {"w": torch.tensor([0.0, 1.0]), "b": torch.tensor([2.0])}
    assert masks.survivors_equal(mask, weights, {**weights, "w": torch.tensor([0.0, 7.0])})
    assert not masks.survivors_equal(mask, weights, {**weights, "w": torch.tensor([-0.0, 1.0])})
    assert not masks.survivors_equal(mask, weights, {**weights, "b": torch.tensor([2.0000002])})
    assert not masks.survivors_equal(mask, weights, {"w": weights["w"]})
