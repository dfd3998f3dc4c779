"""What stands below the table of results: the ticket against a control, in words."""

from __future__ import annotations

import pandas as pd

from lth_pipeline.experiments.arms import ARMS
from lth_pipeline.reports.table import differences
from lth_pipeline.reports.wording import left, written


def sentence(frame: pd.DataFrame, control: str) -> str:
    """Ticket against `control` at the sparsest round of both, in words, with n and spread; nothing is tested here."""
    paired = differences(frame, control)
    if paired.empty:
        return f"No round has both the ticket and {ARMS[control].title} yet."
    last = paired.iloc[-1]
    spread = f" ± {100 * last['sd']:.2f}" if last["n"] > 1 else ""
    return (
        f"At {left(last['density'])} of the weights the ticket ends {written(100 * last['mean'], '+.2f')}{spread} "
        f"percentage points of test accuracy from {_named(control)} "
        f"(mean of paired differences{', ± their standard deviation' if spread else ''}; n = {int(last['n'])})."
    )


def _named(arm: str) -> str:
    return f"its {ARMS[arm].title} control" if ARMS[arm].control else f"the {ARMS[arm].title}"
