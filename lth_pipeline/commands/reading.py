"""The progress bar of reading own images."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Progress = Callable[[int, int], None]


@contextmanager
def reading_bar(title: str) -> Iterator[Progress]:
    """Gives a function of (images read, images in all). Nothing is drawn where everything is in the cache already."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(compact=True))
    with Bars(*columns, console=console, disable=not console.is_terminal) as bars:
        task = None

        def progress(done: int, total: int) -> None:
            nonlocal task
            if task is None:
                task = bars.add_task(f"reading {title}", total=total)
                if not console.is_terminal:
                    console.print(f"reading {title}: {total:,} images, once", highlight=False)
            bars.update(task, completed=done)

        yield progress
