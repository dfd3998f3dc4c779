"""A source that is a folder: its files, whether they have changed, their content."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from stat import S_ISDIR, S_ISREG

from lth_pipeline.lottery.data.images.layout import File, Row, Tree, hidden
from lth_pipeline.lottery.data.images.source import shown
from lth_pipeline.lottery.errors import DataError

#: The deepest image is wrapper/train/class/1.jpg. Folders below are only noted, so that a link to above ends.
DEPTH = 4


def fingerprint(path: Path) -> str:
    """64 hex digits over names, sizes and times of all files: 60,000 in less than a second, none of them opened.

    The time of the last change of the inode is among them: two files that swap their names, of one size and of one
    time of writing (as those from a tar often are), are told from what they were.
    """
    sha = hashlib.sha256()
    _walk(path, "", 1, sha)
    return sha.hexdigest()


def scan(path: Path) -> Tree:
    """The files and folders in `path`, but for hidden ones."""
    return _walk(path, "", 1, hashlib.sha256())


def contents(path: Path, rows: Iterable[Row]) -> Iterator[tuple[Row, Path]]:
    """Each row and the file to read it from."""
    for row in rows:
        yield row, path / row.name


def refuse_ways_out(path: Path, allowed: Iterable[Path]) -> None:
    """DataError where a symbolic link in `path`, as deep as it is read, leads out of the folders `allowed`."""
    roots = [folder.resolve() for folder in allowed]
    for above, names, files in os.walk(path, followlinks=True):
        if len(Path(above).relative_to(path).parts) >= DEPTH:
            names.clear()
        for entry in (Path(above, name) for name in (*names, *files)):
            if not entry.is_symlink():
                continue
            try:
                target = entry.resolve()
            except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle, before Python 3.13
                raise DataError(f"{shown(entry)}: cannot be followed: {error}; remove it") from error
            if not any(target.is_relative_to(root) for root in roots):
                raise DataError(
                    f"{shown(entry)}: a link that leads out of the folders in LTH_ALLOWED_DIRS; "
                    f"put what it leads to in its place, or allow the folder where that lies"
                )


def _walk(folder: Path | str, above: str, depth: int, sha: hashlib._Hash) -> Tree:
    tree: Tree = {}
    try:
        with os.scandir(folder) as entries:
            found = sorted((entry for entry in entries if not hidden(entry.name)), key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(f"{shown(folder)}: cannot be listed: {error.strerror}; change its permissions") from error
    for entry in found:
        try:
            stat = entry.stat()
        except OSError as error:
            raise DataError(f"{shown(entry.path)}: cannot be looked at: {error.strerror}; remove it") from error
        name = above + entry.name
        if S_ISDIR(stat.st_mode):
            sha.update(f"{name!a}/\n".encode())
            tree[entry.name] = _walk(entry.path, name + "/", depth + 1, sha) if depth < DEPTH else {}
        elif S_ISREG(stat.st_mode):
            sha.update(f"{name!a} {stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns}\n".encode())
            tree[entry.name] = File(stat.st_size)
        else:
            raise DataError(f"{shown(entry.path)}: neither a file nor a folder; remove it")
    return tree
