"""Comparisons of made-up results, for tables, figures and a look at them."""

import math
from functools import cache

import pandas as pd

from lth_pipeline.experiments import Experiment
from lth_pipeline.experiments.lineups import lineup_of, lineup_of_sweep
from lth_pipeline.experiments.settings.sweep import SweepPoint
from lth_pipeline.experiments.sweeps import sweeps
from lth_pipeline.recipes import load_cards
from lth_pipeline.reports.comparison import Comparison, compare
from lth_pipeline.reports.table import COLUMNS, ended


def made_up(
    rates=("0.1", "0.03", "0.01"),
    rewinds=("start", "late"),
    replicates=3,
    rounds=8,
    arms=("ticket", "reinit"),
) -> Comparison:
    """rates × rewinds experiments; those of one rate have the same dense networks."""
    cards = sweep_cards(rates, rewinds)
    frames = {name: frame(name, place, len(rewinds), replicates, rounds, arms) for place, name in enumerate(cards)}
    lineup = lineup_of_sweep(cards, sweeps(cards)["mine"])
    return compare(lineup, cards, frames, dict.fromkeys(cards, "handwritten digits"))


def beside(*names: str, replicates=3, rounds=8, arms=("ticket", "reinit")) -> Comparison:
    """Built-in experiments side by side, as `lth compare` has them. Their dense networks differ."""
    cards = builtin()
    frames = {name: frame(name, place, 1, replicates, rounds, arms) for place, name in enumerate(names)}
    return compare(lineup_of(cards, names), cards, frames, dict.fromkeys(names, "handwritten digits"))


def curves(compared: Comparison) -> pd.DataFrame:
    """Learning curves of every round, which come to the accuracy at the end."""
    parts = []
    for row in ended(compared.frame).to_dict("records"):
        about = {name: row[name] for name in ("experiment", "replicate", "round", "arm", "draw", "density")}
        end = row["test_accuracy_at_end"]
        parts += [about | {"iteration": 100 * k, "test_accuracy": end * (1 - math.exp(-k))} for k in range(11)]
    return pd.DataFrame(parts)


builtin = cache(lambda: load_cards([]))


def sweep_cards(rates, rewinds) -> dict[str, Experiment]:
    digits = builtin()["digits"]
    cards = {}
    for rate in rates:
        for rewind in rewinds:
            at = {"training.learning_rate": rate, "rewind": rewind}
            name = f"mine_learning_rate_{rate.replace('.', 'p')}_{rewind}"
            point = SweepPoint(sweep="mine", about="made up", at=at)
            cards[name] = digits.model_copy(update={"name": name, "sweep": point})
    return cards


def frame(name: str, place: int, sharing: int, replicates: int, rounds: int, arms) -> pd.DataFrame:
    """Results of the experiment at `place`; each `sharing` neighbours have the same dense networks."""
    rows = []
    for replicate in range(replicates):
        for round in range(rounds + 1):
            for arm in arms if round else ("dense",):
                accuracy = 0.975 - 0.004 * (place // sharing) + 0.0015 * math.sin(5 * replicate + place // sharing)
                if round:
                    fall = (0.0004 if arm == "ticket" else 0.0015) * (1 + 0.6 * (place % sharing))
                    accuracy += (
                        0.004
                        - fall * round**2 / 2
                        + 0.002 * math.sin(7 * replicate + round + 3 * place + (arm == "reinit"))
                    )
                rows.append(
                    {
                        "experiment": name,
                        "replicate": replicate,
                        "round": round,
                        "arm": arm,
                        "density": 0.7**round,
                        "weights": int(10_000 * 0.7**round),
                        "early_stop_iteration": 1000,
                        "test_accuracy_at_early_stop": accuracy,
                        "test_accuracy_at_end": accuracy,
                        "train_accuracy_at_end": 1.0,
                        "validation_loss_min": 0.1,
                        "seconds": 1.0,
                        "mlflow_run_id": "",
                        "protocol": "full",
                        "diverged_at": None,
                        "draw": 0,
                    }
                )
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)
