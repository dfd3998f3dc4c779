"""One training by several processes of this machine: they are started, watched, and what they made is taken in.

They meet in a folder that is this user's alone and talk over the loopback interface, so no port is open to others. Each
of them ends when this process does, however that ends. What they tell and make goes through files of JSON and
safetensors in a folder of the store, where there is room for it: no pickle.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote
from uuid import uuid4

import lth_pipeline
from lth_pipeline.processes import is_dead, process_mark
from lth_pipeline.recipes.chain import Chain
from lth_pipeline.recipes.devices import seen_by_workers
from lth_pipeline.recipes.errors import DamagedError, DeviceError, ProcessesError, StoreError
from lth_pipeline.recipes.made import Made
from lth_pipeline.recipes.recipe import Recipe
from lth_pipeline.recipes.step import Step
from lth_pipeline.recipes.store import Store, write
from lth_pipeline.recipes.team_training import as_job

if TYPE_CHECKING:
    from lth_pipeline.lottery.models import Model
    from lth_pipeline.recipes.workshop import Workshop

WORKER = "lth_pipeline.recipes.distributed_worker"
#: with a dot, as all that `lth gc` takes for half-written
FOLDER, JOB, TOLD, FACTS, TENSORS = ".processes-", ".job.json", ".told.jsonl", ".made.json", ".made.safetensors"
PAUSE = 0.05  # seconds between two looks at the processes


def train_in_processes(workshop: Workshop, chain: Chain, step: Step, recipe: Recipe, model: Model) -> Made:
    """What `step` trains to, by `workshop.processes` processes; they leave and find its states in the store.

    Raises what one of them raised, and ProcessesError where one was killed.
    """
    from safetensors.torch import load_file

    # they meet on this machine's own disk, which has the locks that this takes; a store's need not
    with TemporaryDirectory(prefix="lth-meeting-") as meeting, shared_folder(workshop.store) as folder:
        settings = _settings(workshop) | {"meeting": str(Path(meeting, "meeting"))}
        write(folder / JOB, json.dumps({"workshop": settings, **as_job(chain, step, recipe, model)}).encode())

        def told(line: dict[str, Any]) -> None:
            if "trouble" in line:
                workshop.warn(line["trouble"])
            elif workshop.on_row:
                workshop.on_row(step, line["row"], line["total"])

        with _started(folder, workshop) as processes:
            _wait_for(processes, folder, step, told)
        made = json.loads((folder / FACTS).read_text())
        return Made(load_file(folder / TENSORS), made["facts"], made["route"])


@contextmanager
def shared_folder(store: Store) -> Iterator[Path]:
    """A folder of the store for one training's processes, beside the states to resume from; it goes with the training.

    What was left by a process that was killed goes now, where it was one of this machine; else `lth gc` removes it.
    Raises StoreError.
    """
    place = store.folder / "checkpoints"
    for left in place.glob(f"{FOLDER}*"):
        if is_dead(unquote(left.name.partition("@")[2])):
            shutil.rmtree(left, ignore_errors=True)
        with suppress(OSError):  # what `lth gc` has emptied; one that begins just now makes its own again as it writes
            left.rmdir()
    folder = place / f"{FOLDER}{uuid4().hex[:8]}@{quote(process_mark(), safe='')}"
    try:
        place.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o755)  # for nobody else to write into, whatever the umask
    except OSError as error:
        raise StoreError(f"{folder}: cannot be made ({error.strerror}); free space or permissions") from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _settings(workshop: Workshop) -> dict[str, Any]:
    """What makes the same workshop of a process."""
    dirs = workshop.dirs
    return {
        "store": str(workshop.store.folder.resolve()),
        "sets": str(dirs.sets.resolve()),
        "cache": str(dirs.cache.resolve()),
        "memory": dirs.memory,
        "allowed": [str(path) for path in dirs.allowed],
        "device": "cuda" if _gpus_of(workshop) else workshop.device,
        "threads": workshop.threads,
        "checkpoint_seconds": workshop.checkpoint_seconds,
    }


def _gpus_of(workshop: Workshop) -> list[str]:
    """Names of the GPUs that are held for the processes; none where they share what there is, or are on the CPU."""
    names = workshop.take_devices() if workshop.take_devices else []
    return [name for name in names if name.startswith("cuda")]


@contextmanager
def _started(folder: Path, workshop: Workshop) -> Iterator[Sequence[subprocess.Popen[bytes]]]:
    """The processes, in the order of their ranks; none of them is left."""
    loopback = {"GLOO_SOCKET_IFNAME": "lo", "NCCL_SOCKET_IFNAME": "lo"} if sys.platform == "linux" else {}
    package = str(Path(lth_pipeline.__file__).parents[1])
    path = os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH", ""))))
    common = {**os.environ, **loopback, "PYTHONPATH": path, "OMP_NUM_THREADS": str(workshop.threads)}
    common |= seen_by_workers(_gpus_of(workshop)) if _gpus_of(workshop) else {}
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for rank in range(workshop.processes):
            place = {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(workshop.processes)}
            with _said_by(folder, rank).open("wb") as output:
                processes.append(
                    subprocess.Popen(
                        [sys.executable, "-m", WORKER, str(folder)],
                        env={**common, **place},
                        stdin=subprocess.PIPE,  # its end is that of this process, and the worker ends too
                        stdout=output,
                        stderr=output,
                    )
                )
        yield processes
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()
            process.stdin.close()


def _wait_for(
    processes: Sequence[subprocess.Popen[bytes]], folder: Path, step: Step, told: Callable[[dict[str, Any]], None]
) -> None:
    """Hand on what the leader tells until all have ended. Raises what went wrong in one of them."""
    heard = 0
    while True:
        codes = [process.poll() for process in processes]
        text = (folder / TOLD).read_bytes() if (folder / TOLD).is_file() else b""
        whole = text.rfind(b"\n") + 1  # a line may be half-written
        for line in text[heard:whole].splitlines():
            told(json.loads(line))
        heard = whole
        if any(codes):
            time.sleep(2 * PAUSE)  # one that was killed is seen now if another, which missed it, was seen before
            raise _failure(folder, step, [process.poll() for process in processes])
        if None not in codes:
            return
        time.sleep(PAUSE)


def _failure(folder: Path, step: Step, codes: Sequence[int | None]) -> Exception:
    """The first cause, of what several of them ended with: an error of ours, or memory that ran out; then one that was
    killed; then the error that came first, as the others have lost their connection to that one by it."""
    from torch import OutOfMemoryError

    from lth_pipeline.lottery.errors import DataError, ModelError, PruningError

    ours = (DamagedError, StoreError, DeviceError, ProcessesError, DataError, ModelError, PruningError)
    known = {error.__name__: error for error in (*ours, OutOfMemoryError)}
    errors = {
        rank: json.loads(path.read_text()) for rank in range(len(codes)) if (path := error_of(folder, rank)).is_file()
    }
    in_turn = sorted(errors, key=lambda rank: errors[rank]["at"])
    for rank in in_turn:
        if errors[rank]["kind"] in known:
            return known[errors[rank]["kind"]](errors[rank]["message"])
    for rank, code in enumerate(codes):
        if code and code < 0:
            how = f"was killed ({signal.Signals(-code).name}; memory that ran out is one reason)"
            again = "run again, and it goes on from the last state it left"
            return ProcessesError(f"{step}: process {rank + 1} of {len(codes)} {how}; {again}")
    if in_turn:
        rank = in_turn[0]
        return ProcessesError(f"{step}: process {rank + 1} of {len(codes)} failed: {errors[rank]['message']}")
    rank, code = next((rank, code) for rank, code in enumerate(codes) if code)
    said = _said_by(folder, rank).read_text(errors="replace")[-2000:].strip()
    return ProcessesError(f"{step}: process {rank + 1} of {len(codes)} failed (status {code}): {said}")


def error_of(folder: Path, rank: int) -> Path:
    """The file in which a process says what it ended with: kind, message, and at which nanosecond."""
    return folder / f".error-{rank}.json"


def _said_by(folder: Path, rank: int) -> Path:
    return folder / f".output-{rank}.txt"
