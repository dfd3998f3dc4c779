"""What is asked for of an experiment: which replicates, how deep; and whether that can be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lth_pipeline.experiments import Experiment
from lth_pipeline.lottery.data import DataDirs
from lth_pipeline.lottery.errors import PruningError
from lth_pipeline.orchestration.numbers import OptionsError
from lth_pipeline.orchestration.partitions import replicates as offered
from lth_pipeline.recipes.check_pruning import empties, too_small
from lth_pipeline.recipes.ladder import ladder


@dataclass(frozen=True)
class Options:
    """None: what the card says. recompute: from scratch, whatever the store has."""

    replicates: tuple[int, ...] | None = None
    through: int | None = None
    rounds: tuple[int, ...] | None = None
    recompute: bool = False


def check_options(cards: Mapping[str, Experiment], name: str, options: Options, deepest: int, dirs: DataDirs) -> None:
    """Raises OptionsError where a replicate or a round of experiment `name` is asked for that cannot be."""
    experiment = cards[name]
    if options.through is not None and options.rounds is not None:
        raise OptionsError("--through and --rounds: give one of them")
    if options.replicates is not None and max(options.replicates) >= offered(cards):
        raise OptionsError(
            f"replicate {max(options.replicates)}: this deployment has partitions for 0 … {offered(cards) - 1}; "
            f"set LTH_REPLICATES={max(options.replicates) + 1} for more"
        )
    depth = max(options.rounds) if options.rounds else options.through or 0
    if depth > deepest:
        raise OptionsError(
            f"round {depth}: this deployment has assets for rounds 0 … {deepest}; "
            f"set LTH_DEEPEST_ROUND={depth} for more"
        )
    try:
        rungs = ladder(cards, experiment.name, depth, dirs)
    except PruningError as error:
        raise OptionsError(f"{experiment.name}: {error}; go less deep") from None
    told = too_small(experiment, rungs[-1], dirs) if depth else None
    if told:
        raise OptionsError(f"{experiment.name}: {told}; go less deep, or leave that arm out")
    emptied = empties(cards, experiment.name, depth, dirs)
    if emptied:
        whose = f"{experiment.name}: " if experiment.sweep else ""
        raise OptionsError(
            f"{whose}round {emptied[0]} would prune {emptied[1]} away whole; go through {emptied[0] - 1}"
        )
