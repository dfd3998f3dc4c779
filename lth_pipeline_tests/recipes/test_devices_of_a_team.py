"""Processes that torchrun starts hold a GPU each, as a run does. The devices are made up: no GPU is needed."""

import time
from contextlib import ExitStack
from threading import Event, Thread

import pytest
import torch
import torch.distributed as dist

from lth_pipeline.commands.distributed import distributed
from lth_pipeline.files import is_claimed
from lth_pipeline.recipes import DeviceError, devices, team
from lth_pipeline.recipes.devices import held
from lth_pipeline.recipes.team import agreeing
from lth_pipeline_tests.places import free_port
from lth_pipeline_tests.recipes.test_devices import MADE_UP


@pytest.fixture
def under_torchrun(tmp_path, monkeypatch):
    """The environment of the second process on a machine of three GPUs, whose team has no other."""
    place = {"RANK": 0, "WORLD_SIZE": 1, "LOCAL_RANK": 1, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port()}
    for name, value in {**place, "LTH_HOME": tmp_path, "LTH_DEVICES_DIR": tmp_path / "claims"}.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setattr(devices, "gpus", lambda: MADE_UP)
    monkeypatch.setattr(team, "device_for", lambda device, place: torch.device("cuda", place))


def test_a_process_of_torchrun_holds_its_gpu_before_it_uses_it(under_torchrun, tmp_path, monkeypatch, capsys):
    others = ExitStack()
    others.enter_context(held(MADE_UP[1:2], tmp_path / "claims", "run abc"))
    monkeypatch.setattr(devices.time, "sleep", lambda seconds: others.close())

    def use(device: torch.device) -> None:
        assert (tmp_path / "claims" / "GPU-1").read_text() == "torchrun digits, replicate 2"
        assert [path.name for path in (tmp_path / "claims").iterdir() if is_claimed(path)] == ["GPU-1"]
        raise DeviceError(f"{device} is not there: it is made up")

    monkeypatch.setattr(torch.cuda, "set_device", use)
    with pytest.raises(DeviceError, match="cuda:1 is not there"):
        distributed(["digits", "--replicate", "2"], standalone_mode=False)
    assert "Waiting for a device: cuda:1 (made up, GPU-1) is held by run abc" in capsys.readouterr().out
    assert not list((tmp_path / "claims").iterdir())


def test_each_of_a_team_holds_its_gpu_or_none_does(tmp_path, monkeypatch):
    """Two that wait for each other's GPUs would wait for ever."""
    board, told, inside, leave = dist.HashStore(), [], [Event(), Event()], Event()
    others = ExitStack()
    others.enter_context(held(MADE_UP[1:2], tmp_path, "run abc"))
    looked = Event()
    real = time.sleep

    def look(seconds: float) -> None:
        if not looked.is_set() and not list(tmp_path.glob("GPU-0")):
            looked.set()  # while the second has none, the first has let go of its own
        real(0.005)

    monkeypatch.setattr(devices.time, "sleep", look)

    def join(rank: int) -> None:
        mine = MADE_UP[rank : rank + 1]
        with held(mine, tmp_path, "us", told.append, 1, agreeing(board, rank, 2)) as taken:
            assert taken == mine
            inside[rank].set()
            leave.wait(60)

    joining = [Thread(target=join, args=(rank,), daemon=True) for rank in range(2)]
    for thread in joining:
        thread.start()
    assert looked.wait(60) and not any(event.is_set() for event in inside)
    others.close()
    assert all(event.wait(60) for event in inside)
    assert told == ["cuda:1 (made up, GPU-1) is held by run abc"]
    assert all(is_claimed(tmp_path / name) for name in ("GPU-0", "GPU-1"))
    leave.set()
    for thread in joining:
        thread.join()
    assert not list(tmp_path.iterdir())


def test_on_the_cpu_nothing_is_held(tmp_path):
    with held([], tmp_path / "claims", "me", count=0, agreed=agreeing(dist.HashStore(), 0, 1)) as taken:
        assert taken == [] and not (tmp_path / "claims").exists()
