"""MD5 of the published files, as their publishers give them (torchvision 0.28 has the same), and reading by them."""

from __future__ import annotations

import hashlib
from pathlib import Path

from lth_pipeline.lottery.errors import DataError

#: the largest file, SVHN's training part, has 182 MB
MAX_BYTES = 200_000_000

CIFAR10 = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
}
CIFAR100 = {
    "train": "16019d7e3df5f24257cddd939b257f8d",
    "test": "f0ef6b0ae62326f3e7ffdfab6717acfc",
}
SVHN = {
    "train_32x32.mat": "e26dedcc434d2e4c54c9b2d4a06d8373",
    "test_32x32.mat": "eb5a983be6a315427106f1b164d9cef3",
}
KMNIST = {
    "train-images-idx3-ubyte.gz": "bdb82020997e1d708af4cf47b453dcf7",
    "train-labels-idx1-ubyte.gz": "e144d726b3acfaa3e44228e80efcd344",
    "t10k-images-idx3-ubyte.gz": "5c965bf0a639b31b8f53240b1b52f4d7",
    "t10k-labels-idx1-ubyte.gz": "7320c461ea6c1c855c0b718fb2a4b134",
}


def combined(files: dict[str, str]) -> str:
    """SHA-256 over names and MD5 of `files`, in the order of the names: what stands for the content of them all."""
    return hashlib.sha256("".join(f"{name} {files[name]}\n" for name in sorted(files)).encode()).hexdigest()


def verified(path: Path, md5: str, name: str) -> bytes:
    """The bytes of `path`, one of the files of the set `name`, if they are the published ones: their MD5 is `md5`.

    MD5 finds damage and mix-ups; it is no defence against an attacker, so what reads the bytes must be safe by itself.
    """
    try:
        size = path.stat().st_size
        if not 0 < size <= MAX_BYTES:
            raise DataError(
                f"{path}: has {size:,} bytes; a file of {name} has 1 to {MAX_BYTES:,}; `lth data get {name}` fetches it"
            )
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DataError(
            f"{name} is not on this machine: no {path}\n"
            f"`lth data get {name}` fetches it; or point LTH_DATA_DIR at the folder that holds it"
        ) from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    found = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if found != md5:
        raise DataError(
            f"{path}: its MD5 is {found}, that of the published file is {md5}: "
            f"damaged, or another file; `lth data get {name}` fetches it again"
        )
    return content
