"""Early-bird tickets: where the mask settles, on made-up masks and beside a training."""

from dataclasses import replace

import pytest
import torch

from lth_pipeline.lottery.digest import digest
from lth_pipeline.lottery.randomness import generator
from lth_pipeline.lottery.training.early_bird import EarlyBird
from lth_pipeline_tests.lottery.small import MODEL, SCHEDULES, bits, half_mask, run

SIZE = 100  # weights of made-up masks: a distance is so many per cent
LONGER = replace(SCHEDULES["adam"], iterations=126)


def as_it_is(weights):
    """A made-up mask stands in the weights themselves."""
    return {"layer.weight": weights["layer.weight"] > 0}


def made_up(steps: list[int]) -> list[torch.Tensor]:
    """Masks of SIZE weights, each `steps[i]` entries from the one before it."""
    draws, masks = generator(3), [torch.ones(SIZE, dtype=torch.bool)]
    for step in steps:
        masks.append(masks[-1].clone())
        masks[-1][torch.randperm(SIZE, generator=draws)[:step]] ^= True
    return masks


def followed(steps: list[int], **options) -> EarlyBird:
    """After checkpoints at 10, 20, … of masks that differ by `steps`."""
    follower = EarlyBird(as_it_is, 10, **options)
    for place, mask in enumerate(made_up(steps), start=1):
        follower.see(
            10 * place, {"layer.weight": mask.float().view(10, 10), "layer.bias": torch.tensor([float(place)])}
        )
    return follower


def largest(weights):
    """Half of each layer, those of greatest magnitude: what magnitude pruning keeps."""
    return {
        layer.weight: weights[layer.weight].abs() >= weights[layer.weight].abs().flatten().median()
        for layer in MODEL.layers
    }


def seen(follower: EarlyBird) -> tuple:
    """Equal where two followers have seen the same."""
    iterations, distances = follower.distances()
    weights = None if follower.weights is None else digest(follower.weights)
    return follower.settled, weights, iterations.tolist(), distances.tolist()


