"""The whole pipeline against the training loop alone.

    python -m benchmarks.pipeline                                     # digits: the built-in experiment
    python -m benchmarks.pipeline lenet_mnist --through 2 --replicates 0
    python -m benchmarks.pipeline digits --parts --through 1 --replicates 0

Runs `lth run CARD` in an empty home and compares, in that one run, its wall time with the time spent inside the
training loops (evaluation included, as the loop needs it) on the way that takes longest: the replicate with the most.
What is left is Dagster, MLflow, figures, the store, imports and the start of processes; with --parts the run is made
once more, in one process, and each of them is named (benchmarks/breakdown.py). Other options go to `lth run`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

from benchmarks.command import tell
from benchmarks.machine import ROOT, busy, environment, machine
from benchmarks.results import figure

#: card -> whole / loop; of others no more than what it is
TARGETS = {"digits": 1.5, "lenet_mnist": 1.05}


def measure(card: str, arguments: list[str]) -> dict[str, float | int | str]:
    """One run in an empty home; seconds and ratios."""
    with tempfile.TemporaryDirectory(prefix="lth-bench-") as home:
        env = environment(home)
        started = time.perf_counter()
        command = [sys.executable, "-m", "lth_pipeline.cli", "run", card, *arguments]
        subprocess.run(command, env=env, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wall = time.perf_counter() - started
        frame = pd.read_csv(Path(home) / "reports" / card / "results.csv")
    loops = frame.groupby("replicate")["seconds"].sum()
    return {
        "card": card,
        "replicates": len(loops),
        "trainings": len(frame),
        "wall_seconds": round(wall, 2),
        "loop_seconds_longest_replicate": round(float(loops.max()), 2),
        "ratio": round(wall / float(loops.max()), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("card", nargs="?", default="digits")
    parser.add_argument("--repeat", type=int, default=1, help="runs; the median by ratio is the figure")
    parser.add_argument("--parts", action="store_true", help="name what is beside the loop")
    parser.add_argument("--dry-run", action="store_true", help="print the figure, write nothing down")
    asked, passed_on = parser.parse_known_args()
    runs, before = [], busy()
    for _ in range(asked.repeat):
        runs.append(measure(asked.card, passed_on))
        print(json.dumps(runs[-1]), flush=True)
    median = sorted(runs, key=lambda run: run["ratio"])[len(runs) // 2]
    print(machine())
    note = f"`{' '.join([asked.card, *passed_on])}`, {median['wall_seconds']:.0f} s, median of {len(runs)}"
    one = figure(median["ratio"], "ratio", TARGETS.get(asked.card), note)
    tell({f"pipeline_over_loop_{asked.card}": one}, write=not asked.dry_run, note=before)
    if asked.parts:
        command = [sys.executable, "-m", "benchmarks.breakdown", asked.card, *passed_on]
        subprocess.run(command, cwd=ROOT, check=True)


if __name__ == "__main__":
    main()
