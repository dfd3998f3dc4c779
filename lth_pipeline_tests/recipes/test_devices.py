"""Of several runs at most one holds a device. The devices are made up: no GPU is needed."""

import os
import subprocess
import sys

import pytest
import torch

from lth_pipeline.recipes import DeviceError, Step, devices
from lth_pipeline.recipes.devices import Device, held, that_will_do
from lth_pipeline_tests.recipes.making import card, load, workshop_in

MADE_UP = [Device(f"cuda:{number}", f"GPU-{number}", "made up") for number in range(3)]
CLAIMING = """
import sys
from pathlib import Path
from lth_pipeline.recipes import devices
devices.PAUSE = 0.002
made_up = [devices.Device("cuda:0", uuid, "made up") for uuid in sys.argv[3:]]
"""
#: leaves a file for as long as it has a device, and ends with an error where another has left one
TAKING_TURNS = f"""{CLAIMING}
for _ in range(40):
    with devices.held(made_up, Path(sys.argv[1]), "me") as (device,):
        mine = Path(sys.argv[2], device.uuid)
        mine.touch(exist_ok=False)
        mine.unlink()
        print(device.uuid)
"""
HOLDING = f"""{CLAIMING}
with devices.held(made_up, Path(sys.argv[1]), sys.argv[2]) as (device,):
    print(device.uuid, flush=True)
    sys.stdin.read()
"""


def start(program: str, *arguments) -> subprocess.Popen:
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_of_many_processes_never_two_have_one_device(tmp_path):
    claims, inside = tmp_path / "claims", tmp_path / "inside"
    inside.mkdir()
    uuids = [device.uuid for device in MADE_UP]
    # two see the devices in another order, as CUDA_VISIBLE_DEVICES may have it
    running = [start(TAKING_TURNS, claims, inside, *uuids[:: 1 if number else -1]) for number in range(5)]
    printed = [process.communicate()[0].split() for process in running]
    assert [process.returncode for process in running] == [0] * 5
    assert all(len(used) == 40 for used in printed) and not list(claims.iterdir())


def test_a_killed_process_gives_its_device_back_and_the_waiting_one_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(devices, "PAUSE", 0.01)
    first = start(HOLDING, tmp_path / "claims", "run abc", "GPU-0")
    assert first.stdout.readline() == "GPU-0\n"
    told = []

    def kill(said: str) -> None:
        told.append(said)
        first.kill()
        first.wait()

    with held(MADE_UP[:1], tmp_path / "claims", "run def", kill) as (device,):
        assert device == MADE_UP[0]
    assert told == ["cuda:0 (made up, GPU-0) is held by run abc"]
    first.communicate()


def test_runs_are_spread_over_the_devices(tmp_path):
    with held(MADE_UP, tmp_path, "one") as (one,), held(MADE_UP, tmp_path, "two") as (two,):
        assert [one.name, two.name] == ["cuda:0", "cuda:1"]
        with held(MADE_UP, tmp_path, "three") as (three,):
            assert three.name == "cuda:2"
    with held(MADE_UP, tmp_path, "four") as (four,):
        assert four.name == "cuda:0"


def test_a_run_of_several_processes_holds_a_device_for_each_or_none(tmp_path, monkeypatch):
    with held(MADE_UP, tmp_path, "one"), held(MADE_UP, tmp_path, "two", count=2) as two:
        assert [device.name for device in two] == ["cuda:1", "cuda:2"]
    waiting, others = [], held(MADE_UP[1:2], tmp_path, "one")
    others.__enter__()

    def look(seconds: float) -> None:
        assert not (tmp_path / "GPU-0").exists(), "none is held meanwhile: the other may wait for it"
        others.__exit__(None, None, None)

    monkeypatch.setattr(devices.time, "sleep", look)
    with held(MADE_UP[:2], tmp_path, "two", waiting.append, count=2) as two:
        assert two == MADE_UP[:2] and waiting == ["cuda:1 (made up, GPU-1) is held by one"]
    with (
        pytest.raises(DeviceError, match="4 processes want a GPU each; there are 3 here"),
        held(MADE_UP, tmp_path, "me", count=4),
    ):
        pass


@pytest.mark.parametrize(
    ("visible", "shown"), [(None, "0,2"), ("3,GPU-8a7b,5", "3,5"), ("", "0,2")], ids=["all", "listed", "empty"]
)
def test_workers_see_the_devices_that_are_held_for_them(monkeypatch, visible, shown):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert devices.seen_by_workers(["cuda:0", "cuda:2"]) == {"CUDA_VISIBLE_DEVICES": shown}


