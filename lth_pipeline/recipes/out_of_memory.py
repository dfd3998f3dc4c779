"""Where a device has no memory left: half as many networks side by side, and of one alone an error that says what
would help."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch

from lth_pipeline.lottery.training.schedule import Schedule
from lth_pipeline.recipes.errors import DeviceError

T = TypeVar("T")

#: what an error says that is no OutOfMemoryError: of CUDA itself, of its libraries, of the CPU
SAID = ("out of memory", "STATUS_ALLOC_FAILED", "can't allocate memory", "not enough memory")


def is_out_of_memory(error: BaseException | None) -> bool:
    """Whether `error` came of memory that was not to be had: the recording of a CUDA graph, say, ends in another error
    than what went wrong in it."""
    while error is not None:
        if isinstance(error, torch.OutOfMemoryError):
            return True
        if isinstance(error, RuntimeError) and any(words in str(error) for words in SAID):
            return True
        error = error.__cause__ or error.__context__
    return False


def unless_out_of_memory(act: Callable[[], T]) -> T | None:
    """What `act` gives; None, and its memory freed, where there was not enough."""
    try:
        return act()
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
    # only out here: the error holds on to the tensors of those that it came through
    gc.collect()
    torch.cuda.empty_cache()
    return None


@contextmanager
def saying_what_helps(device: torch.device, about: str, schedule: Schedule) -> Iterator[None]:
    """Raises DeviceError where `about`, in here, finds no memory: for its steps, its images or an evaluation."""
    try:
        yield
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        raise DeviceError(
            f"device {str(device)!r}: has not enough memory for {about} by itself; what would help: a "
            f"training.batch_size under {schedule.batch_size}, training.precision bfloat16 (now {schedule.precision}), "
            f"fewer images on the device at once (LTH_MEMORY_GB, where they are your own), an end of other programs "
            f"that are on it, or another device (LTH_DEVICE=cpu)"
        ) from error
