"""Before a run: own images read, and the card checked against what they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from lth_pipeline.experiments import Experiment
from lth_pipeline.experiments.cards import card_error
from lth_pipeline.lottery.data import DataDirs
from lth_pipeline.recipes.check import faults
from lth_pipeline.recipes.facts import prepare
from lth_pipeline.recipes.lineage import related


def make_ready(
    cards: Mapping[str, Experiment],
    name: str,
    dirs: DataDirs,
    progress: Callable[[int, int], None] | None = None,
    folders: Sequence[Path] = (),
) -> None:
    """Read the own images of experiment `name` and of those it comes from. Raises DataError and CardError.

    progress: called with (images read, images in all). folders: of the cards, so that an error names file and line.
    """
    experiments = related(cards, name)
    for experiment in experiments:
        prepare(experiment.data, dirs, progress)
    for experiment in experiments:  # a branch is checked against its parent's images too
        found = faults(experiment, cards, dirs)
        if found:
            raise card_error(experiment.name, list(folders), found)
