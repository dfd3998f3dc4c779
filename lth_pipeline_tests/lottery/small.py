"""A network, a data set and schedules so small that a training takes milliseconds."""

import torch

from lth_pipeline.lottery.data.dataset import Data, Part
from lth_pipeline.lottery.digest import digest
from lth_pipeline.lottery.models import build
from lth_pipeline.lottery.pruning import masks
from lth_pipeline.lottery.randomness import generator, stream_seed
from lth_pipeline.lottery.training import curve
from lth_pipeline.lottery.training.schedule import Schedule
from lth_pipeline.lottery.training.train import train

MODEL = build("mlp", (1, 2, 3), 3, widths=(8, 5), initialisation="glorot_normal")
WEIGHTS = MODEL.initialise(generator(0))
ONES = masks.ones(MODEL)

#: 26 steps: more than an epoch of DATA (40 examples), and the end is no multiple of evaluate_every
COMMON = {"batch_size": 8, "iterations": 26, "evaluate_every": 10}
SCHEDULES = {
    "adam": Schedule("adam", learning_rate=0.01, **COMMON),
    "sgd with momentum": Schedule("sgd", learning_rate=0.1, momentum=0.9, **COMMON),
    "sgd": Schedule("sgd", learning_rate=0.1, **COMMON),
}


def part(examples: int, seed: int) -> Part:
    """Three classes around three well separated points."""
    labels = torch.arange(examples) % 3
    centres = 2 * torch.randn(3, 1, 2, 3, generator=generator(123))
    noise = 0.3 * torch.randn(examples, 1, 2, 3, generator=generator(seed))
    return Part(centres[labels] + noise, labels)


DATA = Data(part(40, 1), part(15, 2), part(15, 3), mean=(0.0,), std=(1.0,))


def half_mask() -> dict[str, torch.Tensor]:
    """About half of each layer's weights, drawn at random: survivors and pruned have both signs."""
    draws = generator(42)
    return {name: torch.rand(ones.shape, generator=draws) < 0.5 for name, ones in ONES.items()}


def seeds(purpose: str, number: int) -> int:
    return stream_seed(0, purpose, number=number)


def epoch_seed(epoch: int) -> int:
    return seeds("data_order", epoch)


def run(schedule, mask=None, weights=WEIGHTS, order=seeds, **options):
    """Train `weights`, put under `mask` first."""
    start = weights if mask is None else masks.apply(mask, weights)
    return train(MODEL, start, mask, DATA, schedule, order, **options)


def bits(trained) -> tuple[str, str, float]:
    """Equal where two trainings have the same weights, learning curve and train accuracy, bit for bit."""
    return digest(trained.weights), digest(curve.to_tensors(trained.rows)), trained.train_accuracy
