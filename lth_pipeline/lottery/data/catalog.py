"""The data sets by the names that cards use, and the one way to load them."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from lth_pipeline.lottery.data.dataset import Data, Facts, Part
from lth_pipeline.lottery.errors import DataError

if TYPE_CHECKING:
    import torch

    from lth_pipeline.lottery.data.dataset import Raw

DATASETS: dict[str, Facts] = {
    "digits": Facts(
        title="digits (scikit-learn)",
        image_shape=(1, 8, 8),
        classes=10,
        train=1400,
        test=397,
        digest="1ee9cb9bfedb51cbd672b4c5893188090a33866c86171cf4a746ae78978c7170",
        licence="CC BY 4.0 (UCI Machine Learning Repository)",
    ),
    "mnist": Facts(
        title="MNIST",
        image_shape=(1, 28, 28),
        classes=10,
        train=60_000,
        test=10_000,
        digest="462a37c106a5f92c1418ff4b9307a3283285507613eaa5e394fe6dd069f70978",
        licence="CC BY-SA 3.0",
    ),
    "fashion_mnist": Facts(
        title="Fashion-MNIST",
        image_shape=(1, 28, 28),
        classes=10,
        train=60_000,
        test=10_000,
        digest="445c1da324f9eecf09af4cafcfd909beb5197e67ff2e1a72c9158a9d56067103",
        licence="MIT",
    ),
}

#: name -> "module:function", a function from the data folder to Raw; imported when asked for
READERS = {
    "digits": "digits:digits",
    "mnist": "mnist:mnist",
    "fashion_mnist": "mnist:fashion_mnist",
}


def read(name: str, data_dir: Path) -> Raw:
    """The set `name` as published, its content checked against the digest in DATASETS."""
    from lth_pipeline.lottery.digest import digest

    module, function = READERS[name].split(":")
    reader: Callable[[Path], Raw] = getattr(import_module(f"lth_pipeline.lottery.data.{module}"), function)
    raw = reader(data_dir)
    found = digest(raw.tensors())
    if found != DATASETS[name].digest:
        raise DataError(
            f"{DATASETS[name].title}: the content found (data folder {data_dir}) has the SHA-256 {found}, "
            f"not {DATASETS[name].digest}: the files are damaged or of another set; fetch them again"
        )
    return raw


def load(
    name: str,
    data_dir: Path,
    *,
    validation_size: int,
    generator: torch.Generator,
    normalisation: str = "standard",
    device: str | torch.device = "cpu",
) -> Data:
    """The set `name`, split and normalised, on `device`.

    validation_size: images held out of the training part, stratified by class, drawn from `generator`.
    normalisation: "standard" (each channel to mean 0 and standard deviation 1 over the training part)
        or "unit" (pixels in [0, 1]).
    """
    from lth_pipeline.lottery.data.split import stratified

    raw = read(name, data_dir)
    train, validation = stratified(raw.train_labels, validation_size, generator)
    train_pixels = raw.train_images[train].double() / raw.full_scale
    mean, std = train_pixels.mean((0, 2, 3)), train_pixels.std((0, 2, 3), correction=0)
    del train_pixels
    shift, scale = (mean, std) if normalisation == "standard" else (mean * 0, std * 0 + 1)

    def part(images: torch.Tensor, labels: torch.Tensor) -> Part:
        pixels = (images.float() / raw.full_scale - shift.view(-1, 1, 1).float()) / scale.view(-1, 1, 1).float()
        return Part(pixels.to(device), labels.to(device))

    return Data(
        part(raw.train_images[train], raw.train_labels[train]),
        part(raw.train_images[validation], raw.train_labels[validation]),
        part(raw.test_images, raw.test_labels),
        tuple(mean.tolist()),
        tuple(std.tolist()),
    )
