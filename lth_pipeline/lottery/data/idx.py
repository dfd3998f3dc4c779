"""Reader of IDX, the format of MNIST and its kin (magic, sizes, bytes), plain or gzipped."""

from __future__ import annotations

import gzip
import struct
from math import prod
from pathlib import Path

import torch

from lth_pipeline.lottery.data.dataset import DataError


def read_idx(path: Path, dimensions: int) -> torch.Tensor:
    """The uint8 tensor in `path`, which must have `dimensions` dimensions and exactly the bytes it announces."""
    opened = gzip.open(path) if path.suffix == ".gz" else path.open("rb")
    try:
        with opened as file:
            head = file.read(4 + 4 * dimensions)
            if len(head) < 4 + 4 * dimensions or head[:4] != bytes([0, 0, 8, dimensions]):
                raise DataError(
                    f"{path}: not an IDX file of bytes with {dimensions} dimension(s): it begins {head[:4].hex()}"
                )
            shape = struct.unpack(f">{dimensions}I", head[4:])
            if prod(shape) > 2**32:
                raise DataError(f"{path}: announces {prod(shape):,} bytes, more than any set of this kind has")
            content = file.read(prod(shape) + 1)
    except (OSError, EOFError) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    if len(content) != prod(shape):
        found = "more" if len(content) > prod(shape) else f"{len(content):,}"
        raise DataError(f"{path}: announces {prod(shape):,} bytes and has {found}; fetch the file again")
    return torch.frombuffer(bytearray(content), dtype=torch.uint8).reshape(shape)
