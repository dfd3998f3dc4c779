"""Whether a network and a batch can fit into this machine at all: known from their sizes, before they are made."""

from __future__ import annotations

import os
from math import prod
from pathlib import Path

from lth_pipeline.experiments import Experiment, Fault
from lth_pipeline.lottery.data import DataDirs
from lth_pipeline.lottery.models import Model
from lth_pipeline.recipes.facts import facts_of
from lth_pipeline.recipes.ladder import model_of

FLOAT32, BFLOAT16 = 4, 2  # bytes
GB = 1e9


def memory_faults(experiment: Experiment, dirs: DataDirs | None = None) -> list[Fault]:
    """The fault of a card whose network, or whose batch with it, takes more memory than there is; none where it could
    fit. Counted is what a training holds at the least, so that nothing is refused that would have run. Own images must
    have been read."""
    model, training = model_of(experiment, dirs), experiment.training
    network = copies(experiment) * FLOAT32 * model.parameters
    batch = training.batch_size * _bytes_an_image(model, prod(facts_of(experiment.data, dirs).image_shape), training)
    if network + batch <= machine_memory():
        return []
    there = max(machine_memory(), _largest_gpu())  # only now: to ask for GPUs takes a second
    if network + batch <= there:
        return []
    if network > there:
        field, value = _size_setting(experiment)
        why = f"makes {model.parameters:,} parameters, which take at least {network / GB:,.1f} GB in training"
        return [Fault(field, value, f"{why}; this machine has {there / GB:,.1f} GB: give a smaller network")]
    why = f"takes at least {batch / GB:,.1f} GB beside the network's {network / GB:,.1f} GB"
    expected = f"{why} ({model.parameters:,} parameters); this machine has {there / GB:,.1f} GB: give a smaller batch"
    return [Fault("training.batch_size", training.batch_size, expected)]


def copies(experiment: Experiment) -> int:
    """Numbers that training holds for each weight: itself, its gradient, and the optimiser's moments."""
    training = experiment.training
    return 2 + (int(bool(training.momentum)) if training.optimiser == "sgd" else 2)


def machine_memory() -> int:
    """Bytes that a process can have: physical memory and swap, or the limits of its cgroup where these are less."""
    page = os.sysconf("SC_PAGE_SIZE")
    return min([os.sysconf("SC_PHYS_PAGES") * page + _swap(), *_cgroup_limits()])


def _bytes_an_image(model: Model, pixels: int, training) -> int:
    """Of the activations of one image: the input, and where an activation is larger, that one and its gradient."""
    number = BFLOAT16 if training.precision == "bfloat16" else FLOAT32
    return FLOAT32 * pixels + (2 * number * model.widest if model.widest > pixels else 0)


def _size_setting(experiment: Experiment) -> tuple[str, object]:
    """(field, value) of what makes the network as large as it is."""
    model = experiment.model
    if model.widths:
        return "model.widths", list(model.widths)
    if model.depth:
        return ("model.filters", model.filters) if model.filters > model.depth else ("model.depth", model.depth)
    return "model.name", model.name


def _swap() -> int:
    found = _first_number(Path("/proc/meminfo"), "SwapTotal:")
    return 1024 * found if found else 0


def _first_number(path: Path, after: str = "") -> int | None:
    """The first whole number in the line of `path` that begins with `after`; None where there is none."""
    try:
        lines = os.fsdecode(path.read_bytes()).split("\n")
    except OSError:
        return None
    words = next((line.removeprefix(after).split() for line in lines if line.startswith(after)), [])
    return int(words[0]) if words and words[0].isdecimal() else None


def _cgroup_limits(mounted: Path = Path("/sys/fs/cgroup"), mine: Path = Path("/proc/self/cgroup")) -> list[int]:
    """Limits of memory and swap together, of this process's control group and those around it; none: no limit.

    A line of `mine` is number:controllers:path, the path in whatever bytes its maker chose; any other says nothing.
    """
    try:
        lines = [line.split(":", 2) for line in os.fsdecode(mine.read_bytes()).split("\n")]
    except OSError:
        return []
    found = []
    for _, controllers, path in (parts for parts in lines if len(parts) == 3):
        if controllers and "memory" not in controllers.split(","):
            continue
        root = mounted / "memory" if controllers else mounted  # version 1 has a folder for each controller
        inside = root / path.lstrip("/")
        for folder in (inside, *inside.parents):
            if not folder.is_relative_to(root):
                break
            found.append(_limit_in(folder, version=1 if controllers else 2))
    return [limit for limit in found if limit is not None]


def _limit_in(folder: Path, version: int) -> int | None:
    """Version 1 has one file for both, unless its kernel does not count swap: then all of that can be had."""
    if version == 1 and (both := _first_number(folder / "memory.memsw.limit_in_bytes")) is not None:
        return both
    memory = _first_number(folder / ("memory.limit_in_bytes" if version == 1 else "memory.max"))
    swap = _first_number(folder / "memory.swap.max")  # version 2 only
    return None if memory is None else memory + (_swap() if swap is None else swap)


def _largest_gpu() -> int:
    import torch

    if not torch.cuda.is_available():
        return 0
    return max(torch.cuda.get_device_properties(number).total_memory for number in range(torch.cuda.device_count()))
