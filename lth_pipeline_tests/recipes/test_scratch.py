"""A folder for what is being written: nothing of it stays, however the process ends."""

import os
import signal
import subprocess
import sys

import pytest

from lth_pipeline.recipes.scratch import PREFIX, scratch

WRITING = """
import os, signal, sys
from pathlib import Path
from lth_pipeline.recipes.scratch import scratch
with scratch(Path(sys.argv[1])) as folder:
    (folder / "half").write_text("half")
    os.kill(os.getpid(), getattr(signal, sys.argv[2]))
"""


def left(folder) -> list[str]:
    return [path.name for path in folder.iterdir()]


def killed(folder, name: str) -> int:
    done = subprocess.run([sys.executable, "-c", WRITING, str(folder), name], capture_output=True, text=True)
    assert "half" not in left(folder)
    return done.returncode


def test_what_a_killed_process_left_goes_with_the_next(tmp_path):
    assert killed(tmp_path, "SIGTERM") and left(tmp_path) == []
    assert killed(tmp_path, "SIGKILL") == -signal.SIGKILL and len(left(tmp_path)) == 1
    (tmp_path / f"{PREFIX}mine").mkdir()  # a name of somebody else's
    with scratch(tmp_path) as own, scratch(tmp_path) as other:
        assert sorted(left(tmp_path)) == sorted([own.name, other.name, f"{PREFIX}mine"])
    assert left(tmp_path) == [f"{PREFIX}mine"]


def test_sigterm_is_an_interrupt_until_then_alone(tmp_path):
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), scratch(tmp_path):
        os.kill(os.getpid(), signal.SIGTERM)
    assert left(tmp_path) == [] and signal.getsignal(signal.SIGTERM) is before
