"""Sizes, times and memory of networks: what is counted, on networks that can be counted by hand."""

import os
import zlib
from itertools import repeat

import pytest
import torch

from lth_pipeline.lottery.small import measure
from lth_pipeline.lottery.small.measure import compressed, latency
from lth_pipeline.lottery.small.memory import onnx_peaks, torch_peak
from lth_pipeline.lottery.small.network import Network, Op, Program
from lth_pipeline.lottery.small.onnx_file import onnx_bytes
from lth_pipeline.lottery.small.sparse import Small, sparse_tensors


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still but for what calls take from it: {"now": seconds}."""
    told = {"now": 0.0}
    monkeypatch.setattr(measure.time, "perf_counter", lambda: told["now"])
    return told


def taking(clock, seconds, calls, name):
    left = repeat(seconds) if isinstance(seconds, float) else iter(seconds)

    def call():
        calls.append(name)
        clock["now"] += next(left)

    return call


def test_candidates_take_turns_and_every_other_turn_goes_backwards(clock):
    calls: list[str] = []
    found = latency({name: taking(clock, 0.1, calls, name) for name in "abc"}, turns=2)
    assert "".join(calls) == "aabbcc" + "ccbbaa"  # a call that is not counted, and one that is
    assert [pytest.approx(100.0)] * 3 == [found[name].median for name in "abc"]


def test_a_call_that_is_interrupted_does_not_count(clock):
    times = [0.001, 0.001, 0.001, 0.5] * 10  # the last of each turn: the system took the processor away
    found = latency({"a": taking(clock, times, [], "a")}, turns=10)["a"]
    assert [found.low, found.median, found.high] == pytest.approx([1.0, 1.0, 1.0])


def test_what_is_slow_has_fewer_turns(clock):
    calls: list[str] = []
    latency({"slow": taking(clock, 1.0, calls, "slow"), "quick": taking(clock, 0.001, calls, "quick")}, turns=20)
    assert calls.count("slow") == 2 * measure.LEAST
    assert calls.count("quick") >= 20 * 4


def test_the_median_and_the_quartiles_of_the_turns(clock):
    times = [value for turn in (5.0, 1.0, 4.0, 2.0, 3.0) for value in (9.0, turn)]
    found = latency({"a": taking(clock, times, [], "a")}, turns=5)["a"]
    assert (found.low, found.median, found.high) == (2000.0, 3000.0, 4000.0)


def test_compressed_is_what_a_decompressor_takes():
    content = bytes(1000) + os.urandom(100)
    assert len(zlib.compress(content, 6)) == compressed(content) < 200


def layers(inputs=64, hidden=200, outputs=10) -> Small:
    ops = (
        Op("flatten", ("image",), "flat"),
        Op("linear", ("flat",), "a", {"weight": "a.weight", "bias": "a.bias"}),
        Op("relu", ("a",), "b"),
        Op("linear", ("b",), "c", {"weight": "c.weight", "bias": "c.bias"}),
    )
    tensors = {"a.weight": torch.ones(hidden, inputs), "a.bias": torch.zeros(hidden)}
    tensors |= {"c.weight": torch.ones(outputs, hidden), "c.bias": torch.zeros(outputs)}
    return Small(Program((1, 1, inputs), ops), tensors)


@pytest.mark.parametrize("batch", (1, 64))
def test_the_memory_of_two_layers_is_their_weights_and_what_flows(batch):
    """ReLU writes over what it reads, and flattening moves nothing."""
    small = layers()
    peak = torch_peak(Network(small.program, small.tensors).eval(), torch.zeros(batch, 1, 1, 64))
    assert peak == 4 * (200 * 64 + 200 + 10 * 200 + 10) + 4 * batch * (64 + 200 + 10)


def test_what_is_no_longer_needed_does_not_count():
    """Of three values, each as large as the images, two are alive at once."""
    ops = tuple(Op("select", (f"v{n}" if n else "image",), f"v{n + 1}", {"index": "index"}) for n in range(3))
    network = Network(Program((5, 4, 4), ops), {"index": torch.arange(5, dtype=torch.int32)})
    size = 4 * 7 * 5 * 4 * 4
    assert torch_peak(network, torch.zeros(7, 5, 4, 4)) == 4 * 5 + size + 2 * size


def test_a_sparse_weight_counts_as_what_it_stores():
    small = layers(inputs=512, hidden=256)
    small.tensors["a.weight"][torch.arange(256 * 512).view(256, 512) % 21 > 0] = 0
    tensors = sparse_tensors(small)
    assert tensors["a.weight"].layout == torch.sparse_csr
    stored = int((small.tensors["a.weight"] != 0).sum())
    flowing = 4 * (512 + 256 + 10)
    expected = 8 * stored + 4 * (256 + 1) + 4 * (256 + 10 * 256 + 10) + flowing
    assert expected <= torch_peak(Network(small.program, tensors), torch.zeros(1, 1, 1, 512)) <= expected + 4 * 256


def test_a_process_grows_by_what_a_file_holds():
    pytest.importorskip("onnxruntime")
    few, many = layers(), layers(hidden=40_000)
    peaks = onnx_peaks([onnx_bytes(small, {}) for small in (few, many)], 64)
    weights = 4 * 40_000 * (64 + 1 + 10)
    assert 0 < peaks[0] < 4 * 2**20 and weights < peaks[1] < 5 * weights + 2**25


def test_a_file_that_does_not_run_is_named():
    pytest.importorskip("onnxruntime")
    with pytest.raises(RuntimeError, match=r"0\.onnx"):
        onnx_peaks([b"no network"], 64)
