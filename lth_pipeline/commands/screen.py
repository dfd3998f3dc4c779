"""The table of results as a person reads it in a terminal."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from rich.console import Console
from rich.table import Table

from lth_pipeline.experiments import Experiment
from lth_pipeline.experiments.arms import ARMS
from lth_pipeline.recipes.facts import title_of
from lth_pipeline.reports.sentence import sentence
from lth_pipeline.reports.table import by_round, differences, notes

WIDE = 3  # more arms are not put side by side, however wide the terminal
UNBOUNDED = 10_000  # columns of a terminal in which every table fits


def results_on_screen(experiment: Experiment, frame: pd.DataFrame, remarks: Sequence[str] = ()) -> None:
    """Means ± standard deviation over replicates, a line per round; then the sentences that sum it up."""
    console = Console(markup=False)
    replicates = frame["replicate"].nunique()
    arms = [arm for arm in ARMS if arm != "dense" and (frame["arm"] == arm).any()] or ["ticket"]
    controls = [arm for arm in arms if arm != "ticket"]
    console.print(
        f"{experiment.name}: {title_of(experiment.data)}, {experiment.training.iterations:,} iterations, "
        f"n = {replicates}, seed {experiment.seed}",
        style="italic",
        highlight=False,
    )
    table = _wide(frame, arms, controls)
    if len(arms) > WIDE or needed(console, table) > console.width:
        table = _long(frame, arms, controls)
    Console(markup=False, width=max(console.width, needed(console, table))).print(table)  # figures are never cut
    said = [
        "Test accuracy at the end of training, %, and early-stop iteration: mean ± standard deviation over replicates. "
        "Round 0 is the dense network.",
        *(f"{note[0].upper()}{note[1:]}." for note in notes(frame)),
    ]
    console.print("\n".join(said), style="dim italic", highlight=False)
    for said in (*remarks, *(sentence(frame, control) for control in controls)):
        console.print(said, highlight=False)


def needed(console: Console, table: Table) -> int:
    """The columns that `table` takes where nothing in it is cut."""
    return console.measure(table, options=console.options.update(width=UNBOUNDED)).maximum


def _wide(frame: pd.DataFrame, arms: list[str], controls: list[str]) -> Table:
    """A line for each round, the arms side by side."""
    table = _table("round", "density", *(name for arm in arms for name in (arm, "stops at")))
    for control in controls:
        table.add_column(f"ticket−{control}", justify="right", no_wrap=True)
    lines, gaps = _lines(frame), _gaps(frame, controls)
    for round in sorted({round for round, _ in lines}):
        first = next(line for (number, _), line in lines.items() if number == round)
        measured = [cell for arm in arms for cell in _measured(lines.get((round, arm)))]
        differ = [_gap(gaps[control], round) for control in controls]
        table.add_row(str(round), f"{100 * first.density:.1f} %", *measured, *differ)
    return table


def _long(frame: pd.DataFrame, arms: list[str], controls: list[str]) -> Table:
    """A line for each round and arm."""
    table = _table("round", "density", "arm", "accuracy", "stops at", "ticket−it")
    table.columns[2].justify = "left"
    lines, gaps = _lines(frame), _gaps(frame, controls)
    for round in sorted({round for round, _ in lines}):
        for place, arm in enumerate(arm for arm in arms if (round, arm) in lines):
            line = lines[round, arm]
            density = f"{100 * line.density:.1f} %" if place == 0 or arm == "dense_small" else ""
            name = "dense" if round == 0 else arm
            cells = (str(round) if place == 0 else "", density, name, *_measured(line))
            table.add_row(*cells, _gap(gaps[arm], round) if arm in gaps else "")
    return table


def _table(*columns: str) -> Table:
    table = Table(header_style="bold", box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def _lines(frame: pd.DataFrame) -> dict:
    """The dense network is round 0 of the ticket."""
    return {(line.round, "ticket" if line.arm == "dense" else line.arm): line for line in by_round(frame).itertuples()}


def _gaps(frame: pd.DataFrame, controls: list[str]) -> dict[str, pd.DataFrame]:
    return {control: differences(frame, control).set_index("round") for control in controls}


def _gap(gaps: pd.DataFrame, round: int) -> str:
    if round not in gaps.index:
        return ""
    return _spread(gaps.loc[round]["mean"], gaps.loc[round]["sd"], 100, 2, sign="+")


def _measured(line) -> list[str]:
    if line is None:
        return ["", ""]
    return [
        _spread(line.test_accuracy_at_end, line.test_accuracy_at_end_sd, 100, 2),
        _spread(line.early_stop_iteration, line.early_stop_iteration_sd, 1, 0),
    ]


def _spread(mean: float, sd: float, scale: float, digits: int, sign: str = "") -> str:
    return f"{scale * mean:{sign}z,.{digits}f}" + ("" if pd.isna(sd) else f" ±{scale * sd:,.{digits}f}")
