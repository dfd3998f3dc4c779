"""A source that is a tar, plain or compressed: its members, whether it has changed, their content. Nothing is unpacked.

Two passes run through it, both forward only: the first lists the members, the second reads them in their order.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zlib
from _compression import DecompressReader  # what gzip, bz2 and lzma all read through
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from lth_pipeline.lottery.data.images.layout import MAX_FILE_BYTES, File, Row, Tree, hidden
from lth_pipeline.lottery.data.images.source import shown
from lth_pipeline.lottery.errors import DataError

#: Bytes that unpacking .xz may take. A header of 24 bytes can ask for a window of 4 GiB; `xz -9` asks for 65 MB.
XZ_MEMORY = 2**29


def _open_xz(file: IO[bytes]) -> IO[bytes]:
    """What lzma.open gives, which takes no limit."""
    limited = {"trailing_error": lzma.LZMAError, "memlimit": XZ_MEMORY}
    return io.BufferedReader(DecompressReader(file, lzma.LZMADecompressor, **limited))


OPENERS = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": _open_xz}
BLOCK = 512
#: A header is one block; a long name or the fields of PAX take some more. More than this is damage.
MAX_HEADER_BYTES = 2**20
PIECE = 2**20
#: Zeros after the end, at most: tars are filled up to whole records (10 KB, or what tar's -b says), and compressed
#: zeros are next to nothing however many they are.
MAX_PADDING = 2**26
#: What tarfile and the decompressors raise of bytes that are not what they should be.
DAMAGE = (
    *(OSError, EOFError, ValueError, ArithmeticError, LookupError),
    *(struct.error, zlib.error, lzma.LZMAError, tarfile.TarError),
)


def fingerprint(path: Path) -> str:
    """Size and times of the file."""
    try:
        stat = path.stat()
    except OSError as error:
        raise DataError(f"{path}: cannot be looked at: {error.strerror}") from error
    return f"{stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns}"


def scan(path: Path) -> Tree:
    """The files and folders in the tar, but for hidden ones. DataError unless all of it is sound and harmless."""
    tree: Tree = {}
    with _unpacked(path) as stream:
        headers = _Headers(stream)
        with tarfile.open(fileobj=headers, mode="r:") as tar:
            while (member := tar.next()) is not None:
                _add(tree, member, path)
                tar.members.clear()  # tarfile keeps them all, 1 KB each
        _expect_end(headers)
    return tree


def contents(path: Path, rows: Iterable[Row]) -> Iterator[tuple[Row, bytes]]:
    """Each row and its file's bytes, in the order of the tar."""
    with _unpacked(path) as stream:
        for row in sorted(rows, key=lambda row: row.file.place):
            stream.seek(row.file.place)
            content = stream.read(row.file.size)
            if len(content) < row.file.size:
                raise EOFError(f"it ends within {shown(row.name)}")
            yield row, content


def _add(tree: Tree, member: tarfile.TarInfo, path: Path) -> None:
    """Put `member` into `tree`, unless hidden. DataError where a tar of images has no such thing."""
    name = shown(member.name)
    parts = [part for part in member.name.split("/") if part not in ("", ".")]
    if member.name.startswith("/") or ".." in parts:
        raise DataError(f"{path}: {name}: leads out of the tar; names must be relative and without '..'")
    if not (member.isdir() or member.isreg()) or member.issparse() or member.size < 0:
        kind = "a link" if member.issym() or member.islnk() else "neither a plain file nor a folder"
        raise DataError(f"{path}: {name}: {kind}; make the tar of plain files (tar --dereference --hard-dereference)")
    if member.size > MAX_FILE_BYTES:  # hidden or not: to get past it may mean to unpack all of it
        raise DataError(f"{path}: {name}: has {member.size:,} bytes; at most {MAX_FILE_BYTES:,} are read")
    if any(map(hidden, parts)):
        return
    folders = parts if member.isdir() else parts[:-1]
    for part in folders:
        node = tree.setdefault(part, {})
        if not isinstance(node, dict):
            raise DataError(f"{path}: {name}: in the tar both as a file and as a folder; make the tar anew")
        tree = node
    if not member.isdir():
        if not parts or parts[-1] in tree:
            raise DataError(f"{path}: {name}: more than once in the tar; make the tar anew")
        tree[parts[-1]] = File(member.size, member.offset_data)


class _Headers:
    """What tarfile sees of a stream: it goes forward only, headers have a credible size.

    last: what was read last; at the end, the block that tarfile took for the end. It takes a damaged header for one.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self.stream, self.last = stream, b""

    def read(self, size: int) -> bytes:
        if not 0 <= size <= MAX_HEADER_BYTES:
            raise tarfile.ReadError(f"a header of {size:,} bytes")
        self.last = self.stream.read(size)
        return self.last

    def seek(self, position: int) -> int:
        if position < self.stream.tell():
            raise tarfile.ReadError("a header that leads backwards")
        return self.stream.seek(position)

    def tell(self) -> int:
        return self.stream.tell()


def _expect_end(headers: _Headers) -> None:
    """A tar ends with blocks of zeros and nothing else; what is compressed is read to its own checksum."""
    if headers.last != bytes(BLOCK):
        what = "a damaged header" if len(headers.last) == BLOCK else "it is cut off"
        raise tarfile.ReadError(f"{what} at byte {headers.tell() - len(headers.last):,}")
    end = headers.tell()
    while piece := headers.stream.read(PIECE):
        if headers.tell() - end > MAX_PADDING:
            raise tarfile.ReadError(f"more than {MAX_PADDING:,} bytes of zeros follow its end at byte {end:,}")
        if piece.count(0) != len(piece):
            raise tarfile.ReadError(f"something follows its end, before byte {headers.tell():,}")


@contextmanager
def _unpacked(path: Path) -> Iterator[IO[bytes]]:
    """The tar as a stream of its unpacked bytes; whatever is wrong with it while it is open becomes a DataError."""
    try:
        with path.open("rb") as file:
            head = file.read(6)
            file.seek(0)
            opener = next((opener for magic, opener in OPENERS.items() if head.startswith(magic)), None)
            with opener(file) if opener else file as stream:
                yield stream
    except PermissionError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}; change its permissions") from error
    except DAMAGE as error:
        raise DataError(f"{path}: damaged, or not a tar: {shown(error)}; fetch it or make it again") from error
