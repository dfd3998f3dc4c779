"""What an experiment has shown so far: a row per replicate, round and arm."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count
from typing import Any

from lth_pipeline.experiments.measures import MEASURES
from lth_pipeline.recipes.chain import Chain, Step
from lth_pipeline.recipes.workshop import Seen, Workshop

Row = dict[str, Any]


def gather(workshop: Workshop, chains: Iterable[Chain]) -> list[Row]:
    """The rows of every training of `chains` that is in the store, however deep.

    A round that is missing ends its replicate's rows: what lies below it in the store, if anything, does not
    follow from the settings as they are now.
    """
    rows = []
    for chain in chains:
        seen: Seen = {}
        for round in count():
            found = [row for arm in chain.arms(round) if (row := _row(workshop, chain, round, arm, seen))]
            if not found:
                break
            rows += found
    return rows


def _row(workshop: Workshop, chain: Chain, round: int, arm: str, seen: Seen) -> Row | None:
    trained = workshop.look_up(chain, Step("trained", round, arm), seen)
    if trained is None:
        return None
    rung = chain.rung(round)
    return {
        "experiment": chain.name,
        "replicate": chain.replicate,
        "round": round,
        "arm": arm,
        "density": rung.density,
        "weights": rung.weights,
        **{name: trained.facts[name] for name in MEASURES},
        "protocol": chain.cards[chain.name].protocol,
        "diverged_at": trained.facts.get("diverged_at"),
        "data_version": trained.version,
    }
