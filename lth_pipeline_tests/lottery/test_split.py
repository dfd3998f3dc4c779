"""Stratified splits: the exact size, every example once, every class its share, one draw per seed."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lth_pipeline.lottery.data.split import stratified
from lth_pipeline.lottery.randomness import generator


@st.composite
def splits(draw):
    """(labels, size): classes of any size, some of them missing, in any order."""
    labels = draw(st.lists(st.integers(0, 6), min_size=2, max_size=80))
    return torch.tensor(labels), draw(st.integers(1, len(labels) - 1))


@given(splits(), st.integers(0, 100))
def test_exactly_the_size_and_every_example_in_one_of_the_two(split, seed):
    labels, size = split
    rest, held_out = stratified(labels, size, generator(seed))
    assert len(held_out) == size
    assert sorted([*rest.tolist(), *held_out.tolist()]) == list(range(len(labels)))


@given(splits(), st.integers(0, 100))
def test_every_class_gives_its_share_to_within_one(split, seed):
    labels, size = split
    _, held_out = stratified(labels, size, generator(seed))
    for label in labels.unique():
        share = int((labels == label).sum()) * size / len(labels)
        assert abs(int((labels[held_out] == label).sum()) - share) < 1


@given(splits())
def test_the_draw_is_the_seeds(split):
    labels, size = split
    first, again = (stratified(labels, size, generator(5)) for _ in range(2))
    assert [part.tolist() for part in first] == [part.tolist() for part in again]


def test_another_seed_holds_out_others():
    labels = torch.arange(100) % 10
    one, other = (stratified(labels, 50, generator(seed))[1].tolist() for seed in (0, 1))
    assert one != other


def test_what_is_held_out_is_drawn_at_random_and_not_taken_from_the_front():
    labels = torch.zeros(1000, dtype=torch.int64)
    _, held_out = stratified(labels, 500, generator(0))
    assert held_out.double().mean() == pytest.approx(500, abs=30)  # the front half alone: 250


@pytest.mark.parametrize("size", [0, -1, 5, 6])
def test_a_split_must_leave_something_on_both_sides(size):
    with pytest.raises(ValueError, match=f"cannot hold out {size} of 5 examples"):
        stratified(torch.zeros(5, dtype=torch.int64), size, generator(0))
