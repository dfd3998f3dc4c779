"""The sensor `gather_queued`: results of what was queued, once its trainings have ended. It starts nothing else, so it
is on from the start."""

# No `from __future__ import annotations`: Dagster reads the types of a sensor's arguments at run time.
import json
import time
from collections.abc import Mapping

from dagster import DefaultSensorStatus, SensorDefinition, SensorEvaluationContext, SensorResult, SkipReason, sensor

from lth_pipeline.experiments import Experiment
from lth_pipeline.orchestration.sweep_job import JOB
from lth_pipeline.orchestration.why import STARTED_BY, WHY

GATHER_QUEUED = "gather_queued"


def gather_queued(cards: Mapping[str, Experiment]) -> SensorDefinition:
    @sensor(
        name=GATHER_QUEUED,
        job_name=JOB,  # Dagster wants one; it is never asked for
        minimum_interval_seconds=30,
        default_status=DefaultSensorStatus.RUNNING,
        description="Queues the results of what was queued (run_sweep, lth run --queue, nightly, new_cards) once its "
        "trainings have ended, also where some have failed.",
    )
    def look_for_what_has_ended(context: SensorEvaluationContext):
        from lth_pipeline.orchestration.queue import ended_since, gather

        now = time.time()
        last = json.loads(context.cursor) if context.cursor else {"at": 0.0, "open": []}
        ended, still = ended_since(context.instance, last["at"], last["open"])
        if not context.cursor:  # what ended before anybody looked was gathered then, or by nobody
            ended = {}
        said = []
        for name in sorted(ended):
            tags = {**ended[name], STARTED_BY: f"sensor {GATHER_QUEUED}", WHY: "its trainings have ended"}
            if backfill := gather(context.instance, cards, name, tags):
                said.append(f"results of {name} are queued: backfill {backfill}")
        cursor = json.dumps({"at": now, "open": still})
        return SensorResult(cursor=cursor, skip_reason=SkipReason("; ".join(said) or "nothing has ended"))

    return look_for_what_has_ended
