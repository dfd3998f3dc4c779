"""What is known of an experiment's data before it is loaded; own images must have been read once."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from lth_pipeline.experiments.settings import DataSettings
from lth_pipeline.lottery.data import DATASETS, DataDirs, DataError, Facts

if TYPE_CHECKING:
    from lth_pipeline.lottery.data.images import ImageSet, Source


def facts_of(data: DataSettings, dirs: DataDirs | None) -> Facts:
    """Raises DataError for own images that have not been read."""
    found = known_facts(data, dirs)
    if found is None:
        raise DataError(f"{data.path}: these images have not been read yet; `lth show CARD` reads them, or a run")
    return found


def known_facts(data: DataSettings, dirs: DataDirs | None) -> Facts | None:
    """The same, or None for own images that have not been read."""
    if data.name != "images":
        return DATASETS[data.name]
    found = _recalled(source_of(data), dirs) if dirs else None
    if found is None:
        return None
    return Facts(
        title_of(data), found.image_shape, len(found.class_names), found.train, found.test, found.digest, "your own"
    )


@lru_cache(maxsize=64)
def _recalled(source: Source, dirs: DataDirs) -> ImageSet | None:
    """Remembered: the results of a thousand replicates ask a thousand times."""
    from lth_pipeline.lottery.data import images

    return images.recall(source, dirs)


def source_of(data: DataSettings) -> Source | None:
    """Where own images lie and how they are read; None for a published set."""
    if data.name != "images":
        return None
    from lth_pipeline.lottery.data.images import Source

    return Source(data.path, data.image_size, data.colour)


def title_of(data: DataSettings) -> str:
    """What figures and tables call the data."""
    if data.name != "images":
        return DATASETS[data.name].title
    return data.title or PurePosixPath(data.path).name.split(".")[0]


def parts_of(data: DataSettings, facts: Facts) -> tuple[int, int, int]:
    """Images to train, validate and test on; below 1 where the settings leave nothing."""
    held_out = 0 if facts.test else data.test_size or 0
    left = facts.train - held_out - data.validation_size
    test = min(data.test_size or facts.test, facts.test) if facts.test else held_out
    return min(data.train_size or left, left), data.validation_size, test


def prepare(data: DataSettings, dirs: DataDirs, progress: Callable[[int, int], None] | None = None) -> None:
    """Read own images into the cache where that is not done, or where they have changed since."""
    if data.name == "images":
        from lth_pipeline.lottery.data import images

        images.read(source_of(data), dirs, progress)
        _recalled.cache_clear()
