"""Lists of replicates and rounds as people write them. Imports nothing: a command line is read before anything else."""

from __future__ import annotations

MOST = 1000  # no replicate or round has a higher number


class OptionsError(Exception):
    """What was asked for cannot be; the message says what can."""


def numbers(text: str) -> tuple[int, ...]:
    """ "0,2,5-7" as numbers. Raises OptionsError."""
    chosen: list[int] = []
    try:
        for part in text.split(","):
            first, _, last = part.partition("-")
            chosen += range(int(first), min(int(last or first), MOST) + 1)
    except ValueError:
        raise OptionsError(f"{text!r} is not a list of numbers such as 0,1 or 0-4") from None
    if not chosen:
        raise OptionsError(f"{text!r} holds no number")
    return tuple(dict.fromkeys(chosen))
