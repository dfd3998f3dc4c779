"""The GPUs that a Dagster run holds: taken at its first training, given back when the run ends, however it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path

from dagster import InitResourceContext

from lth_pipeline.recipes.devices import from_there_on, held, that_will_do

DEVICE_TAG = "lth/device"  # of a run: the GPUs that it held


@contextmanager
def devices_of_run(
    context: InitResourceContext, device: str, claims: Path, processes: int
) -> Iterator[Callable[[], list[str]]]:
    """Gives what names the devices for the trainings of the run, which no other run holds: ["cpu"], ["cuda:1"], or one
    for each of its processes. Its first call takes them, and waits until there are so many.

    device: auto, cpu, cuda or cuda:N, which several processes count from. claims: the folder of the claims. A run that
    finds all in the store takes none.
    """
    with ExitStack() as holding:

        @cache
        def take() -> list[str]:
            devices = that_will_do(device) if processes == 1 else from_there_on(device)
            if not devices:
                return ["cpu"]
            run = context.run
            whose = f"run {run.run_id}" if run else "a run"

            def waiting(held_by: str) -> None:
                context.log.info(f"Waiting for a device: {held_by}")

            taken = holding.enter_context(held(devices, claims, whose, waiting, processes))
            names = ", ".join(map(str, taken))
            context.log.info(f"This run holds {names}")
            if run:
                context.instance.add_run_tags(run.run_id, {DEVICE_TAG: names})
            _use(taken[0].name)
            return [one.name for one in taken]

        yield take


def _use(name: str) -> None:
    """Whatever names no device goes to this one, so that no context is made on one that another run holds."""
    import torch

    if name.startswith("cuda"):
        torch.cuda.set_device(name)
