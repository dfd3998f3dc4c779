"""MNIST and the sets published in its format."""

from __future__ import annotations

from pathlib import Path

from lth_pipeline.lottery.data import files
from lth_pipeline.lottery.data.checksums import KMNIST, verified
from lth_pipeline.lottery.data.dataset import Raw
from lth_pipeline.lottery.data.idx import read_idx
from lth_pipeline.lottery.errors import DataError

FILES = {
    "train_images": ("train-images-idx3-ubyte", 3),
    "train_labels": ("train-labels-idx1-ubyte", 1),
    "test_images": ("t10k-images-idx3-ubyte", 3),
    "test_labels": ("t10k-labels-idx1-ubyte", 1),
}


def mnist(sets: Path) -> Raw:
    """LeCun, Cortes & Burges: 60,000 + 10,000 handwritten digits, 28×28."""
    return read_mnist_like("mnist", sets)


def fashion_mnist(sets: Path) -> Raw:
    """Xiao, Rasul & Vollgraf 2017: 60,000 + 10,000 articles of clothing, 28×28.

    Debian's package dataset-fashion-mnist is found where it installs itself.
    """
    return read_mnist_like("fashion_mnist", sets)


def kmnist(sets: Path) -> Raw:
    """Clanuwat et al. 2018, Kuzushiji-MNIST: 60,000 + 10,000 characters of cursive Japanese, 28×28.

    Read from the .gz files, whose MD5 is known; torchvision leaves them beside the plain ones.
    """
    for file, md5 in KMNIST.items():
        verified(sets / files.FILES["kmnist"].folders[0] / file, md5, "kmnist")
    return read_mnist_like("kmnist", sets)


def read_mnist_like(name: str, sets: Path) -> Raw:
    """The set `name` from its four IDX files, plain or as .gz, in the first of its folders that holds them all."""
    found = files.find(name, sets)
    if not found.whole:
        places = files.FILES[name].folders
        raise DataError(
            f"{name} is not on this machine: no {FILES['train_images'][0]} (or .gz) and its three companions "
            f"in {' or '.join(str(sets / place) for place in places)}\n"
            f"`lth data get {name}` fetches them; or put the four files there, or point LTH_DATA_DIR at the folder "
            f"that holds {places[0]}"
        )
    paths = dict(zip(FILES, found.paths, strict=True))
    tensors = {part: read_idx(paths[part], dimensions) for part, (_, dimensions) in FILES.items()}
    for images, labels in (("train_images", "train_labels"), ("test_images", "test_labels")):
        if len(tensors[images]) != len(tensors[labels]):
            raise DataError(
                f"{paths[images]} has {len(tensors[images]):,} images and {paths[labels]} {len(tensors[labels]):,} "
                f"labels: one of them is damaged or of another set; `lth data get {name}` fetches them again"
            )
    return Raw(
        **{part: tensor.unsqueeze(1) if part.endswith("images") else tensor.long() for part, tensor in tensors.items()}
    )
