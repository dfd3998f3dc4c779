"""Files of numpy's .npy format: begun, then written row by row; checked; mapped."""

from __future__ import annotations

import hashlib
from math import prod
from pathlib import Path
from tokenize import TokenError
from typing import IO

import numpy as np
from numpy.lib import format as npy

#: what numpy raises at a damaged header, the TokenError of its parser among it
CHECKED = (OSError, ValueError, EOFError, SyntaxError, TypeError, KeyError, TokenError)


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
    """SHA-256 of the values in `path`: of the bytes after its header."""
    with path.open("rb") as file:
        _header(file)
        return hashlib.file_digest(file, "sha256").hexdigest()


def fits(path: Path, dtype: str, shape: tuple[int, ...]) -> bool:
    """Whether `path` is an array of this type and shape, and has exactly the bytes for it. Values are not read."""
    try:
        with path.open("rb") as file:
            right = _header(file) == (shape, False, np.dtype(dtype))
            return right and path.stat().st_size == file.tell() + np.dtype(dtype).itemsize * prod(shape)
    except CHECKED:
        return False


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    if npy.read_magic(file) != (1, 0):
        raise ValueError("not version 1.0 of .npy")
    return npy.read_array_header_1_0(file)
