"""Reader of arrays of numbers in MATLAB's files of version 5, plain or compressed; it knows nothing else.

The format also has cells, structures, objects and functions, and a general reader makes what their headers announce.
Here a size is compared with the bytes that there are before anything is made of it.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Collection, Iterator
from math import prod

import numpy as np

HEADER = 128  # bytes of text, version and byte order before the first element
MATRIX, COMPRESSED = 14, 15
FLAGS, SIZES, NAME = (6,), (5, 6), (1, 16)  # types that these parts of an array may have
MAX_DIMENSIONS = 8
#: type of an element -> numpy's letters for its numbers
STORED = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
#: class of an array -> the same, of what its numbers mean: MATLAB writes whole numbers in fewer bytes
MEANT = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}
COMPLEX = 0x0800  # in the flags of an array

Elements = Iterator[tuple[int, memoryview]]


def arrays(content: bytes, names: Collection[str], most: int) -> dict[str, np.ndarray]:
    """{name: array} of those of `names` that are in the file `content`. Raises ValueError and zlib.error.

    most: bytes of one unpacked array; a larger one is refused.
    """
    order = {b"IM": "<", b"MI": ">"}.get(content[126:HEADER])
    if order is None or content[124:126][:: 1 if order == "<" else -1] != b"\0\1":
        raise ValueError("not a MATLAB file of version 5")
    found = {}
    for kind, data in _elements(memoryview(content)[HEADER:], order, padded=False):
        if kind == COMPRESSED:
            kind, data = next(_elements(memoryview(_unpacked(data, most)), order, padded=False), (0, data))
        if kind != MATRIX:
            raise ValueError(f"holds an element of type {kind} where an array belongs")
        name, array = _array(data, order, names, most)
        if array is not None:
            found[name] = array
    return found


def _elements(data: memoryview, order: str, padded: bool = True) -> Elements:
    """(type, bytes) of each element in `data`. padded: those of an array take whole multiples of 8 bytes."""
    while len(data):
        if len(data) < 8:
            raise ValueError("it is cut off")
        kind, size = struct.unpack(order + "II", data[:8])
        if kind >> 16:  # a small one: size, type and up to 4 bytes in 8
            kind, size, start, step = kind & 0xFFFF, kind >> 16, 4, 8
            if size > 4:
                raise ValueError(f"a small element of {size} bytes")
        else:
            start, step = 8, 8 + (-(-size // 8) * 8 if padded else size)
        if start + size > len(data):
            raise ValueError(f"announces {size:,} bytes and has {len(data) - start:,}")
        yield kind, data[start : start + size]
        data = data[step:]


def _unpacked(data: memoryview, most: int) -> bytes:
    stream = zlib.decompressobj()
    limit = most + 2**12  # names and headers
    content = stream.decompress(data, limit)
    if not stream.eof and len(content) >= limit:
        raise ValueError(f"has an array of more than {most:,} bytes")
    if not stream.eof:
        raise ValueError("a compressed array is cut off")
    return content


def _array(data: memoryview, order: str, names: Collection[str], most: int) -> tuple[str, np.ndarray | None]:
    """(name, array) of an array's elements: flags, sizes, name, numbers. None where it is not one of `names`."""
    elements = _elements(data, order)
    flags, sizes, name = (
        _expected(elements, kinds, what) for kinds, what in ((FLAGS, "flags"), (SIZES, "sizes"), (NAME, "name"))
    )
    title = bytes(name).decode("latin1")
    if title not in names:
        return title, None
    if len(flags) != 8 or len(sizes) % 4 or not 2 <= len(sizes) // 4 <= MAX_DIMENSIONS:
        raise ValueError(f"{title} has no credible header")
    flag = struct.unpack(order + "II", flags)[0]
    meant = MEANT.get(flag & 0xFF)
    if meant is None or flag & COMPLEX:
        raise ValueError(f"{title} is not an array of real numbers (class {flag & 0xFF})")
    shape = struct.unpack(f"{order}{len(sizes) // 4}i", sizes)
    kind, numbers = next(elements, (0, memoryview(b"")))
    stored = np.dtype(order + STORED[kind]) if kind in STORED else None
    if stored is None or min(shape) < 0 or prod(shape) * stored.itemsize != len(numbers):
        raise ValueError(f"{title} is of shape {shape} and has {len(numbers):,} bytes of numbers")
    if prod(shape) * np.dtype(meant).itemsize > most:
        raise ValueError(f"{title} has more than {most:,} bytes")
    return title, np.frombuffer(numbers, stored).astype(meant).reshape(shape, order="F")


def _expected(elements: Elements, kinds: tuple[int, ...], what: str) -> memoryview:
    found, data = next(elements, (0, memoryview(b"")))
    if found not in kinds:
        raise ValueError(f"an array without its {what}")
    return data
