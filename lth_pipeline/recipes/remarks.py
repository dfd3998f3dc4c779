"""What must be known beside the results of an experiment: where a ticket came from, where a mask settled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lth_pipeline.recipes.chain import Chain
from lth_pipeline.recipes.check_branch import is_cut
from lth_pipeline.recipes.registry import registered
from lth_pipeline.recipes.step import MASKED

if TYPE_CHECKING:
    from lth_pipeline.recipes.workshop import Workshop


@dataclass(frozen=True)
class Followed:
    """A dense training whose mask was followed: iterations (C,), distances (C, C), where it settled (None: never)."""

    replicate: int
    iterations: list[int]
    distances: list[list[float]]
    settled: int | None


def taken_over(chain: Chain) -> str | None:
    """Where the ticket of round 1 comes from, in words; None where it is the experiment's own."""
    origin = chain.owner(1).ticket_from
    if origin is None:
        return None
    weights = {
        "source": "with the weights it was rewound to there",
        "trained": "with the weights that its training there ended with",
        "own": "on weights of its own",
    }[origin.weights]
    if not chain.is_known():  # what was read or fetched is no longer in the cache
        return f"Round 1 is the ticket of {origin.place}, {weights}."
    new = [layer.name for layer in chain.fresh()]
    layers = f"fresh and whole: {', '.join(new)}" if new else "every layer is taken over"
    return f"Round 1 is the ticket of {taken_from(chain)}, {weights}; {layers}."


def taken_from(chain: Chain) -> str:
    """Whose ticket round 1 is, in words: of a published one also which version, and whose that is."""
    origin = chain.owner(1).ticket_from
    if not origin.registry:
        return origin.place
    found = registered(origin, chain.dirs)
    return f"{origin.place} (version {found.version}: {found.whose})"


def followed(workshop: Workshop, chain: Chain) -> Followed | None:
    """The following of the dense training, where the card asks for it and it is done."""
    from lth_pipeline.recipes.artifacts import distances_of

    dense = chain.main(0)
    product = workshop.look_up(chain, dense) if chain.is_early(dense) else None
    if product is None:
        return None
    iterations, distances = distances_of(workshop.store.load(product.version))
    return Followed(chain.replicate, iterations, distances, product.facts["early_bird_iteration"])


def remarks(workshop: Workshop, chains: Sequence[Chain]) -> list[str]:
    """Sentences that stand beside the results of `chains`, the replicates of one experiment."""
    chain = chains[0]
    return [said for said in (taken_over(chain), _cut(chain), _seen(chain), _settled(workshop, chains)) if said]


def _cut(chain: Chain) -> str | None:
    """That arms with another mask lay it on weights of which many are zero, where they do."""
    card = chain.owner(1)
    origin, moved = card.ticket_from, [arm for arm in MASKED if arm in card.arms]
    if not moved or not origin or origin.weights != "source" or not chain.is_known():
        return None
    if not is_cut(chain.cards, origin, chain.dirs):
        return None
    return (
        f"{' and '.join(moved).replace('_', ' ').capitalize()} cannot be compared with the ticket: the weights of "
        f"{origin.place} are zero where it was pruned before, and another mask leaves fewer of them than it says."
    )


def _seen(chain: Chain) -> str | None:
    """That trained weights have learned from images that are held out here, where they may have."""
    card = chain.owner(1)
    origin = card.ticket_from
    if not origin or origin.weights != "trained" or not chain.is_known():
        return None
    if origin.registry:
        digest, same = registered(origin, chain.dirs).facts["data"]["digest"], False  # how it was split is not told
    else:
        source = chain.other(origin.experiment)
        owner, digest = source.owner(origin.round), source.facts(origin.round).digest
        same = (owner.seed, owner.data) == (card.seed, card.data)
    if same or digest != chain.facts(1).digest:
        return None
    return (
        f"The weights of {origin.place} were trained on images of the same data set: unless seed and data settings "
        "were this card's, images that are held out for validation here were among them, and its early stop and "
        "validation loss say little."
    )


def _settled(workshop: Workshop, chains: Sequence[Chain]) -> str | None:
    """Where the masks of dense trainings settled, and what that saves."""
    products = [workshop.look_up(chain, chain.main(0)) for chain in chains if chain.is_early(chain.main(0))]
    facts = [product.facts for product in products if product]
    if not facts:
        return None
    at = sorted(fact["early_bird_iteration"] for fact in facts if fact["early_bird_iteration"])
    if not at:
        return f"The mask of the dense training never settled (n = {len(facts)}): it was pruned at the end."
    where = f"at iteration {at[0]:,}" if at[0] == at[-1] else f"at iterations {at[0]:,} to {at[-1]:,}"
    never = f", {len(facts) - len(at)} never" if len(at) < len(facts) else ""
    share = sum(fact["early_bird_saves"] for fact in facts) / sum(fact["iterations"] for fact in facts)
    return (
        f"The mask of the dense training settled {where} (n = {len(facts)}{never}) and was pruned there: finding it "
        f"needs {100 * share:.0f} % fewer iterations of dense training."
    )
