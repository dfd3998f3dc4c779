"""Writing files so that they are whole or not there, and claiming work that one process alone should do."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

#: what a file system says that has no locks
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


def write_atomically(path: Path, content: bytes) -> None:
    """Write to a temporary name beside `path`, flush to the disk, rename. Raises OSError; leaves nothing behind."""
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=half_written(path)[:-1], delete=False) as file:
            temporary = Path(file.name)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
        _flush_folder(path.parent)
    finally:
        if temporary:
            temporary.unlink(missing_ok=True)


def half_written(path: Path) -> str:
    """The pattern of the names, beside `path`, under which it is written before it is whole."""
    return f".{path.name[:16]}-*"


def _flush_folder(folder: Path) -> None:
    """The new name too must be on the disk before what refers to it is, whenever the power goes."""
    if os.name == "nt":  # where folders cannot be opened
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EBADF, errno.ENOTSUP):  # a file system without
            raise
    finally:
        os.close(descriptor)


@contextmanager
def claimed(path: Path, *, wait: bool) -> Iterator[bool]:
    """Hold the claim that the file `path` stands for: of all processes one has it at a time.

    wait: until whoever has it lets go. Gives False, at once, where another has it and `wait` is not asked for. A claim
    ends with its process, however that ends; the file goes with it where it ends well. Where there are no such locks
    (Windows, some network drives), everyone is given the claim: work is then done twice, and nothing is lost.
    """
    try:
        import fcntl
    except ImportError:
        yield True
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        file = path.open("ab")
        try:
            fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            yield False
            return
        except BaseException as error:
            file.close()
            if isinstance(error, OSError) and error.errno in NO_LOCKS:
                yield True
                return
            raise
        try:
            same = os.fstat(file.fileno()).st_ino == path.stat().st_ino
        except FileNotFoundError:
            same = False
        if same:
            break
        file.close()  # whoever had it has taken the file away since it was opened
    try:
        yield True
    finally:
        with suppress(OSError):  # of a disk that has turned read-only: what went wrong in here is worth telling
            path.unlink(missing_ok=True)
        file.close()


@contextmanager
def locked(path: Path, *, shared: bool) -> Iterator[None]:
    """Hold a lock on the file `path`, beside others that share it or alone; waits until it is to be had.

    The file stays. Where there are no such locks, everyone goes on at once.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
        yield


def is_claimed(path: Path) -> bool:
    """Whether a process has the claim that the file `path` stands for (`claimed`); False where that cannot be told."""
    try:
        import fcntl

        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except (ImportError, FileNotFoundError):
        return False
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
    return False


def ensure_writable(folder: Path, error: type[Exception]) -> None:
    """Raise `error`, naming the folder, where nothing can be written into it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"\0" * 4096)
            file.flush()
    except OSError as problem:
        raise error(
            f"{folder}: cannot be written to ({problem.strerror}); "
            f"free space, change its permissions, or choose another place"
        ) from problem
