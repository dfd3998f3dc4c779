"""Own images as they are asked for: from the cache where the source is unchanged, or else read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lth_pipeline.lottery.data.dirs import DataDirs
from lth_pipeline.lottery.data.images import archive, content, folder, npy
from lth_pipeline.lottery.data.images.layout import arrange
from lth_pipeline.lottery.data.images.reading import Progress, build
from lth_pipeline.lottery.data.images.records import Record, recorded, remember
from lth_pipeline.lottery.data.images.source import ImageSet, Source, checked, located, permitted
from lth_pipeline.lottery.errors import DataError

if TYPE_CHECKING:
    import torch


def read(source: Source, dirs: DataDirs, progress: Progress | None = None) -> ImageSet:
    """The images of `source`; DataError, naming file and remedy, where they cannot be had.

    A source that looks unchanged (sizes and times of its files) is taken from the cache if that is whole; any other
    is read. progress: called with (images done, all images) while it is.
    """
    where = located(source, dirs)
    kind = folder if where.is_dir() else archive
    if kind is folder and Path(source.path).is_absolute():
        folder.refuse_ways_out(where, dirs.allowed)
    seen = kind.fingerprint(where)
    record = recorded(source, dirs.cache)
    if record and record.fingerprint == seen and (found := content.find(dirs.cache, record.digest)):
        return found
    layout = arrange(kind.scan(where), str(where))
    rows = [row for part in layout.rows.values() for row in part]
    read = build(source, layout, kind.contents(where, rows), dirs.cache, str(where), progress)
    if kind.fingerprint(where) != seen:
        raise DataError(f"{where}: was changed while it was read; try again when nothing writes to it any more")
    remember(source, dirs.cache, Record(seen, read.digest))
    return read


def recall(source: Source, dirs: DataDirs) -> ImageSet | None:
    """What the last reading of `source` found, wherever it is now; None where there was none or the cache is gone, and
    where it is not allowed any more."""
    source = checked(source)
    try:
        permitted(source, dirs)
    except DataError:
        return None
    record = recorded(source, dirs.cache)
    return content.find(dirs.cache, record.digest, hashing=False) if record else None


def arrays(image_set: ImageSet) -> dict[str, torch.Tensor]:
    """train_images, test_images: uint8 (N, C, H, W), mapped from files: read when touched, changes stay in memory.

    train_labels, test_labels: int64 (N,). train_sums, train_squares: int64 (N, C), for each training image and channel
    the sum over its pixels and over their squares.
    """
    import torch

    train, test, channels = image_set.train, image_set.test, image_set.image_shape[0]
    shapes = {"train_images": (train, *image_set.image_shape), "test_images": (test, *image_set.image_shape)}
    shapes |= {"train_labels": (train,), "test_labels": (test,)}
    shapes |= {"train_sums": (train, channels), "train_squares": (train, channels)}
    found = {}
    for name, dtype in content.ARRAYS.items():
        path, mapped = image_set.folder / f"{name}.npy", "c" if dtype == content.IMAGES else None
        if not npy.fits(path, dtype, shapes[name]):  # before numpy takes the memory that its header announces
            raise DataError(f"{path}: damaged since it was opened; try again: it is read anew")
        try:
            found[name] = torch.from_numpy(np.load(path, mmap_mode=mapped, allow_pickle=False))
        except npy.CHECKED as error:
            raise DataError(f"{path}: damaged since it was opened ({error}); try again: it is read anew") from error
    return found
