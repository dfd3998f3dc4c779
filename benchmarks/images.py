"""Reading own images: the first time, and from the cache, against decoding alone.

    python -m benchmarks.images [cifar10-jpeg.tar.gz] [--dry-run]

Names a tar in the data folder. The yardstick is Pillow alone, in the same run: every member, already in memory, decoded
into an array by one thread. What the first reading does beside it: unpack, hash, write, flush to the disk.
"""

from __future__ import annotations

import argparse
import io
import os
import tarfile
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.command import tell
from benchmarks.machine import busy, machine
from benchmarks.results import figure
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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", nargs="?", default="cifar10-jpeg.tar.gz")
    parser.add_argument("--dry-run", action="store_true", help="print the figures, write nothing down")
    asked = parser.parse_args()
    name, before = asked.name, busy()
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
    figures = {
        "own_images_first_reading_over_decoding": figure(first / alone, "ratio"),
        "own_images_first_reading_seconds": figure(first, "s", 60),
        "own_images_from_cache_seconds": figure(again, "s", 2),
    }
    tell(figures, write=not asked.dry_run, note=before)


if __name__ == "__main__":
    main()
