"""From a data set as published to the parts that training reads: split, chosen, normalised."""

from __future__ import annotations

import torch

from lth_pipeline.lottery.data.dataset import Data, Part, Raw
from lth_pipeline.lottery.data.split import stratified
from lth_pipeline.lottery.data.statistics import mean_and_deviation
from lth_pipeline.lottery.errors import DataError
from lth_pipeline.lottery.randomness import generator as named
from lth_pipeline.lottery.randomness import stream_seed

#: A part whose pixels take more as float32 is kept as bytes (a quarter) and scaled batch by batch, to the same bits.
#: MNIST (188 MB) lies ready; CIFAR-10 (614 MB) does not, for that costs 0.1 ms of a batch of 60.
READY_BYTES = 2**28
CHUNK = 1_000  # images scaled at once


def parts(
    raw: Raw,
    title: str,
    *,
    validation_size: int,
    generator: torch.Generator,
    train_size: int | None = None,
    test_size: int | None = None,
    normalisation: str = "standard",
    as_bytes: bool = False,
    streamed: bool = False,
    device: str | torch.device = "cpu",
    sha256: str = "",
) -> Data:
    """The three parts of `raw` on `device`.

    validation_size: images held out of the training part, stratified by class, drawn from `generator`.
    train_size: of what is left, train on so many; drawn after them from the same generator.
    test_size: test on so many; of a set without a test part, hold out so many. Drawn once for all experiments, so
        that every seed is tested on the same images.
    normalisation: "standard" (each channel to mean 0 and standard deviation 1 over the training part)
        or "unit" (pixels in [0, 1]).
    as_bytes: leave pixels as they are until a batch is taken: augmentation works on them.
    streamed: leave the images where they are, and fetch each batch when its turn comes.
    """
    rest, test = _test_rows(raw, test_size, title)
    inner, held_out = stratified(raw.train_labels[rest], validation_size, generator)
    if train_size is not None and train_size < len(inner):
        inner = inner[stratified(raw.train_labels[rest[inner]], train_size, generator)[1]]
    train, validation = rest[inner], rest[held_out]
    mean, std = mean_and_deviation(raw, train)
    shift, scale = (mean, std) if normalisation == "standard" else ([0.0] * len(mean), [1.0] * len(std))
    scaling = (raw.full_scale, *(torch.tensor(v, dtype=torch.float64).view(-1, 1, 1).float() for v in (shift, scale)))

    def part(images: torch.Tensor, labels: torch.Tensor, rows: torch.Tensor, as_bytes: bool) -> Part:
        labels = labels[rows].to(device)
        on_device = (scaling[0], scaling[1].to(device), scaling[2].to(device))
        if streamed:
            return Part(images, labels, on_device, rows, streamed=True)
        if as_bytes or 4 * len(rows) * images[0].numel() > READY_BYTES:
            return Part(images[rows].to(device), labels, on_device)
        return Part(_all_scaled(images, rows, scaling).to(device), labels)

    held = (raw.test_images, raw.test_labels) if len(raw.test_labels) else (raw.train_images, raw.train_labels)
    return Data(
        part(raw.train_images, raw.train_labels, train, as_bytes),
        part(raw.train_images, raw.train_labels, validation, False),
        part(*held, test, False),
        tuple(mean),
        tuple(std),
        sha256,
    )


def _all_scaled(images: torch.Tensor, rows: torch.Tensor, scaling: tuple) -> torch.Tensor:
    """`scaled` of the images `rows`, some at a time: all at once MNIST would take 43 MB more for a moment."""
    found = torch.empty(len(rows), *images.shape[1:])
    for chunk, into in zip(rows.split(CHUNK), found.split(CHUNK), strict=True):
        into.copy_(scaled(images[chunk], scaling))
    return found


def scaled(images: torch.Tensor, scaling: tuple[float, torch.Tensor, torch.Tensor]) -> torch.Tensor:
    """Pixels as a network takes them, float32 and new: (pixel / full scale − mean) / deviation.

    In place on one copy: MNIST's training part would take 172 MB once more for a moment.
    """
    full_scale, shift, scale = scaling
    return images.to(torch.float32, copy=True).div_(full_scale).sub_(shift).div_(scale)


def _test_rows(raw: Raw, test_size: int | None, title: str) -> tuple[torch.Tensor, torch.Tensor]:
    """(rows of the training images that are not for testing, rows of the images to test on)."""
    everything = torch.arange(len(raw.train_labels))
    draws = named(stream_seed(0, "test_part"))
    if len(raw.test_labels):
        if test_size is None or test_size >= len(raw.test_labels):
            return everything, torch.arange(len(raw.test_labels))
        return everything, stratified(raw.test_labels, test_size, draws)[1]
    if test_size is None:
        raise DataError(f"{title} has no test part; give data.test_size, the number of images to hold out for it")
    return stratified(raw.train_labels, test_size, draws)
