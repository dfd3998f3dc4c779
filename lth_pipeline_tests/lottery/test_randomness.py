"""Random streams: named, pinned, and apart from each other."""

from itertools import combinations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lth_pipeline.lottery.randomness import generator, stream_seed

numbers = st.integers(0, 2**63)


@pytest.mark.parametrize(
    ("seed", "purpose", "coordinates", "expected"),
    [
        (0, "initial_weights", {"replicate": 0, "round": 0}, 6_950_655_626_821_210_145),
        (0, "data_order", {"replicate": 2, "round": 7, "epoch": 54}, 1_092_379_605_271_878_276),
        (2**40, "validation_split", {}, 4_512_173_045_044_404_234),
    ],
)
def test_pinned(seed, purpose, coordinates, expected):
    """These seeds stand behind every stored artifact: they must never change."""
    assert stream_seed(seed, purpose, **coordinates) == expected


def test_every_coordinate_opens_another_stream():
    streams = [
        stream_seed(0, "initial_weights", replicate=0, round=0),
        stream_seed(1, "initial_weights", replicate=0, round=0),
        stream_seed(0, "reinit", replicate=0, round=0),
        stream_seed(0, "initial_weights", replicate=1, round=0),
        stream_seed(0, "initial_weights", replicate=0, round=1),
        stream_seed(0, "initial_weights", replicate=0),
        stream_seed(0, "initial_weights"),
    ]
    for one, other in combinations(streams, 2):
        assert one != other


def test_replicates_do_not_meet_across_seeds():
    """With seed + replicate, replicate 1 of seed 0 would be replicate 0 of seed 1."""
    assert stream_seed(0, "initial_weights", replicate=1) != stream_seed(1, "initial_weights", replicate=0)


@given(numbers, st.text(), numbers, numbers)
def test_a_seed_is_one_that_torch_takes_and_the_order_of_names_is_no_matter(seed, purpose, replicate, round):
    found = stream_seed(seed, purpose, replicate=replicate, round=round)
    assert 0 <= found < 2**63
    assert found == stream_seed(seed, purpose, round=round, replicate=replicate)
    assert generator(found).initial_seed() == found


def test_a_generator_draws_the_same_again_and_leaves_the_global_one_alone():
    before = torch.get_rng_state()
    first, again, other = (torch.randn(5, generator=generator(seed)) for seed in (7, 7, 8))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)
