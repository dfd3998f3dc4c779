"""Telling whoever waits how far a training is: `lth run` where it listens, the run's log otherwise."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

LOG_SECONDS = 10.0

#: set by the process that runs partitions for `lth run`; called with (event name, details)
_listener: Callable[[str, dict[str, Any]], None] | None = None


def listen(listener: Callable[[str, dict[str, Any]], None] | None) -> None:
    global _listener
    _listener = listener


def tell(event: str, **details: Any) -> None:
    if _listener:
        _listener(event, details)


@dataclass
class Narrator:
    """Says in a log, every ten seconds, how far a training is."""

    say: Callable[[str], None]
    title: str
    unit: str = "iterations"
    _started: float = field(default_factory=time.monotonic)
    _said: float = field(default_factory=time.monotonic)
    _first: int | None = None

    def row(self, iteration: int, total: int) -> None:
        now = time.monotonic()
        if self._first is None:
            self._first, self._started = iteration, now
        elif now - self._said >= LOG_SECONDS:
            self._said = now
            rate = (iteration - self._first) / (now - self._started)
            left = (total - iteration) / rate if rate else 0
            self.say(f"{self.title}: {iteration:,} of {total:,} {self.unit}, {rate:,.0f} a second, {left:,.0f} s left")
