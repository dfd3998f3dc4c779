"""What `lth run` has to do first, where a ticket comes from another experiment: the rounds that lead to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from lth_pipeline.experiments import Experiment
from lth_pipeline.orchestration.plan import Plan
from lth_pipeline.orchestration.stages import asset_name
from lth_pipeline.recipes.lineage import owner

#: (experiment, replicates, round) -> what those replicates lack of what `round` is made of
Lacking = Callable[[str, tuple[int, ...], int], Plan]


def source_plans(
    cards: Mapping[str, Experiment], todo: Mapping[str, Plan], lacking: Lacking
) -> tuple[dict[str, Plan], dict[str, Plan]]:
    """(the plans of the sources of what is `todo`, and of their sources, as far as they are missing; `todo` itself,
    with what it lacks as a source of another).

    Of the round that a ticket is taken from, the mask and the ticket, and where its trained weights are taken its
    training; no controls.
    """
    first: dict[str, Plan] = {}
    whole = {name: dict(plan) for name, plan in todo.items()}
    queue = list(todo.items())
    while queue:
        name, planned = queue.pop()
        origin = owner(cards, name, 1).ticket_from
        if origin is None or origin.experiment is None or not planned:
            continue
        stages = ("mask", "ticket", "trained") if origin.weights == "trained" else ("mask", "ticket")
        source, taken = origin.experiment, {asset_name(stage, origin.round) for stage in stages}
        into = whole if source in whole else first
        for replicate, entries in lacking(source, tuple(planned), origin.round).items():
            wanted = [entry for entry in entries if entry.round < origin.round or entry.asset in taken]
            known = into.setdefault(source, {}).get(replicate, [])
            new = [entry for entry in wanted if entry.asset not in {other.asset for other in known}]
            if new:
                into[source][replicate] = [*known, *new]
                queue.append((source, {replicate: new}))
    return {name: plan for name, plan in first.items() if plan}, whole
