"""What a user reads where processes that train together come to an end, and what is left of them. They are made up
(worker_that_fails.py): nothing is trained."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lth_pipeline.recipes import DeviceError, Step, StoreError, distributed
from lth_pipeline.recipes.inventory import take_inventory
from lth_pipeline.recipes.store import Store
from lth_pipeline_tests.places import PROJECT
from lth_pipeline_tests.recipes.making import card, load, made, workshop_in


@pytest.fixture
def train(tmp_path, monkeypatch):
    """Trains in the store tmp_path/s by two processes that end in the way that is given."""
    monkeypatch.setattr(distributed, "WORKER", "lth_pipeline_tests.recipes.worker_that_fails")
    monkeypatch.chdir(PROJECT)
    cards = load(tmp_path / "cards", tiny=card())

    def trained(ends_with: str) -> None:
        monkeypatch.setenv("ENDS_WITH", ends_with)
        made(workshop_in(tmp_path / "s", processes=2), cards, "tiny").product(Step("trained", 0, "dense"))

    return trained


def test_the_error_that_came_first_is_told_and_not_that_a_connection_is_lost(train):
    with pytest.raises(DeviceError, match="round 0 dense trained: process 2 of 2 failed: ValueError: the cause of it"):
        train("error")


def test_where_one_of_them_finds_no_memory_the_error_says_what_helps(train):
    with pytest.raises(DeviceError, match="has not enough memory for tiny, round 0 dense trained") as caught:
        train("memory")
    assert "training.batch_size" in str(caught.value)


def test_no_room_for_what_was_trained_names_the_file_and_what_helps(train, tmp_path):
    with pytest.raises(StoreError, match=r"cannot be written \(File too large\).* Free space") as caught:
        train("disk")
    named = Path(str(caught.value).partition(": ")[0])
    assert named.name == ".made.safetensors"
    assert named.is_relative_to(tmp_path / "s"), "it has to lie where there is room for the artifact"
    assert not list((tmp_path / "s" / "checkpoints").iterdir())


KILLED = """
import os, signal, sys
from lth_pipeline.recipes.distributed import TENSORS, shared_folder
from lth_pipeline.recipes.store import Store
with shared_folder(Store(sys.argv[1])) as folder:
    (folder / TENSORS).write_bytes(bytes(1000))
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_left_is_garbage_and_goes_when_the_next_begins(train, tmp_path):
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "s")], cwd=PROJECT)
    assert killed.returncode == -signal.SIGKILL
    found = take_inventory(Store(tmp_path / "s"))
    assert [found.sizes[path] for path in found.unfinished] == [1000] and not found.checkpoints
    (tmp_path / "s" / "checkpoints" / ".processes-1234abcd@another%2Fmachine").mkdir()  # emptied by lth gc
    with distributed.shared_folder(Store(tmp_path / "s")) as living:
        (living / distributed.JOB).touch()
        assert living.stat().st_mode & 0o777 == 0o755
        (left,) = living.parent.iterdir()
        assert left == living
        with distributed.shared_folder(Store(tmp_path / "s")) as another:
            assert living.is_dir() and another != living
    assert not list((tmp_path / "s" / "checkpoints").iterdir())
