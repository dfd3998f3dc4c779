"""LeNet-300-100 on MNIST as the benchmarks train it: images, weights, masks."""

from __future__ import annotations

from typing import NamedTuple

import torch

from benchmarks.ours import Task, trained
from lth_pipeline.home import find_home
from lth_pipeline.lottery.data import Data, DataError, Part, files
from lth_pipeline.lottery.data.dataset import Raw
from lth_pipeline.lottery.data.mnist import mnist
from lth_pipeline.lottery.data.parts import scaled
from lth_pipeline.lottery.models import build
from lth_pipeline.lottery.models.model import Model, Tensors
from lth_pipeline.lottery.pruning import masks
from lth_pipeline.lottery.randomness import generator
from lth_pipeline.lottery.training.schedule import Schedule

BATCH = 60
DENSITIES = (0.2, 0.05, 0.01)
TRAIN, VALIDATION = 55_000, 5_000
MEAN, DEVIATION = 0.1307, 0.3081  # of MNIST's pixels; peers write them into their code
SCHEDULE = Schedule("adam", learning_rate=1.2e-3, batch_size=BATCH, iterations=1, evaluate_every=1)


class Work(NamedTuple):
    """pixels: as published, uint8. data: the same, normalised, in three parts."""

    model: Model
    weights: Tensors
    pixels: Raw
    data: Data
    note: str = ""


def work(pixels: Raw, note: str = "", train: int = TRAIN, widths: tuple[int, ...] = (300, 100)) -> Work:
    """train: images to train on; the others of the training part are for validation."""
    model = build("mlp", tuple(pixels.train_images.shape[1:]), 10, widths=widths, initialisation="glorot_normal")
    images, labels = normalised(pixels.train_images), pixels.train_labels
    data = Data(
        Part(images[:train], labels[:train]),
        Part(images[train:], labels[train:]),
        Part(normalised(pixels.test_images), pixels.test_labels),
        mean=(MEAN,),
        std=(DEVIATION,),
    )
    return Work(model, model.initialise(generator(0)), pixels, data, note)


def full() -> Work:
    """MNIST from the data folder; where it is not there, random images of its shape: speed does not depend on it."""
    try:
        return work(mnist(find_home().data))
    except DataError:
        return work(random_images(60_000, 10_000), note())


def note() -> str:
    """What must be said of figures measured without MNIST."""
    return "" if files.find("mnist", find_home().data).whole else "random images of MNIST's shape"


def random_images(train: int, test: int, side: int = 28) -> Raw:
    draws = generator(1)

    def images(count: int) -> torch.Tensor:
        return torch.randint(0, 256, (count, 1, side, side), generator=draws, dtype=torch.uint8)

    def labels(count: int) -> torch.Tensor:
        return torch.randint(0, 10, (count,), generator=draws)

    return Raw(images(train), labels(train), images(test), labels(test))


def normalised(pixels: torch.Tensor) -> torch.Tensor:
    return scaled(pixels, (255, torch.tensor(MEAN), torch.tensor(DEVIATION)))


def first(data: Data, validation: int, test: int, train: int | None = None) -> Data:
    """The first images of each part."""

    def some(part: Part, count: int | None) -> Part:
        return part if count is None else Part(part.images[:count], part.labels[:count])

    return Data(some(data.train, train), some(data.validation, validation), some(data.test, test), data.mean, data.std)


def task(given: Work, mask: Tensors | None, data: Data) -> Task:
    weights = given.weights if mask is None else masks.apply(mask, given.weights)
    return Task(given.model, weights, mask, data, SCHEDULE)


def random_mask(model: Model, density: float, seed: int = 2) -> dict[str, torch.Tensor]:
    """In each layer exactly the nearest whole number of weights to `density`, drawn at random."""
    draws = generator(seed)
    return {layer.weight: _highest(torch.rand(layer.shape, generator=draws), density) for layer in model.layers}


def magnitude_mask(given: Work, density: float, steps: int) -> dict[str, torch.Tensor]:
    """In each layer the greatest weights after `steps` steps of training: they lie together, by row and by column."""
    learned = trained(task(given, None, first(given.data, BATCH, BATCH)), steps, steps).weights
    return {layer.weight: _highest(learned[layer.weight].abs(), density) for layer in given.model.layers}


def _highest(scores: torch.Tensor, density: float) -> torch.Tensor:
    kept = torch.zeros(scores.numel(), dtype=torch.bool)
    kept[scores.flatten().topk(max(1, round(density * scores.numel()))).indices] = True
    return kept.view_as(scores)
