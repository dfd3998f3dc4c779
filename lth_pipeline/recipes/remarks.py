"""What must be known beside the results of an experiment: where a ticket came from, where a mask settled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lth_pipeline.recipes.chain import Chain
from lth_pipeline.recipes.transfer import fresh

if TYPE_CHECKING:
    from lth_pipeline.recipes.workshop import Workshop


@dataclass(frozen=True)
class Followed:
    """A dense training whose mask was followed: iterations (C,), distances (C, C), where it settled (None: never)."""

    replicate: int
    iterations: list[int]
    distances: list[list[float]]
    settled: int | None
    saves: int


def taken_over(chain: Chain) -> str | None:
    """Where the ticket of round 1 comes from, in words; None where it is the experiment's own."""
    origin = chain.owner(1).ticket_from
    if origin is None:
        return None
    new = [layer.name for layer in fresh(chain.other(origin.experiment).model(origin.round), chain.model(1))]
    weights = (
        "with the weights it was rewound to there" if origin.weights == "source" else "on weights of its own"
    )
    layers = f"fresh and whole: {', '.join(new)}" if new else "every layer is taken over"
    return f"Round 1 is the ticket of {origin.experiment}, round {origin.round}, {weights}; {layers}."


def followed(workshop: Workshop, chain: Chain) -> Followed | None:
    """The following of the dense training, where the card asks for it and it is done."""
    from lth_pipeline.recipes.artifacts import distances_of

    dense = chain.main(0)
    product = workshop.look_up(chain, dense) if chain.is_early(dense) else None
    if product is None:
        return None
    iterations, distances = distances_of(workshop.store.load(product.version))
    facts = product.facts
    return Followed(chain.replicate, iterations, distances, facts["early_bird_iteration"], facts["early_bird_saves"])


def settled(found: list[Followed], iterations: int) -> str | None:
    """Where masks settled, and what that saves, in words. iterations: of the dense training."""
    if not found:
        return None
    where = [f"at iteration {each.settled:,}" if each.settled else "never" for each in found]
    share = 100 * sum(each.saves for each in found) / (iterations * len(found))
    return (
        f"The mask of the dense training settled {', '.join(dict.fromkeys(where))} (n = {len(found)}); pruned there, "
        f"the search needs {share:.0f} % fewer iterations of dense training."
    )
