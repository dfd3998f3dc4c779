"""Declarative automation: what lies below a recomputed asset follows it. Off until it is switched on.

What follows is only what has been made before: a first round trained in the pages does not start the rest of its card.
And only where content changed: a recompute with the same bits starts nothing.
"""

from __future__ import annotations

from dagster import (
    AssetSelection,
    AutomationCondition,
    AutomationConditionSensorDefinition,
    DefaultSensorStatus,
)

from lth_pipeline.orchestration.why import STARTED_BY, WHY

FOLLOW_CHANGES = "follow_changes"

_changed_above = AutomationCondition.any_deps_match(
    AutomationCondition.data_version_changed() | AutomationCondition.will_be_requested()
)
_busy_above = AutomationCondition.any_deps_match(AutomationCondition.in_progress())

_to_follow = (
    _changed_above.since_last_handled()
    & ~AutomationCondition.missing()
    & ~AutomationCondition.in_progress()
    & ~_busy_above
)

#: on the assets of a round, all of which above that change together come into one run
FOLLOWS = _to_follow.with_label("something above has other content now")

#: on results, whose partitions are others: a look later than what changed them, when what follows that is under way
GATHERS = (_to_follow & ~_changed_above).with_label("something above had other content, and all is quiet there")


def follow_changes() -> AutomationConditionSensorDefinition:
    return AutomationConditionSensorDefinition(
        FOLLOW_CHANGES,
        target=AssetSelection.all(),
        default_status=DefaultSensorStatus.STOPPED,
        minimum_interval_seconds=30,
        description="Brings up to date what lies below an asset that was recomputed and has other content now: later "
        "rounds, results, comparisons. Only what was made before.",
        run_tags={
            STARTED_BY: f"automation {FOLLOW_CHANGES}",
            WHY: "something above has other content now",
        },
    )
