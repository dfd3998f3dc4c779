"""What is fuzzed: a reader, the inputs it is given, and what its answer may be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

#: gives whether the input was accepted (and then read right); raises AssertionError where the answer is wrong
Read = Callable[[Any], bool]
LONGEST_MESSAGE = 20_000


@dataclass(frozen=True)
class Reader:
    """name: for the table. share: inputs of a run of the tests. opened: (an empty folder) -> how it reads one input.

    inputs: makes the strategy: seeds are valid files, and to make them takes time.
    """

    name: str
    share: int
    inputs: Callable[[], st.SearchStrategy[Any]]
    opened: Callable[[Path], AbstractContextManager[Read]]


def refusal(error: Exception, named: object) -> None:
    """AssertionError unless `error` is a message for a person that names the file, and memory was not its cause."""
    said = str(error)
    assert str(named) in said, f"does not name {named}: {said[:1000]}"
    assert len(said) < LONGEST_MESSAGE, f"a message of {len(said):,} characters: {said[:200]}"
    assert "Traceback" not in said
    for cause in _causes(error):
        assert not isinstance(cause, MemoryError), f"took more memory than it may: {said[:1000]}"


def accepts(call: Callable[[], object], error: type[Exception], named: object) -> bool:
    """Whether `call` takes its input; False where it raises `error` as `refusal` wants it. All else goes through."""
    try:
        call()
    except error as raised:
        refusal(raised, named)
        return False
    return True


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
