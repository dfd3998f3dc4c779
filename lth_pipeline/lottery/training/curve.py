"""Learning curves, and the early-stop iteration read off them."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite

import torch

#: the columns of a learning curve; all float64, iteration int64. train_loss is the mean over the batches since
#: the row before (NaN in the first row, where there was none).
COLUMNS = ("iteration", "train_loss", "validation_loss", "validation_accuracy", "test_loss", "test_accuracy")

Row = dict[str, float]


def to_tensors(rows: list[Row]) -> dict[str, torch.Tensor]:
    """{column: tensor (rows,)}."""
    return {column: torch.tensor([row[column] for row in rows], dtype=_dtype(column)) for column in COLUMNS}


def to_rows(columns: Mapping[str, torch.Tensor]) -> list[Row]:
    """The inverse of `to_tensors`."""
    return [
        dict(zip(COLUMNS, values, strict=True)) for values in zip(*(columns[c].tolist() for c in COLUMNS), strict=True)
    ]


def early_stop(rows: list[Row]) -> Row:
    """The row of least validation loss, the earliest where they tie; rows of NaN never win.

    Frankle & Carbin 2019, §2: "the iteration of minimum validation loss", found after training.
    """
    finite = [row for row in rows if row["validation_loss"] == row["validation_loss"]]
    return min(finite or rows[:1], key=lambda row: row["validation_loss"])


def waited(rows: list[Row]) -> int:
    """Evaluations since the one of least validation loss."""
    return len(rows) - 1 - rows.index(early_stop(rows))


def diverged_at(rows: list[Row]) -> int | None:
    """The iteration of the first row with a loss that is not finite; None where all are.

    The first row has no training loss: nothing was trained before it.
    """
    for place, row in enumerate(rows):
        losses = [row["validation_loss"], row["train_loss"] if place else 0.0]
        if not all(map(isfinite, losses)):
            return int(row["iteration"])
    return None


def ended(rows: list[Row], patience: int | None) -> bool:
    """Whether a training stops at the last of `rows`: it diverged, or has waited for `patience` evaluations."""
    return diverged_at(rows) is not None or (patience is not None and waited(rows) >= patience)


def _dtype(column: str) -> torch.dtype:
    return torch.int64 if column == "iteration" else torch.float64
