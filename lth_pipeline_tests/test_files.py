"""Claims: one process at a time, and none that outlives its process."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lth_pipeline.files import claimed
from lth_pipeline.recipes import Store, StoreError

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


def test_where_there_are_no_locks_everyone_may(tmp_path, monkeypatch):
    def refuse(file, how):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with claimed(tmp_path / "a", wait=False) as first, claimed(tmp_path / "a", wait=True) as second:
        assert first and second


def test_a_store_that_cannot_be_written_to_says_so(tmp_path):
    (tmp_path / "claims").write_text("a file where a folder should be")
    with pytest.raises(StoreError, match=r"claims/abc: cannot be written"), Store(tmp_path).claimed("abc", wait=False):
        pass


def test_a_disk_that_turns_read_only_under_a_claim_does_not_hide_what_went_wrong(tmp_path, monkeypatch):
    def refuse(path, missing_ok=False):
        raise OSError(errno.EROFS, "Read-only file system")

    with pytest.raises(StoreError, match="the remedy"), claimed(tmp_path / "a", wait=False):
        monkeypatch.setattr(Path, "unlink", refuse)
        raise StoreError("the remedy")
    monkeypatch.undo()
    with claimed(tmp_path / "a", wait=False) as mine:
        assert mine
