"""What `lth run` has to do first, where a ticket comes from another experiment: the rounds that lead to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from lth_pipeline.experiments import Experiment
from lth_pipeline.orchestration.plan import Plan
from lth_pipeline.orchestration.stages import asset_name
from lth_pipeline.recipes.lineage import owner

#: (experiment, replicates, round) -> what those replicates lack of what `round` is made of
Lacking = Callable[[str, tuple[int, ...], int], Plan]


def source_plans(cards: Mapping[str, Experiment], todo: Mapping[str, Plan], lacking: Lacking) -> dict[str, Plan]:
    """{experiment: its plan} of the sources of what is `todo`, and of their sources, as far as they are missing.

    Of the round that the ticket is taken from, the mask and the ticket; no controls. What is `todo` itself is left out.
    """
    found: dict[str, Plan] = {}
    queue = list(todo.items())
    while queue:
        name, planned = queue.pop()
        origin = owner(cards, name, 1).ticket_from
        if origin is None or origin.experiment in todo or not planned:
            continue
        source, taken = origin.experiment, {asset_name(stage, origin.round) for stage in ("mask", "ticket")}
        for replicate, entries in lacking(source, tuple(planned), origin.round).items():
            wanted = [entry for entry in entries if entry.round < origin.round or entry.asset in taken]
            known = found.setdefault(source, {}).get(replicate, [])
            deeper = max((entry.round for entry in known), default=-1) < origin.round
            if wanted and deeper:
                found[source][replicate] = wanted
        found = {name: plan for name, plan in found.items() if plan}
        if source in found:
            queue.append((source, found[source]))
    return found
