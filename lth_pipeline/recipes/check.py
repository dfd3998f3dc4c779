"""What is wrong with a card that only those see who know the networks and the data."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from pathlib import Path

from lth_pipeline import experiments
from lth_pipeline.experiments import Experiment, Fault
from lth_pipeline.experiments.errors import MISSING
from lth_pipeline.lottery.data import DataDirs
from lth_pipeline.lottery.data.images.source import checked
from lth_pipeline.lottery.errors import DataError, ModelError
from lth_pipeline.recipes.facts import facts_of, source_of
from lth_pipeline.recipes.ladder import climb, model_of, ranked_layers, rate
from lth_pipeline.recipes.lineage import owner, owners

FEWER = "give fewer, or leave it out (null where it is inherited)"


def load_cards(folders: list[Path]) -> dict[str, Experiment]:
    """Every experiment by its name, built-in and of `folders`, checked. Raises CardError.

    Own images may have changed since they were read, and a card that does not fit what they were must not keep the
    others from being used: such a card is checked by `ready.make_ready`.
    """
    return experiments.load_cards(folders, _faults_at_load)


def _faults_at_load(experiment: Experiment, cards: Mapping[str, Experiment]) -> list[Fault]:
    for card in owners(cards, experiment.name):
        if card.data.name == "images":
            try:
                checked(source_of(card.data))
            except DataError as error:
                return [Fault("data.path", card.data.path, str(error))]
            return []
    return faults(experiment, cards)


def faults(experiment: Experiment, cards: Mapping[str, Experiment], dirs: DataDirs | None = None) -> list[Fault]:
    """The faults of `experiment`; none where it can be run. Own images must have been read."""
    found = _data_faults(experiment, dirs) or _model_faults(experiment, dirs)
    if found:
        return found
    found = _kind_faults(experiment, dirs)
    if experiment.branch_of:
        found += _branch_faults(experiment, cards, dirs)
    return found or _ladder_faults(experiment, cards, dirs)


def _data_faults(experiment: Experiment, dirs: DataDirs | None) -> list[Fault]:
    facts, data = facts_of(experiment.data, dirs), experiment.data
    if not facts.test and data.test_size is None:
        expected = f"is missing; {facts.title} has no test part: give the number of images to hold out for it"
        return [Fault("data.test_size", MISSING, expected)]
    if facts.test and data.test_size and data.test_size >= facts.test:
        expected = f"has no effect: {facts.title} has {facts.test:,} test images; {FEWER}"
        return [Fault("data.test_size", data.test_size, expected)]
    available = facts.train - (0 if facts.test else data.test_size or 0)
    if available < 1:
        expected = f"must leave something to train on: {facts.title} has {facts.train:,} images"
        return [Fault("data.test_size", data.test_size, expected)]
    if data.validation_size >= available:
        expected = f"must leave something to train on: {facts.title} has {available:,} training images"
        return [Fault("data.validation_size", data.validation_size, expected)]
    left = available - data.validation_size
    if data.train_size and data.train_size >= left:
        expected = f"has no effect: the validation split leaves {left:,} images; {FEWER}"
        return [Fault("data.train_size", data.train_size, expected)]
    if experiment.training.batch_size > (data.train_size or left):
        expected = f"must not exceed the {data.train_size or left:,} training images that are left after the " + (
            "choice of train_size" if data.train_size else "validation split"
        )
        return [Fault("training.batch_size", experiment.training.batch_size, expected)]
    crop, sides = data.augmentation and data.augmentation.crop, facts.image_shape[1:]
    if crop and min(sides) == 1:
        return [Fault("data.augmentation.crop", crop, f"is for images; {facts.title} is one pixel high: leave it out")]
    if crop and crop >= min(sides):
        expected = f"must be below the smaller side of the images, {min(sides)} pixels"
        return [Fault("data.augmentation.crop", crop, expected)]
    return []


def _model_faults(experiment: Experiment, dirs: DataDirs | None) -> list[Fault]:
    try:
        model = model_of(experiment, dirs)
    except ModelError as error:
        field = "model.depth" if experiment.model.depth else "model.name"
        return [Fault(field, experiment.model.depth or experiment.model.name, str(error))]
    if model.norms and experiment.training.batch_size == 1:
        return [Fault("training.batch_size", 1, "must be at least 2: batch norm takes the deviation of a batch")]
    return []


def _kind_faults(experiment: Experiment, dirs: DataDirs | None) -> list[Fault]:
    own = experiment.pruning.output_rate is not None
    kinds = {layer.kind for layer in model_of(experiment, dirs).layers if not (own and layer.is_output)}
    beside = " beside the output, which has its own rate" if own else ""
    return [
        Fault(
            f"pruning.rates.{kind}",
            value,
            f"has no effect: {experiment.model.name} has no {kind} layers{beside}, only {', '.join(sorted(kinds))}",
        )
        for kind, value in experiment.pruning.rates.items()
        if kind not in kinds
    ]


def _branch_faults(experiment: Experiment, cards: Mapping[str, Experiment], dirs: DataDirs | None) -> list[Fault]:
    branch = experiment.branch_of
    parent = cards[branch.experiment]
    if branch.round > experiment.pruning.rounds:
        expected = f"must be at most pruning.rounds ({experiment.pruning.rounds}), or no round is this experiment's own"
        return [Fault("branch_of.round", branch.round, expected)]
    before = owner(cards, parent.name, branch.round - 1)
    one, two = facts_of(before.data, dirs), facts_of(experiment.data, dirs)
    same_shape = (one.image_shape, one.classes) == (two.image_shape, two.classes)
    if not same_shape or model_of(before, dirs).layers != model_of(experiment, dirs).layers:
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
    if both_global and ranked_layers(before.pruning, model_of(before, dirs)) != ranked_layers(
        experiment.pruning, model_of(experiment, dirs)
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


def empties(
    cards: Mapping[str, Experiment], name: str, rounds: int, dirs: DataDirs | None = None
) -> tuple[int, str] | None:
    """(round, weight name) where the ladder of experiment `name` first leaves a layer nothing, down to `rounds`."""
    for rung in islice(climb(cards, name, dirs), rounds + 1):
        empty = [layer for layer, count in rung.keep.items() if count < (len(rung.ranked) or 1)]
        if empty:
            return rung.round, empty[0] or "the network"
    return None


def _ladder_faults(experiment: Experiment, cards: Mapping[str, Experiment], dirs: DataDirs | None) -> list[Fault]:
    pruning = experiment.pruning
    if not any(rate(pruning, layer) for layer in model_of(experiment, dirs).layers):
        return [Fault("pruning.rates", pruning.rates, "prunes none of this network's layers")]
    emptied = empties(cards, experiment.name, pruning.rounds, dirs)
    if emptied:
        remedy = f"give at most {emptied[0] - 1} rounds, or lower rates"
        expected = f"prunes {emptied[1]} away whole in round {emptied[0]}; {remedy}"
    before = None
    for rung in islice(climb(cards, experiment.name, dirs), emptied[0] if emptied else pruning.rounds + 1):
        if before == rung.weights:
            expected = f"prunes nothing in round {rung.round}; "
            if rung.round == 1:
                return [Fault("pruning.rates", pruning.rates, expected + "raise the rates")]
            expected += f"give at most {rung.round - 1} rounds, or raise the rates"
            return [Fault("pruning.rounds", pruning.rounds, expected)]
        before = rung.weights
    return [Fault("pruning.rounds", pruning.rounds, expected)] if emptied else []
