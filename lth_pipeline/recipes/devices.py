"""Which GPU a run holds: of all runs of one user on one machine at most one has a GPU at a time.

A claim is a locked file, named by the UUID of the physical device: the numbers of two processes may differ, because
CUDA_VISIBLE_DEVICES (which SLURM, Ray and Kubernetes set) counts anew what it lists. A claim ends with its process,
however that ends. Trainings on the CPU hold nothing.
"""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from lth_pipeline.files import claimed
from lth_pipeline.recipes.errors import DeviceError

PAUSE = 1.0  # seconds between two looks at devices that others hold
REMEDY = "set LTH_DEVICES_DIR to a folder of your own on this machine"


@dataclass(frozen=True)
class Device:
    """name: what torch calls it in this process. uuid: of the physical device. title: its model."""

    name: str
    uuid: str
    title: str

    def __str__(self) -> str:
        return f"{self.name} ({self.title}, {self.uuid})"


def gpus() -> list[Device]:
    """The CUDA devices that this process sees. Where there are some CUDA is initialised, but no context is made."""
    import torch

    if not torch.cuda.is_available():
        return []
    known = [torch.cuda.get_device_properties(number) for number in range(torch.cuda.device_count())]
    return [Device(f"cuda:{number}", str(one.uuid), one.name) for number, one in enumerate(known)]


def that_will_do(device: str) -> list[Device]:
    """The GPUs that a run may take which asks for `device` (auto, cpu, cuda, cuda:N); none: the CPU.

    Raises DeviceError where what was asked for is not here.
    """
    if device == "cpu":
        return []
    found = gpus()
    if device == "auto":
        return found
    chosen = [one for one in found if device in ("cuda", one.name)]
    if not chosen:
        here = ", ".join(one.name for one in found) or "no CUDA device"
        raise DeviceError(f"device {device!r}: torch finds {here} here; use auto, cpu or one that is here")
    return chosen


def from_there_on(device: str) -> list[Device]:
    """The GPUs that several processes of a run may take, one each: of cuda:N those from the N-th on."""
    first = that_will_do(device)
    every = gpus() if first else []
    return [one for one in every if one in first or (device.startswith("cuda:") and _number(one) > _number(first[0]))]


@contextmanager
def held(
    devices: Sequence[Device],
    folder: Path,
    holder: str,
    on_wait: Callable[[str], None] | None = None,
    count: int = 1,
    agreed: Callable[[bool], bool] = bool,
) -> Iterator[list[Device]]:
    """Hold the first `count` of `devices` that no other process holds; where fewer are free, wait until so many are,
    and hold none meanwhile: two that wait for each other's would wait for ever.

    folder: of the claims, one for all processes that share the devices. holder: who it is, for those that wait.
    on_wait: is told once which are held, and by whom. agreed: is told at every attempt whether so many are held now,
    and gives whether they are kept: processes that need each other keep theirs where all have theirs (team.py). Raises
    DeviceError where the folder cannot be used, and where there are not so many devices.
    """
    if len(devices) < count:
        raise DeviceError(f"{count} processes want a GPU each; there are {len(devices)} here: {_names(devices)}")
    if count:
        _make_own(folder)
    told = False
    while True:
        taken, claims = _take(devices, folder, holder, count)
        if agreed(len(taken) == count):
            break
        claims.close()
        if on_wait and not told and len(taken) < count:
            others = [one for one in devices if one not in taken]
            on_wait("; ".join(f"{one} is held by {_holder(folder, one)}" for one in others))
            told = True
        time.sleep(PAUSE)
    with claims:
        yield taken


def seen_by_workers(names: Sequence[str]) -> dict[str, str]:
    """What shows processes that this one starts the GPUs `names` of it alone: they count them from 0."""
    numbers = [int(name.removeprefix("cuda:")) for name in names]
    listed = [entry.strip() for entry in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if entry.strip()]
    return {"CUDA_VISIBLE_DEVICES": ",".join(listed[number] if listed else str(number) for number in numbers)}


def at_once(device: str, processes: int = 1) -> int:
    """How many runs may train at once that ask for `device`: one a GPU, or one a core where there is none. processes:
    how many of these each of them takes."""
    return max(1, (visible_gpus(device) or os.cpu_count() or 1) // max(1, processes))


def visible_gpus(device: str) -> int:
    """How many GPUs runs that ask for `device` can be spread over, without asking torch, whose import takes seconds."""
    there = _gpus_of_the_machine()
    listed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if listed is not None:  # what follows the first that cannot be is left out, as CUDA does
        shown = re.match(r"(?:[^-,][^,]*,?)*", listed.replace(" ", "")).group()
        there = min(there, len([name for name in shown.split(",") if name]))
    if device == "cpu":
        return 0
    return min(there, 1) if device.startswith("cuda:") else there


def _gpus_of_the_machine() -> int:
    for folder, names in (("/proc/driver/nvidia/gpus", "*"), ("/dev", "nvidia[0-9]*")):
        if found := len(list(Path(folder).glob(names))):
            return found
    return 0


def _take(devices: Sequence[Device], folder: Path, holder: str, count: int) -> tuple[list[Device], ExitStack]:
    """(those of `devices` that were free, `count` at most, their claims)."""
    taken: list[Device] = []
    with ExitStack() as claims:
        for device in devices:
            path = folder / device.uuid
            try:
                if len(taken) < count and claims.enter_context(claimed(path, wait=False)):
                    with suppress(OSError):  # of a full disk: the claim is what counts
                        path.write_text(holder)
                    taken.append(device)
            except OSError as error:
                raise DeviceError(f"{path}: cannot be written ({error.strerror}); {REMEDY}") from error
        return taken, claims.pop_all()


def _number(device: Device) -> int:
    return int(device.name.rpartition(":")[2])


def _names(devices: Sequence[Device]) -> str:
    return ", ".join(one.name for one in devices) or "none"


def _holder(folder: Path, device: Device) -> str:
    try:
        return (folder / device.uuid).read_text() or "another process"
    except OSError:  # it has let go by now
        return "another process"


def _make_own(folder: Path) -> None:
    """Make the folder of the claims, or see that it is this user's: in a shared /tmp anybody may have made it."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or (hasattr(os, "getuid") and found.st_uid != os.getuid()):
            raise DeviceError(f"{folder}: is a link, or another user's; {REMEDY}")
        if found.st_mode & 0o077:
            folder.chmod(0o700)
    except OSError as error:
        raise DeviceError(f"{folder}: cannot be made ({error.strerror}); {REMEDY}") from error
