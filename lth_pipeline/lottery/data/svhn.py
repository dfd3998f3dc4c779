"""SVHN, the cropped digits, from the two MATLAB files."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import torch

from lth_pipeline.lottery.data import matlab
from lth_pipeline.lottery.data.checksums import SVHN, verified
from lth_pipeline.lottery.data.dataset import Raw
from lth_pipeline.lottery.data.files import FILES
from lth_pipeline.lottery.errors import DataError

#: of an unpacked array: the training images have 225 MB
MAX_BYTES = 300_000_000


def svhn(sets: Path) -> Raw:
    """Netzer et al. 2011: 73,257 + 26,032 digits on house numbers in colour, 32×32; without the "extra" part."""
    folder = sets / FILES["svhn"].folders[0]
    train, test = (_read(folder / file, md5) for file, md5 in SVHN.items())
    return Raw(*train, *test)


def _read(path: Path, md5: str) -> tuple[torch.Tensor, torch.Tensor]:
    """images uint8 (N, 3, 32, 32), labels int64 (N,), of one file: its bytes are checked, then read.

    The file has X, uint8 (32, 32, 3, N), and y, (N, 1), from 1 to 10: the digit 0 is labelled 10. y is of MATLAB's
    class double in the published files, so its values are looked at, not their type.
    """
    content = verified(path, md5, "svhn")
    remedy = "`lth data get svhn` fetches it again"
    try:
        found = matlab.arrays(content, ("X", "y"), MAX_BYTES)
        images, labels = found["X"], found["y"]
    except (ValueError, KeyError, zlib.error) as error:
        why = f"no {error}" if isinstance(error, KeyError) else error
        raise DataError(f"{path}: not a MATLAB file with X and y ({why}); {remedy}") from error
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[:3] != (32, 32, 3) or not images.size:
        wanted = "uint8 (32, 32, 3, N) with N of at least 1"
        raise DataError(f"{path}: X is {images.dtype} {images.shape}, not {wanted}; {remedy}")
    if labels.size != images.shape[3]:
        raise DataError(f"{path}: has {images.shape[3]:,} images (X) and {labels.size:,} labels (y); {remedy}")
    if not np.isin(labels, np.arange(1, 11)).all():
        raise DataError(f"{path}: its labels (y) are not whole numbers from 1 to 10; {remedy}")
    images = np.ascontiguousarray(images.transpose(3, 2, 0, 1))
    return torch.from_numpy(images), torch.from_numpy(labels.reshape(-1).astype(np.int64) % 10)
