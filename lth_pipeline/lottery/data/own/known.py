"""What the last reading of each source found. No torch here: cards are checked against it when they are loaded."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from lth_pipeline.lottery.data.dirs import DataDirs
from lth_pipeline.lottery.data.own.source import Source


@dataclass(frozen=True)
class ImageSet:
    """What is known of own images once they have been read.

    digest: SHA-256 (`lottery.digest`) over pixels and labels: the same for a folder and an archive of it.
    test: 0 where the source has no test part. folder: of the arrays.
    """

    digest: str
    image_shape: tuple[int, int, int]
    class_names: tuple[str, ...]
    train: int
    test: int
    folder: Path


def recalled(key: str, dirs: DataDirs) -> tuple[str, ImageSet] | None:
    """(fingerprint, set) that the last reading of the source `key` found; None where there was none, or it is gone."""
    try:
        remembered = json.loads((root_of(dirs) / "sources" / f"{key}.json").read_text())
        folder = root_of(dirs) / "content" / remembered["digest"]
        facts = json.loads((folder / "facts.json").read_text())
        return remembered["fingerprint"], ImageSet(
            remembered["digest"],
            tuple(facts["image_shape"]),
            tuple(facts["class_names"]),
            int(facts["train"]),
            int(facts["test"]),
            folder,
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def recall(source: Source, dirs: DataDirs) -> ImageSet | None:
    """What the last reading of `source` found, without a look at it; None where it was never read."""
    found = recalled(source.key, dirs)
    return found[1] if found else None


def root_of(dirs: DataDirs) -> Path:
    return dirs.cache / "images"