def test_several_processes_count_from_the_device_that_is_named(monkeypatch):
    monkeypatch.setattr(devices, "gpus", lambda: MADE_UP)
    assert [device.name for device in devices.from_there_on("cuda:1")] == ["cuda:1", "cuda:2"]
    assert devices.from_there_on("auto") == MADE_UP and devices.from_there_on("cpu") == []


@pytest.mark.parametrize(
    ("asked", "names"),
    [("auto", ["cuda:0", "cuda:1", "cuda:2"]), ("cuda", ["cuda:0", "cuda:1", "cuda:2"]), ("cuda:1", ["cuda:1"])],
)
def test_what_is_asked_for_is_what_may_be_taken(monkeypatch, asked, names):
    monkeypatch.setattr(devices, "gpus", lambda: MADE_UP)
    assert [device.name for device in that_will_do(asked)] == names
    assert that_will_do("cpu") == []


@pytest.mark.parametrize(("there", "asked"), [([], "cuda:0"), ([], "cuda"), (MADE_UP, "cuda:3"), (MADE_UP, "banana")])
def test_a_device_that_is_not_here_is_an_error_that_names_it(monkeypatch, there, asked):
    monkeypatch.setattr(devices, "gpus", lambda: there)
    with pytest.raises(DeviceError, match=asked):
        that_will_do(asked)


@pytest.mark.skipif(torch.cuda.is_available(), reason="for machines without a GPU")
def test_without_a_gpu_there_is_nothing_to_hold():
    assert devices.gpus() == [] and that_will_do("auto") == []
    assert not torch.cuda.is_initialized()


def test_the_claims_are_this_users_alone(tmp_path, monkeypatch):
    folder = tmp_path / "claims"
    folder.mkdir(mode=0o777)
    with held(MADE_UP, folder, "me"):
        assert folder.stat().st_mode & 0o777 == 0o700
    (tmp_path / "link").symlink_to(folder)
    monkeypatch.setattr(devices.os, "getuid", lambda: folder.stat().st_uid + 1)
    for wrong in (folder, tmp_path / "link"):
        with pytest.raises(DeviceError, match="LTH_DEVICES_DIR"), held(MADE_UP, wrong, "me"):
            pass


@pytest.mark.parametrize(
    ("device", "visible", "gpus"),
    [
        ("auto", None, 4),
        ("cuda", None, 4),
        ("cuda:2", None, 1),
        ("cpu", None, 0),
        ("auto", "2", 1),
        ("auto", "0,GPU-8a7b-11", 2),
        ("auto", "0,-1,1", 1),
        ("auto", "", 0),
        ("auto", "-1", 0),
        ("auto", "0,1,2,3,4,5", 4),
    ],
)
def test_as_many_runs_at_once_as_gpus_can_be_seen(monkeypatch, device, visible, gpus):
    monkeypatch.setattr(devices, "_gpus_of_the_machine", lambda: 4)
    monkeypatch.setattr(devices.os, "cpu_count", lambda: 16)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert devices.visible_gpus(device) == gpus
    assert devices.at_once(device) == (gpus or 16)


def test_a_device_is_taken_at_the_first_training_and_not_for_what_is_there(tmp_path):
    cards, taken = load(tmp_path / "cards", ours=card()), []
    workshop = workshop_in(tmp_path / "s")

    def take() -> list[str]:
        if not taken:  # it may wait now: whoever has a device could be waiting for a claim
            assert not list((tmp_path / "s").glob("claims/*"))
            taken.append("cpu")
        return ["cpu"]

    workshop.take_devices = take
    chain = workshop.chain(cards, "ours", 0)
    workshop.make(chain, Step("initial_weights"))
    assert not taken
    workshop.make(chain, Step("trained", 1, "ticket"))
    assert taken
    again = workshop_in(tmp_path / "s")
    again.take_devices = lambda: pytest.fail("nothing was to be trained")
    again.make(again.chain(cards, "ours", 0), Step("trained", 1, "ticket"))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_has_one_name_whatever_its_number(tmp_path):
    found = devices.gpus()
    assert (
        len({device.uuid for device in found})
        == len(found)
        == torch.cuda.device_count()
        == devices.visible_gpus("auto")
    )
    last = found[-1]
    listed = {**os.environ, "CUDA_VISIBLE_DEVICES": f"GPU-{last.uuid.removeprefix('GPU-')}"}
    program = "from lth_pipeline.recipes import devices; (one,) = devices.gpus(); print(one.name, one.uuid)"
    done = subprocess.run([sys.executable, "-c", program], env=listed, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["cuda:0", last.uuid]
