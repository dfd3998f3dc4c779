"""The schedule `nightly`. Off until it is switched on (Automation, in Dagster's pages)."""

# No `from __future__ import annotations`: Dagster reads the types of a schedule's arguments at run time.
from collections.abc import Mapping

from dagster import (
    DefaultScheduleStatus,
    RunRequest,
    RunsFilter,
    ScheduleDefinition,
    ScheduleEvaluationContext,
    SkipReason,
    schedule,
)
from dagster._utils.schedules import is_valid_cron_string  # what `@schedule` asks, with a stack trace

from lth_pipeline.experiments import Experiment
from lth_pipeline.home import HomeError
from lth_pipeline.orchestration.keep import UNFINISHED
from lth_pipeline.orchestration.sweep_job import JOB, OP, scheduled
from lth_pipeline.orchestration.why import STARTED_BY, WHY

NIGHTLY = "nightly"
BY = f"schedule {NIGHTLY}"  # in the tags of what it starts


def check_cron(cron: str) -> None:
    """Raises HomeError where LTH_NIGHTLY cannot be."""
    if not is_valid_cron_string(cron):
        raise HomeError(f"LTH_NIGHTLY={cron}: is no time that cron knows: 0 2 * * * is two at night, every night")


def nightly(cards: Mapping[str, Experiment], cron: str, timezone: str) -> ScheduleDefinition:
    """cron: when, in five fields; LTH_NIGHTLY. timezone: of it; LTH_TIMEZONE."""
    check_cron(cron)
    names = scheduled(cards)
    about = ", ".join(names) if names else "none yet"

    @schedule(
        name=NIGHTLY,
        job_name=JOB,
        cron_schedule=cron,
        execution_timezone=timezone,
        default_status=DefaultScheduleStatus.STOPPED,
        description=f"Brings up to date what is missing or stale of the cards with `scheduled: true` ({about}).",
    )
    def run_nightly(context: ScheduleEvaluationContext):
        if not names:
            return SkipReason("no card says `scheduled: true`")
        waiting = RunsFilter(job_name=JOB, statuses=UNFINISHED, tags={STARTED_BY: BY})
        if earlier := context.instance.get_runs(waiting, limit=1):
            return SkipReason(f"run {earlier[0].run_id[:8]}, of an earlier night, is still under way")
        at = context.scheduled_execution_time
        return RunRequest(
            run_key=at.isoformat(),
            run_config={"ops": {OP: {"config": {"cards": []}}}},
            tags={STARTED_BY: BY, WHY: f"scheduled: {about}"},
        )

    return run_nightly
