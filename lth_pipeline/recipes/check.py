"""What is wrong with a card that only those see who know the networks and the data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lth_pipeline import experiments
from lth_pipeline.experiments import CardError, Experiment, Fault
from lth_pipeline.experiments.errors import MISSING
from lth_pipeline.lottery.data import DataDirs
from lth_pipeline.lottery.data.images.source import checked
from lth_pipeline.lottery.errors import DataError, ModelError
from lth_pipeline.recipes.check_branch import branch_faults, reference_faults, transfer_faults
from lth_pipeline.recipes.check_pruning import ladder_faults, layer_faults, protocol_faults
from lth_pipeline.recipes.facts import facts_of, source_of
from lth_pipeline.recipes.ladder import model_of
from lth_pipeline.recipes.lineage import related
from lth_pipeline.recipes.registry import known, published_tickets

FEWER = "give fewer, or leave it out (null where it is inherited)"


def load_sound_cards(folders: list[Path]) -> tuple[dict[str, Experiment], list[CardError]]:
    """(as `load_cards`, but without cards that have a mistake, and those that build on them; what is wrong with these).

    For what runs unattended: a card that somebody is writing must not end the runs of all others.
    """
    mistakes: list[CardError] = []
    while True:
        without = [mistake.file for mistake in mistakes]
        try:
            return experiments.load_cards(folders, _faults_at_load, without), mistakes
        except CardError as error:
            own = any(Path(error.file).parent == folder for folder in folders)
            if error.file in without or not own:
                raise
            mistakes.append(error)


def load_cards(folders: list[Path]) -> dict[str, Experiment]:
    """Every experiment by its name, built-in and of `folders`, checked. Raises CardError.

    Own images may have changed since they were read, and a card that does not fit what they were must not keep the
    others from being used: such a card is checked by `ready.make_ready`.
    """
    return experiments.load_cards(folders, _faults_at_load)


def _faults_at_load(experiment: Experiment, cards: Mapping[str, Experiment]) -> list[Fault]:
    found = reference_faults(experiment, cards)
    if found:
        return found
    own_images = [card for card in related(cards, experiment.name) if card.data.name == "images"]
    for card in own_images:
        try:
            checked(source_of(card.data))
        except DataError as error:
            if card.data == experiment.data:
                return [Fault("data.path", card.data.path, str(error))]
            return [Fault("", MISSING, f"comes from {card.name}, whose images cannot be read: {error}")]
    return [] if own_images else faults(experiment, cards)


def faults(experiment: Experiment, cards: Mapping[str, Experiment], dirs: DataDirs | None = None) -> list[Fault]:
    """The faults of `experiment`; none where it can be run. Own images must have been read."""
    found = _data_faults(experiment, dirs) or _model_faults(experiment, dirs)
    if found:
        return found
    found = layer_faults(experiment, dirs) or protocol_faults(experiment, dirs)
    if experiment.branch_of:
        found += branch_faults(experiment, cards, dirs)
    if any(known(origin, dirs) is None for origin in published_tickets(related(cards, experiment.name))):
        return found  # the rest is looked at once the ticket is known (ready.py)
    found = found or transfer_faults(experiment, cards, dirs)
    return found or ladder_faults(experiment, cards, dirs)


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
