"""The files that the results of an experiment come as."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import pandas as pd

from lth_pipeline.experiments import Experiment
from lth_pipeline.experiments.arms import ARMS
from lth_pipeline.reports.drawing import QUICK, png
from lth_pipeline.reports.figures import accuracy_by_density, early_stop_by_density
from lth_pipeline.reports.mask_distance import mask_distances
from lth_pipeline.reports.table import by_round, notes
from lth_pipeline.reports.wording import left


class Followed(Protocol):
    """A dense training whose mask was followed; settled: None where it never did."""

    replicate: int
    iterations: list[int]
    distances: list[list[float]]
    settled: int | None


def results_files(
    experiment: Experiment, data: str, frame: pd.DataFrame, followed: Sequence[Followed] = ()
) -> dict[str, bytes]:
    """{file name: content}: the table, the two figures; of the first replicate whose dense training was followed, the
    distances between its masks. data: what the data is called."""
    subtitle = (
        f"{data} · {experiment.training.iterations:,} iterations · "
        f"n = {frame['replicate'].nunique()} · seed {experiment.seed}"
    )
    title = f"{experiment.name}: {subtitle}"
    extra = {}
    if followed:
        first = followed[0]
        head = f"{experiment.name} · replicate {first.replicate}"
        quick = [QUICK] if (frame["protocol"] == "quick").any() else []  # draws and controls are not in this picture
        extra = {
            "mask_distance.png": png(mask_distances(first.iterations, first.distances, first.settled, head, quick))
        }
    return {
        "results.csv": frame.to_csv(index=False).encode(),
        "accuracy_by_density.png": png(accuracy_by_density(frame, title)),
        "early_stop_by_density.png": png(early_stop_by_density(frame, title)),
        **extra,
    }


def markdown_table(frame: pd.DataFrame) -> str:
    """Means over replicates, a line per round and arm."""
    lines = [
        "| round | weights | density | arm | n | test accuracy at early stop | at the end | early-stop iteration |",
        "|---:|---:|---:|---|---:|---:|---:|---:|",
    ]
    for line in by_round(frame).itertuples():
        accuracies = (100 * line.test_accuracy_at_early_stop, 100 * line.test_accuracy_at_end)
        cells = (line.round, f"{line.weights:,}", left(line.density), ARMS[line.arm].title, line.n)
        cells += (*(f"{accuracy:.2f} %" for accuracy in accuracies), f"{line.early_stop_iteration:,.0f}")
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join([*lines, *(f"\n*{note}*" for note in notes(frame))])
