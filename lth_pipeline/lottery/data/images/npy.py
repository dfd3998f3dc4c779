"""Files of numpy's .npy format: begun, then written row by row; checked; mapped."""

from __future__ import annotations

import hashlib
import io
from math import prod
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy

#: what reading a damaged file raises
CHECKED = (OSError, ValueError, EOFError, TypeError, KeyError)
MAGIC = b"\x93NUMPY\1\0"  # version 1.0


def begin(file: IO[bytes], dtype: str, shape: tuple[int, ...]) -> int:
    """Write the header of an array; the offset at which its values begin."""
    npy.write_array_header_1_0(file, {"descr": dtype, "fortran_order": False, "shape": shape})
    return file.tell()


def write(path: Path, array: np.ndarray) -> None:
    """The whole of `array`, little-endian."""
    with path.open("wb") as file:
        begin(file, array.dtype.str, array.shape)
        file.write(np.ascontiguousarray(array).data)


def hashed(path: Path) -> str:
    """SHA-256 of the values in `path`: of the bytes after its header. Raises OSError, or ValueError for no header."""
    with path.open("rb") as file:
        head = file.read(len(MAGIC) + 2)
        if len(head) < len(MAGIC) + 2 or not head.startswith(MAGIC):
            raise ValueError("not version 1.0 of .npy")
        file.seek(int.from_bytes(head[len(MAGIC) :], "little"), 1)
        return hashlib.file_digest(file, "sha256").hexdigest()


def fits(path: Path, dtype: str, shape: tuple[int, ...]) -> bool:
    """Whether `path` is an array of this type and shape, and has exactly the bytes for it. Values are not read.

    Its header is compared with the one that `begin` writes. numpy would parse it as Python's literals, and a damaged
    one then costs what it says: memory for any shape, or the stack of the parser.
    """
    try:
        right = io.BytesIO()
        size = begin(right, dtype, shape) + np.dtype(dtype).itemsize * prod(shape)
        with path.open("rb") as file:
            return path.stat().st_size == size and file.read(right.tell()) == right.getvalue()
    except CHECKED:
        return False
