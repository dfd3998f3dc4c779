"""What is wrong with a card that only those see who know the networks and the data."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from pathlib import Path

from lth_pipeline import experiments
from lth_pipeline.experiments import Experiment, Fault
from lth_pipeline.lottery.data import DATASETS
from lth_pipeline.recipes.ladder import climb, model_of, ranked_layers, rate
from lth_pipeline.recipes.lineage import owner


def load_cards(folders: list[Path]) -> dict[str, Experiment]:
    """Every experiment by its name, built-in and of `folders`, checked. Raises CardError."""
    return experiments.load_cards(folders, faults)


def faults(experiment: Experiment, cards: Mapping[str, Experiment]) -> list[Fault]:
    """The faults of `experiment`; none where it can be run."""
    found = _data_faults(experiment) + _kind_faults(experiment)
    if experiment.branch_of:
        found += _branch_faults(experiment, cards)
    return found or _ladder_faults(experiment, cards)


def _data_faults(experiment: Experiment) -> list[Fault]:
    facts, data = DATASETS[experiment.data.name], experiment.data
    if data.validation_size >= facts.train:
        expected = f"must leave something to train on: {facts.title} has {facts.train:,} training images"
        return [Fault("data.validation_size", data.validation_size, expected)]
    left = facts.train - data.validation_size
    if experiment.training.batch_size > left:
        expected = f"must not exceed the {left:,} training images that are left after the validation split"
        return [Fault("training.batch_size", experiment.training.batch_size, expected)]
    return []


def _kind_faults(experiment: Experiment) -> list[Fault]:
    kinds = {layer.kind for layer in model_of(experiment).layers}
    return [
        Fault(
            f"pruning.rates.{kind}",
            value,
            f"has no effect: {experiment.model.name} has no {kind} layers, only {', '.join(sorted(kinds))}",
        )
        for kind, value in experiment.pruning.rates.items()
        if kind not in kinds
    ]


def _branch_faults(experiment: Experiment, cards: Mapping[str, Experiment]) -> list[Fault]:
    branch = experiment.branch_of
    parent = cards[branch.experiment]
    if branch.round > experiment.pruning.rounds:
        expected = f"must be at most pruning.rounds ({experiment.pruning.rounds}), or no round is this experiment's own"
        return [Fault("branch_of.round", branch.round, expected)]
    before = owner(cards, parent.name, branch.round - 1)
    if model_of(before).layers != model_of(experiment).layers:
        return [
            Fault(
                "model",
                experiment.model.name,
                f"a branch keeps the network and the image shape of {parent.name}, whose masks it takes over",
            )
        ]
    if before.pruning.scope == "global" and experiment.pruning.scope == "layerwise" and branch.round > 1:
        return [
            Fault(
                "pruning.scope",
                "layerwise",
                f"cannot follow the global rounds of {parent.name}: "
                f"how much is left in each layer is not known beforehand",
            )
        ]
    both_global = before.pruning.scope == experiment.pruning.scope == "global" and branch.round > 1
    if both_global and ranked_layers(before.pruning, model_of(before)) != ranked_layers(
        experiment.pruning, model_of(experiment)
    ):
        expected = f"must rank the layers that {parent.name} ranks: how much is left in each is not known beforehand"
        return [Fault("pruning.output_rate", experiment.pruning.output_rate, expected)]
    dense = owner(cards, parent.name, 0)
    if experiment.rewind.iteration >= dense.training.iterations:
        expected = (
            f"must be below the {dense.training.iterations:,} iterations of {dense.name}, whose round 0 it takes over"
        )
        return [Fault("rewind.iteration", experiment.rewind.iteration, expected)]
    own = ("data", "model", "training", "rewind", "seed")
    same = all(getattr(parent, field) == getattr(experiment, field) for field in own)
    same = same and set(parent.arms) == set(experiment.arms)
    if same and parent.pruning.model_copy(update={"rounds": experiment.pruning.rounds}) == experiment.pruning:
        return [
            Fault(
                "branch_of.experiment",
                parent.name,
                "this branch changes nothing; change a setting, or run the parent",
            )
        ]
    return []


def empties(cards: Mapping[str, Experiment], name: str, rounds: int) -> tuple[int, str] | None:
    """(round, weight name) where the ladder of experiment `name` first leaves a layer nothing, down to `rounds`."""
    for rung in islice(climb(cards, name), rounds + 1):
        empty = [layer for layer, count in rung.keep.items() if count < (len(rung.ranked) or 1)]
        if empty:
            return rung.round, empty[0] or "the network"
    return None


def _ladder_faults(experiment: Experiment, cards: Mapping[str, Experiment]) -> list[Fault]:
    pruning = experiment.pruning
    if not any(rate(pruning, layer) for layer in model_of(experiment).layers):
        return [Fault("pruning.rates", pruning.rates, "prunes none of this network's layers")]
    emptied = empties(cards, experiment.name, pruning.rounds)
    if emptied:
        remedy = f"give at most {emptied[0] - 1} rounds, or lower rates"
        expected = f"prunes {emptied[1]} away whole in round {emptied[0]}; {remedy}"
    before = None
    for rung in islice(climb(cards, experiment.name), emptied[0] if emptied else pruning.rounds + 1):
        if before == rung.weights:
            expected = f"prunes nothing in round {rung.round}; "
            if rung.round == 1:
                return [Fault("pruning.rates", pruning.rates, expected + "raise the rates")]
            expected += f"give at most {rung.round - 1} rounds, or raise the rates"
            return [Fault("pruning.rounds", pruning.rounds, expected)]
        before = rung.weights
    return [Fault("pruning.rounds", pruning.rounds, expected)] if emptied else []
