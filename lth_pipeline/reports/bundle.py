"""The files that the results of an experiment come as."""

from __future__ import annotations

import pandas as pd

from lth_pipeline.experiments import Experiment
from lth_pipeline.experiments.arms import ARMS
from lth_pipeline.experiments.flat import described
from lth_pipeline.reports.drawing import png
from lth_pipeline.reports.figures import accuracy_by_density, early_stop_by_density
from lth_pipeline.reports.report import report
from lth_pipeline.reports.table import by_round, notes


def results_files(experiment: Experiment, data: str, frame: pd.DataFrame) -> dict[str, bytes]:
    """{file name: content}: the table, the two figures, the report. data: what the data is called."""
    subtitle = (
        f"{data} · {experiment.training.iterations:,} iterations · "
        f"n = {frame['replicate'].nunique()} · seed {experiment.seed}"
    )
    settings = {field: value for field, value, _ in described(experiment)}
    title = f"{experiment.name}: {subtitle}"
    return {
        "results.csv": frame.to_csv(index=False).encode(),
        "accuracy_by_density.png": png(accuracy_by_density(frame, title)),
        "early_stop_by_density.png": png(early_stop_by_density(frame, title)),
        "report.html": report(experiment.name, experiment.description, subtitle, frame, settings).encode(),
    }


def markdown_table(frame: pd.DataFrame) -> str:
    """Means over replicates, a line per round and arm."""
    lines = [
        "| round | weights | density | arm | n | test accuracy at early stop | at the end | early-stop iteration |",
        "|---:|---:|---:|---|---:|---:|---:|---:|",
    ]
    for line in by_round(frame).itertuples():
        accuracies = (100 * line.test_accuracy_at_early_stop, 100 * line.test_accuracy_at_end)
        cells = (line.round, f"{line.weights:,}", f"{100 * line.density:.2f} %", ARMS[line.arm].title, line.n)
        cells += (*(f"{accuracy:.2f} %" for accuracy in accuracies), f"{line.early_stop_iteration:,.0f}")
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join([*lines, *(f"\n*{note}*" for note in notes(frame))])
