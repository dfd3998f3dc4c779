"""Reading own images: the first time, and from the cache, against decoding alone.

    python -m benchmarks.images [cifar10-jpeg.tar.gz]

Names a tar in the data folder. The yardstick is Pillow alone, in the same run: every member, already in memory, decoded
into an array by one thread. What the first reading does beside it: unpack, hash, write, flush to the disk.
"""

from __future__ import annotations

import io
import os
import sys
import tarfile
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.pipeline import machine
from lth_pipeline.home import find_home
from lth_pipeline.lottery.data import DataDirs
from lth_pipeline.lottery.data.images import Source, read


def decode_alone(path: Path) -> tuple[int, float]:
    """(images, seconds)."""
    with tarfile.open(path) as archive:
        contents = [archive.extractfile(member).read() for member in archive if member.isfile()]
    started = time.perf_counter()
    for content in contents:
        np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    return len(contents), time.perf_counter() - started


def main() -> None:
    name = sys.argv[1] if len(sys.argv) > 1 else "cifar10-jpeg.tar.gz"
    sets = find_home().data
    images, alone = decode_alone(sets / name)
    with tempfile.TemporaryDirectory(prefix="lth-bench-") as cache:
        dirs = DataDirs(sets, Path(cache))
        seconds = []
        for _ in range(2):
            started = time.perf_counter()
            read(Source(name), dirs)
            seconds.append(time.perf_counter() - started)
    first, again = seconds
    print(machine())
    print(f"{images:,} images: decoding alone {alone:.2f} s; first reading {first:.2f} s ({os.cpu_count()} threads)")
    print(
        f"first reading / decoding alone {first / alone:.2f}; from the cache {again:.2f} s ({first / again:.0f}× less)"
    )


if __name__ == "__main__":
    main()
