"""The table of results: its columns are a contract, and its summary is what the screen shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from lth_pipeline.experiments.arms import ARMS
from lth_pipeline.reports.drawing import QUICK

#: column -> dtype, in this order, in every format. Documented in docs/results.md.
COLUMNS = {
    "experiment": "str",
    "replicate": "int64",
    "round": "int64",
    "arm": "str",
    "density": "float64",
    "weights": "int64",
    "early_stop_iteration": "int64",
    "test_accuracy_at_early_stop": "float64",
    "test_accuracy_at_end": "float64",
    "train_accuracy_at_end": "float64",
    "validation_loss_min": "float64",
    "seconds": "float64",
    "mlflow_run_id": "str",
    "protocol": "str",
    "diverged_at": "Int64",
    "draw": "int64",
}


#: what is averaged
MEANS = ["test_accuracy_at_early_stop", "test_accuracy_at_end", "train_accuracy_at_end", "early_stop_iteration"]


def results_table(rows: list[dict[str, Any]], run_ids: dict[tuple[int, int, str, str], str]) -> pd.DataFrame:
    """One line per replicate, round, arm and draw. `mlflow_run_id` is empty where MLflow has no run of it."""
    frame = pd.DataFrame(
        [
            {**row, "mlflow_run_id": run_ids.get((row["replicate"], row["round"], row["arm"], row["data_version"]), "")}
            for row in rows
        ],
        columns=list(COLUMNS),
    ).astype(COLUMNS)
    order = {arm: place for place, arm in enumerate(ARMS)}
    return frame.sort_values(
        ["replicate", "round", "arm", "draw"], key=lambda c: c.map(order) if c.name == "arm" else c, ignore_index=True
    )


def read_results(path: Path) -> pd.DataFrame:
    """The table in a results.csv, with its types."""
    numbers = {name: [""] for name, dtype in COLUMNS.items() if dtype != "str"}
    return pd.read_csv(path, dtype=COLUMNS, keep_default_na=False, na_values=numbers)


def ended(frame: pd.DataFrame) -> pd.DataFrame:
    """The trainings that did not diverge: what means and figures are made of."""
    return frame[frame["diverged_at"].isna()]


def notes(frame: pd.DataFrame, *, short: bool = False) -> list[str]:
    """What must be said beside every figure (short) and table made of `frame`."""
    found = []
    drawn = frame.groupby("arm")["draw"].max() + 1
    if len(several := drawn[drawn > 1]):
        of = "" if short else f"{', '.join(arm for arm in ARMS if arm in several.index)}: "
        found.append(f"{of}mean of {several.max()} draws in each replicate")
    if (frame["protocol"] == "quick").any():
        found.append(QUICK)
    lost = frame[frame["diverged_at"].notna()]
    if len(lost) and short:
        found.append(f"{len(lost)} diverged, left out of means")
    elif len(lost):
        which = ", ".join(
            f"{_label(line)} of round {line.round} in replicate {line.replicate}" for line in lost.itertuples()
        )
        found.append(f"diverged, left out of means: {which}")
    return found


def _label(line) -> str:
    return f"{line.arm} {line.draw + 1}" if line.draw else line.arm


def averaged(frame: pd.DataFrame) -> pd.DataFrame:
    """One line per replicate, round and arm: the mean over the draws that did not diverge, so that means over
    replicates, and their spread, count every replicate once."""
    keys = ["replicate", "round", "arm"]
    return ended(frame).groupby(keys, sort=False)[["density", "weights", *MEANS]].mean().reset_index()


def by_round(frame: pd.DataFrame) -> pd.DataFrame:
    """Mean and sample standard deviation over replicates that did not diverge: one line per round and arm.

    Columns: round, arm, density, weights, n, and for each measure `<measure>` and `<measure>_sd` (NaN for n = 1).
    """
    grouped = averaged(frame).groupby(["round", "arm"], sort=False)
    means = grouped[MEANS].mean()
    spread = grouped[MEANS].std(ddof=1).add_suffix("_sd")
    first = grouped[["density", "weights"]].mean().round({"weights": 0}).astype({"weights": "int64"})
    count = grouped.size().rename("n")
    return (
        pd.concat([first, count, means, spread], axis=1)
        .reset_index()
        .sort_values("round", kind="stable", ignore_index=True)
    )


def differences(frame: pd.DataFrame, control: str, measure: str = "test_accuracy_at_end") -> pd.DataFrame:
    """Ticket minus `control` in each replicate that has both: columns round, density (the ticket's), n, mean, sd."""
    frame = averaged(frame)
    wide = frame[frame["arm"].isin(["ticket", control])].pivot_table(
        index=["round", "replicate"], columns="arm", values=measure
    )
    if not {"ticket", control} <= set(wide.columns):
        return pd.DataFrame(columns=["round", "density", "n", "mean", "sd"])
    paired = (wide["ticket"] - wide[control]).dropna()
    grouped = paired.groupby(level="round")
    density = frame[frame["arm"] == "ticket"].groupby("round")["density"].mean()
    columns = [grouped.size().rename("n"), grouped.mean().rename("mean"), grouped.std(ddof=1).rename("sd")]
    return (
        pd.concat([density.reindex(columns[0].index), *columns], axis=1)
        .reset_index()
        .sort_values("round", ignore_index=True)
    )


def with_spread(mean: float, sd: float, scale: float, digits: int) -> str:
    """ "97.31 ± 0.20"; without the spread where there is none."""
    spread = "" if pd.isna(sd) else f" ± {scale * sd:,.{digits}f}"
    return f"{scale * mean:,.{digits}f}{spread}"
