"""The table of results: its columns are a contract, and its summary is what the screen shows."""

from __future__ import annotations

from typing import Any

import pandas as pd

from lth_pipeline.experiments.arms import ARMS

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
}


def results_table(rows: list[dict[str, Any]], run_ids: dict[tuple[int, int, str, str], str]) -> pd.DataFrame:
    """One line per replicate, round and arm. `mlflow_run_id` is empty where MLflow has no run of it."""
    frame = pd.DataFrame(
        [
            {**row, "mlflow_run_id": run_ids.get((row["replicate"], row["round"], row["arm"], row["data_version"]), "")}
            for row in rows
        ],
        columns=list(COLUMNS),
    ).astype(COLUMNS)
    order = {arm: place for place, arm in enumerate(ARMS)}
    return frame.sort_values(
        ["replicate", "round", "arm"], key=lambda c: c.map(order) if c.name == "arm" else c, ignore_index=True
    )


def by_round(frame: pd.DataFrame) -> pd.DataFrame:
    """Mean and sample standard deviation over replicates: one line per round and arm.

    Columns: round, arm, density, weights, n, and for each measure `<measure>` and `<measure>_sd` (NaN for n = 1).
    """
    measures = ["test_accuracy_at_early_stop", "test_accuracy_at_end", "train_accuracy_at_end", "early_stop_iteration"]
    grouped = frame.groupby(["round", "arm"], sort=False)
    means = grouped[measures].mean()
    spread = grouped[measures].std(ddof=1).add_suffix("_sd")
    first = grouped[["density", "weights"]].first()
    count = grouped.size().rename("n")
    return (
        pd.concat([first, count, means, spread], axis=1)
        .reset_index()
        .sort_values("round", kind="stable", ignore_index=True)
    )


def differences(frame: pd.DataFrame, control: str, measure: str = "test_accuracy_at_end") -> pd.DataFrame:
    """Ticket minus `control` in each replicate that has both: columns round, density, n, mean, sd."""
    wide = frame[frame["arm"].isin(["ticket", control])].pivot_table(
        index=["round", "density", "replicate"], columns="arm", values=measure
    )
    if not {"ticket", control} <= set(wide.columns):
        return pd.DataFrame(columns=["round", "density", "n", "mean", "sd"])
    paired = (wide["ticket"] - wide[control]).dropna()
    grouped = paired.groupby(level=["round", "density"])
    return (
        pd.concat([grouped.size().rename("n"), grouped.mean().rename("mean"), grouped.std(ddof=1).rename("sd")], axis=1)
        .reset_index()
        .sort_values("round", ignore_index=True)
    )
