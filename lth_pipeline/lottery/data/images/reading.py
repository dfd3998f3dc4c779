"""All images of a source, decoded by several threads into arrays on the disk: never all of them in memory."""

from __future__ import annotations

import os
import shutil
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from math import prod
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from lth_pipeline.lottery.data.images import content, npy
from lth_pipeline.lottery.data.images.decode import Chunk, decode_chunk, prepare
from lth_pipeline.lottery.data.images.layout import Layout, Row
from lth_pipeline.lottery.data.images.source import COLOURS, ImageSet, Source, shown
from lth_pipeline.lottery.data.images.writing import writing
from lth_pipeline.lottery.errors import DataError

Progress = Callable[[int, int], None]
Contents = Generator[tuple[Row, Path | bytes], None, None]
#: Images decoded at a time by one thread: so many at most, and until their files have so many bytes. 1,200 JPEGs of
#: 768 × 768 pixels (2.1 GB) were read within 0.2 GB of memory on two cores.
CHUNK, CHUNK_BYTES = 64, 2**18
NAMED = 5


class _Begun(NamedTuple):
    """An array of images that is being written. offset: where its values begin in the file."""

    file: IO[bytes]
    offset: int


def build(
    source: Source, layout: Layout, contents: Contents, cache: Path, where: str, progress: Progress | None
) -> ImageSet:
    """Decode `contents`, the rows of `layout` in any order, into a content folder of `cache`.

    where: what messages call the source. progress: called with (images done, all images), may raise.
    Whatever is raised, DataError or not, nothing is left behind.
    """
    prepare()
    with writing(cache):
        folder = content.unfinished(cache)
    try:
        with closing(contents):
            shapes = _fill(folder, source, layout, contents, where, progress)
        with writing(cache):
            return content.install(folder, cache, content.seal(folder, layout.class_names, shapes))
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # where it was not renamed


def _fill(
    folder: Path, source: Source, layout: Layout, contents: Contents, where: str, progress: Progress | None
) -> dict[str, tuple[int, ...]]:
    """Write every array of `content.ARRAYS` into `folder`; their shapes. DataError where one image is not right."""
    counts = {part: len(rows) for part, rows in layout.rows.items()}
    channels, total, done = COLOURS[source.colour], sum(counts.values()), 0
    sums, squares = np.zeros((2, counts["train"], channels), np.int64)
    sizes: dict[tuple[int, int], str] = {}
    broken: list[tuple[str, str]] = []
    with ExitStack() as files, closing(_decoded(contents, source)) as chunks:
        side = source.image_size
        begun = _begin(folder, counts, (channels, side, side), files) if side else {}
        for chunk in chunks:
            for size, name in chunk.sizes.items():
                sizes.setdefault(size, name)
            broken += chunk.broken
            if len(sizes) > 1:
                raise DataError(_mixed(sizes, where))
            if chunk.rows:
                if not begun:
                    begun = _begin(folder, counts, (channels, *next(iter(sizes))), files)
                with writing(folder):
                    _put(begun, chunk)
                train = [number for number, row in enumerate(chunk.rows) if row.part == "train"]
                index = [chunk.rows[number].index for number in train]
                sums[index], squares[index] = chunk.sums[train], chunk.squares[train]
            done += len(chunk.rows) + len(chunk.broken)
            if progress:
                progress(done, total)
    if broken:
        raise DataError(_unreadable(broken, total, where))
    small = {f"{part}_labels": np.array([row.label for row in rows], np.int64) for part, rows in layout.rows.items()}
    small |= {"train_sums": sums, "train_squares": squares}
    with writing(folder):
        for name, array in small.items():
            npy.write(folder / f"{name}.npy", array.astype(content.ARRAYS[name], copy=False))
    shapes = {f"{part}_images": (count, channels, *next(iter(sizes))) for part, count in counts.items()}
    return shapes | {name: array.shape for name, array in small.items()}


def _begin(folder: Path, counts: dict[str, int], image: tuple[int, ...], files: ExitStack) -> dict[str, _Begun]:
    """The files of train and test images, closed with `files`. DataError where the disk has no room for them."""
    begun = {}
    with writing(folder):
        need, free = sum(counts.values()) * (prod(image) + 8) + counts["train"] * image[0] * 16, _free(folder)
        if need > free:
            raise DataError(
                f"{folder.parent}: needs {need / 1e9:,.2f} GB for {sum(counts.values()):,} images of "
                f"{'×'.join(map(str, image))} and has {free / 1e9:,.2f} GB free; free space, give a smaller "
                f"image_size, or choose another folder for the cache with LTH_CACHE_DIR"
            )
        for part, count in counts.items():
            file = files.enter_context((folder / f"{part}_images.npy").open("wb"))
            begun[part] = _Begun(file, npy.begin(file, content.IMAGES, (count, *image)))
    return begun


def _free(folder: Path) -> int:
    return shutil.disk_usage(folder).free


def _put(begun: dict[str, _Begun], chunk: Chunk) -> None:
    """Write the images of `chunk` to their rows, those that follow each other at once. Raises OSError.

    Not through a mapping: where the disk gets full, writing to one kills the process.
    """
    first, rows = 0, chunk.rows
    for last in range(1, len(rows) + 1):
        if last < len(rows) and (rows[last].part, rows[last].index) == (rows[last - 1].part, rows[last - 1].index + 1):
            continue
        file, offset = begun[rows[first].part]
        file.seek(offset + rows[first].index * chunk.pixels[0].nbytes)
        file.write(chunk.pixels[first:last].data)
        first = last


def _decoded(contents: Contents, source: Source) -> Iterator[Chunk]:
    """Chunks of `contents` in their order, decoded by as many threads as there are processors."""
    workers = os.cpu_count() or 1
    waiting: deque[Future[Chunk]] = deque()
    pool = ThreadPoolExecutor(workers)
    try:
        for chunk in _chunks(contents):
            waiting.append(pool.submit(decode_chunk, chunk, source.image_size, source.colour))
            if len(waiting) > workers + 1:  # one for each to go on with, and no more in memory
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _chunks(contents: Contents) -> Iterator[list[tuple[Row, Path | bytes]]]:
    chunk, size = [], 0
    for row, place in contents:
        chunk.append((row, place))
        size += row.file.size
        if len(chunk) == CHUNK or size > CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _mixed(sizes: dict[tuple[int, int], str], where: str) -> str:
    two = [f"{shown(name)} has {width}×{height}" for (height, width), name in list(sizes.items())[:2]]
    side = min(min(size) for size in sizes)
    return (
        f"{where}: images of several sizes: {' and '.join(two)} pixels; give image_size, such as `image_size: {side}`: "
        f"each is then scaled and cropped to such a square"
    )


def _unreadable(broken: list[tuple[str, str]], total: int, where: str) -> str:
    listed = "\n".join(f"  {shown(name)}: {reason}" for name, reason in broken[:NAMED])
    more = f"\n  and {len(broken) - NAMED:,} more" if len(broken) > NAMED else ""
    return f"{where}: {len(broken):,} of {total:,} images cannot be read; replace or remove them:\n{listed}{more}"
