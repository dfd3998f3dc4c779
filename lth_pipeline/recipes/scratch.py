"""A folder for what is being written beside where it goes: gone with its process, however that ends, or at the next."""

from __future__ import annotations

import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lth_pipeline.processes import is_dead, process_mark

PREFIX = ".lth-export-"


@contextmanager
def scratch(beside: Path) -> Iterator[Path]:
    """A new folder in the folder `beside`, removed at the end; SIGTERM is taken as Ctrl-C is until then. Those that
    killed processes have left are removed first. Raises OSError.

    Its name says whose it is: where that is another machine, or another container, it cannot be told to be dead.
    """
    for left in beside.glob(f"{PREFIX}*"):
        if is_dead(left.name.removeprefix(PREFIX).rpartition("-")[0].replace(",", "/")):
            shutil.rmtree(left, ignore_errors=True)
    with _as_interrupt(), tempfile.TemporaryDirectory(prefix=prefix(), dir=beside) as folder:
        yield Path(folder)


def prefix() -> str:
    """What the names of this process's folders begin with."""
    return f"{PREFIX}{process_mark().replace('/', ',')}-"


@contextmanager
def _as_interrupt() -> Iterator[None]:
    """SIGTERM as KeyboardInterrupt, in the main thread; no other may ask for signals."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
