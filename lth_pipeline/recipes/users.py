"""Which projects use a store: each leaves a mark in it, so that none clears away what another holds as current."""

from __future__ import annotations

import hashlib
import socket
from pathlib import Path

from lth_pipeline.files import write_atomically
from lth_pipeline.recipes.errors import StoreError
from lth_pipeline.recipes.inventory import USERS, Inventory, saving
from lth_pipeline.recipes.store import Store


def mark_use(store: Store, project: Path) -> None:
    """Leave the mark of a project, named by its own folder (DAGSTER_HOME), before it looks for anything in the store.

    Waits for one that clears up: it sees the mark, or what it has removed is not found. Raises StoreError.
    """
    path = _mark_of(store, project)
    if path.is_file():
        return
    with saving(store):
        try:
            write_atomically(path, f"{socket.gethostname()}\n{project}".encode())
        except OSError as error:
            raise StoreError(
                f"{path}: cannot be written ({error.strerror}); free space or permissions, then run again"
            ) from error


def other_users(store: Store, found: Inventory, project: Path) -> list[str]:
    """The folders of the projects, beside `project`, that use the store and may be there still."""
    mine = _mark_of(store, project)
    return sorted(folder for path, folder in found.users.items() if path != mine)


def _mark_of(store: Store, project: Path) -> Path:
    return store.folder / USERS / hashlib.sha256(str(project).encode()).hexdigest()[:40]
