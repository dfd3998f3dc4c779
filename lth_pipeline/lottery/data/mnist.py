"""MNIST and the sets published in its format."""

from __future__ import annotations

from pathlib import Path

from lth_pipeline.lottery.data.dataset import Raw
from lth_pipeline.lottery.data.idx import read_idx
from lth_pipeline.lottery.errors import DataError

FILES = {
    "train_images": ("train-images-idx3-ubyte", 3),
    "train_labels": ("train-labels-idx1-ubyte", 1),
    "test_images": ("t10k-images-idx3-ubyte", 3),
    "test_labels": ("t10k-labels-idx1-ubyte", 1),
}


def read_mnist_like(folders: list[Path], torchvision_name: str) -> Raw:
    """The set in the first of `folders` that holds its four files, plain or as .gz."""
    for folder in folders:
        paths = [_either(folder / name) for name, _ in FILES.values()]
        if all(paths):
            break
    else:
        raise DataError(
            f"{torchvision_name} is not on this machine: no {FILES['train_images'][0]} (or .gz) and its three "
            f"companions in {' or '.join(str(folder) for folder in folders)}.\n"
            f"Put the four files there, or point LTH_DATA_DIR at the folder that holds "
            f"{torchvision_name}/raw; with a network, this fetches them:\n"
            f'  python -c "import torchvision; torchvision.datasets.{torchvision_name}('
            f"'{folders[0].parent.parent}', download=True)\""
        )
    tensors = {
        part: read_idx(path, dimensions) for path, (part, (_, dimensions)) in zip(paths, FILES.items(), strict=True)
    }
    return Raw(
        **{part: tensor.unsqueeze(1) if part.endswith("images") else tensor.long() for part, tensor in tensors.items()}
    )


def mnist(data_dir: Path) -> Raw:
    """LeCun, Cortes & Burges: 60,000 + 10,000 handwritten digits, 28×28."""
    return read_mnist_like([data_dir / "MNIST" / "raw"], "MNIST")


def fashion_mnist(data_dir: Path) -> Raw:
    """Xiao, Rasul & Vollgraf 2017: 60,000 + 10,000 articles of clothing, 28×28.

    Debian's package dataset-fashion-mnist is found where it installs itself.
    """
    debian = Path("/usr/share/datasets/fashion-mnist")
    return read_mnist_like([data_dir / "FashionMNIST" / "raw", debian], "FashionMNIST")


def _either(path: Path) -> Path | None:
    return next((p for p in (path, path.with_name(path.name + ".gz")) if p.is_file()), None)
