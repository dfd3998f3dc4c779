"""Branches: which experiment each round of an experiment belongs to."""

from __future__ import annotations

from collections.abc import Mapping

from lth_pipeline.experiments import Experiment


def owner(cards: Mapping[str, Experiment], name: str, round: int) -> Experiment:
    """The experiment whose settings made round `round` of experiment `name`."""
    experiment = cards[name]
    while experiment.branch_of and round < experiment.branch_of.round:
        experiment = cards[experiment.branch_of.experiment]
    return experiment
