"""The digest of an artifact: every bit, name, type and shape counts, the order of names does not."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from lth_pipeline.lottery.digest import digest

TENSORS = {
    "fc1.weight": torch.arange(6, dtype=torch.float32).view(2, 3) - 2.5,
    "mask": torch.tensor([True, False]),
    "iteration": torch.tensor(7),
}


def test_pinned():
    """Every stored artifact is found by this: it must never change."""
    assert digest(TENSORS) == "f9db94fc250d883b0277b888792f6d4acc7b84dcfe8dbd95ff626a8bd1891fb2"


def test_64_hex_digits():
    assert len(digest({})) == 64 and set(digest({})) <= set("0123456789abcdef")


@given(st.integers(0, 5), st.integers(0, 31))
def test_one_bit_changes_it(position, bit):
    bits = TENSORS["fc1.weight"].clone().view(torch.int32)
    bits.view(-1)[position] ^= (1 << bit) if bit < 31 else -(2**31)
    changed = {**TENSORS, "fc1.weight": bits.view(torch.float32)}
    assert digest(changed) != digest(TENSORS)


def test_name_type_and_shape_change_it():
    zeros = torch.zeros(4, dtype=torch.int32)
    others = [
        {"b": zeros},
        {"a": zeros.view(torch.float32)},
        {"a": zeros.view(2, 2)},
        {"a": zeros[:3]},
        {"a": zeros[:2], "b": zeros[2:]},
        {},
    ]
    digests = {digest(tensors) for tensors in [{"a": zeros}, *others]}
    assert len(digests) == 1 + len(others)


def test_both_zeros_differ():
    assert digest({"w": torch.tensor([0.0])}) != digest({"w": torch.tensor([-0.0])})


@given(st.permutations(list(TENSORS)))
def test_the_order_of_names_does_not_matter(names):
    assert digest({name: TENSORS[name] for name in names}) == digest(TENSORS)


def test_layout_in_memory_does_not_matter():
    square = torch.arange(9.0).view(3, 3)
    assert digest({"w": square.t()}) == digest({"w": square.t().contiguous()}) != digest({"w": square})
    assert digest({"w": square[::2]}) == digest({"w": square[::2].clone()})


def test_weights_that_are_being_trained_have_the_digest_of_their_values():
    weight = torch.ones(3, requires_grad=True)
    assert digest({"w": weight}) == digest({"w": torch.ones(3)})
