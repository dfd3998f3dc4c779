"""Sets whose published files are checked by their MD5 (`checksums`), and one that is generated."""

from __future__ import annotations

from lth_pipeline.lottery.data.checksums import CIFAR10, CIFAR100, KMNIST, SVHN, combined
from lth_pipeline.lottery.data.dataset import Facts

PUBLISHED: dict[str, Facts] = {
    "kmnist": Facts(
        title="Kuzushiji-MNIST",
        image_shape=(1, 28, 28),
        classes=10,
        train=60_000,
        test=10_000,
        digest=combined(KMNIST),
        licence="CC BY-SA 4.0",
        by_content=False,
    ),
    "cifar10": Facts(
        title="CIFAR-10",
        image_shape=(3, 32, 32),
        classes=10,
        train=50_000,
        test=10_000,
        digest=combined(CIFAR10),
        licence="none stated; cite Krizhevsky 2009",
        by_content=False,
    ),
    "cifar100": Facts(
        title="CIFAR-100",
        image_shape=(3, 32, 32),
        classes=100,
        train=50_000,
        test=10_000,
        digest=combined(CIFAR100),
        licence="none stated; cite Krizhevsky 2009",
        by_content=False,
    ),
    "svhn": Facts(
        title="SVHN (cropped digits)",
        image_shape=(3, 32, 32),
        classes=10,
        train=73_257,
        test=26_032,
        digest=combined(SVHN),
        licence="non-commercial use only",
        by_content=False,
    ),
    "mnist1d": Facts(
        title="MNIST-1D",
        image_shape=(1, 1, 40),
        classes=10,
        train=4_000,
        test=1_000,
        digest="d46e23f202456496d02f9d67dc19f68a1bea7b9a589f3c8d1432814c201d9652",
        licence="Apache-2.0",
    ),
}

#: name -> "module:function", as in the catalog
READERS = {
    "kmnist": "mnist:kmnist",
    "cifar10": "cifar:cifar10",
    "cifar100": "cifar:cifar100",
    "svhn": "svhn:svhn",
    "mnist1d": "mnist1d:mnist1d",
}
