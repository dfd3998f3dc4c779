"""Before a run: own images read, and the card checked against what they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from lth_pipeline.experiments import Experiment, Fault
from lth_pipeline.experiments.cards import card_error
from lth_pipeline.lottery.data import DataDirs, DataError
from lth_pipeline.recipes.check import faults
from lth_pipeline.recipes.facts import prepare, source_of
from lth_pipeline.recipes.lineage import related
from lth_pipeline.recipes.memory import memory_faults


def make_ready(
    cards: Mapping[str, Experiment],
    name: str,
    dirs: DataDirs,
    progress: Callable[[int, int], None] | None = None,
    folders: Sequence[Path] = (),
) -> None:
    """Read the own images of experiment `name` and of those it comes from, and check its card against them and against
    this machine's memory. Raises DataError and CardError.

    progress: called with (images read, images in all). folders: of the cards, so that an error names file and line.
    """
    experiments = related(cards, name)
    for experiment in experiments:
        refused = path_faults(experiment, dirs)
        if refused:
            raise card_error(experiment.name, list(folders), refused)
        prepare(experiment.data, dirs, progress)
    for experiment in experiments:  # a branch is checked against its parent's images too
        found = faults(experiment, cards, dirs)
        if found:
            raise card_error(experiment.name, list(folders), found)
    too_large = memory_faults(cards[name], dirs)
    if too_large:
        raise card_error(name, list(folders), too_large)


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
