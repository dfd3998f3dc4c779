"""The published sets' files: IDX, CIFAR's pickles, SVHN's MATLAB files; what lies behind their checksums."""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import strategies as st

from lth_pipeline.lottery.data import cifar, svhn
from lth_pipeline.lottery.data.idx import read_idx
from lth_pipeline.lottery.errors import DataError
from lth_pipeline_tests.fuzz.damage import damaged, inside_and_outside, tagged
from lth_pipeline_tests.fuzz.reader import Read, Reader, accepts
from lth_pipeline_tests.lottery.idx_files import head
from lth_pipeline_tests.lottery.published_files import (
    COUNT,
    cifar_batch,
    double_in_bytes,
    mat,
    published_mat,
    svhn_part,
)
from lth_pipeline_tests.lottery.python2_pickles import CODES, dumps, name

IDX = [head(6) + bytes(range(6)), head(2, 3, 4) + bytes(range(24)), head(2, 5) + bytes(10), head(1, 1, 1) + b"\1"]


def _packed(content: bytes) -> bytes:
    return gzip.compress(content, 1, mtime=0)


def _idx_inputs() -> st.SearchStrategy[tuple[str, bytes]]:
    return tagged(**{"plain": damaged(IDX), "set.gz": inside_and_outside(IDX, _packed)})


@contextmanager
def _idx(folder: Path) -> Iterator[Read]:
    def read(content: tuple[str, bytes]) -> bool:
        path = folder / content[0]
        path.write_bytes(content[1])

        def right(dimensions: int) -> None:
            tensor = read_idx(path, dimensions)
            assert tensor.dtype == torch.uint8 and tensor.dim() == dimensions
            if path.suffix != ".gz":  # exactly what stands after the head
                assert bytes(tensor.flatten().tolist()) == content[1][4 + 4 * dimensions :]

        return any([accepts(partial(right, dimensions), DataError, path) for dimensions in (1, 3)])

    yield read


def _pickle_inputs() -> st.SearchStrategy[bytes]:
    batch = {**cifar_batch(0), b"data": np.arange(24, dtype=np.uint8).reshape(COUNT, 4)}
    seeds = [dumps(batch), dumps(cifar_batch(1)), dumps({b"data": b"none", b"labels": [1, 2**70]})]
    operation = st.sampled_from(sorted(CODES.values())) | st.binary(max_size=4) | st.just(name("numpy", "ndarray"))
    start, stop = CODES["PROTO"] + b"\x02" + CODES["EMPTY_DICT"], CODES["STOP"]
    programs = st.lists(operation, max_size=30).map(lambda piece: start + b"".join(piece) + stop)
    return damaged(seeds) | damaged(seeds[:1], 2) | programs


@contextmanager
def _pickles(folder: Path) -> Iterator[Read]:
    path = folder / "data_batch_1"

    def right() -> None:
        images, labels = cifar._read(path, "", "cifar10", "labels", 10, COUNT)
        assert images.dtype == torch.uint8 and images.shape == (COUNT, 3, 32, 32)
        assert labels.shape == (COUNT,) and 0 <= int(labels.min()) <= int(labels.max()) < 10

    def read(content: bytes) -> bool:
        path.write_bytes(content)
        return accepts(right, DataError, path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cifar, "verified", lambda path, _md5, _name: path.read_bytes())
        yield read


def _mat_inputs() -> st.SearchStrategy[bytes]:
    images, labels = svhn_part(2, 0)
    flat = images // 255 * 255  # compresses well: the headers make up more of the file
    one = mat(compressed=False, X=images[..., :1]) + double_in_bytes("y", labels[:1])
    plain = [mat(compressed=False, X=flat, y=labels), one]
    packed = [published_mat(images, labels), published_mat(flat, labels), mat(X=flat, y=labels)]
    return damaged(plain) | damaged(packed) | damaged(plain, 2).map(_recompressed)


def _recompressed(content: bytes) -> bytes:
    """The elements of a MATLAB file, however damaged, as two that are compressed."""
    half = 128 + (len(content) - 128) // 2
    parts = [zlib.compress(part, 1) for part in (content[128:half], content[half:])]
    return content[:128] + b"".join(struct.pack("<II", 15, len(part)) + part for part in parts)


@contextmanager
def _mat(folder: Path) -> Iterator[Read]:
    path = folder / "train_32x32.mat"

    def right() -> None:
        images, labels = svhn._read(path, "")
        assert images.dtype == torch.uint8 and images.shape[1:] == (3, 32, 32)
        assert labels.shape == images.shape[:1] and 0 <= int(labels.min()) <= int(labels.max()) <= 9

    def read(content: bytes) -> bool:
        path.write_bytes(content)
        return accepts(right, DataError, path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(svhn, "verified", lambda path, _md5, _name: path.read_bytes())
        yield read


READERS = (
    Reader("idx", 1_900, _idx_inputs, _idx),
    Reader("cifar", 2_000, _pickle_inputs, _pickles),
    Reader("svhn", 1_000, _mat_inputs, _mat),
)
