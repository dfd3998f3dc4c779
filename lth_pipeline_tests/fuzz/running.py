"""Many inputs for one reader: counted, timed, bounded."""

from __future__ import annotations

import hashlib
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings

from lth_pipeline_tests.fuzz.bounds import SECONDS, TooLong, limited_memory, limited_time
from lth_pipeline_tests.fuzz.reader import Reader

#: hypothesis remembers what it has tried: in one go it would take more memory the longer it runs
BATCH = 2_000
#: asked for beside those that are wanted: each batch begins with one that was tried before
SPARE = 50
#: batches without a new input after which there are no more
STALE = 5


@dataclass
class Result:
    """inputs: different ones. slowest: in ms of processor time, and of which input (its beginning)."""

    inputs: int = 0
    refused: int = 0
    accepted: int = 0
    slowest: float = 0.0
    slowest_input: str = ""


def fuzz(reader: Reader, inputs: int, first_seed: int = 0) -> Result:
    """Give `reader` so many different inputs. AssertionError, or what it raised, at the first wrong answer, after the
    input was made as small as it goes: hypothesis prints it."""
    result, seen, stale, number = Result(), set(), 0, first_seed
    strategy = reader.inputs()
    with tempfile.TemporaryDirectory() as folder, reader.opened(Path(folder)) as read:

        def one(content: Any) -> None:
            if result.inputs == inputs:
                return
            seen.add(hashlib.blake2b(repr(content).encode("utf-8", "replace"), digest_size=8).digest())
            started = time.process_time()
            try:
                with limited_time():
                    accepted = read(content)
            except TooLong:
                raise AssertionError(f"took more than {SECONDS:g} s: {content!r}"[:5000]) from None
            taken = 1000 * (time.process_time() - started)
            if taken > result.slowest:
                result.slowest, result.slowest_input = taken, repr(content)[:300]
            if len(seen) > result.inputs:
                result.inputs += 1
                result.accepted += accepted
                result.refused += not accepted

        while result.inputs < inputs and stale < STALE:
            before, count = result.inputs, min(BATCH, inputs - result.inputs + SPARE)
            batch = settings(
                max_examples=count,
                database=None,
                deadline=None,
                derandomize=False,
                phases=[Phase.generate, Phase.shrink],
                suppress_health_check=list(HealthCheck),
            )
            with limited_memory():
                seed(number)(batch(given(content=strategy)(one)))()
            number += 1
            stale = stale + 1 if result.inputs == before else 0
    return result
