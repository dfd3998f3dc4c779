"""Memory that is freed stays with the process: the next activations need no fresh pages."""

import platform
import subprocess
import sys

import pytest

from lth_pipeline.lottery.training import allocator

PROGRAM = """
import resource, sys, torch
torch.set_num_threads(1)
from lth_pipeline.lottery.training.allocator import keep_freed_memory
if sys.argv[1] == "kept":
    assert keep_freed_memory() and keep_freed_memory()
def faults():
    held = [torch.empty(12 * 2**20).fill_(1.0) for _ in range(3)]  # above 32 MB glibc gives back at once
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
found = [faults() for _ in range(20)]
print(found[-1] - found[9])
"""


GLIBC = platform.libc_ver()


@pytest.mark.skipif(
    GLIBC[0] != "glibc" or tuple(map(int, GLIBC[1].split("."))) < (2, 35),
    reason="another C library knows no such thing",
)
def test_a_tensor_in_the_place_of_one_that_was_freed_costs_no_page_faults():
    given, kept = (
        int(subprocess.run([sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, check=True).stdout)
        for how in ("given back", "kept")
    )
    assert given > 10 * 3 * 48 * 2**20 / 2**16 and kept < 100  # pages of 4 KB, or of at most 64


def test_without_glibc_nothing_is_done(monkeypatch):
    class Other:
        def __init__(self, name):
            pass

    monkeypatch.setattr(allocator.ctypes, "CDLL", Other)
    assert allocator.keep_freed_memory.__wrapped__() is False
