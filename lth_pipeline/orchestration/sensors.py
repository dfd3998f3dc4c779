"""The sensor `new_cards`. Off until it is switched on (Automation, in Dagster's pages)."""

# No `from __future__ import annotations`: Dagster reads the types of a sensor's arguments at run time.
import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path

from dagster import (
    DefaultSensorStatus,
    RunRequest,
    SensorDefinition,
    SensorEvaluationContext,
    SensorResult,
    SkipReason,
    sensor,
)

from lth_pipeline.experiments import CardError, Experiment
from lth_pipeline.experiments.sweeps import Sweep, called, members_of, sweeps
from lth_pipeline.orchestration.sweep_job import JOB, OP
from lth_pipeline.orchestration.why import STARTED_BY, WHY

NEW_CARDS = "new_cards"
#: of a card: what changes nothing that is run
OF_NO_RUN = {"description", "scheduled", "resources"}


def new_cards(
    cards: Mapping[str, Experiment], folder: Path, read: Callable[[], Mapping[str, Experiment]]
) -> SensorDefinition:
    """cards: those that the code location was loaded with. folder: the user's own. read: () -> the cards as they are
    on the disk now; raises CardError."""

    @sensor(
        name=NEW_CARDS,
        job_name=JOB,
        minimum_interval_seconds=30,
        default_status=DefaultSensorStatus.STOPPED,
        description=f"Runs a card of {folder} once it is new or has changed. What is there when it is switched on is "
        "taken as known. Each tick says what will be run.",
    )
    def look_for_new_cards(context: SensorEvaluationContext):
        try:
            now = fingerprints(read(), own(folder))
        except CardError as error:
            return SkipReason(f"no card is run: {error}")
        since, before = _remembered(context)
        if before is None:
            there = f"from now on watching {folder}; there already: {', '.join(now) or 'none'}"
            return SensorResult(cursor=_cursor(since, now), skip_reason=SkipReason(there))
        loaded = fingerprints(cards, own(folder))
        changed = [name for name, print_ in now.items() if before.get(name) != print_]
        reload = [name for name in changed if loaded.get(name) != now[name]]
        busy = {name: going for name in changed if name not in reload if (going := _going(context, cards, name))}
        ready = [name for name in changed if name not in reload and name not in busy]
        waiting = [*reload, *busy]
        requests = []
        for name in ready:
            why = f"{'changed' if name in before else 'new'} card {name}: {about(cards, name)}"
            context.log.info(why)
            requests.append(
                RunRequest(
                    run_config={"ops": {OP: {"config": {"cards": [name]}}}},
                    tags={STARTED_BY: f"sensor {NEW_CARDS}", WHY: why},
                )
            )
        kept = {name: before[name] for name in waiting if name in before}
        seen = {name: print_ for name, print_ in now.items() if name not in waiting} | kept
        said = [f"reload the code location for {name} (`lth ui` does so by itself)" for name in reload]
        said += [f"{name} has changed, and waits for {going}" for name, going in busy.items()]
        return SensorResult(
            run_requests=requests,
            cursor=_cursor(since, seen),
            skip_reason=None
            if requests
            else SkipReason("; ".join(said) or f"nothing new among {', '.join(now) or 'no cards'}"),
        )

    return look_for_new_cards


def own(folder: Path) -> set[str]:
    """Names of the cards that lie in `folder`."""
    return {path.stem for pattern in ("*.yaml", "*.yml") for path in folder.glob(pattern)}


def fingerprints(cards: Mapping[str, Experiment], names: set[str]) -> dict[str, str]:
    """{experiment or sweep: hash of all that its cards say}, of those among `names`."""
    groups = sweeps(cards)
    chosen = {name: groups[name] if name in groups else cards[name] for name in sorted(names & {*cards, *groups})}
    return {name: _hash([cards[member] for member in members_of(found)]) for name, found in chosen.items()}


def about(cards: Mapping[str, Experiment], name: str) -> str:
    """What will be run of it: "2 experiments × 3 replicates, rounds 0 to 20"."""
    chosen = called(cards, name)
    members = [cards[member] for member in members_of(chosen)]
    several = f"{len(members)} experiments × " if isinstance(chosen, Sweep) else ""
    count, rounds = max(card.replicates for card in members), max(card.pruning.rounds for card in members)
    return f"{several}{count} replicate{'s' if count > 1 else ''}, rounds 0 to {rounds}, what is missing or stale of it"


def _remembered(context: SensorEvaluationContext) -> tuple[float | None, dict[str, str] | None]:
    """(when the sensor was switched on, what it has seen since; None where it has just been)."""
    since = context.last_sensor_start_time
    known = json.loads(context.cursor) if context.cursor else {}
    return since, known["seen"] if known and known["since"] == since else None


def _cursor(since: float | None, seen: Mapping[str, str]) -> str:
    return json.dumps({"since": since, "seen": dict(seen)})


def _going(context: SensorEvaluationContext, cards: Mapping[str, Experiment], name: str) -> str:
    """What is on its way of it: it would be run as it was when that began."""
    from lth_pipeline.orchestration.queue import unfinished

    return unfinished(context.instance, {name, *members_of(called(cards, name))})


def _hash(cards: list[Experiment]) -> str:
    # what differs from its default alone, so that a setting that a new version brings changes nothing
    content = [card.model_dump(mode="json", exclude=OF_NO_RUN, exclude_defaults=True) for card in cards]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
