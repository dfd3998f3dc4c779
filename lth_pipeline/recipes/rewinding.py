"""The rewind point, and the way from one early-bird mask to the next, in iterations, however the card gives them."""

from __future__ import annotations

from math import ceil

from lth_pipeline.experiments import Experiment
from lth_pipeline.lottery.data import DataDirs
from lth_pipeline.recipes.facts import facts_of, parts_of


def rewind_iteration(experiment: Experiment, dirs: DataDirs | None = None) -> int:
    """The nearest whole iteration to `rewind` of the card. dirs: where own images were read to (epochs need them)."""
    rewind, training = experiment.rewind, experiment.training
    if rewind.fraction:
        return round(rewind.fraction * training.iterations)
    if rewind.epoch:
        return round(rewind.epoch * _epoch(experiment, dirs))
    return rewind.iteration


def mask_every(experiment: Experiment, dirs: DataDirs | None = None) -> int:
    """Iterations between the masks that `find_early` compares: those of the card, or the evaluation that ends, or
    follows, an epoch."""
    asked, evaluate = experiment.early_bird, experiment.training.evaluate_every
    if asked and asked.every:
        return asked.every
    return evaluate * ceil(_epoch(experiment, dirs) / evaluate)


def _epoch(experiment: Experiment, dirs: DataDirs | None) -> float:
    examples, _, _ = parts_of(experiment.data, facts_of(experiment.data, dirs))
    return examples / experiment.training.batch_size
