"""What `lth run` has to do: the assets of each replicate that are missing, stale, or not in MLflow."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from lth_pipeline.experiments import Experiment
from lth_pipeline.orchestration.stages import asset_name
from lth_pipeline.orchestration.status import AssetStatus, Recorded, begun, replicate_status
from lth_pipeline.recipes import Workshop
from lth_pipeline.tracking.runs import RunKey

Plan = dict[int, list[AssetStatus]]


def plan(
    cards: Mapping[str, Experiment],
    name: str,
    workshop: Workshop,
    recorded: Recorded,
    logged: Collection[RunKey],
    deepest: int,
    *,
    replicates: tuple[int, ...] | None = None,
    through: int | None = None,
    rounds: tuple[int, ...] | None = None,
    recompute: bool = False,
) -> Plan:
    """{replicate: its assets to materialise, in order}; none for one that is up to date.

    Without `replicates`, those of the card; without `through` and `rounds`, the card's rounds: and then also
    whatever lies beyond, in any replicate, and is stale. With `rounds`, these and what they need from above.
    recompute: the chosen rounds whatever their state.
    """
    card = cards[name]
    everything = replicates is None and through is None and rounds is None
    chosen = set(range(card.replicates) if replicates is None else replicates)
    last = max(rounds) if rounds else card.pruning.rounds if through is None else through
    planned: Plan = {}
    for replicate in sorted(chosen | begun(recorded, name) if everything else chosen):
        down_to = last if replicate in chosen else -1
        found = replicate_status(workshop.chain(cards, name, replicate), workshop, recorded, down_to, deepest, logged)
        planned[replicate] = [
            entry
            for entry in found
            if (entry.round <= down_to and _wanted(entry, rounds, recompute)) or (everything and entry.state == "stale")
        ]
    return {replicate: entries for replicate, entries in planned.items() if entries}


def _wanted(entry: AssetStatus, rounds: tuple[int, ...] | None, recompute: bool) -> bool:
    if rounds is None or entry.round in rounds:
        return entry.state != "left out" and (recompute or entry.state != "fresh")
    # a round needs all above it but the controls, whose training leads nowhere
    is_control = entry.asset == asset_name("control", entry.round)
    return entry.state in ("missing", "stale") and entry.round < max(rounds) and not is_control
