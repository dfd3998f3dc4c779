"""What an experiment costs, before it runs."""

from __future__ import annotations

from collections.abc import Sequence
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


def not_counted(experiments: Sequence[Experiment]) -> list[str]:
    """What `cost_of` leaves out, a sentence for each experiment that something is taken over from."""
    said = []
    for card in experiments:
        if card.branch_of:
            parent, last = card.branch_of.experiment, card.branch_of.round - 1
            rounds = f"rounds 0 … {last}" if last else "round 0"
            said.append(
                f"Beside it, {rounds} of {parent}: taken over, and trained once if {parent} has not been run yet; "
                "`lth run` has them in its number of trainings"
            )
        if card.ticket_from and card.ticket_from.experiment:
            source, last = card.ticket_from.experiment, card.ticket_from.round
            said.append(f"Beside it, what leads to the ticket of {source}, round {last}, if that has not been run yet")
    return list(dict.fromkeys(said))
