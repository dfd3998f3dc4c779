"""Telling whether a process that left its mark still lives."""

from __future__ import annotations

import multiprocessing
import os
import socket
import sys
from pathlib import Path

#: of a Dagster run: its id, "@" and the mark of its process. With this prefix Dagster keeps a tag out of its pages.
#: A run that is begun again inherits it: by the id it is known that the mark is not its own.
PROCESS_TAG = ".dagster/lth_process"


def is_worker() -> bool:
    """Whether this process executes a Dagster run: a child of Dagster's code server or of `lth run`, or `dagster api
    execute_run` on whatever machine."""
    return multiprocessing.parent_process() is not None or "execute_run" in sys.argv


def process_mark() -> str:
    """This process, so that a later one can tell whether it still lives: machine, its start, the namespace of process
    numbers (a container has its own), number, start of the process."""
    return f"{'/'.join((*_machine(), *_since()))}.{os.getpid()}.{_started(os.getpid())}"


def is_dead(mark: str) -> bool:
    """Whether the process of a `process_mark` has ended; False where that cannot be told: on another machine, or in
    another container of this one."""
    place, _, process = mark.rpartition(".")[0].rpartition(".")
    started, parts = mark.rpartition(".")[2], place.split("/")
    if len(parts) != 4 or tuple(parts[:2]) != _machine() or not process.isdecimal():
        return False
    boot, namespace = _since()
    if parts[2] != boot:
        return bool(boot and parts[2])  # this machine was started anew
    return parts[3] == namespace and _started(int(process)) != started


def _machine() -> tuple[str, str]:
    return socket.gethostname(), _read("/etc/machine-id")[:12]


def _since() -> tuple[str, str]:
    try:
        namespace = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        namespace = ""
    return _read("/proc/sys/kernel/random/boot_id")[:8], namespace.strip("pid:[]")


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


def _started(process: int) -> str:
    """Clock ticks from the machine's start to the process's; "0" for one that is not there or has ended."""
    try:
        state, *fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "0"
    return "0" if state == "Z" else fields[18]
