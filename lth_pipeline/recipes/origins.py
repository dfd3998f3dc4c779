"""Where the mask and the weights of a ticket were found that its experiment did not find itself."""

from __future__ import annotations

from typing import Any

from lth_pipeline.recipes.chain import Chain
from lth_pipeline.recipes.registry import registered
from lth_pipeline.recipes.step import Step
from lth_pipeline.recipes.workshop import Workshop


def origins(workshop: Workshop, chain: Chain, round: int) -> list[dict[str, Any]]:
    """Of the ticket of `round`, the nearest first: whose it was before (`ticket_from`), and that one's own, and so on.

    Each: experiment, replicate and round; mask, weights: their data versions, weights None where the mask alone was
    taken, both None where they are not in the store any more; of a published ticket registry (NAME@ALIAS, as the card
    has it), version and run, which it was when it was fetched.
    """
    origin = chain.owner(1).ticket_from if round else None
    if origin is None:
        return []
    taken = {"mask": _version(workshop, chain, Step("mask", 1)), "weights": None}
    if origin.weights != "own":
        taken["weights"] = _version(workshop, chain, Step("transferred_weights"))
    if origin.registry:
        found = registered(origin, workshop.dirs)
        whose = {name: found.facts[name] for name in ("experiment", "replicate", "round")}
        return [{**whose, "registry": origin.registry, "version": found.version, "run": found.run_id, **taken}]
    whose = {"experiment": origin.experiment, "replicate": chain.replicate, "round": origin.round}
    return [{**whose, **taken}, *origins(workshop, chain.other(origin.experiment), origin.round)]


def _version(workshop: Workshop, chain: Chain, step: Step) -> str | None:
    """Of what `step` was taken from."""
    source = chain.inputs(step).get("source" if step.kind == "transferred_weights" else "mask")
    if source.kind.startswith("published"):
        return chain.published_content(source)
    product = workshop.look_up(chain, source)
    return product.version if product else None
