"""What lies in a store, file by file, and the lock between those that save and the one that clears up."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from lth_pipeline.files import is_claimed, locked
from lth_pipeline.recipes.errors import StoreError
from lth_pipeline.recipes.store import DAMAGE, Record, Store, read_record

LOCK = ".lock"
DAMAGED = "damaged"  # folder of files that were put aside
USERS = "users"  # folder of the marks of projects (users.py)
FOLDERS = ("objects", "recipes", "checkpoints", "claims", DAMAGED, USERS)


@dataclass(frozen=True)
class Inventory:
    """records: recipe id -> what was recorded; damaged: recipe id -> what is wrong with its record.

    objects: data version -> file. checkpoints: name -> file. claims: files of claims that nobody holds.
    unfinished: temporary files. aside: damaged files that were put aside. users: marks of projects -> their folders;
    left: marks of those whose folders are gone. sizes: of every file, in bytes.
    """

    records: Mapping[str, Record]
    damaged: Mapping[str, str]
    objects: Mapping[str, Path]
    checkpoints: Mapping[str, Path]
    claims: list[Path]
    unfinished: list[Path]
    aside: list[Path]
    users: Mapping[Path, str]
    left: list[Path]
    sizes: Mapping[Path, int]


def take_inventory(store: Store) -> Inventory:
    """Reads every record and changes nothing. Raises StoreError where a folder cannot be read."""
    parts = {name: _files(store.folder / name) for name in FOLDERS}
    sizes = {path: size for files in parts.values() for path, size in files.items()}
    whole = {name: [path for path in files if not path.name.startswith(".")] for name, files in parts.items()}
    records, damaged = {}, {}
    for path in (path for path in whole["recipes"] if path.suffix == ".json"):
        found = _read(path)
        if isinstance(found, str):
            damaged[path.stem] = found
        elif found is not None:
            records[path.stem] = found
    users = {path: _folder_of(path) for path in whole[USERS]}
    return Inventory(
        records,
        damaged,
        {path.stem: path for path in whole["objects"] if path.suffix == ".safetensors"},
        {path.stem: path for path in whole["checkpoints"] if path.suffix == ".safetensors"},
        [path for path in whole["claims"] if not is_claimed(path)],
        [path for path in sizes if path.name.startswith(".")],
        whole[DAMAGED],
        {path: folder for path, folder in users.items() if folder},
        [path for path, folder in users.items() if not folder],
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
    """{file: bytes} of all that lies below `folder`, which may be a link, in order of their names."""
    found: dict[Path, int] = {}

    def refuse(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            raise StoreError(f"{error.filename}: cannot be read ({error.strerror})") from error

    for place, folders, names in os.walk(folder, onerror=refuse):
        folders.sort()
        if link := next((name for name in folders if Path(place, name).is_symlink()), None):
            raise StoreError(
                f"{Path(place, link)}: is a link; of the store's folders {folder.name}/ may be one, but none below it"
            )
        for path in (Path(place, name) for name in sorted(names)):
            try:
                found[path] = path.lstat().st_size
            except FileNotFoundError:  # another process has removed or renamed it
                continue
    return found


def _read(path: Path) -> Record | str | None:
    """The record; in words what is wrong with it; None where it is gone by now."""
    try:
        record = read_record(path)
        if fault := _fault(record):
            return f"{path}: is damaged ({fault})"
    except FileNotFoundError:
        return None
    except OSError as error:
        return f"{path}: cannot be read ({error.strerror})"
    except DAMAGE as error:
        return f"{path}: is damaged ({type(error).__name__}: {error})"
    return record


def _fault(record: Record) -> str:
    """What a record lacks of what is asked of it here, in words; raises one of DAMAGE of what is no record."""
    inputs, made_by = record["recipe"]["inputs"], record.get("made_by", {})
    if not isinstance(inputs, dict) or not all(isinstance(version, str) for version in inputs.values()):
        return "it does not name what its artifact was made from"
    if not isinstance(made_by, dict) or not isinstance(made_by.get("dagster_run"), str | None):
        return "it does not say for whom it was made"
    return ""


def _folder_of(mark: Path) -> str:
    """The folder of the project whose mark it is; empty where that is gone, which its own machine alone can tell. A
    mark that cannot be read may be anybody's."""
    try:
        host, _, folder = mark.read_text().partition("\n")
        if not host or not folder.startswith("/"):
            return f"(not to be made out: {mark})"
        if host != socket.gethostname():
            return f"{folder} on {host}"
        return folder if Path(folder).is_dir() else ""
    except FileNotFoundError:
        return ""
    except (OSError, ValueError):
        return f"(not to be made out: {mark})"
