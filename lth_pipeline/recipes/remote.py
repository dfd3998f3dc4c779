"""A store that several machines share without a shared disk: in S3, or wherever fsspec can write.

    objects/ab/<data version>.safetensors   recipes/ab/<recipe id>.json     as in the store's own folder

What is not in the folder is looked for there, verified and kept in the folder; what is made is kept in the folder, then
sent: the artifact first, the record last, so that no record there names what is not there. Claims and half-done
trainings stay on their machine. What could not be sent is marked in `unsent/`, and sent later.

A remote that is away ends nothing. It is asked again after a while, and for longer and longer left alone. One that
refuses an object, or to be written to, is asked for the others, and read.
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
from uuid import uuid4

from lth_pipeline.files import write_atomically
from lth_pipeline.recipes.errors import StoreError
from lth_pipeline.recipes.recipe import id_of

if TYPE_CHECKING:
    from lth_pipeline.recipes.store import Record, Store

T = TypeVar("T")

PAUSES = (5.0,)  # seconds between two attempts; what S3 is asked with makes several of its own in each
REST, LONGEST_REST = 60.0, 1800.0  # seconds for which one that did not answer is left alone: at first, and at most
RIGHTS = "in S3 that takes s3:GetObject, s3:PutObject and s3:ListBucket (docs/s3.md)"
SENDING = "sending"  # the claim of the process that sends
SECRET = re.compile("SECRET|TOKEN|PASSWORD|ACCESS_KEY")  # what the variables are called whose values no message shows


class Remote:
    """url: as fsspec writes it: s3://bucket/prefix, file:///mnt/shared/store. tell: is told what goes wrong."""

    def __init__(self, url: str, tell: Callable[[str], None] = warnings.warn):
        self.url, self.tell = url.rstrip("/"), tell
        self._told: set[str] = set()
        self._failed, self._rests_until = 0, 0.0
        self._unwritten_until = 0.0  # where it is read, but refuses to be written to

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
        """The object `name`; None where it is not there, or refused, or the remote is away."""

        def get() -> bytes | None:
            system, root = self._root_now()
            try:
                return system.cat_file(f"{root}/{name}")
            except FileNotFoundError:
                return None
            except PermissionError as error:
                # S3 says so, and not that an object is missing, to whom it may not say what there is
                self._refused("read", f"{name}: is not given", error, "what is not given counts as missing")
                return None

        return self._tried(get, None)

    def write(self, name: str, content: bytes) -> bool:
        """Whether it is there now, whole."""

        def put() -> bool:
            system, root = self._root_now()
            try:
                if _is_folder(system):  # where what is half-written can be read
                    write_atomically(Path(root, name), content)
                else:
                    system.pipe_file(f"{root}/{name}", content)
            except PermissionError as error:
                self._unwritten_until = time.monotonic() + LONGEST_REST
                self._refused("write", f"{name}: is not taken", error, "what is made is kept here, and sent later")
                return False
            return True

        return time.monotonic() >= self._unwritten_until and self._tried(put, False)

    def _root_now(self) -> tuple[Any, str]:
        """`_root`. Raises FileNotFoundError where it is a folder that is not there: of a disk that is not mounted its
        folder, once made, would be on another."""
        system, root = self._root
        if _is_folder(system) and not Path(root).is_dir():
            raise FileNotFoundError(f"{root}: is no folder; mount it, or make it")
        return system, root

    def _refused(self, what: str, said: str, error: Exception, then: str) -> None:
        """Tells it, once for all that may not be done: read, or write."""
        if what not in self._told:
            self._told.add(what)
            self.tell(f"{self.url}/{said} ({_plain(error)}); {then}; {RIGHTS}")

    def tell_once(self, name: str, what: str) -> None:
        if name not in self._told:
            self._told.add(name)
            self.tell(f"{self.url}/{name}: {what}")

    def ask_again(self) -> None:
        """End its rest."""
        self._rests_until = self._unwritten_until = 0.0

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
                if pause is not None:
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


def _is_folder(system: Any) -> bool:
    from fsspec.implementations.local import LocalFileSystem

    return isinstance(system, LocalFileSystem)


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


def mark_unsent(store: Store, recipe_id: str) -> Path:
    """Until what the recipe made has been sent, a file says so: this one. Each time another, so that whoever sends
    drops the marks that it has seen, and none of what was made since."""
    from lth_pipeline.recipes.store import write

    mark = store.folder / "unsent" / f"{recipe_id}.{uuid4().hex[:8]}"
    write(mark, b"")
    return mark


def send(store: Store, remote: Remote, *, wait: bool = False) -> int:
    """Send all that is marked; gives how many artifacts are still to be sent.

    One process of a folder sends at a time, for the others too. wait: for another that does; else it is left to it.
    """
    while marks := _marks(store):
        with store.claimed(SENDING, wait=wait) as mine:
            if not mine:  # who has the claim looks once more when it has let go
                return len(marks)
            if left := _send(store, remote):
                return left
    return 0


def _marks(store: Store) -> dict[str, list[Path]]:
    """{recipe id: the marks of what it made}, in order."""
    found: dict[str, list[Path]] = {}
    for path in sorted((store.folder / "unsent").glob("[!.]*")):
        found.setdefault(path.name.partition(".")[0], []).append(path)
    return found


def _send(store: Store, remote: Remote) -> int:
    """The same, by the one process that may."""
    marks = _marks(store)
    for number, (recipe_id, paths) in enumerate(marks.items()):
        for name, content in _whole(store, remote, recipe_id).items():
            if not remote.write(name, content):
                return len(marks) - number
        for path in paths:
            path.unlink(missing_ok=True)
    return 0


def _whole(store: Store, remote: Remote, recipe_id: str) -> dict[str, bytes]:
    """{name: content} of the artifact that a recipe made and of its record, verified. Empty where one has been removed
    since, or is damaged: whoever reads that here puts it aside, makes it anew, and marks it. It would take the place of
    one that is whole there."""
    from lth_pipeline.recipes.store import DAMAGE, artifact_in, record_in

    path = store.record_path(recipe_id)
    try:
        record = path.read_bytes()
        version = record_in(record)["version"]
        name, path = path.relative_to(store.folder).as_posix(), store.object_path(version)
        artifact = path.read_bytes()
        artifact_in(artifact, version)
    except FileNotFoundError:
        return {}
    except DAMAGE as error:
        remote.tell(f"{path}: is damaged ({error}); it is not sent to {remote.url}")
        return {}
    except OSError as error:
        raise StoreError(f"{path}: cannot be read ({error.strerror})") from error
    return {path.relative_to(store.folder).as_posix(): artifact, name: record}


def send_the_rest(store: Store) -> None:
    """At the end of a run: send what could not be sent before, or say that it is still to be sent."""
    if store.remote is None or not (store.folder / "unsent").is_dir():
        return
    store.remote.ask_again()
    if left := send(store, store.remote, wait=True):
        store.remote.tell(f"{store.remote.url}: {left} artifact(s) are not there yet; the next run here sends them")
