"""Each yardstick gives its figures, on networks and sets so small that it takes a second. Never how large they are."""

import os
import threading
from importlib import import_module
from inspect import isclass, isfunction
from math import isfinite
from multiprocessing import Pipe

import pytest
import torch

from benchmarks import breakdown, convolutions, evaluations, lenet, memory, processes, steps, timing
from benchmarks.results import figure, read
from lth_pipeline.lottery.training.schedule import Schedule
from lth_pipeline.orchestration.partitions import partition_key
from lth_pipeline.recipes import load_cards
from lth_pipeline_tests.benchmarks.tiny import WORK, all_positive


def test_steps():
    found = steps.figures(WORK, rounds=2, steps=10, parts=2, magnitude_after=10)
    assert all_positive(found) and found.keys() <= read().keys()
    assert {one["note"] for one in found.values()} == {"random"}


def test_evaluations():
    # so many images that the difference of two trainings is no matter of chance
    work = lenet.work(lenet.random_images(3600, 1000), train=600)
    found = evaluations.figures(work, rounds=2, evaluations=5)
    assert all(isfinite(one["value"]) for one in found.values())  # a difference of two times; may be below 0 here
    assert found.keys() <= read().keys()


def test_convolutions():
    schedule = Schedule("adam", 1e-3, batch_size=4, iterations=1, evaluate_every=1)
    cases = {name: case._replace(schedule=schedule) for name, case in convolutions.CASES.items()}
    found = convolutions.figures(rounds=1, cases=cases, shape=(3, 8, 8))
    assert all_positive(found) and found.keys() <= read().keys()


def test_a_process_that_trains_tells_when():
    mine, theirs = Pipe()
    worker = threading.Thread(target=processes.work, args=(theirs, threading.Barrier(1), 10, True), daemon=True)
    worker.start()
    for together in (False, True):
        mine.send(together)
        begin, end = mine.recv()
        assert begin < end
    mine.close()
    worker.join(10)
    assert not worker.is_alive()


def test_the_throughput_of_two_is_from_the_first_start_to_the_last_end():
    assert processes.throughput([(10.0, 12.0)], steps=100) == 50
    assert processes.throughput([(10.0, 12.0), (11.0, 14.0)], steps=100) == 50


def test_one_core_is_said(monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    note = "not measured: this machine has one core"
    assert processes.figures() == {processes.NAME: figure(None, "×", 1.8, note)}


def test_memory_is_a_process_s_greatest(tmp_path):
    before = memory.peak(os.getpid())
    torch.ones(50 * 2**18)  # 50 MB
    assert 10e6 < before <= memory.peak(os.getpid()) < 64e9
    assert memory.peak(2**22) == 0  # there is no such process
    (tmp_path / "one.yaml").write_text(memory.CARD.format(card="lenet_mnist"))
    assert load_cards([tmp_path])["one"].training.iterations == 300


@pytest.mark.parametrize("density", lenet.DENSITIES)
def test_masks_have_exactly_their_share_of_each_layer(density):
    random, greatest = lenet.random_mask(WORK.model, density), lenet.magnitude_mask(WORK, density, steps=5)
    for layer in WORK.model.layers:
        expected = max(1, round(density * layer.size))
        assert int(random[layer.weight].sum()) == int(greatest[layer.weight].sum()) == expected


def test_rounds_are_interleaved_and_ratios_are_of_a_round():
    order = []
    found = timing.interleaved(3, {name: lambda name=name: order.append(name) or len(order) for name in "ab"})
    assert order == ["a", "b"] * 3
    assert found == {"a": [1, 3, 5], "b": [2, 4, 6]}
    assert timing.ratio(found, "b", "a") == 4 / 3  # the median of 2, 4/3 and 6/5


def test_seconds_go_to_the_part_that_was_entered_last(monkeypatch):
    clock = iter(range(100))
    monkeypatch.setattr(breakdown, "perf_counter", lambda: next(clock))
    watch = breakdown.Watch("start")
    with watch.inside("loop"), watch.inside("store"):
        pass
    watch.turn_to("start")
    assert watch.seconds == {"start": 2, "loop": 2, "store": 1}


def test_the_parts_of_a_run_are_where_they_are_looked_for():
    for part, places in breakdown.PARTS.items():
        for place in places:
            module, _, name = place.partition(":")
            found = breakdown._own(import_module(module), name)
            assert found and all(isfunction(one) or isclass(one) for one in found), part


def test_a_whole_run_is_made_task_by_task(inside, monkeypatch):
    """What `lth run` would do, up to Dagster's door: what is behind it takes longer than a test may."""
    done = []

    def execute(definitions, module, instance, job, partition, *others):
        done.append((job, partition))
        return "id", True, []

    monkeypatch.setattr("lth_pipeline.orchestration.execute.execute", execute)
    monkeypatch.setattr(breakdown, "watch_parts", lambda watch: None)  # they would stay watched
    seconds = breakdown.run("small", replicates=(1,), through=1)
    assert done == [("small", partition_key("small", 1)), ("gather_results", "small")]
    assert seconds.keys() == {breakdown.START, breakdown.DAGSTER} and all(spent > 0 for spent in seconds.values())


def test_the_breakdown_names_each_part_s_share_of_what_is_beside_the_loop():
    said = breakdown.told({breakdown.LOOP: 10.0, "store": 1.0, breakdown.START: 3.0})
    loop, most, least, whole = said.splitlines()
    assert loop.split()[-2:] == ["10.00", "s"] and "75.0%" in most and "25.0%" in least and whole.endswith("1.400")
