"""The content-addressed store: tensors by the hash of their content, and which recipe made them.

    objects/ab/<data version>.safetensors   tensors, named by the SHA-256 over their content
    recipes/ab/<recipe id>.json             what a recipe made, when, how, for whom
    checkpoints/<recipe id>.safetensors     half-done trainings; those of one stack: checkpoints.py
    claims/<recipe id, or another name>     of the process that is about it, as long as it is
    users/<hash of a project's folder>      of the projects that use it (users.py)
    .lock                                   held by whoever saves, and alone by what clears up (inventory.py)
    damaged/                                files that were found damaged, for a person to look at
    unsent/                                 marks of what a remote store does not have yet (remote.py)

Files are written to a temporary name, flushed to the disk and renamed, so a file that is there is whole.
What is read is verified: a flipped bit never gives a wrong result. The file is put aside and a DamagedError says so;
whoever meets it does the same again, and finds that the step was never made.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from lth_pipeline.files import claimed, ensure_writable, half_written, write_atomically
from lth_pipeline.recipes.errors import DamagedError, StoreError
from lth_pipeline.recipes.recipe import Recipe
from lth_pipeline.recipes.remote import Remote, fetch_artifact, fetch_record, mark_unsent, send

if TYPE_CHECKING:
    import torch

Record = dict[str, Any]
DAMAGE = (ValueError, KeyError, TypeError, RecursionError)  # what reading a damaged file ends in
VERSION = re.compile("[0-9a-f]{64}")  # a data version, and so part of the name of a file

TOGETHER = "together-"  # what the names of states of several trainings begin with


def name_together(recipe_ids: Iterable[str]) -> str:
    """What the state of trainings that run together is kept under: one file, so that it is of one iteration whenever
    its process is killed."""
    return TOGETHER + hashlib.sha256("\n".join(recipe_ids).encode()).hexdigest()[:40]


class Store:
    """remote: shared with other machines; where it is not in `folder`, it is looked for there."""

    def __init__(self, folder: str | Path, remote: Remote | None = None):
        self.folder, self.remote = Path(folder), remote

    def object_path(self, version: str) -> Path:
        return self.folder / "objects" / version[:2] / f"{version}.safetensors"

    def record_path(self, recipe_id: str) -> Path:
        return self.folder / "recipes" / recipe_id[:2] / f"{recipe_id}.json"

    def checkpoint_path(self, name: str) -> Path:
        return self.folder / "checkpoints" / f"{name}.safetensors"

    def find(self, recipe_id: str) -> Record | None:
        """What the recipe made, or None where it was never made or its artifact is gone."""
        record = self.recorded(recipe_id)
        return record if record and self._has(record["version"]) else None

    def _has(self, version: str) -> bool:
        """Whether an artifact is there, now that it was fetched where a remote has it."""
        return self.object_path(version).is_file() or (
            self.remote is not None and fetch_artifact(self, self.remote, version)
        )

    def recorded(self, recipe_id: str) -> Record | None:
        """The record of what the recipe made, whether its artifact is there or not."""
        path = self.record_path(recipe_id)
        try:
            return read_record(path)
        except FileNotFoundError:
            return fetch_record(self, self.remote, recipe_id) if self.remote else None
        except OSError as error:
            raise StoreError(f"{path}: cannot be read ({error.strerror})") from error
        except DAMAGE as error:
            raise self._put_aside(path, str(error), read_record) from error

    def save(self, recipe: Recipe, tensors: Mapping[str, torch.Tensor], **notes: Any) -> Record:
        """Keep what `recipe` made, with `notes` (facts, route, made_by, …), and send it. Gives the record."""
        if self.remote:
            marked = mark_unsent(self, recipe.id)  # before it is there: its process may be killed at any instant
        version = self.put(tensors)
        record = {"recipe": recipe.content, "version": version, "facts": {}, "route": {}, **notes}
        sealed = json.dumps({"record": record, "sha256": _seal(record)}, indent=1)
        write(self.record_path(recipe.id), sealed.encode())
        if self.remote:
            mark_unsent(self, recipe.id)  # again: another process that sends may have seen what was there before
            marked.unlink(missing_ok=True)
            send(self, self.remote)
        return record

    def put(self, tensors: Mapping[str, torch.Tensor]) -> str:
        """Keep tensors; gives their data version."""
        from safetensors.torch import save

        from lth_pipeline.lottery.digest import digest

        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        version = digest(tensors)
        path = self.object_path(version)
        if not path.is_file():
            write(path, save(tensors))
        return version

    def load(self, version: str) -> dict[str, torch.Tensor]:
        """The tensors of a data version, verified."""
        path = self.object_path(version)
        self._has(version)  # fetched, where it has to be
        try:
            return _artifact(path)
        except DAMAGE as error:
            raise self._put_aside(path, str(error), _artifact) from error

    def _put_aside(self, path: Path, why: str, read: Callable[[Path], Any]) -> StoreError:
        """Move a damaged file out of the way, unless another process has by now. Gives the error to raise."""
        aside = self.folder / "damaged" / f"{path.name}.{uuid4().hex[:8]}"
        try:
            with self.claimed(f"damaged.{path.name}", wait=True):
                with suppress(*DAMAGE):
                    read(path)
                    return DamagedError(f"{path}: was damaged ({why}), and has been made anew by now; run again")
                aside.parent.mkdir(parents=True, exist_ok=True)
                path.replace(aside)
        except (FileNotFoundError, DamagedError):  # another process has put it aside
            return DamagedError(f"{path}: was damaged ({why}); run again")
        except OSError as error:
            return StoreError(
                f"{path}: is damaged ({why}) and cannot be put aside ({error.strerror}); remove the file and run "
                f"again, and the step that makes it is computed anew"
            )
        return DamagedError(f"{path}: was damaged ({why}); it is put aside as {aside}; a run makes anew what was in it")

    def save_checkpoint(
        self, name: str, tensors: Mapping[str, torch.Tensor], route: Record, of: Sequence[str] = ()
    ) -> None:
        """Keep the state of a half-done training, sealed with its digest and its route.

        name: the recipe's id; of trainings that run together `name_together`, and `of` their ids.
        """
        from safetensors.torch import save

        metadata = {"seal": _checkpoint_seal(tensors, route), "of": " ".join(of)}
        write(self.checkpoint_path(name), save(dict(tensors), metadata=metadata))

    def load_checkpoint(self, name: str, route: Record) -> dict[str, torch.Tensor] | None:
        """The state kept, or None. One that is damaged, or of another route, is as good as none: it starts over."""
        from safetensors import SafetensorError, safe_open

        path = self.checkpoint_path(name)
        self._drop_halves(name)
        if not path.is_file():
            return None
        try:
            with safe_open(path, framework="pt") as file:
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
                return tensors if (file.metadata() or {}).get("seal") == _checkpoint_seal(tensors, route) else None
        except (SafetensorError, OSError, TypeError, ValueError):  # the last two: dtypes and shapes that we never write
            return None

    def trained_together(self, recipe_id: str) -> list[tuple[str, ...]]:
        """The ids of those that trained together with a recipe, its own among them, where a state of them is kept."""
        paths = sorted((self.folder / "checkpoints").glob(f"{TOGETHER}*.safetensors"))
        return [ids for path in paths if recipe_id in (ids := members_of(path))]

    def drop_checkpoint(self, name: str) -> None:
        path = self.checkpoint_path(name)
        self._drop_halves(name)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"{path}: cannot be removed ({error.strerror}); free its permissions") from error

    def _drop_halves(self, name: str) -> None:
        """Remove what a process left that was killed while it wrote a checkpoint: they may be gigabytes."""
        path = self.checkpoint_path(name)
        for half in path.parent.glob(half_written(path)):
            with suppress(OSError):
                half.unlink(missing_ok=True)

    def drop_finished(self, recipe_id: str) -> None:
        """Remove what a process left that was killed when it had kept a training, but not yet dropped its state."""
        if self.checkpoint_path(recipe_id).is_file():  # or it would be asked of a disk that may be read-only
            self.drop_checkpoint(recipe_id)
        for ids in self.trained_together(recipe_id):
            if all(map(self.find, ids)):
                self.drop_checkpoint(name_together(ids))

    @contextmanager
    def claimed(self, name: str, *, wait: bool) -> Iterator[bool]:
        """The claim `name` (`files.claimed`): to make what a recipe of this id makes, say."""
        path = self.folder / "claims" / name
        with ExitStack() as held:
            try:
                mine = held.enter_context(claimed(path, wait=wait))
            except OSError as error:
                raise StoreError(f"{path}: cannot be written ({error.strerror}); free space or permissions") from error
            yield mine

    def ensure_writable(self) -> None:
        """Raise StoreError now rather than after an hour of training."""
        ensure_writable(self.folder, StoreError)


def members_of(path: Path) -> tuple[str, ...]:
    """The recipe ids that a checkpoint of several trainings is of, from its head; none where it cannot be read."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            head = json.loads(file.read(length)) if length < path.stat().st_size else {}
            return tuple(head.get("__metadata__", {}).get("of", "").split())
    except (OSError, ValueError, AttributeError, RecursionError):
        return ()


