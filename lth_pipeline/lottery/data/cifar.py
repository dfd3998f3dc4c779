"""CIFAR-10 and CIFAR-100, from the pickles of the version "for Python"."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from lth_pipeline.lottery.data.checksums import CIFAR10, CIFAR100, verified
from lth_pipeline.lottery.data.dataset import Raw
from lth_pipeline.lottery.data.files import FILES
from lth_pipeline.lottery.data.unpickler import load_arrays
from lth_pipeline.lottery.errors import DataError

PIXELS = 3 * 32 * 32
#: images in each file
CIFAR10_IMAGES = 10_000
CIFAR100_IMAGES = {"train": 50_000, "test": 10_000}

Part = tuple[torch.Tensor, torch.Tensor]


def cifar10(sets: Path) -> Raw:
    """Krizhevsky 2009: 50,000 + 10,000 colour photographs of 10 classes, 32×32.

    The training part is data_batch_1 to data_batch_5, in this order.
    """
    folder = sets / FILES["cifar10"].folders[0]
    parts = {file: _read(folder / file, md5, "cifar10", "labels", 10, CIFAR10_IMAGES) for file, md5 in CIFAR10.items()}
    test = parts.pop("test_batch")
    images, labels = zip(*parts.values(), strict=True)
    return Raw(torch.cat(images), torch.cat(labels), *test)


def cifar100(sets: Path) -> Raw:
    """Krizhevsky 2009: 50,000 + 10,000 colour photographs, 32×32, by their 100 fine classes."""
    folder = sets / FILES["cifar100"].folders[0]
    train, test = (
        _read(folder / file, CIFAR100[file], "cifar100", "fine_labels", 100, CIFAR100_IMAGES[file])
        for file in ("train", "test")
    )
    return Raw(*train, *test)


def _read(path: Path, md5: str, name: str, labels_key: str, classes: int, count: int) -> Part:
    """images uint8 (count, 3, 32, 32), labels int64 (count,), of one file: its bytes are checked, then read.

    The file has "data", uint8 (count, 3072): an image's red plane row by row, then green, then blue; and under
    `labels_key` a list of `count` numbers.
    """
    found = load_arrays(verified(path, md5, name), str(path))
    data, labels = found.get("data"), found.get(labels_key)
    remedy = f"`lth data get {name}` fetches it again"
    if not isinstance(data, np.ndarray) or data.shape != (count, PIXELS):
        shape = data.shape if isinstance(data, np.ndarray) else f"a {type(data).__name__}"
        raise DataError(f"{path}: its images ('data') are {shape}, not ({count}, {PIXELS}); {remedy}")
    if not isinstance(labels, list) or len(labels) != count:
        length = len(labels) if isinstance(labels, list) else "no"
        raise DataError(f"{path}: has {count:,} images and {length} labels ({labels_key!r}); {remedy}")
    wrong = next((label for label in labels if type(label) is not int or not 0 <= label < classes), None)
    if wrong is not None:
        raise DataError(f"{path}: has the label {str(wrong)[:40]!r}; labels are 0 to {classes - 1}; {remedy}")
    images = torch.from_numpy(data.reshape(count, 3, 32, 32).copy())  # its own memory, which may be written to
    return images, torch.tensor(labels, dtype=torch.int64)
