"""One training by two processes gives what one gives, up to rounding, and the same bits in both and every time."""

import os
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

from lth_pipeline.lottery.models.share import Share, share_of
from lth_pipeline.lottery.pruning import masks
from lth_pipeline.lottery.training import curve
from lth_pipeline_tests.lottery import distributed_cases as cases
from lth_pipeline_tests.places import PROJECT


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """What two processes made: (case, rank) -> tensors. They are started once: that takes longer than all they do."""
    folder = tmp_path_factory.mktemp("two processes")
    loopback = {"GLOO_SOCKET_IFNAME": "lo"} if sys.platform == "linux" else {}
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", cases.__name__, str(folder)],
            cwd=PROJECT,
            env={**os.environ, **loopback, "RANK": str(rank), "OMP_NUM_THREADS": "1"},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(cases.PROCESSES)
    ]
    try:
        for process in processes:
            _, said = process.communicate(timeout=200)
            assert process.returncode == 0, said
    finally:
        for process in processes:
            process.kill()
    return lambda name, rank=0: load_file(folder / f"{name}-{rank}")


@pytest.mark.parametrize("name", cases.CASES)
def test_two_processes_give_what_one_gives(made, name):
    case, found = cases.CASES[name], made(name)
    expected = cases.result(cases.trained(case, "autograd"))
    assert found.keys() == expected.keys()
    for key, tensor in found.items():
        torch.testing.assert_close(tensor, expected[key], rtol=10 * case.within, atol=case.within, equal_nan=True)
    if case.density is not None:
        assert masks.pruned_are_zero(cases.mask_of(case), found)


@pytest.mark.parametrize("name", cases.CASES)
def test_both_processes_have_the_same_bits(made, name):
    assert same_bits(made(name, 0), made(name, 1))


def test_resuming_is_never_having_stopped(made):
    """The second training began with other buckets, had torch been left to order them: the bits would differ in more
    than two processes; here it shows that a resumed one is a whole one, and that two trainings have the same bits."""
    assert same_bits(made("resumed"), made("batch norm, masked"))


def test_both_end_together_where_patience_does(made):
    iterations = made("impatient", 0)["curve/iteration"]
    assert torch.equal(iterations, made("impatient", 1)["curve/iteration"])
    assert iterations[-1] < 30


def test_a_training_that_diverges_ends_where_that_of_one_process_does(made):
    rows = curve.to_rows({name: made("diverges")[f"curve/{name}"] for name in curve.COLUMNS})
    assert curve.diverged_at(rows) == cases.trained(cases.CASES["diverges"], "autograd").diverged_at == 3


@pytest.mark.parametrize(("processes", "batch"), [(1, 5), (2, 7), (3, 128), (8, 8), (7, 60)])
def test_the_shares_of_a_batch_are_the_whole_of_it(processes, batch):
    whole = [place for rank in range(processes) for place in range(batch)[share_of(rank, processes, batch)]]
    assert whole == list(range(batch))
    counts = Share(0, processes, batch).counts
    assert sum(counts) == batch
    assert max(counts) - min(counts) <= 1


def same_bits(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    """NaN is itself here."""
    return one.keys() == other.keys() and all(
        tensor.numpy().tobytes() == other[name].numpy().tobytes() for name, tensor in one.items()
    )
