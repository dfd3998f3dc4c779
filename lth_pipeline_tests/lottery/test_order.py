"""The order of examples: full batches, each epoch a permutation, any iteration known on its own."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from lth_pipeline.lottery.training.order import batches

examples = st.integers(1, 30)
sizes = st.integers(1, 40)  # also batches larger than the set
iterations = st.integers(0, 25)


def epoch_seed(epoch: int) -> int:
    return 1000 + epoch


@given(examples, sizes, iterations)
def test_every_batch_is_full(examples, size, stop):
    found = list(batches(examples, size, 0, stop, epoch_seed))
    assert [len(batch) for batch in found] == [size] * stop
    assert all(batch.dtype == torch.int64 for batch in found)


@given(examples, sizes, st.integers(1, 25))
def test_every_epoch_sees_every_example_once(examples, size, stop):
    seen = torch.cat(list(batches(examples, size, 0, stop, epoch_seed)))
    for epoch in seen.split(examples):
        assert len(epoch) == len(epoch.unique())  # the last one may be unfinished
        if len(epoch) == examples:
            assert sorted(epoch.tolist()) == list(range(examples))


@given(examples, sizes, iterations, iterations)
def test_starting_in_the_middle_gives_the_same_batches(examples, size, one, other):
    start, stop = sorted((one, other))
    whole = list(batches(examples, size, 0, stop, epoch_seed))
    part = list(batches(examples, size, start, stop, epoch_seed))
    assert [batch.tolist() for batch in part] == [batch.tolist() for batch in whole[start:]]


def test_each_epoch_has_its_own_order_and_each_seed_another():
    first, second = batches(50, 50, 0, 2, epoch_seed)
    assert first.tolist() != second.tolist()
    (other,) = batches(50, 50, 0, 1, lambda epoch: epoch)
    assert first.tolist() != other.tolist()


def test_an_epochs_order_comes_from_its_own_generator_alone():
    (second,) = batches(50, 50, 1, 2, epoch_seed)
    generator = torch.Generator().manual_seed(epoch_seed(1))
    assert second.tolist() == torch.randperm(50, generator=generator).tolist()
