"""What reading one input may take: time of the processor, and memory."""

from __future__ import annotations

import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: of processor time, whatever else the machine does
SECONDS = 5.0
#: address space above what the process has when the reading begins
MEMORY = 2**30


class TooLong(BaseException):
    """Not an Exception: some readers turn any of these into their own error."""


@contextmanager
def limited_memory() -> Iterator[None]:
    """What asks for more than `MEMORY` more than there is now gets a MemoryError."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + MEMORY, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


@contextmanager
def limited_time() -> Iterator[None]:
    """TooLong after `SECONDS`. (SIGALRM is pytest-timeout's.)"""

    def ring(*_: object) -> None:
        raise TooLong

    before = signal.signal(signal.SIGPROF, ring)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
