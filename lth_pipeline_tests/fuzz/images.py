"""Own images: archives, the files in them, and the cache's own files."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from PIL import Image

from lth_pipeline.lottery.data.images import Source, archive, arrays, content, read
from lth_pipeline.lottery.data.images.decode import decode_chunk, prepare
from lth_pipeline.lottery.data.images.layout import File, Row, arrange
from lth_pipeline.lottery.data.images.records import Record, _path, recorded
from lth_pipeline.lottery.errors import DataError
from lth_pipeline_tests.fuzz.damage import damaged, inside_and_outside, tagged
from lth_pipeline_tests.fuzz.reader import LONGEST_MESSAGE, Read, Reader, accepts
from lth_pipeline_tests.lottery.images.drawn import add, dirs_in, drawing, encoded, files, put

PACKED = {
    ".tar": lambda plain: plain,
    ".tar.gz": lambda plain: gzip.compress(plain, 1, mtime=0),
    ".tar.bz2": lambda plain: bz2.compress(plain, 1),
    ".tar.xz": lambda plain: lzma.compress(plain, preset=0),
}
SET = files(drawing(["a/1.png", "a/2.png", "b/1.png"], (3, 3)))


def _tar(form: int, *more: dict) -> bytes:
    file = BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form) as tar:
        for path, bytes_in in SET.items():
            add(tar, path, bytes_in)
        for member in more:
            add(tar, **member)
    return file.getvalue()[: 512 * 14]  # of the zeros at the end a few blocks are enough


def _tars() -> list[bytes]:
    long = "b/" + "long" * 40 + ".png"
    link = {"name": "b/3.png", "type": tarfile.SYMTYPE, "linkname": "../../etc"}
    return [
        _tar(tarfile.GNU_FORMAT),
        _tar(tarfile.PAX_FORMAT, {"name": "b/ä.png", "content": b"x", "pax_headers": {"comment": "x" * 40}}),
        _tar(tarfile.GNU_FORMAT, {"name": long, "content": b"x"}),
        _tar(tarfile.USTAR_FORMAT, link),
    ]


def _checksummed(plain: bytes) -> bytes:
    """Each block that still looks like a header gets the checksum that fits: damage comes past that check."""
    fixed = bytearray(plain)
    for start in range(0, len(fixed) - 511, 512):
        if fixed[start + 257 : start + 262] == b"ustar":
            fixed[start + 148 : start + 156] = b" " * 8
            fixed[start + 148 : start + 156] = b"%06o\0 " % sum(fixed[start : start + 512])
    return bytes(fixed)


def _archive_inputs() -> st.SearchStrategy[tuple[str, bytes]]:
    seeds = _tars()
    forms = {f"x{suffix}": inside_and_outside(seeds, pack, 3) for suffix, pack in PACKED.items()}
    return tagged(**forms, **{"y.tar": damaged(seeds, 3).map(_checksummed)}) | tagged(
        **{"y.tar": damaged(seeds, 2).map(_checksummed)}
    )


@contextmanager
def _archives(folder: Path) -> Iterator[Read]:
    def read_one(given: tuple[str, bytes]) -> bool:
        path = folder / given[0]
        path.write_bytes(given[1])

        def walk() -> None:
            layout = arrange(archive.scan(path), str(path))
            rows = [row for part in layout.rows.values() for row in part]
            found = list(archive.contents(path, rows))
            assert len(found) == len(rows) and all(len(bytes_in) == row.file.size for row, bytes_in in found)
            assert not any(row.name.startswith("/") or ".." in row.name.split("/") for row in rows)

        return accepts(walk, DataError, path)

    yield read_one


def _pictures() -> list[bytes]:
    """A small image of each format, and of the kinds that take another way through the decoder."""
    pixels = next(iter(drawing(["x"], (6, 5)).values()))
    made = [encoded(pixels, kind) for kind in ("JPEG", "PNG", "BMP", "GIF", "PPM", "TIFF")]
    made += [encoded(pixels, "WEBP", lossless=lossless) for lossless in (False, True)]
    made += [encoded(pixels, "TIFF", compression=way) for way in ("tiff_lzw", "tiff_deflate", "jpeg")]
    deep = (pixels[..., 0].astype(np.uint16) << 8) + 3
    made += [encoded(deep, kind) for kind in ("PNG", "TIFF", "PPM")]
    turned, animated = Image.Exif(), BytesIO()
    turned[0x0112] = 6
    made += [encoded(pixels, "JPEG", exif=turned), encoded(pixels, "PNG", exif=turned)]
    frames = [Image.fromarray(pixels), Image.fromarray(255 - pixels)]
    frames[0].save(animated, "WEBP", save_all=True, append_images=frames[1:])
    return [*made, animated.getvalue(), b"P2 2 2 255\n1 2 3 4\n", b"P6 3 1 65535\n" + bytes(18)]


def _picture_inputs() -> st.SearchStrategy[tuple[bytes, tuple[int | None, str]]]:
    return st.tuples(damaged(_pictures(), 3), st.sampled_from(((None, "rgb"), (None, "grey"), (4, "rgb"))))


@contextmanager
def _images(folder: Path) -> Iterator[Read]:
    prepare()
    path = folder / "1.img"

    def read_one(given: tuple[bytes, tuple[int | None, str]]) -> bool:
        bytes_in, (size, colour) = given
        path.write_bytes(bytes_in)
        done = decode_chunk([(Row("train", 0, 0, "a/1.img", File(len(bytes_in))), path)], size, colour)
        if done.broken:
            ((name, reason),) = done.broken
            assert name == "a/1.img" and 0 < len(reason) < LONGEST_MESSAGE and "MemoryError" not in reason
            return False
        channels, height, width = done.pixels.shape[1:]
        assert done.pixels.dtype == np.uint8 and channels == (1 if colour == "grey" else 3)
        assert size is None or (height, width) == (size, size)
        return True

    yield read_one


CACHED = [*(f"{name}.npy" for name in content.ARRAYS), "facts.json"]


def _cached_inputs() -> st.SearchStrategy[tuple[str, bytes]]:
    """Damage to one of the cache's files: the strategy needs them as they are, so it makes a cache of its own."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        dirs, found = _read_set(Path(folder))
        whole = {name: (found.folder / name).read_bytes() for name in CACHED}
        whole["record"] = _path(Source("set"), dirs.cache).read_bytes()
    headers = [b"{'descr': '<i8', 'fortran_order': False, 'shape': (%s,), }" % b"-" * 900, b"(" * 3000, b"-" * 9000]
    npy = [b"\x93NUMPY\1\0" + len(text).to_bytes(2, "little") + text for text in headers]
    texts = [whole["facts.json"], whole["record"], b"[" * 9_000, b'{"fingerprint":' * 3_000]
    return tagged(
        **{name: damaged([whole[name], *npy], 3) for name in CACHED[:-1]},
        **{name: damaged([whole[name], *texts], 3) for name in ("facts.json", "record")},
    )


