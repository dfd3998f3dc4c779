"""The progress bars of `lth report`: one for each replicate, one for the whole experiment."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from lth_pipeline.recipes.analyses.catalog import ANALYSES

if TYPE_CHECKING:
    from lth_pipeline.orchestration.launch import Event, Task


def show_analyses(card: str, tasks: Sequence[Task], events: Generator[Event]) -> list[dict]:
    """Draw `events` until they end; gives the details of the runs that failed. Ctrl-C ends them and says so."""
    console = Console(markup=False, stderr=True)
    bars = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
    )
    if tasks:
        count = sum(len(task.assets) for task in tasks)
        console.print(f"{card}: {count} analyses and pages in {len(tasks)} run(s)", highlight=False)
    failed: list[dict] = []
    try:
        with bars, closing(events):
            _draw(console, bars, tasks, events, failed)
    except KeyboardInterrupt:
        console.print("Stopped. What is done is kept; the same command goes on from here.")
        raise SystemExit(130) from None
    return failed


def _draw(console: Console, bars: Progress, tasks: Sequence[Task], events, failed: list[dict]) -> None:
    started = time.monotonic()
    shown = {task.partition: bars.add_task(_title(task), total=len(task.assets)) for task in tasks}
    titles = {task.partition: _title(task) for task in tasks}
    done = dict.fromkeys(shown, 0)
    for event, details in events:
        if event == "done":
            task = details["task"]
            failed += [] if details["success"] else [details]
            bars.update(shown[task.partition], completed=len(task.assets), description=titles[task.partition])
            continue
        partition = details["partition"]
        if event == "part":
            title = ANALYSES[details["analysis"]].title.lower()
            share = details["number"] / details["parts"]
            said = f"{titles[partition]}  {title}: {details['about']} ({details['number'] + 1} of {details['parts']})"
            bars.update(shown[partition], completed=done[partition] + share, description=said)
        elif event == "asset":
            done[partition] += 1
            bars.update(shown[partition], completed=done[partition])
            if not console.is_terminal:
                console.print(
                    f"{time.monotonic() - started:6.0f} s  {titles[partition]}  {details['asset']}", highlight=False
                )


def _title(task: Task) -> str:
    name, _, replicate = task.partition.partition("|")
    return f"replicate {replicate}" if replicate else name