def write(path: Path, content: bytes) -> None:
    try:
        write_atomically(path, content)
    except OSError as error:
        raise StoreError(
            f"{path}: cannot be written ({error.strerror}); nothing was kept of it. "
            f"Free space or permissions, then run again: what is done is not done twice"
        ) from error


def read_record(path: Path) -> Record:
    """The record in a file, verified. Raises OSError, and one of DAMAGE of what is no record."""
    return record_in(path.read_bytes())


def record_in(content: bytes) -> Record:
    """The same of what is in one."""
    sealed = json.loads(content)
    record = sealed["record"]
    if sealed["sha256"] != _seal(record):
        raise ValueError("its checksum does not fit")
    if not isinstance(record["version"], str) or not VERSION.fullmatch(record["version"]):
        raise ValueError("it names no data version")
    if not all(isinstance(record[part], dict) for part in ("facts", "route")):
        raise ValueError("its facts or its route are none")
    return record


def _artifact(path: Path) -> dict[str, torch.Tensor]:
    """Raises StoreError where it cannot be read, and one of DAMAGE of what is not the artifact of that name."""
    try:
        return artifact_in(path.read_bytes(), path.stem)
    except FileNotFoundError as error:
        raise DamagedError(f"{path}: is not there; run again, and the step that makes it is computed anew") from error
    except OSError as error:
        raise StoreError(f"{path}: cannot be read ({error.strerror})") from error


def artifact_in(content: bytes, version: str) -> dict[str, torch.Tensor]:
    """The tensors in a file. Raises one of DAMAGE where they are not those of that data version."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    from lth_pipeline.lottery.digest import digest

    try:
        tensors = dict(sorted(load(content).items()))  # safetensors gives them in no order, and sums over them round
    except SafetensorError as error:
        raise ValueError(str(error)) from error
    if digest(tensors) != version:
        raise ValueError("its content does not have the SHA-256 that it is named by")
    return tensors


def _seal(record: Record) -> str:
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def _checkpoint_seal(tensors: Mapping[str, torch.Tensor], route: Record) -> str:
    from lth_pipeline.lottery.digest import digest

    return _seal({"content": digest(tensors), "route": route})
