"""What an experiment costs, before it runs."""

from __future__ import annotations

from dataclasses import dataclass

from lth_pipeline.experiments import Experiment
from lth_pipeline.recipes import Chain


@dataclass(frozen=True)
class Cost:
    trainings: int
    iterations: int  # an upper bound: a ticket begins at its rewind point, and an early stop saves the rest
    images: int


def cost_of(experiment: Experiment, chain: Chain) -> Cost:
    """Of all replicates of the card; a branch pays for its own rounds only. chain: of any replicate."""
    first = experiment.branch_of.round if experiment.branch_of else 0
    rounds = range(first, experiment.pruning.rounds + 1)
    trainings = experiment.replicates * sum(len(chain.trainings(round)) for round in rounds)
    iterations = trainings * experiment.training.iterations
    return Cost(trainings, iterations, iterations * experiment.training.batch_size)
