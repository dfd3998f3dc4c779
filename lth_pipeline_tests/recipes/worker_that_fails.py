"""One of two processes that train nothing: they end as the variable ENDS_WITH says."""

import atexit
import os
import resource
import time
from pathlib import Path

import torch

from lth_pipeline.recipes import distributed_worker
from lth_pipeline.recipes.distributed import error_of
from lth_pipeline.recipes.made import Made

LEADS = os.environ["RANK"] == "0"


def one_then_the_other(folder: Path, cause: Exception) -> None:
    """The second fails; then the first, which has lost it, and is the first to be gone."""
    if LEADS:
        while not error_of(folder, 1).is_file():
            time.sleep(0.005)
        raise RuntimeError("[pair.cc:534] Connection closed by peer [127.0.0.1]:4321")
    atexit.register(time.sleep, 60)
    raise cause


def error(folder: Path) -> None:
    one_then_the_other(folder, ValueError("the cause of it all"))


def memory(folder: Path) -> None:
    one_then_the_other(folder, RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 8000000 bytes"))


def disk(folder: Path) -> None:
    """The first has trained, and there is no room for what came of it."""
    if LEADS:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        distributed_worker.hand_over(folder, Made({"weights": torch.zeros(100_000)}, {}))


if __name__ == "__main__":
    distributed_worker.work = {"error": error, "memory": memory, "disk": disk}[os.environ["ENDS_WITH"]]
    distributed_worker.main()
