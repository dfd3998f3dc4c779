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
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lth_pipeline.recipes.distributed import FACTS, JOB, TENSORS, TOLD, error_of


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
    team = join(settings["device"], f"file://{folder / 'meeting'}?{place}")
    if team.leads:
        _lead(folder, job, settings, dirs, team)
        team.dismiss()
    else:
        follow(team, dirs)
    team.part()


def _lead(folder: Path, job: dict[str, Any], settings: Mapping[str, Any], dirs: Any, team: Any) -> None:
    """Make the training with the others, and write down what came of it."""
    from safetensors.torch import save_file

    from lth_pipeline.recipes.store import Store
    from lth_pipeline.recipes.team_training import from_job
    from lth_pipeline.recipes.training import train_step
    from lth_pipeline.recipes.workshop import Workshop

    with (folder / TOLD).open("a") as told:

        def tell(**line: Any) -> None:
            told.write(json.dumps(line) + "\n")
            told.flush()

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
    save_file({name: tensor.contiguous() for name, tensor in made.tensors.items()}, folder / TENSORS)
    (folder / FACTS).write_text(json.dumps({"facts": made.facts, "route": made.route}))


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
        said = f"{type(error).__name__}: {error}"
        kind = type(error).__name__
        from lth_pipeline.files import write_atomically

        ours = type(error).__module__.startswith("lth_pipeline") or kind == "OutOfMemoryError"
        write_atomically(
            error_of(folder, int(os.environ["RANK"])),
            json.dumps({"kind": kind, "message": str(error) if ours else said}).encode(),
        )
        raise


if __name__ == "__main__":
    main()
