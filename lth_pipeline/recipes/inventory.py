"""What lies in a store, file by file, and the lock between those that save and the one that clears up."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from lth_pipeline.files import is_claimed, locked
from lth_pipeline.recipes.errors import StoreError
from lth_pipeline.recipes.store import Record, Store

LOCK = ".lock"
DAMAGED = "damaged"  # folder of files that were put aside


@dataclass(frozen=True)
class Inventory:
    """records: recipe id -> what was recorded; damaged: recipe id -> what is wrong with its record.

    objects: data version -> file. checkpoints: name -> file. claims: files of claims that nobody holds.
    unfinished: temporary files. aside: damaged files that were put aside. sizes: of every file, in bytes.
    """

    records: Mapping[str, Record]
    damaged: Mapping[str, str]
    objects: Mapping[str, Path]
    checkpoints: Mapping[str, Path]
    claims: list[Path]
    unfinished: list[Path]
    aside: list[Path]
    sizes: Mapping[Path, int]


def take_inventory(store: Store) -> Inventory:
    """Reads every record and changes nothing. Raises StoreError where a folder cannot be read."""
    sizes = _files(store.folder)
    visible = [path for path in sizes if not path.name.startswith(".")]
    parts: dict[str, list[Path]] = {}
    for path in visible:
        parts.setdefault(path.relative_to(store.folder).parts[0], []).append(path)
    records, damaged = {}, {}
    for path in (path for path in parts.get("recipes", ()) if path.suffix == ".json"):
        found = _read(path)
        if isinstance(found, str):
            damaged[path.stem] = found
        elif found is not None:
            records[path.stem] = found
    return Inventory(
        records,
        damaged,
        {path.stem: path for path in parts.get("objects", ()) if path.suffix == ".safetensors"},
        {path.stem: path for path in parts.get("checkpoints", ()) if path.suffix == ".safetensors"},
        [path for path in parts.get("claims", ()) if not is_claimed(path)],
        [path for path in sizes if path.name.startswith(".") and path != store.folder / LOCK],
        parts.get(DAMAGED, []),
        sizes,
    )


def claims_held(store: Store) -> list[str]:
    """The names of the claims that living processes hold: what they are about."""
    return sorted(path.name for path in (store.folder / "claims").glob("*") if is_claimed(path))


@contextmanager
def saving(store: Store) -> Iterator[None]:
    """While a record and its artifact are written: waits for one that clears up, and keeps it waiting."""
    with _locking(store, shared=True):
        yield


@contextmanager
def clearing(store: Store) -> Iterator[None]:
    """While files are removed: nobody saves."""
    with _locking(store, shared=False):
        yield


@contextmanager
def _locking(store: Store, *, shared: bool) -> Iterator[None]:
    with ExitStack() as held:
        try:
            held.enter_context(locked(store.folder / LOCK, shared=shared))
        except OSError as error:
            why = f"cannot be written ({error.strerror}); free space or permissions"
            raise StoreError(f"{store.folder / LOCK}: {why}") from error
        yield


def _files(folder: Path) -> dict[Path, int]:
    """{file: bytes} of all that lies below `folder`, in order of their names."""
    found: dict[Path, int] = {}

    def refuse(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            raise StoreError(f"{error.filename}: cannot be read ({error.strerror})") from error

    for place, folders, names in os.walk(folder, onerror=refuse):
        folders.sort()
        for path in (Path(place, name) for name in sorted(names)):
            try:
                found[path] = path.lstat().st_size
            except FileNotFoundError:  # another process has removed or renamed it
                continue
    return found


def _read(path: Path) -> Record | str | None:
    """The record; in words what is wrong with it; None where it is gone by now."""
    try:
        sealed = json.loads(path.read_text())
        record = sealed["record"]
        seal = hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()
        if sealed["sha256"] != seal:
            return f"{path}: is damaged (its checksum does not fit)"
        if not isinstance(record["version"], str) or not isinstance(record["recipe"]["inputs"], dict):
            return f"{path}: is damaged (it names no artifact, or not what that was made from)"
    except FileNotFoundError:
        return None
    except OSError as error:
        return f"{path}: cannot be read ({error.strerror})"
    except (ValueError, KeyError, TypeError) as error:
        return f"{path}: is damaged ({type(error).__name__}: {error})"
    return record
