"""The folder `registry/` of the cache: published tickets, and what is known of them. All of it may be removed.

registry/<SHA-256 of the file>.safetensors   a ticket (published.py)
registry/version-<hash of NAME/VERSION>.json what a card's ladder and recipes need to know of a version; it is
                                             written once, and no alias that moves changes it
registry/means-<hash of NAME@ALIAS>.json     a pointer: which version that was when it was last asked for
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from lth_pipeline.files import write_atomically
from lth_pipeline.lottery.data import DataDirs

DAY = 86_400.0  # seconds
UNUSED = 30 * DAY  # of a version that no reference means any more
DAMAGE = (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError)  # not there, or damaged


def folder_of(dirs: DataDirs) -> Path:
    return dirs.cache / "registry"


def file_of(sha256: str, dirs: DataDirs) -> Path:
    return folder_of(dirs) / f"{sha256}.safetensors"


def entry_of(name: str, version: str, dirs: DataDirs) -> Path:
    return folder_of(dirs) / f"version-{_hash(f'{name}/{version}')}.json"


def pointer_of(reference: str, dirs: DataDirs) -> Path:
    return folder_of(dirs) / f"means-{_hash(reference)}.json"


def recall(path: Path) -> dict[str, Any] | None:
    """What `keep` has written there; None where it is not there, or damaged."""
    try:
        state = path.stat()
        return _recalled(path, state.st_ino, state.st_mtime_ns, state.st_size)
    except DAMAGE:
        return None


@lru_cache(maxsize=256)
def _recalled(path: Path, *state: int) -> dict[str, Any]:
    sealed = json.loads(path.read_bytes())
    if sealed["sha256"] != _seal(sealed["content"]):
        raise ValueError("its checksum does not fit")
    return sealed["content"]


def keep(path: Path, content: dict[str, Any]) -> None:
    write_atomically(path, json.dumps({"content": content, "sha256": _seal(content)}, indent=1).encode())


def has_bits(path: Path, sha256: str) -> bool:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() == sha256
    except OSError:
        return False


def mark_used(*paths: Path) -> None:
    with suppress(OSError):  # another user's cache: it stays as it is
        for path in paths:
            os.utime(path)


def tidy(dirs: DataDirs) -> None:
    """Remove what a killed process has left, versions that no reference means and nobody has used for a month, and
    tickets without an entry."""
    folder, now = folder_of(dirs), time.time()

    def is_older(path: Path, seconds: float) -> bool:
        with suppress(OSError):  # gone by now
            return now - path.stat().st_mtime > seconds
        return False

    pointers = filter(None, map(recall, folder.glob("means-*.json")))
    meant = {entry_of(pointer["name"], pointer["version"], dirs) for pointer in pointers}
    for entry in folder.glob("version-*.json"):
        if entry not in meant and is_older(entry, UNUSED):
            entry.unlink(missing_ok=True)
    named = {found["file"] for found in map(recall, folder.glob("version-*.json")) if found}
    for path in folder.glob("*.safetensors"):
        if path.stem not in named and is_older(path, DAY):
            path.unlink(missing_ok=True)
    for path in folder.glob(".*"):
        if is_older(path, DAY):
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


def _seal(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:40]
