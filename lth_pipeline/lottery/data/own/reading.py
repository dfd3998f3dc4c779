"""Reading a source into the cache: once, with several threads, never more than a few images in memory."""

from __future__ import annotations

import os
import shutil
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from lth_pipeline.lottery.data.dirs import DataDirs
from lth_pipeline.lottery.data.own import cache
from lth_pipeline.lottery.data.own.decode import decode
from lth_pipeline.lottery.data.own.known import ImageSet, recalled
from lth_pipeline.lottery.data.own.layout import Layout, layout
from lth_pipeline.lottery.data.own.listing import (
    fingerprint,
    folder_entries,
    member_entry,
    opened,
    tar_entries,
)
from lth_pipeline.lottery.data.own.source import Source, locate
from lth_pipeline.lottery.errors import DataError

Progress = Callable[[int, int], None]
Place = tuple[str, int]  # part, row
CHUNK = 64  # images a thread decodes at a time


def read(source: Source, dirs: DataDirs, progress: Progress | None = None) -> ImageSet:
    """The images of `source`, from the cache where it has not changed since they were read. Raises DataError.

    progress: called with (images done, images in all) while they are read; not at all where they need not be.
    """
    path = locate(source, dirs)
    now = fingerprint(path)
    before = recalled(source.key, dirs)
    if before and before[0] == now and cache.is_whole(before[1]):
        return before[1]
    entries = tar_entries(path) if path.is_file() else folder_entries(path)
    plan = layout(path, entries)
    with cache.writing(dirs) as folder:
        _fill(path, plan, source, dirs, folder, progress or (lambda done, total: None))
        return cache.keep(folder, source.key, now, plan.class_names, dirs)


@dataclass
class _Arrays:
    """The arrays of one set while they are filled."""

    images: dict[str, np.ndarray]
    sums: np.ndarray
    squares: np.ndarray
    first: str  # the image that says how large all are

    def put(self, place: Place, name: PurePosixPath, pixels: np.ndarray) -> None:
        part, row = place
        wanted = self.images[part].shape[1:]
        if pixels.shape != wanted:
            sizes = [f"{shape[2]} × {shape[1]}" for shape in (wanted, pixels.shape)]
            raise DataError(
                f"{self.first} has {sizes[0]} pixels and {name} has {sizes[1]}: give data.image_size, to which all are "
                f"resized and cropped, such as image_size: {min(*wanted[1:], *pixels.shape[1:])}"
            )
        self.images[part][row] = pixels
        if part == "train":
            whole = pixels.astype(np.int64)
            self.sums[row] = whole.sum((1, 2))
            self.squares[row] = (whole * whole).sum((1, 2))


def _fill(path: Path, plan: Layout, source: Source, dirs: DataDirs, folder: Path, progress: Progress) -> None:
    parts = {"train": plan.train, "test": plan.test}
    places = {name: (part, row) for part, images in parts.items() for row, (name, _) in enumerate(images)}
    contents = _tar_contents(path, places) if path.is_file() else _folder_contents(path, places)
    broken: list[str] = []
    arrays: _Arrays | None = None
    done = 0

    def decoded(chunk: list[tuple[PurePosixPath, bytes]]) -> int:
        for name, content in chunk:
            try:
                pixels = decode(content, source)
            except ValueError as error:
                broken.append(f"{name} ({error})")
                continue
            arrays.put(places[name], name, pixels)
        return len(chunk)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        waiting: deque[Future[int]] = deque()
        try:
            for chunk in _chunks(contents):
                while arrays is None and chunk:
                    try:
                        shape = decode(chunk[0][1], source).shape
                        arrays = _new_arrays(folder, parts, shape, str(chunk[0][0]), dirs)
                    except ValueError as error:
                        broken.append(f"{chunk[0][0]} ({error})")
                        del chunk[0]
                waiting.append(pool.submit(decoded, chunk))
                if len(waiting) > 4 * (os.cpu_count() or 1):
                    done += waiting.popleft().result()
                    progress(done, len(places))
            while waiting:
                done += waiting.popleft().result()
                progress(done, len(places))
        finally:
            pool.shutdown(cancel_futures=True)
    if broken:
        more = f", and {len(broken) - 5:,} more" if len(broken) > 5 else ""
        raise DataError(f"{path}: broken images: {'; '.join(sorted(broken)[:5])}{more}; mend them or take them out")
    for part, images in parts.items():
        np.save(folder / f"{part}_labels.npy", np.array([label for _, label in images], dtype=np.int64))
    for array in (*arrays.images.values(), arrays.sums, arrays.squares):
        array.flush()


def _new_arrays(folder: Path, parts: dict, shape: tuple[int, ...], first: str, dirs: DataDirs) -> _Arrays:
    channels, needed = shape[0], int(np.prod(shape)) * sum(map(len, parts.values()))
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DataError(
            f"{dirs.cache}: the images take {needed:,} bytes and {free:,} are free; free some, give a smaller "
            f"data.image_size, or point LTH_CACHE_DIR elsewhere"
        )
    images = {
        part: cache.new_array(folder / f"{part}_images.npy", (len(listed), *shape), "u1")
        for part, listed in parts.items()
    }
    sums, squares = (
        cache.new_array(folder / f"train_{name}.npy", (len(parts["train"]), channels), "i8")
        for name in ("sums", "squares")
    )
    return _Arrays(images, sums, squares, first)


def _folder_contents(path: Path, places: dict[PurePosixPath, Place]) -> Iterator[tuple[PurePosixPath, bytes]]:
    for name in places:
        try:
            content = (path / name).read_bytes()
        except OSError as error:
            raise DataError(f"{path / name}: cannot be read ({error.strerror})") from error
        yield name, content


def _tar_contents(path: Path, places: dict[PurePosixPath, Place]) -> Iterator[tuple[PurePosixPath, bytes]]:
    """In the order of the archive, which may be packed and so cannot be jumped about in."""
    with opened(path) as archive:
        for member in archive:
            entry = member_entry(path, member)
            if entry is None or entry.path not in places:
                continue
            file = archive.extractfile(member)
            content = file.read() if file else b""
            if len(content) != member.size:
                raise DataError(f"{path}: ends in the middle of {member.name}; pack or fetch it anew")
            yield entry.path, content


def _chunks(contents: Iterator[tuple[PurePosixPath, bytes]]) -> Iterator[list[tuple[PurePosixPath, bytes]]]:
    chunk: list[tuple[PurePosixPath, bytes]] = []
    for item in contents:
        chunk.append(item)
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
