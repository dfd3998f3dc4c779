"""Where the time of a whole run goes: the training loop, and by name what is beside it.

    python -m benchmarks.breakdown                                    # digits: the built-in experiment
    python -m benchmarks.breakdown lenet_mnist_quick --through 1 --replicates 0

Makes the Dagster runs of `lth run CARD` in an empty home, but one after the other in this process, in which every entry
point of a part is timed: seconds go to the part that was entered last, so nothing is counted twice. What MLflow takes
at an evaluation is MLflow's, though it passes inside of `train()`. "Dagster" is what the runs take beside all of these.
"""

from __future__ import annotations

import argparse
import functools
import inspect
import os
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from time import perf_counter
from unittest.mock import patch

from benchmarks.machine import environment, machine

LOOP, DAGSTER, START = "training loop", "Dagster (events, runs, assets)", "imports and start"
#: part of a run -> modules all of whose functions and methods are its, or "module:name" of one
PARTS = {
    LOOP: (
        "lth_pipeline.lottery.training.train:train",
        "lth_pipeline.lottery.training.together:train_together",
    ),
    "data set": ("lth_pipeline.lottery.data.catalog:load",),
    "MLflow (opening its store)": ("lth_pipeline.tracking.tracker:open_tracker",),
    "MLflow (logging)": (
        "lth_pipeline.tracking.tracker:Tracker",
        "lth_pipeline.tracking.runs",
        "lth_pipeline.tracking.rounds",
        "lth_pipeline.tracking.series",
        "lth_pipeline.tracking.results",
    ),
    "store": ("lth_pipeline.recipes.store:Store",),
    "figures, tables, report": (
        "lth_pipeline.reports.drawing",
        "lth_pipeline.reports.learning_curve",
        "lth_pipeline.reports.bundle",
        "lth_pipeline.reports.table",
    ),
    "masks and weights": ("lth_pipeline.recipes.steps:compute",),
    "checks": ("lth_pipeline.orchestration.checks:run_checks",),
}


class Watch:
    """Seconds by part; always exactly one part is running."""

    def __init__(self, part: str) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.running, self.since = part, perf_counter()

    def turn_to(self, part: str) -> str:
        """Gives the part that ran until now."""
        now, before = perf_counter(), self.running
        self.seconds[before] += now - self.since
        self.running, self.since = part, now
        return before

    @contextmanager
    def inside(self, part: str) -> Iterator[None]:
        before = self.turn_to(part)
        try:
            yield
        finally:
            self.turn_to(before)

    def timed(self, function: Callable, part: str) -> Callable:
        @functools.wraps(function)
        def timed(*arguments, **options):
            with self.inside(part):
                return function(*arguments, **options)

        return timed


def watch_parts(watch: Watch) -> None:
    """Put a timed function in the place of each of PARTS', wherever a module of ours holds it."""
    replaced = {}
    for part, places in PARTS.items():
        for place in places:
            module, _, name = place.partition(":")
            for found in _own(import_module(module), name):
                if inspect.isclass(found):
                    _watch_methods(watch, found, part)
                else:
                    replaced[found] = watch.timed(found, part)
    for module in [module for name, module in sys.modules.items() if name.startswith("lth_pipeline")]:
        for name, value in list(vars(module).items()):
            if inspect.isfunction(value) and value in replaced:
                setattr(module, name, replaced[value])


def _own(module, name: str) -> list:
    """The functions and classes that `module` defines, or the one called `name`."""
    if name:
        return [getattr(module, name)]
    kinds = (inspect.isfunction, inspect.isclass)
    return [
        value
        for value in vars(module).values()
        if any(kind(value) for kind in kinds) and value.__module__ == module.__name__
    ]


def _watch_methods(watch: Watch, cls: type, part: str) -> None:
    for name, value in list(vars(cls).items()):
        if inspect.isfunction(value) and not name.startswith("__"):
            setattr(cls, name, watch.timed(value, part))


def run(card: str, replicates: tuple[int, ...] | None = None, through: int | None = None) -> dict[str, float]:
    """Seconds by part of a run in the home of the environment."""
    watch = Watch(START)
    import_module("lth_pipeline.orchestration.preload")
    from lth_pipeline.commands.common import places, workshop
    from lth_pipeline.orchestration import status
    from lth_pipeline.orchestration.execute import execute
    from lth_pipeline.orchestration.instance import open_instance
    from lth_pipeline.orchestration.partitions import deepest_round
    from lth_pipeline.orchestration.plan import LOCATION, Asked, plan, tasks

    watch_parts(watch)
    definitions = import_module(LOCATION).defs
    home, cards = places()
    deepest, shop = deepest_round(cards), workshop(home)
    asked = Asked(home, cards, cards[card], shop, home.dagster.parent / "log")
    failed: list[str] = []
    with open_instance(home) as instance:
        recorded = status.read_records(instance, deepest)
        todo = {card: plan(cards, card, shop, recorded, (), deepest, replicates=replicates, through=through)}
        for task in tasks(asked, todo, {}, recorded, instance):
            with watch.inside(DAGSTER):
                _, _, errors = execute(
                    definitions,
                    task.location,
                    instance,
                    task.job,
                    task.partition,
                    task.assets,
                    task.tags,
                    task.run_config,
                )
            failed += errors
    if failed:
        sys.exit("\n".join(failed))
    watch.turn_to(START)
    return dict(watch.seconds)


def told(seconds: dict[str, float]) -> str:
    """Each part's seconds, and its share of what is beside the loop."""
    beside = sum(seconds.values()) - seconds[LOOP]
    rows = [f"{LOOP:32} {seconds[LOOP]:8.2f} s"]
    for part, spent in sorted(seconds.items(), key=lambda item: -item[1]):
        if part != LOOP:
            rows.append(f"{part:32} {spent:8.2f} s  {spent / beside:6.1%} of what is beside the loop")
    return "\n".join([*rows, f"whole / loop                     {1 + beside / seconds[LOOP]:8.3f}"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("card", nargs="?", default="digits")
    parser.add_argument("--through", type=int)
    parser.add_argument("--replicates", type=lambda text: tuple(int(number) for number in text.split(",")))
    asked = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="lth-bench-") as home,
        patch.dict(os.environ, environment(home), clear=True),
        _quiet(Path(home) / "printed"),
    ):
        seconds = run(asked.card, asked.replicates, asked.through)
    print(f"{machine()}\n{asked.card}\n{told(seconds)}")


@contextmanager
def _quiet(log: Path) -> Iterator[None]:
    """Dagster writes each event to standard error."""
    kept = os.dup(2)
    with log.open("wb") as file:
        os.dup2(file.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)


if __name__ == "__main__":
    main()
