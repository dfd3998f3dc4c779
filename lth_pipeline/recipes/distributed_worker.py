"""One of the processes that make a training together on one machine: `python -m …distributed_worker FOLDER`.

It finds its place in the environment as under torchrun (RANK, LOCAL_RANK, WORLD_SIZE), and in FOLDER what is to be
trained; `distributed.py` starts it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lth_pipeline.recipes.distributed import FACTS, JOB, TENSORS, TOLD, error_of

if TYPE_CHECKING:
    from lth_pipeline.recipes.made import Made


def work(folder: Path) -> None:
    import torch

    from lth_pipeline.lottery.data import DataDirs
    from lth_pipeline.recipes.team import join
    from lth_pipeline.recipes.team_training import follow

    job = json.loads((folder / JOB).read_text())
    settings = job.pop("workshop")
    torch.set_num_threads(settings["threads"])
    dirs = DataDirs(
        Path(settings["sets"]), Path(settings["cache"]), settings["memory"], tuple(map(Path, settings["allowed"]))
    )
    place = f"rank={os.environ['RANK']}&world_size={os.environ['WORLD_SIZE']}"
    team = join(settings["device"], f"file://{settings['meeting']}?{place}")
    if team.leads:
        _lead(folder, job, settings, dirs, team)
        team.dismiss()
    else:
        follow(team, dirs)
    team.part()


def _lead(folder: Path, job: dict[str, Any], settings: Mapping[str, Any], dirs: Any, team: Any) -> None:
    """Make the training with the others, and write down what came of it."""
    from lth_pipeline.recipes.store import Store
    from lth_pipeline.recipes.team_training import from_job
    from lth_pipeline.recipes.training import train_step
    from lth_pipeline.recipes.workshop import Workshop

    with (folder / TOLD).open("ab", buffering=0) as told:
        unsaid = bytearray()

        def tell(**line: Any) -> None:
            unsaid.extend(json.dumps(line).encode() + b"\n")
            with suppress(OSError):  # of a full disk: no reason to end a training; it is said when there is room again
                del unsaid[: told.write(unsaid)]

        chain, step, recipe, model = from_job(job, dirs)
        workshop = Workshop(
            Store(settings["store"]),
            dirs,
            device=str(team.device),
            threads=settings["threads"],
            checkpoint_seconds=settings["checkpoint_seconds"],
            processes=team.size,
            team=team,
            on_row=lambda step, row, total: tell(row=row, total=total),
            on_trouble=lambda message: tell(trouble=message),
        )
        made = train_step(workshop, chain, step, recipe, model)
    hand_over(folder, made)


def hand_over(folder: Path, made: Made) -> None:
    """Write down what was trained. Raises StoreError where there is no room for it; its last state is kept then."""
    from safetensors.torch import save

    from lth_pipeline.recipes.store import write

    write(folder / TENSORS, save({name: tensor.contiguous() for name, tensor in made.tensors.items()}))
    write(folder / FACTS, json.dumps({"facts": made.facts, "route": made.route}).encode())


def write_down(folder: Path, error: BaseException) -> None:
    """Say what this process ends with. That memory ran out goes by one name, whoever has noticed it."""
    from lth_pipeline.files import write_atomically
    from lth_pipeline.recipes.out_of_memory import is_out_of_memory

    ours = type(error).__module__.startswith("lth_pipeline")
    memory = not ours and is_out_of_memory(error)
    said = {
        "kind": "OutOfMemoryError" if memory else type(error).__name__,
        "message": str(error) if ours or memory else f"{type(error).__name__}: {error}",
        "at": time.time_ns(),
    }
    with suppress(OSError):  # of a full disk: its output may say it
        write_atomically(error_of(folder, int(os.environ["RANK"])), json.dumps(said).encode())


def _end_with_the_parent() -> None:
    os.read(sys.stdin.fileno(), 1)  # nothing is ever written there: it returns when the other end is closed
    os._exit(1)


def main() -> None:
    folder = Path(sys.argv[1])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all of the terminal; the parent says what is to be
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    try:
        work(folder)
    except BaseException as error:
        write_down(folder, error)
        raise


if __name__ == "__main__":
    main()
