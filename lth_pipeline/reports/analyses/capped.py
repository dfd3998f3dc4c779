"""Early stops that are the last iteration: the validation loss may still have been falling when training ended.

What is measured there is a lower bound of how long it would have taken."""

from __future__ import annotations

import math

import pandas as pd

from lth_pipeline.experiments import Experiment
from lth_pipeline.experiments.arms import ARMS
from lth_pipeline.reports.wording import left

LOWER_BOUND = "Such an early stop is a lower bound: the validation loss may have gone on falling."


def counted(rounds: pd.DataFrame, experiment: Experiment) -> str:
    """In words, how many trainings of each arm stopped early at their last iteration; "" where none did. rounds: a row
    for each training, as the analysis paper_figures has it."""
    last = experiment.training.iterations
    at_last = rounds.assign(capped=rounds["early_stop_iteration"] >= last)
    said = []
    for arm in ARMS:
        own = at_last[at_last["arm"] == arm]
        capped = own[own["capped"]]
        if capped.empty:
            continue
        dense, sparse = (left(getattr(capped["density"], end)()) for end in ("max", "min"))
        of_rounds = own.groupby("round")["density"].mean()
        where = f" (at {dense})" if dense == sparse else f" (between {dense} and {sparse} of the weights)"
        said.append(f"{ARMS[arm].title} {len(capped)} of {len(own)}{where if len(of_rounds) > 1 else ''}")
    if not said:
        return ""
    return f"Trainings whose early stop is their last iteration, {last:,}: {'; '.join(said)}. {LOWER_BOUND}"


def surely_capped(arms: pd.DataFrame, experiment: Experiment) -> pd.DataFrame:
    """Rows (round, arm, density, n, capped) of networks at least one of whose trainings must have stopped early at its
    last iteration: `capped`, at least so many of n. arms: means over replicates, as the analysis verdict has them. Who
    stops earlier does so one evaluation before the last or sooner, and a mean above that tells of how many did not."""
    training = experiment.training
    gap = training.iterations % training.evaluate_every or training.evaluate_every
    rows = arms[arms["measure"] == "early_stop_iteration"]
    least = rows["n"] * (1 - (training.iterations - rows["mean"]) / gap)
    reached = (rows["high"].astype(float) >= training.iterations).astype(int)  # the mean of some of the replicates
    counts = [max(math.ceil(share - 1e-6), some) for share, some in zip(least, reached, strict=True)]
    return rows.assign(capped=counts)[lambda each: each["capped"] > 0][["round", "arm", "density", "n", "capped"]]


def bounded(arms: pd.DataFrame, experiment: Experiment) -> str:
    """What `surely_capped` makes of the ratios of early stops, in words; "" where it is nothing."""
    capped = surely_capped(arms, experiment)
    said = []
    for arm, effect in (("ticket", "an upper"), ("dense", "a lower"), ("reinit", "a lower")):
        own = capped[capped["arm"] == arm]
        if own.empty:
            continue
        rounds = "" if arm == "dense" else f" of {len(own)} round{'s' if len(own) > 1 else ''}"
        where = "" if arm == "dense" else f" (from {left(own['density'].max())} of the weights on)"
        said.append(
            f"at least {own['capped'].sum():.0f} of {own['n'].sum():.0f} trainings{rounds} of the {ARMS[arm].title}"
            f"{where}, whose ratio is {effect} bound there"
        )
    if not said:
        return ""
    return (
        f"No early stop can be later than the last iteration, {experiment.training.iterations:,}. As the means tell, "
        f"it is the early stop of {'; of '.join(said)}. Where both come to it a ratio near 1 says nothing. The paper's "
        "figures (paper_figures) count these trainings."
    )
