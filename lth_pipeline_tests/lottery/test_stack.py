"""What networks that train together are made of: how their tensors lie, and that a step waits for nothing."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from lth_pipeline.lottery.models import build
from lth_pipeline.lottery.randomness import generator
from lth_pipeline.lottery.training.stack import Stack
from lth_pipeline.lottery.training.stacked import ALIGNED, layout, stacked, survivors
from lth_pipeline.lottery.training.together import train_together
from lth_pipeline_tests.lottery.small import DATA, MODEL, SCHEDULES
from lth_pipeline_tests.lottery.test_together import (
    CONV,
    CONVOLUTIONS,
    FULLY_CONNECTED,
    IMAGES,
    networks,
    with_states,
)

CPU = torch.device("cpu")
#: operations whose result depends on values of a tensor, or that bring values from the host: a GPU would be waited for
WAITING = {"_local_scalar_dense", "item", "nonzero", "masked_select", "equal", "is_nonzero", "unique", "lift_fresh"}


class Operations(TorchDispatchMode):
    """The names of all that torch is asked to do."""

    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        self.names.append(function.overloadpacket.__name__)
        return function(*arguments, **(options or {}))


@pytest.mark.parametrize(
    ("model", "data", "schedule"),
    [(MODEL, DATA, each) for each in FULLY_CONNECTED.values()] + [(CONV, IMAGES, e) for e in CONVOLUTIONS.values()],
    ids=[*FULLY_CONNECTED, *(f"convolutions, {name}" for name in CONVOLUTIONS)],
)
def test_neither_a_step_nor_an_evaluation_asks_the_device_for_anything(model, data, schedule):
    """A CUDA graph cannot be recorded of what does."""
    stack = Stack(model, [n.weights for n in networks(model)], [n.mask for n in networks(model)], data, schedule, False)
    with Operations() as operations:
        stack.step()
        stack.over(data.test)
    assert "index_select" in operations.names  # it does see them
    assert not WAITING & set(operations.names)


def test_a_lenet_step_takes_as_many_kernels_for_ten_networks_as_for_two():
    """Views launch nothing; what is left is the price of a step on a GPU."""
    views = {"view", "_unsafe_view", "slice", "select", "unsqueeze", "transpose", "detach", "expand", "squeeze", "t"}

    def kernels(count: int) -> int:
        stack = Stack(MODEL, [n.weights for n in networks(count=count)], [None] * count, DATA, SCHEDULES["adam"], False)
        with Operations() as operations:
            stack.step()
        return len([name for name in operations.names if name not in views])

    assert kernels(10) == kernels(2) < 50


@given(
    st.integers(1, 4), st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=3), min_size=1, max_size=4), st.data()
)
def test_tensors_lie_apart_and_come_back(count, shapes, data):
    draws = generator(data.draw(st.integers(0, 99)))
    tensors = [{f"w{i}": torch.randn(shape, generator=draws) for i, shape in enumerate(shapes)} for _ in range(count)]
    places = layout(tensors, list(tensors[0]))
    flat = stacked(places, tensors, CPU)
    assert all(start % ALIGNED == 0 for start in places.starts) and len(flat) == places.starts[-1]
    for network, own in enumerate(tensors):
        for name, tensor in places.alone(flat, network).items():
            assert torch.equal(tensor, own[name]) and tensor.data_ptr() >= flat.data_ptr()
    of_all = [[view] for view in places.views(flat).values()]
    one_by_one = [list(view.unbind()) for view in places.views(flat).values()]
    for pieces in (of_all, one_by_one):
        assert torch.equal(places.joined(pieces, torch.zeros(ALIGNED)), flat)


def test_survivors_have_all_bits_and_the_pruned_none():
    stack = networks()
    places = layout([each.weights for each in stack], sorted(stack[0].weights))
    bits = survivors(places, [each.mask for each in stack], CPU)
    for number, network in enumerate(stack):
        for name, found in places.alone(bits, number).items():
            alive = network.mask[name] if network.mask and name in network.mask else torch.ones_like(found).bool()
            assert torch.equal(found, torch.where(alive, -1, 0).int())
    assert survivors(places, [None, None, None], CPU) is None


def test_only_models_that_say_so_are_stacked():
    """Stacked arithmetic is that of models that say they are `fully_connected`, whatever their layers' kinds."""
    assert MODEL.fully_connected and not CONV.fully_connected
    assert not build("lenet5", (1, 28, 28), 10, initialisation="glorot_normal").fully_connected


def test_an_optimisers_state_of_other_shapes_is_refused():
    """Such as one of a training that kept only what survives."""
    stack, states = with_states(networks(count=1))
    train_together(MODEL, stack, DATA, SCHEDULES["adam"])
    name = f"{MODEL.layers[0].weight}/exp_avg"
    cut = replace(states[0][1], optimiser={**states[0][1].optimiser, name: torch.zeros(3)})
    with pytest.raises(ValueError, match=r"exp_avg.*\(3,\)"):
        train_together(MODEL, [replace(stack[0], resume=cut)], DATA, SCHEDULES["adam"])
