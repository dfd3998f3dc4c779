"""Rows of `results.csv` that were never trained: what a verdict is to be found in is known."""

from collections.abc import Mapping, Sequence
from typing import Any

DENSITIES = (1.0, 0.4, 0.15, 0.04)
#: what a replicate adds to all that is trained in it, and to its ticket alone: of 5, in accuracy
SEEDS = (0.000, 0.004, -0.003, 0.002, -0.001)
OWN = (0.0002, -0.0001, 0.0, -0.0002, 0.0001)


def rows_of(
    replicates: int = 5,
    gains: Mapping[str, Sequence[float]] | None = None,
    stops: Mapping[str, float] | None = None,
    densities: Sequence[float] = DENSITIES,
) -> list[dict[str, Any]]:
    """gains: {arm: its accuracy above the dense network's, by round from 1}. stops: {arm: early-stop iteration}."""
    gains = gains or {"ticket": (0.002, 0.003, 0.001), "reinit": (-0.004, -0.008, -0.02)}
    stops = {"dense": 1000, "ticket": 500, "reinit": 2000} | dict(stops or {})
    found = []
    for replicate in range(replicates):
        for round, density in enumerate(densities):
            for arm in gains if round else ("dense",):
                gain = gains[arm][round - 1] + OWN[replicate] * (1 + round) if round else 0.0
                own = OWN[-1 - replicate] if arm == "reinit" else 0.0
                found.append(row(replicate, round, arm, density, 0.97 + SEEDS[replicate] + gain + own, stops[arm]))
    return found


def row(
    replicate: int, round: int, arm: str, density: float, accuracy: float, stops: float = 1000, **more: Any
) -> dict[str, Any]:
    return {
        "experiment": "made_up",
        "replicate": replicate,
        "round": round,
        "arm": arm,
        "draw": 0,
        "density": density,
        "weights": int(10_000 * density),
        "early_stop_iteration": stops,
        "test_accuracy_at_early_stop": accuracy,
        "test_accuracy_at_end": accuracy - 0.001,
        "train_accuracy_at_end": 1.0,
        "validation_loss_min": 0.1,
        "seconds": 1.0,
        "protocol": "full",
        "diverged_at": None,
        "data_version": f"{replicate}{round}{arm}",
    } | more
