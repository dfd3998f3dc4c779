"""How far the orchestration goes: many cards, a card that is in the store already, many results, many rounds.

    python -m benchmarks.scale                       # all four: three minutes on two cores
    python -m benchmarks.scale definitions table     # those

definitions   40 cards of 25 rounds and 10 replicates, all definitions and jobs, in a fresh process
cached        `lth run` of a card of 20 rounds and 5 replicates whose every recipe is in the store, with a new Dagster
              instance and a new MLflow store
table         the table of 10,000 trainings, from their records in the store (benchmarks/scale_table.py)
memory        what a run's process gains from round to round, over 30 rounds of the smallest network
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from unittest.mock import patch

from benchmarks import worker
from benchmarks.machine import ROOT, busy, environment, machine
from benchmarks.results import Figures, figure

CARD = """\
description: the smallest network, two iterations
data: {{name: digits, validation_size: 200}}
model: {{name: mlp, widths: [5]}}
training: {{optimiser: adam, learning_rate: 2e-3, batch_size: 32, iterations: 2, evaluate_every: 1}}
pruning: {{scope: layerwise, rates: {{fc: 0.05}}, output_rate: 0.05, rounds: {rounds}}}
arms: [ticket, reinit]
replicates: {replicates}
seed: {seed}
"""
LOAD = """
import time
started = time.perf_counter()
from lth_pipeline.definitions import defs
imported = time.perf_counter() - started
defs.get_repository_def().load_all_definitions()
print(imported, time.perf_counter() - started)
"""
SETTLED = 5  # rounds until everything that is needed once is there


def figures(only: Collection[str] = ()) -> Figures:
    """only: names of PARTS; empty: all."""
    found: Figures = {}
    for name in only or PARTS:
        found |= PARTS[name]()
    return found


def definitions(cards: int = 40, rounds: int = 25, replicates: int = 10, repeat: int = 3) -> Figures:
    """Fresh processes; the median of all that a code location holds, resolved."""
    with home_of(cards, rounds, replicates) as folder:
        done = [_output([sys.executable, "-c", LOAD], folder).split() for _ in range(repeat)]
        imported, loaded = (median(float(line[place]) for line in done) for place in (0, 1))
        validate = ["-m", "dagster", "definitions", "validate", "-w", "workspace.yaml"]
        started = time.perf_counter()
        _output([sys.executable, *validate], folder)
        validated = time.perf_counter() - started
    print(
        f"definitions: import {imported:.2f} s, with every job {loaded:.2f} s; `dagster … validate` {validated:.1f} s"
    )
    return {"definitions_load_seconds": figure(loaded, "s", 5)}


def cached(rounds: int = 20, replicates: int = 5, repeat: int = 1) -> Figures:
    """Raises RuntimeError where the run has trained something after all."""
    took = []
    with home_of(1, rounds, replicates) as folder:
        filled = _fill(folder)
        for _ in range(repeat):
            for place in (folder / ".lth" / "dagster", folder / "mlflow"):
                shutil.rmtree(place, ignore_errors=True)
            started = time.perf_counter()
            _output([sys.executable, "-m", "lth_pipeline.cli", "run", "scale_00"], folder)
            took.append(time.perf_counter() - started)
        if len(_records(folder)) != filled:
            raise RuntimeError("the run made what should have been in the store")
    print("cached: " + ", ".join(f"{seconds:.1f} s" for seconds in took))
    return {"cached_card_seconds": figure(median(took), "s", 60)}


def table() -> Figures:
    from benchmarks.scale_table import rows_of_a_large_card

    return rows_of_a_large_card()


def memory(rounds: int = 30) -> Figures:
    """Of the process of a run as `lth run` starts it, from round to round."""
    with home_of(1, rounds, 1) as folder, patch.dict(os.environ, environment(folder), clear=True):
        resident = list(_each_round(rounds))
    print("memory, MB after each round: " + " ".join(f"{megabytes:.0f}" for megabytes in resident))
    return {"memory_growth_per_round_megabytes": figure(growth(resident), "MB", 1)}


def growth(resident: Sequence[float]) -> float:
    """From round to round, once all is there that is needed once; what is given back in the end is no growth."""
    settled = resident[SETTLED:]
    return max(0.0, (settled[-1] - settled[0]) / (len(settled) - 1))


def _each_round(rounds: int) -> Iterator[float]:
    """Megabytes that the run's process holds after each round."""
    for event, details, processes in worker.events("scale_00", rounds):
        if event == "asset" and details["asset"].endswith("_ticket"):
            (process,) = processes
            yield worker.memory(process, "VmRSS") / 2**20


@contextmanager
def home_of(cards: int, rounds: int, replicates: int) -> Iterator[Path]:
    """A home with `cards` cards, which goes away."""
    with tempfile.TemporaryDirectory(prefix="lth-bench-") as name:
        folder = Path(name) / "experiments"
        folder.mkdir()
        for seed in range(cards):
            text = CARD.format(rounds=rounds, replicates=replicates, seed=seed)
            (folder / f"scale_{seed:02d}.yaml").write_text(text)
        yield Path(name)


def _fill(folder: Path) -> int:
    """Make everything that the card of a home asks for; gives how many records the store has."""
    from lth_pipeline.recipes import Store, Workshop, load_cards

    cards = load_cards([folder / "experiments"])
    card = cards["scale_00"]
    workshop = Workshop(Store(folder / ".lth" / "store"), folder / "data", device="cpu")
    for replicate in range(card.replicates):
        chain = workshop.chain(cards, card.name, replicate)
        for round in range(card.pruning.rounds + 1):
            for step in chain.trainings(round):
                workshop.make(chain, step)
    return len(_records(folder))


def _records(folder: Path) -> list[Path]:
    return list((folder / ".lth" / "store" / "recipes").glob("*/*.json"))


def _output(command: list[str], home: Path) -> str:
    done = subprocess.run(command, env=environment(home), cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return done.stdout


PARTS = {"definitions": definitions, "cached": cached, "table": table, "memory": memory}


def main() -> None:
    from benchmarks.command import asked_for, tell
    from benchmarks.timing import one_thread

    asked = asked_for(PARTS, __doc__)
    one_thread()
    print(machine(), flush=True)
    before = busy()
    found = figures(asked.names)
    tell(found, write=not asked.dry_run, note=before)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
