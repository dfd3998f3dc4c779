"""Networks that train together on a GPU: a CUDA graph against its steps, and against networks alone."""

from dataclasses import replace

import pytest
import torch

from lth_pipeline.lottery.data.dataset import Data, Part
from lth_pipeline.lottery.training import draws
from lth_pipeline.lottery.training.together import train_together
from lth_pipeline_tests.lottery.small import DATA, MODEL, SCHEDULES, bits
from lth_pipeline_tests.lottery.test_together import (
    CONV,
    CONVOLUTIONS,
    FULLY_CONNECTED,
    IMAGES,
    IMPATIENT,
    assert_each_as_alone,
    networks,
    with_states,
)

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")]

CASES = {
    **{name: (MODEL, DATA, schedule) for name, schedule in FULLY_CONNECTED.items()},
    "patience": (MODEL, DATA, IMPATIENT),
    "bfloat16": (MODEL, DATA, replace(SCHEDULES["adam"], precision="bfloat16")),
    **{f"convolutions, {name}": (CONV, IMAGES, schedule) for name, schedule in CONVOLUTIONS.items()},
    "convolutions, bfloat16": (CONV, IMAGES, replace(CONVOLUTIONS["sgd"], precision="bfloat16")),
}
in_all_cases = pytest.mark.parametrize(("model", "data", "schedule"), CASES.values(), ids=list(CASES))
in_float32 = pytest.mark.parametrize(
    ("model", "data", "schedule"),
    [case for case in CASES.values() if case[2].precision == "float32"],
    ids=[name for name, case in CASES.items() if case[2].precision == "float32"],
)


def on_gpu(data: Data) -> Data:
    def moved(part: Part) -> Part:
        scaling = part.scaling and (part.scaling[0], part.scaling[1].cuda(), part.scaling[2].cuda())
        return replace(part, images=part.images.cuda(), labels=part.labels.cuda(), scaling=scaling)

    return replace(data, train=moved(data.train), validation=moved(data.validation), test=moved(data.test))


@in_all_cases
def test_a_graph_gives_the_bits_of_its_steps(model, data, schedule):
    data = on_gpu(data)
    recorded, made = (train_together(model, networks(model), data, schedule, graph=graph) for graph in (True, False))
    assert list(map(bits, recorded)) == list(map(bits, made))


@in_all_cases
def test_twice_gives_the_same_bits(model, data, schedule):
    data = on_gpu(data)
    first, second = (train_together(model, networks(model), data, schedule) for _ in range(2))
    assert list(map(bits, first)) == list(map(bits, second))


@in_float32
def test_each_network_of_a_graph_is_as_it_would_be_alone(model, data, schedule):
    assert_each_as_alone(model, on_gpu(data), schedule, networks(model))


@in_all_cases
def test_resuming_is_never_having_stopped(model, data, schedule):
    schedule, data = replace(schedule, patience=None), on_gpu(data)
    stack, states = with_states(networks(model))
    whole = train_together(model, stack, data, schedule)
    for place in (0, 1, 2):
        resumed = [replace(each, resume=states[n][place]) for n, each in enumerate(networks(model))]
        assert list(map(bits, train_together(model, resumed, data, schedule))) == list(map(bits, whole))


def test_a_block_is_not_overwritten_while_it_is_read(monkeypatch):
    """Blocks of four steps follow each other while the device is far behind."""
    schedule, data = replace(SCHEDULES["adam"], iterations=200, evaluate_every=200), on_gpu(DATA)
    whole = train_together(MODEL, networks(), data, schedule)
    monkeypatch.setattr(draws, "STEPS", 4)
    assert list(map(bits, train_together(MODEL, networks(), data, schedule))) == list(map(bits, whole))


def test_more_networks_than_streams():
    assert_each_as_alone(CONV, on_gpu(IMAGES), CONVOLUTIONS["sgd"], networks(CONV, count=11))
