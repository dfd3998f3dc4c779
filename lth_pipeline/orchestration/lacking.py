"""What experiments lack, as tasks: shared by `lth run`, which runs them here, and by what puts them into the queue."""

from __future__ import annotations

from collections.abc import Sequence

from dagster import DagsterInstance

from lth_pipeline.orchestration.launch import Task
from lth_pipeline.orchestration.options import Options
from lth_pipeline.orchestration.plan import Asked, Plan, plan, tasks
from lth_pipeline.orchestration.sources import source_plans
from lth_pipeline.orchestration.status import read_records
from lth_pipeline.tracking.runs import run_ids
from lth_pipeline.tracking.tracker import Tracker


def lacking(
    asked: Asked, names: Sequence[str], options: Options, instance: DagsterInstance, tracker: Tracker, deepest: int
) -> tuple[dict[str, Plan], dict[str, Plan], list[Task]]:
    """(plans of the experiments whose tickets are taken, which go first; plans of experiments `names`; all as tasks,
    with those that gather results)."""
    cards, shop, recorded = asked.cards, asked.workshop, read_records(instance, deepest)

    def plan_of(name: str, options: Options) -> Plan:
        return plan(cards, name, shop, recorded, run_ids(tracker, name), deepest, **vars(options))

    todo = {name: plan_of(name, options) for name in names}
    first, todo = source_plans(
        cards, todo, lambda name, replicates, round: plan_of(name, Options(replicates, rounds=(round,)))
    )
    return first, todo, tasks(asked, todo, first, recorded, instance)
