"""Claims: one process at a time, and none that outlives its process."""

import os
import signal
import subprocess
import sys

from lth_pipeline.files import claimed

HOLD = """
import sys, time
from pathlib import Path
from lth_pipeline.files import claimed
with claimed(Path(sys.argv[1]), wait=True) as mine:
    print(mine, flush=True)
    time.sleep(60)
"""


def test_one_has_it_at_a_time(tmp_path):
    path = tmp_path / "claims" / "a"
    with claimed(path, wait=False) as first:
        with claimed(path, wait=False) as second:
            assert (first, second) == (True, False)
        with claimed(tmp_path / "claims" / "b", wait=False) as other:
            assert other
        assert path.exists()  # the one that was refused took nothing away
    assert not path.exists()
    with claimed(path, wait=False) as again:
        assert again


def test_a_process_that_is_killed_lets_go(tmp_path):
    path = tmp_path / "a"
    with subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True) as holding:
        assert holding.stdout.readline() == "True\n"
        with claimed(path, wait=False) as mine:
            assert not mine
        os.kill(holding.pid, signal.SIGKILL)
    with claimed(path, wait=True) as mine:
        assert mine
