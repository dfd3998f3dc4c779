"""Processes that wait to be asked, and answer through a connection."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any


@contextmanager
def asked(context: Any, work: Callable[..., None], arguments: Sequence[tuple]) -> Iterator[list[Any]]:
    """A connection to each of as many processes as there are `arguments`: each calls `work(connection, *arguments)`,
    and ends when its connection is closed.

    context: multiprocessing's, of how they are started.
    """
    pairs = [context.Pipe() for _ in arguments]
    processes = [
        context.Process(target=work, args=(theirs, *given), daemon=True, name=f"asked {number}")
        for number, ((_, theirs), given) in enumerate(zip(pairs, arguments, strict=True))
    ]
    try:
        for process, (_, theirs) in zip(processes, pairs, strict=True):
            process.start()
            theirs.close()  # so that a process that dies is an end of file here, and nobody waits for it
        yield [connection for connection, _ in pairs]
    finally:
        for process, (connection, _) in zip(processes, pairs, strict=True):
            connection.close()
            process.join(10)
            if process.is_alive():
                process.terminate()
