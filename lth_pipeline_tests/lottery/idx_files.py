"""Writing IDX files, the format of MNIST, for tests of the reader."""

import gzip
import struct
from pathlib import Path

from lth_pipeline.lottery.data.mnist import FILES


def head(*shape: int) -> bytes:
    """The magic number (two zeros, 8 for bytes, the number of dimensions) and the sizes, big-endian."""
    return bytes([0, 0, 8, len(shape)]) + struct.pack(f">{len(shape)}I", *shape)


def write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def write_mnist_like(folder: Path, suffix: str = "") -> None:
    """A set in the right format and of the wrong content: 20 images and 10 of test, 28×28."""
    for part, (name, _) in FILES.items():
        count = 20 if part.startswith("train") else 10
        if part.endswith("images"):
            content = head(count, 28, 28) + bytes(i % 256 for i in range(count * 28 * 28))
        else:
            content = head(count) + bytes(i % 10 for i in range(count))
        write(folder / (name + suffix), content)
