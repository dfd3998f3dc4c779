"""Reader of IDX, the format of MNIST and its kin (magic, sizes, bytes), plain or gzipped."""

from __future__ import annotations

import gzip
import struct
import zlib
from math import prod
from pathlib import Path

import torch

from lth_pipeline.lottery.errors import DataError

MAX_BYTES = 2**32


def read_idx(path: Path, dimensions: int) -> torch.Tensor:
    """The uint8 tensor in `path`, which must have `dimensions` dimensions and exactly the bytes it announces."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            head = file.read(4 + 4 * dimensions)
            if len(head) < 4 + 4 * dimensions or head[:4] != bytes([0, 0, 8, dimensions]):
                begins = head[:4].hex() or "with nothing"
                raise DataError(f"{path}: not an IDX file of bytes with {dimensions} dimension(s): it begins {begins}")
            shape = struct.unpack(f">{dimensions}I", head[4:])
            size = prod(shape)
            if not 0 < size <= MAX_BYTES:
                raise DataError(f"{path}: announces {size:,} bytes; a set of this kind has 1 to {MAX_BYTES:,}")
            content = bytearray()  # in pieces: memory is taken for what is there, not for what is announced
            while len(content) <= size and (piece := file.read(min(2**20, size + 1 - len(content)))):
                content += piece
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    if len(content) != size:
        found = "more" if len(content) > size else f"{len(content):,}"
        raise DataError(f"{path}: announces {size:,} bytes and has {found}; fetch the file again")
    return torch.frombuffer(content, dtype=torch.uint8).reshape(shape)
