"""A distribution as a line, from counts of equal bins."""

from __future__ import annotations

import numpy as np

from lth_pipeline.reports.charts.chart import Line

COARSER = ((20_000, 1), (3_000, 2), (0, 4))  # of so many values so many bins are put together


def distribution(name: str, counts: np.ndarray, between: tuple[float, float], **look) -> Line | None:
    """Counts of equal bins as a probability density; of few values in wider bins. None of no value."""
    total = int(counts.sum())
    if not total:
        return None
    together = next(number for least, number in COARSER if total >= least)
    counts = counts.reshape(-1, together).sum(1)
    width = (between[1] - between[0]) / len(counts)
    centres = (between[0] + width * (np.arange(len(counts)) + 0.5)).tolist()
    return Line(name, centres, (counts / total / width).tolist(), marks=False, **look)
