"""A store that several machines share without a shared disk: in S3, or wherever fsspec can write.

    objects/ab/<data version>.safetensors   recipes/ab/<recipe id>.json     as in the store's own folder

What is not in the folder is looked for there, verified and kept in the folder; what is made is kept in the folder, then
sent: the artifact first, the record last, so that no record there names what is not there. Claims and half-done
trainings stay on their machine. What could not be sent is marked in `unsent/`, and sent later.

A remote that is away ends nothing. It is asked again after a while, and for longer and longer left alone.
"""

from __future__ import annotations

import os
import re
import time
import warnings
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from lth_pipeline.files import write_atomically
from lth_pipeline.recipes.errors import StoreError
from lth_pipeline.recipes.recipe import id_of

if TYPE_CHECKING:
    from lth_pipeline.recipes.store import Record, Store

T = TypeVar("T")

PAUSES = (5.0,)  # seconds between two attempts; what S3 is asked with makes several of its own in each
REST, LONGEST_REST = 60.0, 1800.0  # seconds for which one that did not answer is left alone: at first, and at most
SECRET = re.compile("SECRET|TOKEN|PASSWORD|ACCESS_KEY")  # what the variables are called whose values no message shows


class Remote:
    """url: as fsspec writes it: s3://bucket/prefix, file:///mnt/shared/store. tell: is told what goes wrong."""

    def __init__(self, url: str, tell: Callable[[str], None] = warnings.warn):
        self.url, self.tell = url.rstrip("/"), tell
        self._told: set[str] = set()
        self._failed, self._rests_until = 0, 0.0

    @cached_property
    def _root(self) -> tuple[Any, str]:
        """(file system, path). Raises StoreError where there is none of that kind."""
        try:
            import fsspec

            return fsspec.core.url_to_fs(self.url)
        except ImportError as error:
            raise StoreError(
                f"LTH_STORE_REMOTE={self.url}: needs a package that is not installed ({error}); for S3: "
                f"pip install --editable '.[s3]' in the checkout"
            ) from error
        except ValueError as error:
            raise StoreError(f"LTH_STORE_REMOTE={self.url}: cannot be ({error}); such as s3://bucket/prefix") from error

    def read(self, name: str) -> bytes | None:
        """The object `name`; None where it is not there, or the remote is away."""

        def get() -> bytes | None:
            system, root = self._root
            try:
                return system.cat_file(f"{root}/{name}")
            except FileNotFoundError:
                return None

        return self._tried(get, None)

    def write(self, name: str, content: bytes) -> bool:
        """Whether it is there now, whole."""

        def put() -> bool:
            from fsspec.implementations.local import LocalFileSystem

            system, root = self._root
            if isinstance(system, LocalFileSystem):  # where what is half-written can be read
                write_atomically(Path(root, name), content)
            else:
                system.pipe_file(f"{root}/{name}", content)
            return True

        return self._tried(put, False)

    def tell_once(self, name: str, what: str) -> None:
        if name not in self._told:
            self._told.add(name)
            self.tell(f"{self.url}/{name}: {what}")

    def ask_again(self) -> None:
        """End its rest."""
        self._rests_until = 0.0

    def _tried(self, act: Callable[[], T], away: T) -> T:
        """What `act` gives; `away` where the remote is, which is told when it is first found."""
        if time.monotonic() < self._rests_until:
            return away
        for pause in (*(() if self._failed else PAUSES), None):
            try:
                given = act()
            except StoreError:
                raise
            except Exception as error:  # every kind of store has its own
                if pause is not None and not isinstance(error, PermissionError):
                    time.sleep(pause)
                    continue
                rest = min(REST * 2**self._failed, LONGEST_REST)
                self._rests_until = time.monotonic() + rest
                if not self._failed:
                    why = f"cannot be used now ({_plain(error)})"
                    self.tell(f"{self.url}: {why}; going on without: what is made is kept here, and sent later")
                self._failed += 1
                return away
            if self._failed:
                self.tell(f"{self.url}: can be used again")
            self._failed = 0
            return given
        return away


def store_at(folder: Path, url: str) -> Store:
    """The store in `folder`, shared under `url` where that is not empty."""
    from lth_pipeline.recipes.store import Store

    return Store(folder, Remote(url) if url else None)


def _plain(error: Exception) -> str:
    """The kind of an error and its first line, without anything secret."""
    said = re.sub(r"\?\S*", "", str(error).partition("\n")[0])[:300]
    for name, value in os.environ.items():
        if len(value) > 3 and SECRET.search(name):
            said = said.replace(value, "…")
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def fetch_record(store: Store, remote: Remote, recipe_id: str) -> Record | None:
    """The record that the remote has of what a recipe made, kept here by now, after its artifact; None where it has
    none that is whole."""
    from lth_pipeline.recipes.inventory import saving
    from lth_pipeline.recipes.store import DAMAGE, record_in, write

    name = store.record_path(recipe_id).relative_to(store.folder).as_posix()
    content = remote.read(name)
    if content is None:
        return None
    try:
        record = record_in(content)
        if id_of(record["recipe"]) != recipe_id:
            raise ValueError("it is of another recipe")
    except DAMAGE as error:
        remote.tell_once(name, f"is damaged ({error}); it is not taken, and its step is computed anew")
        return None
    with saving(store):
        if not fetch_artifact(store, remote, record["version"]):
            return None
        write(store.record_path(recipe_id), content)
    return record


def fetch_artifact(store: Store, remote: Remote, version: str) -> bool:
    """Whether the remote has an artifact that is whole; it is kept here by now."""
    from lth_pipeline.recipes.store import DAMAGE, artifact_in, write

    path = store.object_path(version)
    if path.is_file():
        return True
    name = path.relative_to(store.folder).as_posix()
    content = remote.read(name)
    if content is None:
        return False
    try:
        artifact_in(content, version)
    except DAMAGE as error:
        remote.tell_once(name, f"is damaged ({error}); it is not taken, and its step is computed anew")
        return False
    write(path, content)
    return True


def mark_unsent(store: Store, recipe_id: str) -> None:
    """Until what the recipe made has been sent, a file says so."""
    from lth_pipeline.recipes.store import write

    write(store.folder / "unsent" / recipe_id, b"")


def send(store: Store, remote: Remote) -> int:
    """Send all that is marked; gives how many artifacts are still to be sent."""
    from lth_pipeline.recipes.store import DAMAGE, read_record

    marks = sorted(path for path in (store.folder / "unsent").glob("*") if not path.name.startswith("."))
    for number, mark in enumerate(marks):
        paths = [store.record_path(mark.name)]
        try:
            paths.insert(0, store.object_path(read_record(paths[0])["version"]))
            contents = [path.read_bytes() for path in paths]
        except (FileNotFoundError, *DAMAGE):  # removed since, or being made anew
            mark.unlink(missing_ok=True)
            continue
        except OSError as error:
            raise StoreError(f"{error.filename}: cannot be read ({error.strerror})") from error
        for path, content in zip(paths, contents, strict=True):
            if not remote.write(path.relative_to(store.folder).as_posix(), content):
                return len(marks) - number
        mark.unlink(missing_ok=True)
    return 0


def send_the_rest(store: Store) -> None:
    """At the end of a run: send what could not be sent before, or say that it is still to be sent."""
    if store.remote is None or not (store.folder / "unsent").is_dir():
        return
    store.remote.ask_again()
    if left := send(store, store.remote):
        store.remote.tell(f"{store.remote.url}: {left} artifact(s) are not there yet; the next run here sends them")
