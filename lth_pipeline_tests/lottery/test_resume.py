"""A training cut in two is the training in one piece: resumed from a state, or rewound to an iteration."""

from dataclasses import replace

import pytest
import torch

from lth_pipeline.lottery.digest import digest
from lth_pipeline.lottery.pruning import masks
from lth_pipeline_tests.lottery.small import SCHEDULES, WEIGHTS, bits, half_mask, run

all_schedules = pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=list(SCHEDULES))


@all_schedules
@pytest.mark.parametrize("masked", [False, True], ids=["dense", "masked"])
@pytest.mark.parametrize("start", [0, 7])
def test_resuming_from_any_state_is_never_having_stopped(schedule, masked, start):
    schedule, mask, states = replace(schedule, start=start), half_mask() if masked else None, []
    whole = run(schedule, mask, on_step=lambda iteration, weights, state: states.append(state()))
    assert [state.iteration for state in states] == [*range(start + 1, 27)]
    for state in states:
        resumed = run(schedule, mask, resume=state)
        assert bits(resumed) == bits(whole), f"from iteration {state.iteration}"
        assert resumed.iterations == schedule.iterations - start


def test_resuming_reads_the_state_and_not_the_weights_given_beside_it():
    schedule, states = SCHEDULES["adam"], []
    whole = run(schedule, on_evaluation=lambda row, state: states.append(state()))
    zeros = {name: torch.zeros_like(tensor) for name, tensor in WEIGHTS.items()}
    assert bits(run(schedule, weights=zeros, resume=states[1])) == bits(whole)


@pytest.mark.parametrize("name", ["adam", "sgd with momentum"])
def test_the_optimisers_memory_is_part_of_the_state(name):
    """Or the tests above would pass for optimisers that remember nothing."""
    states = []
    whole = run(SCHEDULES[name], on_evaluation=lambda row, state: states.append(state()))
    forgetful = replace(states[1], optimiser={})
    assert digest(run(SCHEDULES[name], resume=forgetful).weights) != digest(whole.weights)


@all_schedules
def test_resuming_does_not_change_the_state(schedule):
    states = []
    run(schedule, on_evaluation=lambda row, state: states.append(state()))
    before = digest(states[1].weights), digest(states[1].optimiser), len(states[1].rows)
    run(schedule, resume=states[1])
    assert (digest(states[1].weights), digest(states[1].optimiser), len(states[1].rows)) == before


@all_schedules
@pytest.mark.parametrize("k", [1, 10, 13, 26])
def test_stopping_at_k_gives_the_weights_that_the_whole_training_has_there(schedule, k):
    """The rewind point is a point of the dense training, not of a shorter one."""
    at_k = {}

    def on_step(iteration, live, state):
        live = live()
        if iteration == k:
            at_k.update({name: tensor.detach().clone() for name, tensor in live.items()})

    run(schedule, on_step=on_step)
    assert digest(run(schedule, stop=k).weights) == digest(at_k)


@pytest.mark.parametrize("k", [1, 10, 13])
def test_starting_at_k_sees_the_batches_that_the_whole_training_sees_there(k):
    """Plain SGD remembers nothing, so the halves must join to the bit: same weights, same rows after k."""
    schedule = SCHEDULES["sgd"]
    whole = run(schedule)
    rewound = run(replace(schedule, start=k), weights=run(schedule, stop=k).weights)
    assert digest(rewound.weights) == digest(whole.weights)
    assert rewound.iterations == schedule.iterations - k
    losses = {row["iteration"]: row["validation_loss"] for row in whole.rows}
    for row in rewound.rows[1:]:
        assert row["validation_loss"] == losses[row["iteration"]]


@all_schedules
def test_a_rewound_ticket_starts_from_the_weights_of_k_under_its_mask(schedule):
    mask, at_k = half_mask(), run(schedule, stop=10).weights
    starts = []
    run(
        replace(schedule, start=10),
        mask,
        weights=at_k,
        on_evaluation=lambda row, state: starts.append(state()),
    )
    assert starts[0].iteration == 10
    assert digest(starts[0].weights) == digest(masks.apply(mask, at_k))
