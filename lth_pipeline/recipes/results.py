"""What an experiment has shown so far: a row per replicate, round, arm and draw."""

from __future__ import annotations

from collections.abc import Container, Iterable
from itertools import count
from typing import Any

from lth_pipeline.experiments.measures import MEASURES
from lth_pipeline.recipes.chain import Chain
from lth_pipeline.recipes.step import Step
from lth_pipeline.recipes.workshop import Product, Seen, Workshop

Row = dict[str, Any]


def gather(workshop: Workshop, chains: Iterable[Chain], beyond: Container[tuple[int, int]] = ()) -> list[Row]:
    """The rows of every training of `chains` that is in the store and that their card asks for.

    beyond: (replicate, round) that were run for it although the card does not ask for them. What else lies in the
    store was made for other experiments that share it.

    A round that is missing ends its replicate's rows: what lies below it in the store, if anything, does not
    follow from the settings as they are now.
    """
    rows = []
    for chain in chains:
        seen: Seen = {}
        card = chain.cards[chain.name]
        for round in count():
            own = chain.replicate < card.replicates and round <= card.pruning.rounds
            if not own and (chain.replicate, round) not in beyond:
                break
            found = [row for step in chain.trainings(round) if (row := _row(workshop, chain, step, seen))]
            if not found:
                break
            rows += found
    return rows


def size_of(chain: Chain, step: Step, trained: Product, mask: Product | None) -> tuple[int, float]:
    """(weights left, density) of a training: what its own mask says, or its own network."""
    facts = trained.facts if step.arm == "dense_small" else mask.facts if mask else None
    if facts is None:
        rung = chain.rung(0)
        return rung.weights, rung.density
    return facts["weights"], facts["density"]


def _row(workshop: Workshop, chain: Chain, step: Step, seen: Seen) -> Row | None:
    trained = workshop.look_up(chain, step, seen)
    if trained is None:
        return None
    under = chain.mask(step)
    weights, density = size_of(chain, step, trained, workshop.look_up(chain, under, seen) if under else None)
    return {
        "experiment": chain.name,
        "replicate": chain.replicate,
        "round": step.round,
        "arm": step.arm,
        "draw": step.draw,
        "density": density,
        "weights": weights,
        **{name: trained.facts[name] for name in MEASURES},
        "protocol": chain.cards[chain.name].protocol,
        "diverged_at": trained.facts.get("diverged_at"),
        "data_version": trained.version,
    }
