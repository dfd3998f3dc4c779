"""The progress bars of `lth run`: one for each replicate; of a sweep, one for all and one for each under way."""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

from lth_pipeline.recipes import Chain

if TYPE_CHECKING:
    from lth_pipeline.orchestration.launch import Event
    from lth_pipeline.orchestration.status import AssetStatus

LONGEST = 40  # characters of a bar's name


class Rate(ProgressColumn):
    def render(self, task) -> Text:
        return Text(f"{task.speed:,.0f} it/s" if task.speed else "", style="dim")


class Replicate:
    """How far one replicate is: iterations done of each training. title: what its bar is called."""

    def __init__(self, title: str, chain: Chain, entries: Sequence[AssetStatus]):
        self.title = title if len(title) <= LONGEST else f"{title[: LONGEST // 2]}…{title[-LONGEST // 2 + 1 :]}"
        self.iterations = chain.cards[chain.name].training.iterations
        self.last = max(entry.round for entry in entries)
        self.trainings = {entry.asset: keys for entry in entries if (keys := _trainings(chain, entry))}
        self.done = dict.fromkeys((key for keys in self.trainings.values() for key in keys), 0)

    @property
    def total(self) -> int:
        return len(self.done) * self.iterations

    @property
    def completed(self) -> int:
        return sum(self.done.values())

    def row(self, details: Mapping) -> str:
        """Take in how far a training is; gives where that is, in words."""
        key = (details["round"], details["arm"], details.get("draw", 0))
        if key in self.done:
            self.done[key] = details["iteration"]
        width = len(str(self.last))
        return f"{self.title}  round {key[0]:>{width}}/{self.last} {key[1]:<7}"

    def asset(self, name: str) -> None:
        for key in self.trainings.get(name, ()):
            self.done[key] = self.iterations


def _trainings(chain: Chain, entry: AssetStatus) -> list[tuple[int, str, int]]:
    """(round, arm, draw) of what an asset trains."""
    stage = entry.asset.partition("_")[2]
    if stage not in ("trained", "control"):
        return []
    main = chain.main(entry.round)
    steps = [main] if stage == "trained" else [step for step in chain.trainings(entry.round) if step != main]
    return [(step.round, step.arm, step.draw) for step in steps]


def show_progress(head: str, states: Mapping[str, Replicate], events: Generator[Event], whole: str = "") -> list[dict]:
    """Draw `events` until they end; gives the details of the runs that failed. Ctrl-C ends them and says so.

    states: of each partition. whole: what the bar of all together is called; there is one for a sweep only, whose
    replicates are too many for a bar each.
    """
    console = Console(markup=False, stderr=True)
    bars = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        TextColumn("{task.percentage:>3.0f} %"),
        Rate(),
        TimeRemainingColumn(compact=True),
        console=console,
        expand=True,
        speed_estimate_period=20,
        disable=not console.is_terminal,
    )
    trainings = sum(len(state.done) for state in states.values())
    iterations = {f"{state.iterations:,}" for state in states.values()}
    if states:
        of = f" of {iterations.pop()} iterations" if len(iterations) == 1 else ""
        console.print(f"{head}, {trainings} trainings{of}", highlight=False)
    failed: list[dict] = []
    try:
        with bars, closing(events):  # closed, it stops the workers, whatever was under way here
            _draw(console, bars, states, events, whole, failed)
    except KeyboardInterrupt:
        console.print("Stopped. What is done is kept; the same command goes on from here.")
        raise SystemExit(130) from None
    return failed


def _draw(console: Console, bars: Progress, states, events, whole: str, failed: list[dict]) -> None:
    started, ended = time.monotonic(), 0
    total = sum(state.total for state in states.values())
    shown = {}
    if whole and states:
        whole_bar = bars.add_task("", total=total or 1)
    elif not whole:
        shown = {p: bars.add_task(f"{state.title}  waiting", total=state.total or 1) for p, state in states.items()}

    def show_whole() -> None:
        if whole and states:
            done = sum(state.completed for state in states.values())
            gathering = ", gathering results" if ended == len(states) else ""
            said = f"{whole}  {ended} of {len(states)} replicates done{gathering}"
            bars.update(whole_bar, completed=done, description=said)

    show_whole()
    for event, details in events:
        partition = details["task"].partition if event == "done" else details["partition"]
        state = states.get(partition)
        if event == "done":
            failed += [] if details["success"] else [details]
            ended += state is not None
            if whole and partition in shown:
                bars.remove_task(shown.pop(partition))
            show_whole()
        if event == "done" or state is None:  # results being gathered
            continue
        if partition not in shown:
            shown[partition] = bars.add_task(state.title, total=state.total or 1)
        if event == "row":
            bars.update(shown[partition], description=state.row(details), completed=state.completed)
        else:
            state.asset(details["asset"])
            bars.update(shown[partition], completed=state.completed)
            if not console.is_terminal and details["asset"] in state.trainings:
                of = sum(each.completed for each in states.values()) / max(1, total) if whole else None
                share = 100 * (state.completed / max(1, state.total) if of is None else of)
                console.print(
                    f"{time.monotonic() - started:6.0f} s  {state.title}  {details['asset']:<12} {share:3.0f} %",
                    highlight=False,
                )
        show_whole()
