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


def related(cards: Mapping[str, Experiment], name: str) -> list[Experiment]:
    """The experiments whose settings or artifacts the rounds of experiment `name` are made of, its own first."""
    found = owners(cards, name)
    for card in list(found):
        if card.ticket_from and card.ticket_from.experiment:
            found += [other for other in related(cards, card.ticket_from.experiment) if other not in found]
    return found


def owners(cards: Mapping[str, Experiment], name: str) -> list[Experiment]:
    """The experiments whose rounds are in experiment `name`, its own first."""
    found = [cards[name]]
    while found[-1].branch_of:
        found.append(cards[found[-1].branch_of.experiment])
    return found
