"""The cache of own images: arrays by their content, and what the last reading of each source found.

    images/sources/<source key>.json       fingerprint and digest of the source as it was read
    images/content/<digest>/*.npy          pixels and labels; facts.json beside them

A folder of content is made beside, whole, and then renamed, so one that is there is complete. It is verified when it
is opened, and may be deleted at any time: the source is read anew.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lth_pipeline.lottery.data.dirs import DataDirs
from lth_pipeline.lottery.data.own.known import ImageSet, root_of
from lth_pipeline.lottery.digest import digest
from lth_pipeline.lottery.errors import DataError

CONTENT = ("train_images", "train_labels", "test_images", "test_labels")  # what the digest covers
SUMS = ("train_sums", "train_squares")
VERIFIED = 2**30  # bytes: a larger set is verified by the sizes of its files (1 GB takes a second)


def arrays(found: ImageSet) -> dict[str, torch.Tensor]:
    """train_images, test_images uint8 (N, C, H, W), *_labels int64 (N,), and of each training image and channel the
    sum of its pixels and of their squares: train_sums, train_squares int64 (N, C). Images are mapped, not read."""
    return {name: _mapped(found.folder / f"{name}.npy") for name in (*CONTENT, *SUMS)}


def is_whole(found: ImageSet) -> bool:
    """Whether the arrays are what was written: by content, or of a large set by shape and size."""
    try:
        tensors = arrays(found)
        shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
        channels = found.image_shape[0]
        right = {
            "train_images": (found.train, *found.image_shape),
            "train_labels": (found.train,),
            "test_images": (found.test, *found.image_shape),
            "test_labels": (found.test,),
            **{name: (found.train, channels) for name in SUMS},
        }
        if shapes != right:
            return False
        if sum(tensors[name].numel() * tensors[name].element_size() for name in CONTENT) > VERIFIED:
            return True
        if (
            digest({name: tensors[name] for name in SUMS})
            != json.loads((found.folder / "facts.json").read_text())["sums"]
        ):
            return False
        return digest({name: tensors[name] for name in CONTENT}) == found.digest
    except (OSError, ValueError, KeyError, TypeError):
        return False


@contextlib.contextmanager
def writing(dirs: DataDirs) -> Iterator[Path]:
    """A folder to make new content in; it is gone afterwards unless `keep` took it. Disk errors are DataErrors."""
    root = root_of(dirs)
    try:
        (root / "content").mkdir(parents=True, exist_ok=True)
        (root / "sources").mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=root, prefix="reading-", ignore_cleanup_errors=True) as folder:
            yield Path(folder)
    except OSError as error:
        raise DataError(
            f"{root}: own images cannot be kept there ({error.strerror or error}); free space, change its permissions, "
            f"or point LTH_CACHE_DIR elsewhere"
        ) from error


def new_array(path: Path, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """A file of zeros, mapped to be written. Its place on the disk is taken at once: to write a mapped page for which
    there is none kills the process."""
    array = np.lib.format.open_memmap(path, "w+", dtype, shape)
    with path.open("r+b") as file:
        os.posix_fallocate(file.fileno(), 0, max(1, path.stat().st_size))
    return array


def keep(folder: Path, key: str, fingerprint: str, class_names: tuple[str, ...], dirs: DataDirs) -> ImageSet:
    """Put the arrays in `folder` in their place and remember what source they came from."""
    tensors = {name: _mapped(folder / f"{name}.npy") for name in (*CONTENT, *SUMS)}
    found = digest({name: tensors[name] for name in CONTENT})
    images = tensors["train_images"]
    facts = {
        "image_shape": list(images.shape[1:]),
        "class_names": list(class_names),
        "train": len(images),
        "test": len(tensors["test_images"]),
        "sums": digest({name: tensors[name] for name in SUMS}),
    }
    del tensors, images
    _write_json(folder / "facts.json", facts)
    for path in folder.iterdir():
        _flush(path)
    target = root_of(dirs) / "content" / found
    made = ImageSet(found, tuple(facts["image_shape"]), class_names, int(facts["train"]), int(facts["test"]), target)
    _move(folder, made)
    _write_json(root_of(dirs) / "sources" / f"{key}.json", {"fingerprint": fingerprint, "digest": found})
    return made


def _move(folder: Path, made: ImageSet) -> None:
    target = made.folder
    if target.is_dir() and is_whole(made):
        return  # the same images came from elsewhere, or another process was first
    moved = folder.parent / f"{folder.name}-whole"
    folder.rename(moved)
    folder.mkdir()  # for the clean-up of what was here
    with contextlib.suppress(OSError):
        shutil.rmtree(target)
    try:
        moved.rename(target)
    except OSError:
        shutil.rmtree(moved, ignore_errors=True)
        if not is_whole(made):
            raise


def _mapped(path: Path) -> torch.Tensor:
    """Copy on write: what would change it changes this process's copy alone."""
    array = np.load(path, allow_pickle=False, mmap_mode="c") if path.stat().st_size > 4096 else np.load(path)
    return torch.from_numpy(array)


def _write_json(path: Path, content: dict[str, Any]) -> None:
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}-", delete=False) as file:
        json.dump(content, file)
    Path(file.name).replace(path)


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
