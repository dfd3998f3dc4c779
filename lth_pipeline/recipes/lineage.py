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


def owners(cards: Mapping[str, Experiment], name: str) -> list[Experiment]:
    """The experiments whose rounds are in experiment `name`, its own first."""
    found = [cards[name]]
    while found[-1].branch_of:
        found.append(cards[found[-1].branch_of.experiment])
    return found
