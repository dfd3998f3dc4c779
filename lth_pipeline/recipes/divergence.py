"""What cannot be, because what it would be made from diverged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lth_pipeline.recipes.chain import Chain
from lth_pipeline.recipes.step import Step

#: the facts of a training of a chain; None where it has not been made
FactsOf = Callable[[Chain, Step], Mapping[str, Any] | None]


def diverged_above(chain: Chain, round: int, facts_of: FactsOf) -> str | None:
    """Why `round` can be nothing, in words: a training that it descends from diverged. None where none did."""
    return _why(chain, round, facts_of, {})


def _why(chain: Chain, round: int, facts_of: FactsOf, known: dict[tuple[str, int], str | None]) -> str | None:
    key = (chain.name, round)
    if round and key not in known:  # each round asks for the one before twice: by its mask and by its training
        known[key] = _worked_out(chain, round, facts_of, known)
    return known.get(key)


def _worked_out(chain: Chain, round: int, facts_of: FactsOf, known: dict) -> str | None:
    mask = chain.inputs(Step("mask", round)).get("mask")
    if mask and mask.of:
        why = _why(chain.other(mask.of), mask.round, facts_of, known)
        if why:
            return f"the ticket is {mask.of}'s, where {why}"
        if chain.owner(round).ticket_from.weights == "trained":
            source = chain.other(mask.of)
            return _diverged(source, source.main(mask.round), facts_of, f"there is nothing of {mask.of} to go on from")
    elif mask and (why := _why(chain, mask.round, facts_of, known)):
        return why
    if not chain.needs_trained(round):
        return None
    before = chain.pruned_from(round)
    if why := _why(chain, before.round, facts_of, known):
        return why
    return _diverged(chain, before, facts_of, "there is nothing to prune")


def _diverged(chain: Chain, training: Step, facts_of: FactsOf, so: str) -> str | None:
    at = (facts_of(chain, training) or {}).get("diverged_at")
    if at is None:
        return None
    return f"the training of round {training.round} ({training.arm}) diverged at iteration {at:,}: {so}"
