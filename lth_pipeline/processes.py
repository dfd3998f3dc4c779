"""Telling whether a process that left its mark still lives."""

from __future__ import annotations

import os
import socket
from pathlib import Path

#: of a Dagster run: the mark of its process. With this prefix Dagster keeps a tag out of its pages.
PROCESS_TAG = ".dagster/lth_process"


def process_mark() -> str:
    """This process, so that a later one can tell whether it still lives: host, number, time of its start."""
    return f"{socket.gethostname()}.{os.getpid()}.{_started(os.getpid())}"


def is_dead(mark: str) -> bool:
    """Whether the process of a `process_mark` has ended; False where that cannot be told: on another machine, say."""
    host, _, process = mark.rpartition(".")[0].rpartition(".")
    started = mark.rpartition(".")[2]
    return host == socket.gethostname() and process.isdecimal() and _started(int(process)) != started


def _started(process: int) -> str:
    """Clock ticks from the machine's start to the process's; "0" for one that is not there or has ended."""
    try:
        state, *fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "0"
    return "0" if state == "Z" else fields[18]
