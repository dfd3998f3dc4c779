"""Fetching the published sets: torchvision brings the files, our own reader checks them, then they are put in place."""

from __future__ import annotations

import socket
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from lth_pipeline.lottery.data.files import FILES
from lth_pipeline.lottery.errors import DataError

#: name -> torchvision's class
CLASSES = {
    "mnist": "MNIST",
    "fashion_mnist": "FashionMNIST",
    "kmnist": "KMNIST",
    "cifar10": "CIFAR10",
    "cifar100": "CIFAR100",
    "svhn": "SVHN",
}
#: what the class is called with, once for each; one call brings both parts, but for SVHN
CALLS: dict[str, tuple[dict[str, str], ...]] = {"svhn": ({"split": "train"}, {"split": "test"})}
SILENCE = 60.0  # seconds without a byte after which a server is given up

_schemas: list[Any] = []  # torchvision's operators exist as long as this is kept


def download(name: str, sets: Path) -> str:
    """Fetch the set `name` into the folder `sets` unless it is there and whole; returns its content's SHA-256.

    The files come into a temporary folder inside `sets` and are moved to their places after our own reader has
    accepted them; whatever happens before, `sets` stays as it was. A progress bar is drawn on stderr.
    """
    if name not in CLASSES:
        raise DataError(f"{name} is no set that is downloaded; these are: {', '.join(CLASSES)}")
    try:
        return check(name, sets)
    except DataError:
        pass  # not there, or damaged
    kind = getattr(torchvision().datasets, CLASSES[name])
    try:
        sets.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{name}-download-", dir=sets) as folder:
            _fetch(name, kind, Path(folder), sets)
            sha256 = check(name, Path(folder))
            _into_place(Path(folder), sets)
    except OSError as error:
        raise DataError(
            f"{sets}: {name} cannot be written there ({error.strerror or error}); free space, change the folder's "
            f"permissions, or point LTH_DATA_DIR at another place"
        ) from error
    return sha256


def check(name: str, sets: Path) -> str:
    """SHA-256 of the content of the set `name` as our reader gives it; DataError where it is not the published one."""
    from lth_pipeline.lottery.data import catalog

    return catalog.read(name, sets)[1]


def torchvision() -> ModuleType:
    """torchvision, also where its operators cannot load, being built for another torch (CUDA's, beside a CPU's).

    Its import asks for the schemas of two operators then; with these defined, data sets and transforms work.
    """
    try:
        try:
            return import_module("torchvision")
        except RuntimeError as error:
            if "torchvision::nms" not in str(error):
                raise
        for module in [name for name in sys.modules if name.startswith("torchvision.")]:
            del sys.modules[module]  # half imported
        from torch.library import Library

        library = Library("torchvision", "DEF")
        for operator in ("nms", "qnms"):
            library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _schemas.append(library)
        return import_module("torchvision")
    except (ImportError, RuntimeError) as error:
        raise DataError(
            f"torchvision cannot be imported: {error}\nIts release must match torch's: pip install torchvision==0.28.0"
        ) from error


def _fetch(name: str, kind: type, folder: Path, sets: Path) -> None:
    """torchvision's own download into `folder`, checked by its own MD5. Whatever goes wrong is a DataError."""
    try:
        with _impatient():
            if hasattr(kind, "tgz_md5"):
                _fetch_archive(kind, folder)
            else:
                for arguments in CALLS.get(name, ({},)):
                    kind(root=str(folder), download=True, **arguments)
    except Exception as error:  # urllib's, tarfile's, http.client's, and RuntimeError for a wrong MD5
        lines = "\n".join(f"  {line}" for line in (str(error) or type(error).__name__).strip().splitlines())
        addresses = "\n".join(f"  {address}" for address in _addresses(name, kind))
        raise DataError(
            f"{name} could not be fetched:\n{lines}\nTried:\n{addresses}\n"
            f"By hand: fetch {_by_hand(name, sets)}, then `lth data list`; nothing was left in {sets}"
        ) from error


def _fetch_archive(kind: Any, folder: Path) -> None:
    """CIFAR's archive. The class itself would load the pickles in it; these are for our own reader alone."""
    utils = import_module("torchvision.datasets.utils")
    utils.download_url(kind.url, str(folder), kind.filename, kind.tgz_md5)
    with tarfile.open(folder / kind.filename) as archive:
        archive.extractall(folder, filter="data")  # refuses members that climb out


def _addresses(name: str, kind: Any) -> list[str]:
    if hasattr(kind, "split_list"):
        return [kind.split_list[arguments["split"]][0] for arguments in CALLS[name]]
    if hasattr(kind, "mirrors"):
        return [mirror + file for mirror in kind.mirrors for file, _ in kind.resources]
    return [kind.url]


def _by_hand(name: str, sets: Path) -> str:
    place = sets / FILES[name].folders[0]
    if name in ("cifar10", "cifar100"):
        return f"the archive elsewhere and unpack it in {sets}, so that {place / FILES[name].names[0]} is there"
    return f"these files elsewhere (of each name one) and put them into {place}"


@contextmanager
def _impatient() -> Iterator[None]:
    """urllib waits for ever by default."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(SILENCE)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _into_place(source: Path, target: Path) -> None:
    """Move what is in the folder `source` into the folder `target`, but for archives; each file replaces its like."""
    for path in sorted(source.iterdir()):
        if path.name.endswith(".tar.gz"):
            continue
        there = target / path.name
        if path.is_dir() and there.is_dir():
            _into_place(path, there)
        else:
            path.replace(there)
