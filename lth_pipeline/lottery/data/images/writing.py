"""Writing into the cache: what goes wrong names the folder, and a file is whole or not there."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lth_pipeline.lottery.errors import DataError


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """OSErrors in here are about the cache in `folder`, and become DataErrors that say so."""
    try:
        yield
    except OSError as error:
        raise DataError(
            f"{folder}: cannot be written to ({error.strerror or error}); free space, change its permissions, "
            f"or choose another folder for the cache with LTH_CACHE_DIR"
        ) from error


def write_whole(path: Path, content: bytes) -> None:
    """Write beside `path`, flush to the disk, rename. Raises OSError and leaves nothing behind then."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".writing-", delete=False) as file:
        temporary = Path(file.name)
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            temporary.chmod(0o644)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def flush(path: Path) -> None:
    """What was written to the file or folder `path` is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
