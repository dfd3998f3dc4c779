"""What was read, kept by its content: cache/images/content/<digest>/{train_images,…}.npy and facts.json.

A folder is renamed into place when it is whole, and what is in it can be checked against its name.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import time
from pathlib import Path

from lth_pipeline.lottery.data.images import npy
from lth_pipeline.lottery.data.images.source import ImageSet
from lth_pipeline.lottery.data.images.writing import flush, write_whole

IMAGES, LABELS, SUMS = "|u1", "<i8", "<i8"
ARRAYS = {
    "train_images": IMAGES,
    "train_labels": LABELS,
    "test_images": IMAGES,
    "test_labels": LABELS,
    "train_sums": SUMS,
    "train_squares": SUMS,
}
#: Values of the arrays are compared with their SHA-256 at every opening, up to so many bytes of images: less than
#: a second at 1.5 GB/s. Beyond it only shapes and sizes of the images are.
HASHED_BYTES = 10**9
UNFINISHED = "reading-"
#: An unfinished folder that was not written to for so long was left by a process that was killed. In seconds.
ABANDONED = 24 * 3600


def folder_of(cache: Path) -> Path:
    return cache / "images" / "content"


def unfinished(cache: Path) -> Path:
    """A new folder to write arrays into; those that killed processes left are removed. Raises OSError."""
    folder = folder_of(cache)
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob(f"{UNFINISHED}*"):
        times = [path.stat().st_mtime for path in (old, *old.glob("*")) if path.exists()]
        if times and max(times) < time.time() - ABANDONED:
            shutil.rmtree(old, ignore_errors=True)
    made = Path(tempfile.mkdtemp(dir=folder, prefix=UNFINISHED))
    made.chmod(0o755)
    return made


def seal(folder: Path, class_names: tuple[str, ...], shapes: dict[str, tuple[int, ...]]) -> str:
    """Write facts.json beside the finished arrays, flush all to the disk; the digest. Raises OSError."""
    arrays = {name: {"shape": shapes[name], "sha256": npy.hashed(folder / f"{name}.npy")} for name in ARRAYS}
    facts = {"class_names": class_names, "arrays": arrays}
    for name in ARRAYS:
        flush(folder / f"{name}.npy")
    write_whole(folder / "facts.json", json.dumps(facts, indent=1).encode())
    flush(folder)
    return _digest(facts)


def install(folder: Path, cache: Path, digest: str) -> ImageSet:
    """Give the sealed `folder` its place; if another process was first, that one's stays. Raises OSError.

    A damaged one is repaired file by file: who looks at it meanwhile finds each file either damaged or whole.
    """
    place = folder_of(cache) / digest
    if place.exists() and not place.is_dir():
        place.unlink()
    try:
        folder.rename(place)
    except OSError:
        if not place.is_dir():
            raise
        if not find(cache, digest):
            for name in (*(f"{array}.npy" for array in ARRAYS), "facts.json"):
                if (place / name).is_dir():
                    shutil.rmtree(place / name)
                (folder / name).replace(place / name)
    flush(place)
    flush(place.parent)
    installed = find(cache, digest, hashing=False)
    if not installed:
        raise OSError(f"what was written to {place} is not there")
    return installed


def find(cache: Path, digest: str, hashing: bool = True) -> ImageSet | None:
    """The content `digest`, if it is there and whole. hashing: compare values too, not only shapes and sizes."""
    folder = folder_of(cache) / digest
    try:
        facts = json.loads((folder / "facts.json").read_bytes())
        shapes = {name: tuple(facts["arrays"][name]["shape"]) for name in ARRAYS}
        if _digest(facts) != digest or not _agree(shapes):
            return None
        if not all(npy.fits(folder / f"{name}.npy", dtype, shapes[name]) for name, dtype in ARRAYS.items()):
            return None
        large = sum((folder / f"{part}_images.npy").stat().st_size for part in ("train", "test")) > HASHED_BYTES
        hashed = [name for name, dtype in ARRAYS.items() if hashing and not (large and dtype == IMAGES)]
        if any(npy.hashed(folder / f"{name}.npy") != facts["arrays"][name]["sha256"] for name in hashed):
            return None
    except (*npy.CHECKED, LookupError, AttributeError, RecursionError):
        return None
    train, *image_shape = shapes["train_images"]
    return ImageSet(digest, tuple(image_shape), tuple(facts["class_names"]), train, shapes["test_images"][0], folder)


def _digest(facts: dict) -> str:
    """SHA-256 over class names, and shape, type and SHA-256 of the values of each array of `ARRAYS` but for sums."""
    arrays = [
        (name, ARRAYS[name], facts["arrays"][name]["shape"], facts["arrays"][name]["sha256"])
        for name in ("train_images", "train_labels", "test_images", "test_labels")
    ]
    return hashlib.sha256(json.dumps([facts["class_names"], arrays]).encode()).hexdigest()


def _agree(shapes: dict[str, tuple[int, ...]]) -> bool:
    """Whether the shapes of the sums, which the digest leaves out, are those that the images ask for."""
    return shapes["train_sums"] == shapes["train_squares"] == shapes["train_images"][:2]
