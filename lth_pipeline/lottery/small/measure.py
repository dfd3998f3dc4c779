"""How large and how quick networks are, side by side: all of them take turns, so that their ratios are of one run."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from statistics import median

import torch

#: what `compressed` uses: what a web server sends, and nearly what level 9 gives in a third of the time
COMPRESSOR = "zlib, level 6"
#: Turns that each candidate has, and seconds a turn: many short ones, because who shares a core's caches changes from
#: one tenth of a second to the next.
TURNS, SECONDS = 25, 0.004
#: Turns at the least, and seconds after which a candidate has no more of them.
LEAST, BUDGET = 5, 1.0


@dataclass(frozen=True)
class Latency:
    """Milliseconds a call: the median of the turns, and their quartiles."""

    median: float
    low: float
    high: float


def compressed(content: bytes) -> int:
    """Bytes of `content` as it would be sent."""
    return len(zlib.compress(content, 6))


def latency(candidates: Mapping[Hashable, Callable[[], object]], *, turns: int = TURNS) -> dict[Hashable, Latency]:
    """What a call of each takes, by the clock on the wall. In each of the `turns` every candidate is called for
    SECONDS, once at the least, and the turn is the median of its calls: one that the system interrupts does not count.

    Every other turn goes backwards, so that none always follows the same one. Slow candidates have fewer turns
    (LEAST, BUDGET). A call has to be over when it returns: on a GPU it waits for the device (`finished`).
    """
    spent: dict[Hashable, list[float]] = {name: [] for name in candidates}
    used = dict.fromkeys(candidates, 0.0)
    names = list(candidates)
    for turn in range(turns):
        for name in names if turn % 2 == 0 else reversed(names):
            if turn >= LEAST and used[name] > BUDGET:
                continue
            started = time.perf_counter()
            spent[name].append(_one_turn(candidates[name]))
            used[name] += time.perf_counter() - started
    return {name: _quartiles(times) for name, times in spent.items()}


def finished(call: Callable[[], object], device: torch.device) -> Callable[[], object]:
    """`call`, which returns once the device has done all of it."""
    if device.type != "cuda":
        return call

    def waiting() -> object:
        result = call()
        torch.cuda.synchronize(device)
        return result

    return waiting


def _one_turn(call: Callable[[], object]) -> float:
    """Milliseconds a call. The first is not counted: the caches are the candidate's own after it, as they are where it
    runs by itself."""
    times = []
    call()
    began = before = time.perf_counter()
    while not times or before - began < SECONDS:
        call()
        now = time.perf_counter()
        times.append(now - before)
        before = now
    return 1e3 * median(times)


def _quartiles(times: list[float]) -> Latency:
    ordered = sorted(times)
    last = len(ordered) - 1
    return Latency(ordered[round(last / 2)], ordered[round(last / 4)], ordered[round(3 * last / 4)])
