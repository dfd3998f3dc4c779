"""Before a run: own images read, published tickets fetched, and the card checked against what they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from lth_pipeline.experiments import Experiment, Fault
from lth_pipeline.experiments.cards import card_error
from lth_pipeline.lottery.data import DataDirs, DataError
from lth_pipeline.recipes import registry as tickets
from lth_pipeline.recipes.chain import Chain
from lth_pipeline.recipes.check import faults
from lth_pipeline.recipes.errors import NotPublishedError
from lth_pipeline.recipes.facts import prepare, source_of
from lth_pipeline.recipes.lineage import related
from lth_pipeline.recipes.memory import memory_faults
from lth_pipeline.recipes.registry import Registry


def make_ready(
    cards: Mapping[str, Experiment],
    name: str,
    dirs: DataDirs,
    progress: Callable[[int, int], None] | None = None,
    folders: Sequence[Path] = (),
    registry: Registry | None = None,
) -> Mapping[str, Experiment]:
    """Read the own images of experiment `name` and of those it comes from, fetch their published tickets, and check its
    card against them and against this machine's memory, and so the cards that its run trains rounds of. Gives the
    cards in which each of these tickets is the version that was found: a run that goes by them means one version,
    wherever an alias moves meanwhile. Raises DataError and CardError.

    progress: called with (images read, images in all). folders: of the cards, so that an error names file and line.
    registry: what published tickets are asked of; None: nobody, and those in the cache are taken.
    """
    experiments = related(cards, name)
    for experiment in experiments:
        refused = path_faults(experiment, dirs)
        if refused:
            raise card_error(experiment.name, list(folders), refused)
        prepare(experiment.data, dirs, progress)
        if experiment.ticket_from and experiment.ticket_from.registry:
            _fetch(experiment, dirs, folders, registry)
    cards = tickets.pinned(cards, tickets.versions_known(experiments, dirs))
    experiments = related(cards, name)
    for experiment in experiments:  # a branch is checked against its parent's images too
        found = faults(experiment, cards, dirs)
        if found:
            raise card_error(experiment.name, list(folders), found)
    for experiment in trained_with(cards, name, dirs):
        too_large = memory_faults(experiment, dirs)
        if too_large:
            raise card_error(experiment.name, list(folders), too_large)
    return cards


def _fetch(experiment: Experiment, dirs: DataDirs, folders: Sequence[Path], registry: Registry | None) -> None:
    origin = experiment.ticket_from
    try:
        tickets.prepare(origin, dirs, registry)
    except NotPublishedError as error:
        faults = [Fault("ticket_from.registry", origin.registry, str(error))]
        raise card_error(experiment.name, list(folders), faults) from error


def trained_with(cards: Mapping[str, Experiment], name: str, dirs: DataDirs) -> list[Experiment]:
    """The experiments by whose settings a run of `name` trains, its own first: those of the rounds that it branches off
    from, and of the trainings that its ticket comes from. Own images must have been read."""
    chain = Chain(cards, name, 0, dirs)
    steps = [step for round in range(cards[name].pruning.rounds + 1) for step in chain.trainings(round)]
    waiting, seen, found = [(chain, step) for step in steps], set(), {name: cards[name]}
    while waiting:
        chain, step = waiting.pop()
        chain = chain.other(step.of) if step.of else chain
        step = replace(step, of="")
        if (chain.name, step) in seen:
            continue
        seen.add((chain.name, step))
        if step.trains:
            experiment = chain.owner(step.round)
            found.setdefault(experiment.name, experiment)
        waiting += [(chain, source) for source in chain.inputs(step).values()]
    return list(found.values())


def path_faults(experiment: Experiment, dirs: DataDirs) -> list[Fault]:
    """The fault of a card whose own images lie where none may be read."""
    source = source_of(experiment.data)
    if source is None:
        return []
    from lth_pipeline.lottery.data.images.source import permitted

    try:
        permitted(source, dirs)
    except DataError as error:
        return [Fault("data.path", source.path, str(error))]
    return []
