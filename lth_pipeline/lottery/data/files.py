"""Which files the downloaded sets consist of and where they lie: torchvision's layout. Nothing is opened here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lth_pipeline.lottery.data.checksums import CIFAR10, CIFAR100, KMNIST, SVHN

IDX = tuple(name.removesuffix(".gz") for name in KMNIST)
DEBIAN_FASHION_MNIST = "/usr/share/datasets/fashion-mnist"


@dataclass(frozen=True)
class Files:
    """folders: where the files may lie, below the data folder or absolute. suffixes: each file may have any of them."""

    folders: tuple[str, ...]
    names: tuple[str, ...]
    suffixes: tuple[str, ...] = ("",)


FILES = {
    "mnist": Files(("MNIST/raw",), IDX, ("", ".gz")),
    "fashion_mnist": Files(("FashionMNIST/raw", DEBIAN_FASHION_MNIST), IDX, ("", ".gz")),
    "kmnist": Files(("KMNIST/raw",), tuple(KMNIST)),
    "cifar10": Files(("cifar-10-batches-py",), tuple(CIFAR10)),
    "cifar100": Files(("cifar-100-python",), tuple(CIFAR100)),
    "svhn": Files(("",), tuple(SVHN)),
}


@dataclass(frozen=True)
class Found:
    """folder: where all files are, or else some, or else where they belong. paths: those that are there, in order."""

    folder: Path
    paths: tuple[Path, ...]
    whole: bool


def find(name: str, sets: Path) -> Found:
    """The files of the set `name` by their names: an empty file counts as none, and no content is read."""
    files = FILES[name]
    tries = []
    for folder in (sets / place for place in files.folders):
        each = (_first(folder, file, files.suffixes) for file in files.names)
        paths = tuple(path for path in each if path)
        tries.append(Found(folder, paths, len(paths) == len(files.names)))
    return max(tries, key=lambda found: len(found.paths))  # the first of equals


def _first(folder: Path, name: str, suffixes: tuple[str, ...]) -> Path | None:
    paths = (folder / (name + suffix) for suffix in suffixes)
    return next((path for path in paths if path.is_file() and path.stat().st_size), None)
