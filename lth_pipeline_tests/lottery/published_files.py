"""Small sets in the published formats, for tests: their MD5 take the place of the published ones."""

import hashlib
import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from lth_pipeline.lottery.data import checksums, cifar
from lth_pipeline_tests.lottery.idx_files import write_mnist_like
from lth_pipeline_tests.lottery.python2_pickles import dumps

TABLES = {"cifar10": checksums.CIFAR10, "cifar100": checksums.CIFAR100, "svhn": checksums.SVHN}
PLACES = {"cifar10": "cifar-10-batches-py", "cifar100": "cifar-100-python", "svhn": "", "kmnist": "KMNIST/raw"}
COUNT = 6  # images in each of CIFAR's files


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def pixels(*shape: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def cifar_batch(number: int, **changes: object) -> dict:
    """What a file of CIFAR-10 or CIFAR-100 holds; changes: of its keys."""
    batch: dict = {
        "batch_label": b"batch %d" % number,
        "labels": [(number + image) % 10 for image in range(COUNT)],
        "coarse_labels": [image % 20 for image in range(COUNT)],
        "fine_labels": [(95 + number + image) % 100 for image in range(COUNT)],
        "data": pixels(COUNT, 3072, seed=number),
        "filenames": [b"image_%d.png" % image for image in range(COUNT)],
    } | changes
    return {key.encode(): value for key, value in batch.items()}


def mat(compressed: bool = True, **arrays: np.ndarray) -> bytes:
    """A MATLAB file as scipy writes it: numbers of class double take 8 bytes each."""
    from scipy.io import savemat

    file = io.BytesIO()
    savemat(file, arrays, do_compression=compressed)
    return file.getvalue()


def published_mat(images: np.ndarray, labels: np.ndarray) -> bytes:
    """SVHN's file as published: X (32, 32, 3, N) of class uint8, y (N, 1) of class double in a byte each."""
    y = zlib.compress(double_in_bytes("y", labels))
    return mat(X=images) + struct.pack("<II", 15, len(y)) + y


def double_in_bytes(name: str, numbers: np.ndarray) -> bytes:
    """An array of MATLAB, (rows, columns) of whole numbers below 256: of class double, which MATLAB stores as uint8."""
    head = struct.pack("<IIII", 6, 8, 6, 0) + struct.pack("<IIii", 5, 8, *numbers.shape)
    head += struct.pack("<HH4s", 1, len(name), name.encode())
    stored = numbers.astype(np.uint8).tobytes(order="F")
    body = head + struct.pack("<II", 2, len(stored)) + stored + bytes(-len(stored) % 8)
    return struct.pack("<II", 14, len(body)) + body


def svhn_part(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    return pixels(32, 32, 3, count, seed=seed), (np.arange(count) % 10 + 1.0)[:, None]


def put(monkeypatch, sets: Path, name: str, file: str, content: bytes) -> Path:
    """Write a file of the set `name`, and have its MD5 be the published one."""
    path = sets / PLACES[name] / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    monkeypatch.setitem(TABLES[name], file, md5(content))
    return path


def put_cifar10(monkeypatch, sets: Path) -> None:
    monkeypatch.setattr(cifar, "CIFAR10_IMAGES", COUNT)
    for number, file in enumerate(checksums.CIFAR10):
        put(monkeypatch, sets, "cifar10", file, dumps(cifar_batch(number)))


def put_cifar100(monkeypatch, sets: Path) -> None:
    monkeypatch.setattr(cifar, "CIFAR100_IMAGES", {"train": COUNT, "test": COUNT})
    for number, file in enumerate(checksums.CIFAR100):
        put(monkeypatch, sets, "cifar100", file, dumps(cifar_batch(number)))


def put_svhn(monkeypatch, sets: Path) -> None:
    for seed, (file, count) in enumerate({"train_32x32.mat": 21, "test_32x32.mat": 12}.items()):
        put(monkeypatch, sets, "svhn", file, published_mat(*svhn_part(count, seed)))


def put_kmnist(monkeypatch, sets: Path) -> None:
    folder = sets / PLACES["kmnist"]
    write_mnist_like(folder, ".gz")
    for file in checksums.KMNIST:
        monkeypatch.setitem(checksums.KMNIST, file, md5((folder / file).read_bytes()))


PUT: dict[str, Callable] = {
    "cifar10": put_cifar10,
    "cifar100": put_cifar100,
    "svhn": put_svhn,
    "kmnist": put_kmnist,
}
