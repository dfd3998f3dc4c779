"""The table of results as a person reads it in a terminal."""

from __future__ import annotations

import pandas as pd
from rich.console import Console
from rich.table import Table

from lth_pipeline.experiments import Experiment
from lth_pipeline.experiments.arms import ARMS
from lth_pipeline.recipes.facts import title_of
from lth_pipeline.reports.report import sentence
from lth_pipeline.reports.table import by_round, differences, notes


def results_on_screen(experiment: Experiment, frame: pd.DataFrame) -> None:
    """Means ± standard deviation over replicates, a line per round; then the sentence that sums it up."""
    console = Console()
    replicates = frame["replicate"].nunique()
    arms = [arm for arm in ARMS if arm != "dense" and (frame["arm"] == arm).any()] or ["ticket"]
    controls = [arm for arm in arms if arm != "ticket"]
    console.print(
        f"{experiment.name}: {title_of(experiment.data)}, {experiment.training.iterations:,} iterations, "
        f"n = {replicates}, seed {experiment.seed}",
        style="italic",
        highlight=False,
    )
    table = Table(header_style="bold", box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for column in (
        "round",
        "density",
        *(name for arm in arms for name in (arm, "stops at")),
        *(f"ticket−{control}" for control in controls),
    ):
        table.add_column(column, justify="right", no_wrap=True)
    lines = {(line.round, "ticket" if line.arm == "dense" else line.arm): line for line in by_round(frame).itertuples()}
    gaps = {control: differences(frame, control).set_index("round") for control in controls}
    for round in sorted({round for round, _ in lines}):
        first = next(line for (number, _), line in lines.items() if number == round)
        cells = [str(round), f"{100 * first.density:.1f} %"]
        for arm in arms:
            line = lines.get((round, arm))
            cells += (
                ["", ""]
                if line is None
                else [
                    _spread(line.test_accuracy_at_end, line.test_accuracy_at_end_sd, 100, 2),
                    _spread(line.early_stop_iteration, line.early_stop_iteration_sd, 1, 0),
                ]
            )
        for control in controls:
            gap = gaps[control].loc[round] if round in gaps[control].index else None
            cells.append("" if gap is None else _spread(gap["mean"], gap["sd"], 100, 2, sign="+"))
        table.add_row(*cells)
    console.print(table)
    said = [
        "Test accuracy at the end of training, %, and early-stop iteration: mean ± standard deviation over replicates. "
        "Round 0 is the dense network.",
        *(f"{note[0].upper()}{note[1:]}." for note in notes(frame)),
    ]
    console.print("\n".join(said), style="dim italic", highlight=False)
    for control in controls:
        console.print(sentence(frame, control), highlight=False)


def _spread(mean: float, sd: float, scale: float, digits: int, sign: str = "") -> str:
    return f"{scale * mean:{sign},.{digits}f}" + ("" if pd.isna(sd) else f" ±{scale * sd:,.{digits}f}")
