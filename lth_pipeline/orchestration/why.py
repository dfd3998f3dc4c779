"""Why a run was started, as its tags say it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lth_pipeline.orchestration.plan import Plan
    from lth_pipeline.orchestration.status import AssetStatus

STARTED_BY = "lth/started_by"
WHY = "lth/why"
#: the same command goes on with them, not the daemon
BY_LTH = ("lth run", "lth import", "lth report", "lth compare", "lth publish")
LONGEST = 300  # characters of a tag that says why


def in_words(first: Mapping[str, Plan], todo: Mapping[str, Plan], recompute: bool = False) -> str:
    """Why there is something to do: "2 replicates: 14 missing, 3 stale (pruning.rates.fc: 0.2 → 0.3)"."""
    plans = [*first.values(), *todo.values()]
    entries = [entry for planned in plans for found in planned.values() for entry in found]
    if not entries:
        return "only results are to be gathered"
    several = f"{len(todo)} experiments, " if len(todo) > 1 else ""
    count = sum(map(len, plans))
    said = "all from scratch" if recompute else ", ".join(_states(entries))
    text = f"{several}{count} replicate{'s' if count > 1 else ''}: {said}"
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _states(entries: Iterable[AssetStatus]) -> list[str]:
    by_state: dict[str, list[AssetStatus]] = {}
    for entry in entries:
        by_state.setdefault(entry.state, []).append(entry)
    found = [f"{len(by_state[state])} {state}" for state in ("missing", "stale", "unlogged") if state in by_state]
    causes = dict.fromkeys(
        entry.why for entry in by_state.get("stale", ()) if entry.why and not entry.why.startswith("follows ")
    )
    return [*found[:-1], f"{found[-1]} ({'; '.join(causes)})"] if causes and found else found
