"""The rewind point as an iteration, however the card gives it."""

from __future__ import annotations

from lth_pipeline.experiments import Experiment
from lth_pipeline.lottery.data import DataDirs
from lth_pipeline.recipes.facts import facts_of, parts_of


def rewind_iteration(experiment: Experiment, dirs: DataDirs | None = None) -> int:
    """The nearest whole iteration to `rewind` of the card. dirs: where own images were read to (epochs need them)."""
    rewind, training = experiment.rewind, experiment.training
    if rewind.fraction:
        return round(rewind.fraction * training.iterations)
    if rewind.epoch:
        examples, _, _ = parts_of(experiment.data, facts_of(experiment.data, dirs))
        return round(rewind.epoch * examples / training.batch_size)
    return rewind.iteration