@pytest.mark.parametrize(
    ("steps", "settled"),
    [
        ([0, 0, 0, 0, 0], 60),  # five distances take six checkpoints
        ([0, 0, 0, 0], None),
        ([9, 9, 9, 9, 9], 60),
        ([10, 9, 9, 9, 9, 9], 70),  # exactly 0.1 is not below it
        ([9, 9, 9, 9, 10], None),
        ([9, 9, 9, 9, 10, 9, 9, 9, 9], None),
        ([9, 9, 9, 9, 10, 9, 9, 9, 9, 9], 110),  # one step too far begins the count anew
        ([50, 40, 30, 20, 9, 8, 7, 6, 5, 4], 100),
        ([50, 9, 9, 9, 9, 9, 60, 60], 70),  # the first time counts
        ([10] * 20, None),
        ([], None),
    ],
)
def test_it_settles_once_the_last_five_distances_are_below_a_tenth(steps, settled):
    follower = followed(steps)
    assert follower.settled == settled
    if settled is None:
        assert follower.weights is None
    else:
        assert float(follower.weights["layer.bias"]) == settled // 10  # of that iteration, all tensors
        assert torch.equal(as_it_is(follower.weights)["layer.weight"].view(-1), made_up(steps)[settled // 10 - 1])


@pytest.mark.parametrize(("distance", "checks", "settled"), [(0.2, 2, 40), (0.2, 3, 50), (0.1, 1, None), (0.5, 1, 30)])
def test_distance_and_checks_are_those_given(distance, checks, settled):
    assert followed([60, 19, 18, 17, 16], distance=distance, checks=checks).settled == settled


def test_what_is_no_checkpoint_is_not_looked_at():
    looked = []
    follower = EarlyBird(lambda weights: looked.append(weights) or as_it_is(weights), 20)
    for iteration in (0, 10, 20, 30, 40, 45, 60, 66):
        follower.see(iteration, {"layer.weight": torch.ones(3, requires_grad=True)})
    assert follower.distances()[0].tolist() == [20, 40, 60]
    assert len(looked) == 3 and not any(weights["layer.weight"].requires_grad for weights in looked)


def test_weights_are_copies():
    follower, live = EarlyBird(as_it_is, 1, checks=1), torch.ones(4)
    for iteration in range(1, 4):
        follower.see(iteration, {"layer.weight": live})
        live *= 2
    assert follower.settled == 2 and follower.weights["layer.weight"].tolist() == [2.0] * 4


@pytest.mark.parametrize("size", [1, 7, 8, 63, 64, 65, 1000])
def test_distances_are_the_shares_of_entries_that_differ(size):
    """Whatever is left over beside whole bytes and words counts for nothing."""
    draws = generator(size)
    masks = [
        {name: torch.rand(shape, generator=draws) < 0.5 for name, shape in (("b", (size,)), ("a", (3, 2)))}
        for _ in range(4)
    ]
    follower = EarlyBird(lambda weights: masks[int(weights["place"])], 1)
    for place in range(4):
        follower.see(place + 1, {"place": torch.tensor(float(place))})
    iterations, distances = follower.distances()
    flat = torch.stack([torch.cat([mask["a"].flatten(), mask["b"]]) for mask in masks])
    expected = (flat[:, None] != flat[None]).double().mean(2)
    assert (iterations.dtype, distances.dtype) == (torch.int64, torch.float64)
    torch.testing.assert_close(distances, expected, rtol=1e-14, atol=0)
    assert torch.equal(distances, distances.T) and not distances.diagonal().any()


def test_the_order_in_which_a_mask_names_its_layers_does_not_count():
    mask = {name: torch.rand(5, generator=generator(place)) < 0.5 for place, name in enumerate("abc")}
    given = [mask, dict(reversed(mask.items()))]
    follower = EarlyBird(lambda weights: given.pop(), 1)
    for iteration in (1, 2):
        follower.see(iteration, {})
    assert not follower.distances()[1].any()


def test_without_checkpoints_the_matrix_is_empty():
    iterations, distances = EarlyBird(as_it_is, 10).distances()
    assert iterations.shape == (0,) and distances.shape == (0, 0)


def test_masks_are_kept_as_bits():
    """64 masks of 25 million weights must fit 200 MB: an eighth of a byte a weight."""
    follower = EarlyBird(as_it_is, 1)
    for iteration in range(1, 5):
        follower.see(iteration, {"layer.weight": torch.ones(64_000)})
    assert follower.state()["masks"].shape == (4, 8_000) and follower.state()["masks"].dtype == torch.uint8
    assert sum(mask.nbytes for mask in follower._masks) == 4 * 8_000


def test_a_network_that_diverged_is_not_followed():
    follower = EarlyBird(as_it_is, 1)
    follower.see(1, {"layer.weight": torch.ones(3), "layer.bias": torch.zeros(1)})
    for value in (float("nan"), float("inf")):
        follower.see(2, {"layer.weight": torch.ones(3), "layer.bias": torch.tensor([0.0, value, 0.0])})
    assert follower.distances()[0].tolist() == [1]


def test_wrong_use_is_refused():
    for wrong in ({"every": 0}, {"every": 1, "checks": 0}):
        with pytest.raises(ValueError, match="at least 1"):
            EarlyBird(as_it_is, **wrong)
    follower = followed([1])
    with pytest.raises(ValueError, match="iteration 20 is not after 20"):
        follower.see(20, {"layer.weight": torch.ones(SIZE)})
    with pytest.raises(ValueError, match="a mask of 3 weights at iteration 30, before it of 100"):
        follower.see(30, {"layer.weight": torch.ones(3)})
    with pytest.raises(ValueError, match="not followed so far: its state has no entries, iterations, masks, settled"):
        follower.restore({})


@pytest.mark.parametrize("cut", range(12))
def test_a_restored_follower_goes_on_as_if_never_stopped(cut):
    steps = [50, 9, 9, 9, 9, 9, 9, 60, 9, 9, 9]
    whole, halves = followed(steps), followed(steps[: cut - 1]) if cut else EarlyBird(as_it_is, 10)
    state = halves.state()
    assert all(isinstance(tensor, torch.Tensor) for tensor in state.values()) and state
    before = digest(state)
    resumed = followed([7] * 6)  # what it has seen itself is forgotten, even where it has settled
    resumed.restore(state)
    assert seen(resumed) == seen(halves)
    for place, mask in list(enumerate(made_up(steps), start=1))[cut:]:
        weights = {"layer.weight": mask.float().view(10, 10), "layer.bias": torch.tensor([float(place)])}
        resumed.see(10 * place, weights)
    assert seen(resumed) == seen(whole) and whole.settled == 70
    assert digest(resumed.state()) == digest(whole.state())
    assert digest(state) == before


@pytest.mark.parametrize("masked", [False, True], ids=["dense", "masked"])
@pytest.mark.parametrize("name", SCHEDULES)
def test_following_changes_no_bit(name, masked):
    schedule, mask = replace(SCHEDULES[name], iterations=126), half_mask() if masked else None
    follower = EarlyBird(largest, 10, distance=0.9, checks=2)
    assert bits(run(schedule, mask, follower=follower)) == bits(run(schedule, mask))
    assert follower.settled == 30  # and the training went on to its end
    assert follower.distances()[0].tolist() == list(range(10, 121, 10))


def test_it_sees_the_weights_of_the_training():
    follower, states = EarlyBird(largest, 20, distance=0.9, checks=1), []
    run(LONGER, follower=follower, on_evaluation=lambda row, state: states.append(state()))
    at = {state.iteration: state.weights for state in states}
    assert follower.settled == 40 and digest(follower.weights) == digest(at[40])
    first, last = largest(at[20]), largest(at[120])
    differing = sum(int((first[name] ^ last[name]).sum()) for name in first)
    assert float(follower.distances()[1][0, -1]) == differing / MODEL.prunable > 0


def test_a_resumed_training_is_followed_as_if_never_stopped():
    states, whole = [], EarlyBird(largest, 20, distance=0.12, checks=3)
    trained = run(LONGER, follower=whole, on_evaluation=lambda row, state: states.append(state()))
    assert 40 < whole.settled < 120  # or a cut after it, or one before, would show nothing
    for state in states:
        resumed = EarlyBird(largest, 20, distance=0.12, checks=3)
        assert bits(run(LONGER, follower=resumed, resume=state)) == bits(trained)
        assert seen(resumed) == seen(whole), f"from iteration {state.iteration}"


def test_without_a_follower_the_state_says_nothing_of_one():
    states = []
    run(SCHEDULES["sgd"], on_evaluation=lambda row, state: states.append(state()))
    assert all(state.follower == {} for state in states)
    with pytest.raises(ValueError, match="not followed so far"):
        run(SCHEDULES["sgd"], resume=states[1], follower=EarlyBird(largest, 10))


@pytest.mark.parametrize("rate", [1e30, 1e38])
def test_a_diverging_training_is_followed_to_its_end(rate):
    def strict(weights):
        assert all(bool(tensor.isfinite().all()) for tensor in weights.values())
        return largest(weights)

    follower = EarlyBird(strict, 10)
    trained = run(replace(LONGER, learning_rate=rate), follower=follower)
    assert trained.diverged_at == trained.rows[-1]["iteration"] and follower.settled is None
