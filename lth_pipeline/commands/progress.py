"""The progress bars of `lth run`: one for each replicate."""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

from lth_pipeline.experiments import Experiment

if TYPE_CHECKING:
    from lth_pipeline.orchestration.launch import Event
    from lth_pipeline.orchestration.status import AssetStatus


class Rate(ProgressColumn):
    def render(self, task) -> Text:
        return Text(f"{task.speed:,.0f} it/s" if task.speed else "", style="dim")


class Replicate:
    """How far one replicate is: iterations done by (round, arm)."""

    def __init__(self, experiment: Experiment, entries: Sequence[AssetStatus]):
        self.iterations = experiment.training.iterations
        self.trainings = {entry.asset: arms for entry in entries if (arms := _arms(experiment, entry))}
        self.done = dict.fromkeys((key for arms in self.trainings.values() for key in arms), 0)

    @property
    def total(self) -> int:
        return len(self.done) * self.iterations

    @property
    def completed(self) -> int:
        return sum(self.done.values())

    def row(self, round: int, arm: str, iteration: int) -> None:
        if (round, arm) in self.done:
            self.done[round, arm] = iteration

    def asset(self, name: str) -> None:
        for key in self.trainings.get(name, ()):
            self.done[key] = self.iterations


def _arms(experiment: Experiment, entry: AssetStatus) -> list[tuple[int, str]]:
    if entry.asset.endswith("_trained"):
        return [(entry.round, "ticket" if entry.round else "dense")]
    return [(entry.round, arm) for arm in experiment.controls] if entry.asset.endswith("_control") else []


def show_progress(
    experiment: Experiment, plan: Mapping[int, Sequence[AssetStatus]], events: Generator[Event]
) -> list[dict]:
    """Draw `events` until they end; gives the details of the runs that failed. Ctrl-C ends them and says so."""
    console = Console(stderr=True)
    states = {replicate: Replicate(experiment, entries) for replicate, entries in plan.items() if entries}
    width = len(str(experiment.pruning.rounds))
    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        TextColumn("{task.percentage:>3.0f} %"),
        Rate(),
        TimeRemainingColumn(compact=True),
        console=console,
        expand=True,
        speed_estimate_period=20,
        disable=not console.is_terminal,
    )
    last = {replicate: max(entry.round for entry in entries) for replicate, entries in plan.items() if entries}
    console.print(
        f"{experiment.name}: {len(states)} replicate(s), {sum(len(s.done) for s in states.values())} trainings "
        f"of {experiment.training.iterations:,} iterations"
    )
    failed: list[dict] = []
    started = time.monotonic()
    try:
        with bars, closing(events):  # closed, it stops the workers, whatever was under way here
            tasks = {r: bars.add_task(f"replicate {r}  waiting", total=state.total or 1) for r, state in states.items()}
            for event, details in events:
                if event == "done":
                    if not details["success"]:
                        failed.append(details)
                    continue
                replicate = details["replicate"]
                state = states[replicate]
                if event == "row":
                    state.row(details["round"], details["arm"], details["iteration"])
                    place = f"round {details['round']:>{width}}/{last[replicate]} {details['arm']:<7}"
                    bars.update(
                        tasks[replicate], completed=state.completed, description=f"replicate {replicate}  {place}"
                    )
                else:
                    state.asset(details["asset"])
                    bars.update(tasks[replicate], completed=state.completed)
                    if not console.is_terminal and details["asset"] in state.trainings:
                        share = 100 * state.completed / max(1, state.total)
                        console.print(
                            f"{time.monotonic() - started:6.0f} s  replicate {replicate}  "
                            f"{details['asset']:<12} {share:3.0f} %",
                            highlight=False,
                        )
    except KeyboardInterrupt:
        console.print("Stopped. What is done is kept; the same command goes on from here.")
        raise SystemExit(130) from None
    return failed
