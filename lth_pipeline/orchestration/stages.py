"""The stages of a round: which assets there are, what each reads, and which steps it records."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from lth_pipeline.recipes import Chain, Step

Reads = Callable[[int], Sequence[tuple[str, int]]]


@dataclass(frozen=True)
class Stage:
    """One asset of every round it is in.

    reads: round -> (stage, round) of the assets above it. steps: what it makes for a chain; a stage of several
    steps (all controls of a card) is one asset.
    """

    name: str
    description: str
    reads: Reads
    steps: Callable[[Chain, int], list[Step]]
    trains: bool = False


FIRST_ROUND = (
    Stage(
        "initial_weights",
        "θ₀: fresh weights of the whole network, drawn from the replicate's own stream.",
        lambda r: (),
        lambda chain, r: [Step("initial_weights")],
    ),
    Stage(
        "rewind_weights",
        "The weights that tickets return to: θ₀, those of iteration k of the dense training (card: `rewind`), or those "
        "that a ticket from elsewhere has (card: `ticket_from`). Nothing where trained weights are kept.",
        lambda r: [("initial_weights", 0)],
        lambda chain, r: _rewound(chain),
    ),
    Stage(
        "trained",
        "The dense network, trained from θ₀: round 0.",
        lambda r: [("initial_weights", 0)],
        lambda chain, r: [chain.main(0)],
        trains=True,
    ),
)

LATER_ROUNDS = (
    Stage(
        "mask",
        "Which weights survive, by the card's criterion and by count; `made from` in its metadata says of what.",
        lambda r: [("trained", r - 1), *([("mask", r - 1)] if r > 1 else [])],
        lambda chain, r: [Step("mask", r)],
    ),
    Stage(
        "ticket",
        "mask ⊙ the weights at the rewind point; without rewinding, ⊙ the trained weights.",
        lambda r: [("mask", r), ("rewind_weights", 0)],
        lambda chain, r: [Step("ticket", r)],
    ),
    Stage(
        "trained",
        "The ticket, trained; the next round prunes it.",
        lambda r: [("ticket", r), ("mask", r)],
        lambda chain, r: [Step("trained", r, "ticket")],
        trains=True,
    ),
    Stage(
        "control",
        "What the ticket is held against, trained: the card's other arms. reinit is the same mask on fresh weights.",
        lambda r: [("mask", r), ("ticket", r)],
        lambda chain, r: [step for step in chain.trainings(r) if step.arm != "ticket"],
        trains=True,
    ),
)


def _rewound(chain: Chain) -> list[Step]:
    """The card's last round is its own, also where it is a branch."""
    last = chain.cards[chain.name].pruning.rounds
    return [chain.rewind_weights(last)] if chain.owner(last).rewind.mode == "weights" else []


def stages(round: int) -> tuple[Stage, ...]:
    return LATER_ROUNDS if round else FIRST_ROUND


def asset_name(stage: str, round: int) -> str:
    """r03_mask: the round stands in the name because the UI shows a key's last component only."""
    return f"r{round:02d}_{stage}"


def group_name(round: int) -> str:
    return f"round_{round:02d}"


def all_stages(deepest: int) -> Iterator[tuple[Stage, int]]:
    """Every asset, in an order in which each comes after what it reads."""
    for round in range(deepest + 1):
        for stage in stages(round):
            yield stage, round


def combined(hashes: Sequence[str]) -> str:
    """One hash for an asset of several steps: its own where it has one, else the hash of all."""
    if len(hashes) == 1:
        return hashes[0]
    return hashlib.sha256("\n".join(hashes).encode()).hexdigest()[: len(hashes[0]) if hashes else 40]
