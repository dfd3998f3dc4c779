"""The data sets by the names that cards use, and the one way to load them."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from lth_pipeline.lottery.data import published
from lth_pipeline.lottery.data.dataset import Facts, Raw
from lth_pipeline.lottery.data.dirs import DataDirs
from lth_pipeline.lottery.errors import DataError

if TYPE_CHECKING:
    import torch

    from lth_pipeline.lottery.data.dataset import Data
    from lth_pipeline.lottery.data.images import Source

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
    **published.PUBLISHED,
}

#: name -> "module:function", a function from the data folder to Raw; imported when asked for
READERS = {
    "digits": "digits:digits",
    "mnist": "mnist:mnist",
    "fashion_mnist": "mnist:fashion_mnist",
    **published.READERS,
}


def read(name: str, sets: Path) -> tuple[Raw, str]:
    """(the set `name` as published, the SHA-256 of its content), its content checked."""
    from lth_pipeline.lottery.digest import digest

    facts = DATASETS[name]
    module, function = READERS[name].split(":")
    reader: Callable[[Path], Raw] = getattr(import_module(f"lth_pipeline.lottery.data.{module}"), function)
    raw = reader(sets)
    found = digest(raw.tensors())
    if facts.by_content and found != facts.digest:
        raise DataError(
            f"{facts.title}: the content found (data folder {sets}) has the SHA-256 {found}, "
            f"not {facts.digest}: the files are damaged or of another set; fetch them again"
        )
    return raw, found


def read_own(source: Source, dirs: DataDirs) -> tuple[Raw, str]:
    """The same of own images, from the cache where they were read before."""
    from lth_pipeline.lottery.data import images

    found = images.read(source, dirs)
    arrays = images.arrays(found)
    sums, squares = arrays.pop("train_sums"), arrays.pop("train_squares")
    return Raw(**arrays, sums=sums, squares=squares), found.digest


def load(
    name: str,
    data_dir: Path | DataDirs,
    *,
    source: Source | None = None,
    generator: torch.Generator,
    validation_size: int,
    **options,
) -> Data:
    """The set `name`, split and normalised; options as in `parts.parts`.

    source: of own images (name "images").
    data_dir: the data folder; with a cache of its own for own images, a `DataDirs`.
    """
    from lth_pipeline.lottery.data.parts import parts

    dirs = data_dir if isinstance(data_dir, DataDirs) else DataDirs(Path(data_dir), Path(data_dir) / ".cache")
    raw, sha256 = read_own(source, dirs) if source else read(name, dirs.sets)
    pixels = sum(images.numel() * images.element_size() for images in (raw.train_images, raw.test_images))
    title = source.path if source else DATASETS[name].title
    return parts(
        raw,
        title,
        generator=generator,
        validation_size=validation_size,
        # only what lies in a file can stay there
        streamed=name == "images" and pixels > dirs.memory,
        sha256=sha256,
        **options,
    )
