"""Keeping the code location up with the cards: it is loaded anew once they have changed, and can be read."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

EVERY = 5.0  # seconds between two looks

#: (name, size, time of the last change) of each card
State = tuple[tuple[str, int, int], ...]


@contextmanager
def followed(folder: Path, loaded: State, reload: Callable[[], None], every: float = EVERY) -> Iterator[None]:
    """While inside, call `reload` once the cards in `folder` are others than those `loaded` and have stayed so for one
    look; again where that went wrong.

    Cards with a mistake are not loaded: the location would be gone with all its experiments, and what runs unattended
    with it. They are told of on standard error.
    """
    ending = threading.Event()
    thread = threading.Thread(target=_follow, args=(folder, loaded, reload, every, ending), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join(every)


def state_of(folder: Path) -> State:
    found = []
    for path in sorted((*folder.glob("*.yaml"), *folder.glob("*.yml"))):
        try:
            about = path.stat()
        except OSError:  # taken away meanwhile
            continue
        found.append((path.name, about.st_size, about.st_mtime_ns))
    return tuple(found)


def _follow(folder: Path, loaded: State, reload: Callable[[], None], every: float, ending: threading.Event) -> None:
    before = loaded
    while not ending.wait(every):
        now = state_of(folder)
        if now != loaded and now == before:
            if mistake := _mistake(folder):
                loaded = now
                print(f"the cards have changed and are not loaded: {mistake}", file=sys.stderr, flush=True)
            elif _try(reload):
                loaded = now
        before = now


def _mistake(folder: Path) -> str:
    from lth_pipeline.recipes import load_cards

    try:
        load_cards([folder])
    except Exception as error:  # whatever is wrong with them, the location stays as it is
        return str(error)
    return ""


def _try(reload: Callable[[], None]) -> bool:
    try:
        reload()
    except Exception as error:  # of Dagster's, whose code server may be away for a moment
        print(f"the code location could not be loaded anew: {error}", file=sys.stderr, flush=True)
        return False
    return True