def _read_set(folder: Path):
    dirs = dirs_in(folder)
    put(dirs.sets / "set", SET)
    return dirs, read(Source("set"), dirs)


@contextmanager
def _cache(folder: Path) -> Iterator[Read]:
    dirs, found = _read_set(folder)
    source = Source("set")
    whole = {name: (found.folder / name).read_bytes() for name in CACHED}
    right = {name: tensor.clone() for name, tensor in arrays(found).items()}
    record, record_path = recorded(source, dirs.cache), _path(source, dirs.cache)
    whole_record = record_path.read_bytes()

    def read_record(bytes_in: bytes) -> bool:
        record_path.write_bytes(bytes_in)
        try:
            again = recorded(source, dirs.cache)
            assert again is None or (isinstance(again, Record) and len(again.digest) == 64)
            return again == record
        finally:
            record_path.write_bytes(whole_record)

    def read_one(given: tuple[str, bytes]) -> bool:
        name, bytes_in = given
        if name == "record":
            return read_record(bytes_in)
        path = found.folder / name
        path.write_bytes(bytes_in)
        try:
            accepts(lambda: _same(arrays(found), right), DataError, found.folder)
            again = content.find(dirs.cache, found.digest)
            assert again in (None, found)  # as good as none: it is read anew
            if again:
                assert all(tensor.equal(right[name]) for name, tensor in arrays(again).items())
            return again is not None
        finally:
            path.write_bytes(whole[name])

    yield read_one


def _same(found: dict, right: dict) -> None:
    """What is opened while it is damaged has the shapes that it should; values are compared when it is opened."""
    assert {name: (t.dtype, t.shape) for name, t in found.items()} == {n: (t.dtype, t.shape) for n, t in right.items()}


READERS = (
    Reader("archives", 1_000, _archive_inputs, _archives),
    Reader("images", 1_500, _picture_inputs, _images),
    Reader("cache", 500, _cached_inputs, _cache),
)
