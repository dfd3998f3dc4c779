"""The GPU that a Dagster run holds: taken at its first training, given back when the run ends, however it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path

from dagster import InitResourceContext

from lth_pipeline.recipes.devices import held, that_will_do

DEVICE_TAG = "lth/device"  # of a run: the GPU that it held


@contextmanager
def device_of_run(context: InitResourceContext, device: str, claims: Path) -> Iterator[Callable[[], str]]:
    """Gives what names the device for the trainings of the run, one that no other run holds: "cpu", "cuda:1". Its first
    call takes it, and waits until there is one.

    device: auto, cpu, cuda or cuda:N. claims: the folder of the claims. A run that finds all in the store takes none.
    """
    with ExitStack() as holding:

        @cache
        def take() -> str:
            devices = that_will_do(device)
            if not devices:
                return "cpu"
            run = context.run
            whose = f"run {run.run_id}" if run else "a run"

            def waiting(held_by: str) -> None:
                context.log.info(f"Waiting for a device: {held_by}")

            taken = holding.enter_context(held(devices, claims, whose, waiting))
            context.log.info(f"This run holds {taken}")
            if run:
                context.instance.add_run_tags(run.run_id, {DEVICE_TAG: str(taken)})
            _use(taken.name)
            return taken.name

        yield take


def _use(name: str) -> None:
    """Whatever names no device goes to this one, so that no context is made on one that another run holds."""
    import torch

    if name.startswith("cuda"):
        torch.cuda.set_device(name)
